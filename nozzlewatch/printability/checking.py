"""Checks one part and tells what was found: the work of ``nozzlewatch printability check``."""

from __future__ import annotations

import os
import time
from pathlib import Path

import msgspec

from detector.printability.asking import look_of, usual_look
from detector.printability.check import Steps, Verdict, check_mesh
from detector.printability.physical.process import Process
from features.mesh import Mesh, Unit, load_mesh
from ingest.errors import UsageError


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be checked, by what, and where it is written. ``model`` None: the one that comes along."""

    part: Path
    nozzle_mm: float = 0.4
    layer_mm: float = 0.2
    material: str = "pla"
    unit: Unit | None = None
    model: Path | None = None
    json: str | None = None
    report: Path | None = None


def run(asked: Asked) -> Verdict:
    """Check it and write what was asked for; without ``json``, a text. Raises UsageError."""
    process = Process(nozzle_mm=asked.nozzle_mm, layer_mm=asked.layer_mm, material=asked.material)
    _check_places(asked)
    look = usual_look() if asked.model is None else look_of(asked.model)
    steps = Steps()
    with steps.step("read"):
        loaded = load_mesh(asked.part, unit=asked.unit, closed=False)
    name = os.fsencode(asked.part).decode(errors="replace")
    verdict = check_mesh(loaded, name, process, look, steps)
    _tell(asked, verdict, loaded.mesh)
    return verdict


def _tell(asked: Asked, verdict: Verdict, mesh: Mesh) -> None:
    """Each way is imported where it is asked for: many parts are many checks, and each begins anew."""
    if asked.report is not None:
        from nozzlewatch.printability.check_report import write_report

        write_report(asked.report, verdict, mesh, time.time_ns())
    if asked.json is not None:
        from nozzlewatch.output import write_json
        from nozzlewatch.printability.check_json import to_dict

        write_json(asked.json, to_dict(verdict))
    else:
        from rich.console import Console

        from nozzlewatch.printability.check_text import print_verdict

        print_verdict(Console(), verdict)


def _check_places(asked: Asked) -> None:
    """Before the work, so that nobody waits for nothing."""
    places = [("--report", asked.report)] if asked.report is not None else []
    if asked.json is not None and asked.json != "-":
        places.append(("--json", Path(asked.json)))
    for option, place in places:
        if place.is_dir():
            raise UsageError(f"{option} {place}: found a folder, expected the name of a file to write")
        if not place.parent.is_dir():
            raise UsageError(f"{option} {place}: found no folder {place.parent}, expected one: make it")
        if asked.part.exists() and place.exists() and place.samefile(asked.part):
            raise UsageError(f"{option} {place}: found the part itself, expected another file to write")
