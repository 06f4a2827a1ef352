"""Draws a job for a simulated printer: its G-code, the moves that it comes to, what is special in it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ingest.simulate.jobs.draw import LONGEST_S, SHORTEST_S, draw_plan, traits_of
from ingest.simulate.jobs.files import files_of, read_real
from ingest.simulate.jobs.generate import generate
from ingest.simulate.jobs.plan import JobPlan
from ingest.simulate.jobs.read import read_job
from ingest.simulate.splits import Split
from ingest.simulate.toolpath import BED_MM, NO_PART, Toolpath
from ingest.telemetry.gcode.words import read_command

REAL_SHARE = 0.15
TRIES = 8
PET_BED_C = 70.0


class Job(NamedTuple):
    """What a printer prints. ``targets_c``: hot end and bed; ``traits``: what is special in it, such as
    ``support`` or ``several_parts``."""

    name: str
    gcode: str
    path: Toolpath
    material: str
    targets_c: tuple[float, float]
    traits: tuple[str, ...]


def sample_job(
    rng: np.random.Generator, split: Split, gcode: Path | None = None, bed_mm: tuple[float, float] = BED_MM
) -> Job:
    """A job as the split prints it, 8 minutes to 3 hours at full speed; now and then a file of ``gcode``.

    ``gcode`` is a folder of ``*.gcode``; None: all jobs are generated. The same state of ``rng`` and the same
    folder give the same job. Raises SourceError where a file of the folder cannot be read.
    """
    is_real = rng.random() < REAL_SHARE
    files = files_of(gcode, split) if gcode else []
    if is_real and files:
        return _real(files[int(rng.integers(len(files)))], bed_mm)
    for _ in range(TRIES):
        job = job_of(draw_plan(rng, split, bed_mm))
        if SHORTEST_S <= job.path.duration_s <= LONGEST_S:
            break
    return job


def job_of(plan: JobPlan) -> Job:
    """The job that a plan comes to."""
    lines, material = generate(plan), plan.material
    return Job(
        name=plan.name,
        gcode="\n".join(lines),
        path=read_job(lines, plan.bed_mm),
        material=material.name,
        targets_c=(material.hotend_c, material.bed_c),
        traits=traits_of(plan),
    )


def _real(file: Path, bed_mm: tuple[float, float]) -> Job:
    lines, path = read_real(file, bed_mm)
    targets_c = _highest_c(path, "M104", "M109"), _highest_c(path, "M140", "M190")
    parts = np.unique(path.part[path.part != NO_PART])
    return Job(
        name=file.stem,
        gcode="\n".join(lines),
        path=path,
        material="petg" if targets_c[1] > PET_BED_C else "pla",
        targets_c=targets_c,
        traits=("real", "several_parts") if len(parts) > 1 else ("real",),
    )


def _highest_c(path: Toolpath, *codes: str) -> float:
    """The highest temperature that a job's commands ask for."""
    commands = (read_command(order.command) for order in path.orders)
    asked = (command.words.get("S") or 0.0 for command in commands if command and command.code in codes)
    return max(asked, default=0.0)
