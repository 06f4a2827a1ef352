"""How fast simulated prints are made, pictures and telemetry, and what memory it takes.

    python -m bench.sim_speed [--minutes M] [--prints N] [--rounds N]

Frames per second and core are by the CPU time of one process, with all that a print takes: drawing its job
and its look, physics, pictures, telemetry, writing. Prints per hour are by the clock, on all cores. Memory is
that of one process which makes print after print, none twice.
"""

from __future__ import annotations

import argparse
import gc
import os
import resource
import tempfile
import time
from collections.abc import Callable
from itertools import count
from multiprocessing import get_context
from pathlib import Path

import cv2
from rich.console import Console

from bench.sim_recordings import write_section
from ingest.simulate.produce import Wanted, make, produce
from ingest.simulate.splits import Split
from ingest.simulate.version import simulator_version

SEED = 77
SIZE = (320, 240)
MEMORY_PRINTS = (5, 40)  # after how many prints memory is told
MEMORY_MINUTES = 1.0
USUAL_MINUTES = 15.0
WANTED = {"frames_s_core": 60.0, "usual_prints_h": 400.0}
"""What the simulator is to reach: 500 prints of 15 minutes in 75 minutes on two cores."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=15.0, help="of each print")
    parser.add_argument("--prints", type=int, default=3, help="of each split, for one process")
    parser.add_argument("--rounds", type=int, default=3, help="prints for each core")
    options = parser.parse_args()
    console = Console()
    figures: dict[str, object] = {"simulator": simulator_version(), "size": list(SIZE), "wanted": WANTED}
    for name, measure in _measures(options.minutes, options.prints, options.rounds).items():
        console.print(f"{name} …")
        figures.update(measure())
    console.print(figures)
    write_section("speed", "python -m bench.sim_speed", figures)


def _measures(minutes: float, prints: int, rounds: int) -> dict[str, Callable[[], dict[str, object]]]:
    return {
        "one process": lambda: one_process(minutes, prints),
        "all cores": lambda: all_cores(minutes, rounds),
        "memory": memory,
    }


def one_process(minutes: float, prints: int) -> dict[str, object]:
    """Frames per second of CPU time, of all prints and of each split's."""
    cv2.setNumThreads(1)
    spent = {split: _spent(split, minutes, prints) for split in Split}
    frames, cpu_s = (sum(pair[part] for pair in spent.values()) for part in range(2))
    return {
        "frames_s_core": round(frames / cpu_s, 1),
        "frames_s_core_of": {split: round(pair[0] / pair[1], 1) for split, pair in spent.items()},
        "ms_frame": round(1e3 * cpu_s / frames, 2),
    }


def _spent(split: Split, minutes: float, prints: int) -> tuple[float, float]:
    """Frames that were made, and the CPU time that they took."""
    with tempfile.TemporaryDirectory(prefix="nozzlewatch-") as folder:
        wanted = _wanted(Path(folder), split, prints, minutes)
        begin_s = time.process_time()
        frames = sum(make(wanted, number, _go_on).frames for number in range(prints))
        return frames, time.process_time() - begin_s


def all_cores(minutes: float, rounds: int) -> dict[str, object]:
    """Prints per hour by the clock, workers' start included."""
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="nozzlewatch-") as folder:
        wanted = _wanted(Path(folder), Split.TRAIN, cores * rounds, minutes)
        begin_s, load = time.monotonic(), os.getloadavg()[0]
        produce(wanted, cores, lambda _made: None, _go_on)
        hours = (time.monotonic() - begin_s) / 3600
    return {
        "cores": cores,
        "usual_prints_h": round(cores * rounds * minutes / USUAL_MINUTES / hours, 1),
        "load_before": round(load, 2),
    }


def memory() -> dict[str, object]:
    """What a process of its own holds after some prints and after many, MiB."""
    with get_context("spawn").Pool(1) as pool:
        told = pool.apply(_held)
    return {"memory_mib": told}


def _held() -> dict[str, dict[str, float]]:
    cv2.setNumThreads(1)
    told = {}
    with tempfile.TemporaryDirectory(prefix="nozzlewatch-") as folder:
        wanted = _wanted(Path(folder), Split.TRAIN, max(MEMORY_PRINTS), MEMORY_MINUTES)
        for number in count():
            if number in MEMORY_PRINTS:
                told[f"after_{number}"] = {"peak": _peak_mib(), "now": _now_mib()}
            if number == max(MEMORY_PRINTS):
                return told
            Path(make(wanted, number, _go_on).path).unlink()
    raise AssertionError("the counting never ends")


def _wanted(folder: Path, split: Split, prints: int, minutes: float) -> Wanted:
    return Wanted(prints=prints, seed=SEED, split=split, folder=folder, minutes=minutes, size=SIZE)


def _go_on() -> bool:
    return False


def _peak_mib() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def _now_mib() -> float:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


if __name__ == "__main__":
    main()
