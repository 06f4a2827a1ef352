"""Programs that make one file each, in processes of their own on one core, some of them at a time.

A file that is there already is kept, so that a table goes on where it was stopped.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from bench.machine import ROOT

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(2**33), "MALLOC_TRIM_THRESHOLD_": str(2**33)}
"""glibc would give every large tensor back to the system and fetch it anew for the next one."""
POLL_S = 0.5


class Job(NamedTuple):
    """A program (``python -m …``) that makes ``file``; it waits for the file that it ``needs``."""

    name: str
    program: tuple[str, ...]
    file: Path
    needs: Path | None = None

    @property
    def done(self) -> bool:
        return self.file.is_file()

    @property
    def ready(self) -> bool:
        return self.needs is None or self.needs.is_file()


def run(wanted: Sequence[Job], at_once: int, console: Console) -> bool:
    """Run what is not done yet; whether all of it is done then."""
    waiting = [job for job in wanted if not job.done]
    running: dict[Job, subprocess.Popen[bytes]] = {}
    failed = False
    while waiting or running:
        while len(running) < at_once and (job := next((job for job in waiting if job.ready), None)):
            waiting.remove(job)
            console.print(f"{job.name} …  ({len(waiting)} waiting)")
            running[job] = _started(job)
        if not running:
            return False
        for job in [job for job, process in running.items() if process.poll() is not None]:
            code = running.pop(job).returncode
            failed = failed or code != 0
            console.print(f"{job.name}: " + ("done" if code == 0 else f"ended with {code}"))
        time.sleep(POLL_S)
    return not failed


def _started(job: Job) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", *job.program]
    return subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, **ONE_THREAD, **KEPT_MEMORY}, stdout=subprocess.DEVNULL
    )
