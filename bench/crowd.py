"""A hundred cameras and a hundred printers in one ingest process: what it costs, in cores and in memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.figure import Figure
from bench.load import READY

PRINTERS = 100
WARM_UP_S, MEASURED_S = 180.0, 120.0
"""Buffers and pools fill up in the first minutes; what grows after that grows for ever."""
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_KB = os.sysconf("SC_PAGE_SIZE") / 1024


def measure(measured_s: float = MEASURED_S) -> Iterator[Figure]:
    """``core_per_100_printers`` and ``memory_slope_kb_per_min`` of the ingest process alone."""
    with tempfile.TemporaryDirectory(prefix="nozzlewatch-") as name:
        folder = Path(name)
        load = subprocess.Popen([sys.executable, "-m", "bench.load", name, "--printers", str(PRINTERS)])
        try:
            _wait_for(folder / READY, load)
            ingest = subprocess.Popen(
                [sys.executable, "-m", "ingest", str(folder / "farm.toml")], stderr=subprocess.DEVNULL
            )
            try:
                yield from _watched(ingest, measured_s)
            finally:
                ingest.terminate()
                ingest.wait()
        finally:
            load.kill()
            load.wait()


def _watched(ingest: subprocess.Popen[bytes], measured_s: float) -> Iterator[Figure]:
    time.sleep(WARM_UP_S)
    began_s, cpu_s, memory = time.monotonic(), _cpu_s(ingest.pid), []
    while (now_s := time.monotonic()) - began_s < measured_s:
        if ingest.poll() is not None:
            raise RuntimeError(f"found that ingest ended with {ingest.returncode}, expected it to go on")
        memory.append((now_s, _memory_kb(ingest.pid)))
        time.sleep(1.0)
    used = (_cpu_s(ingest.pid) - cpu_s) / (time.monotonic() - began_s)
    slope = statistics.linear_regression(*zip(*memory, strict=True)).slope * 60
    yield Figure("core_per_100_printers", used, "of a core", "allowed", 0.2)
    yield Figure("memory_slope_kb_per_min", slope, "KB/min")


def _wait_for(path: Path, process: subprocess.Popen[bytes], limit_s: float = 30.0) -> None:
    until_s = time.monotonic() + limit_s
    while not path.exists():
        if process.poll() is not None or time.monotonic() > until_s:
            raise RuntimeError(f"{path}: found nothing within {limit_s:g} s, expected the load to run")
        time.sleep(0.05)


def _cpu_s(pid: int) -> float:
    """User and system time of a process and its threads, s: fields 14 and 15 of /proc/PID/stat."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def _memory_kb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_KB


if __name__ == "__main__":
    for figure in measure(float(sys.argv[1]) if len(sys.argv) > 1 else MEASURED_S):
        print(figure)
