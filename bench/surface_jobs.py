"""The trainings of the surface table, each in a process of its own on one core, some of them at a time.

A row that is there already is kept, so that the table goes on where it was stopped.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.console import Console

from bench.machine import ROOT
from bench.surface_trials import KINDS, PUBLISHED, path_of

SEEDS = (0, 1, 2, 3, 4)
PUBLISHED_SEEDS = SEEDS[:2]
"""The authors' way takes three times as many epochs as ours, and two seeds show how far it is from ours."""
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**33), "MALLOC_TRIM_THRESHOLD_": str(2**33)}
"""glibc would give every large tensor back to the system and fetch it anew for the next one."""
POLL_S = 0.5


class Job(NamedTuple):
    """A program that makes the row of a kind and a seed."""

    kind: str
    seed: int
    program: tuple[str, ...]
    needs: str = ""  # the kind whose network of the same seed it judges by

    @property
    def done(self) -> bool:
        return path_of(self.kind, self.seed).is_file()

    @property
    def ready(self) -> bool:
        return not self.needs or path_of(self.needs, self.seed).is_file()


def jobs(seeds: Sequence[int] = SEEDS) -> list[Job]:
    """Everything that the table is made of, in the order in which it is begun."""
    return [
        *_trainings([kind for kind in KINDS if kind.startswith("msa")], seeds),
        *(Job("few", seed, ("bench.surface_few", str(seed))) for seed in seeds),
        *(Job("unlike", seed, ("bench.surface_unlike", str(seed)), needs="msa-200") for seed in seeds),
        Job("other", 0, ("bench.surface_other",)),
        *_trainings(["plain-200", "modern-200"], seeds),
        *_trainings(["plain-100", "plain-50", "plain-10"], seeds),
        *_trainings([kind for kind in KINDS if kind.startswith(PUBLISHED)], PUBLISHED_SEEDS),
    ]


def _trainings(kinds: Sequence[str], seeds: Sequence[int]) -> Iterator[Job]:
    for kind in kinds:
        for seed in seeds:
            yield Job(kind, seed, ("bench.surface_trials", kind, str(seed)))


def run(wanted: Sequence[Job], at_once: int, console: Console) -> bool:
    """Run what is not done yet; whether all of it is done then."""
    waiting = [job for job in wanted if not job.done]
    running: dict[Job, subprocess.Popen[bytes]] = {}
    failed = False
    while waiting or running:
        while len(running) < at_once and (job := next((job for job in waiting if job.ready), None)):
            waiting.remove(job)
            console.print(f"{job.kind} {job.seed} …  ({len(waiting)} waiting)")
            running[job] = _started(job)
        if not running:
            return False
        for job in [job for job, process in running.items() if process.poll() is not None]:
            code = running.pop(job).returncode
            failed = failed or code != 0
            console.print(f"{job.kind} {job.seed}: " + ("done" if code == 0 else f"ended with {code}"))
        time.sleep(POLL_S)
    return not failed


def _started(job: Job) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", *job.program]
    return subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **ONE_THREAD, **KEPT_MEMORY}, stdout=subprocess.DEVNULL
    )
