"""The whole pipeline over a simulated recording, embedded stores included, and the size of its log."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.dataset as ds

from bench.figure import Figure
from nozzlewatch.replay import replay

SHORT_S = 60
"""Of this recording's replay the start and the end of the stores and stages are told apart."""


def measure(recording: Path, short: Path, out: Path) -> Iterator[Figure]:
    """Windows per second beyond what a short replay takes, with and without frames; bytes per row."""
    told = {}
    for name, with_frames in (("telemetry only", False), ("with frames", True)):
        short_windows, short_s = _timed(short, out / f"short {name}", with_frames)
        windows, took_s = _timed(recording, out / name, with_frames)
        told[name] = (windows - short_windows) / max(took_s - short_s, 1e-3)
        yield Figure(f"start and end of a replay, {name}", short_s, "s")
    bare = told["telemetry only"]
    yield Figure("pipeline, telemetry only", bare, "windows/s")
    yield Figure("pipeline, with frames", told["with frames"], "windows/s", "telemetry only", bare)
    yield _bytes_per_row(out / "with frames" / "log" / "scores")


def _timed(recording: Path, out: Path, with_frames: bool) -> tuple[int, float]:
    sources = [f"log:{recording / 'serial.log'}"]
    sources += [f"images:{recording / 'frames'}"] if with_frames else []
    began_s = time.perf_counter()
    replayed = replay(sources, out, stop=threading.Event())
    return replayed.windows, time.perf_counter() - began_s


def _bytes_per_row(folder: Path) -> Figure:
    """A row of the scores on disk, beside the same columns uncompressed in memory."""
    files = list(folder.rglob("*.parquet"))
    table = ds.dataset([str(file) for file in files], format="parquet").to_table()
    size = sum(file.stat().st_size for file in files)
    return Figure(
        "Parquet log, a row of scores", size / len(table), "bytes", "in memory", table.nbytes / len(table)
    )
