"""``python -m bench``: measures, prints a table, writes ``bench/results.json``. Needs no real data."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import msgspec
import torch
from rich.console import Console
from rich.table import Table

from bench import alignment, crowd, frames, gcode, judging, pipeline, serving, tap
from bench.figure import Figure
from bench.machine import ROOT, origin
from ingest.simulate.recording import write_recording
from sinks.json_text import as_json

RESULTS = ROOT / "bench" / "results.json"
RECORDING_S = 900


def main() -> None:
    """Measure one after the other; the pipeline last, with all the threads that it takes by itself.

    ``python -m bench ingest`` and ``python -m bench sinks`` measure these alone, and leave the other figures
    as they stand.
    """
    console = Console()
    if sys.argv[1:] == ["sinks"]:
        from bench import sinks  # noqa: PLC0415 - it writes its results through here as well

        measured, told = sinks.measure(console)
        _write({**_before(), **origin("python -m bench sinks"), "sinks": told})
        console.print(table(measured))
        return
    ingested = list(_ingest(console))
    if sys.argv[1:] == ["ingest"]:
        console.print(table(ingested))
        _write({**_before(), **origin("python -m bench ingest"), "ingest": _values(ingested)})
        return
    with tempfile.TemporaryDirectory(prefix="nozzlewatch-") as folder:
        figures = list(_measured(Path(folder), console))
    load = os.getloadavg()[0]
    found: dict[str, Any] = {**origin("python -m bench"), "load": round(load, 2), "simulated": True}
    found["figures"] = {one.name: {**one._asdict(), "ratio": one.ratio} for one in figures}
    found["ingest"] = _values(ingested)
    found["sinks"] = _before().get("sinks", {})
    _write(found)
    console.print(table([*ingested, *figures]))
    console.print(f"load {load:.1f} at the end (above 1 something else may have run too); written: {RESULTS}")


def _ingest(console: Console) -> Iterator[Figure]:
    """G-code, the tap's delay, alignment, and what a whole farm costs."""
    for what, measure in (
        ("G-code", gcode.measure),
        ("the tap", tap.measure),
        ("alignment, a minute", alignment.measure),
        ("100 cameras and 100 printers", crowd.measure),
    ):
        console.print(f"ingest: {what} …")
        yield from measure()


def _values(figures: Sequence[Figure]) -> dict[str, float]:
    return {one.name: one.value for one in figures}


def _before() -> dict[str, object]:
    return msgspec.json.decode(RESULTS.read_bytes(), type=dict[str, object]) if RESULTS.exists() else {}


def _write(told: dict[str, object]) -> None:
    RESULTS.write_bytes(as_json(told))


def _measured(folder: Path, console: Console) -> Iterator[Figure]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    console.print("frames …")
    yield from frames.measure()
    console.print("networks …")
    yield from serving.measure()
    console.print("windows …")
    recording, short = folder / "recording", folder / "short"
    write_recording(recording, RECORDING_S)
    write_recording(short, pipeline.SHORT_S)
    yield from judging.measure(recording)
    torch.set_num_threads(threads)
    console.print("the whole pipeline …")
    yield from pipeline.measure(recording, short, folder / "out")


def table(figures: Sequence[Figure]) -> Table:
    """The figures for people."""
    drawn = Table(title="simulated pictures and telemetry; times on one core, the pipeline on all")
    for heading in ("what", "measured", "baseline", "ratio"):
        drawn.add_column(heading, justify="left" if heading == "what" else "right")
    for one in figures:
        beside = "" if one.baseline_value is None else f"{one.baseline}: {one.baseline_value:.3g}"
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
        drawn.add_row(one.name, f"{one.value:.3g} {one.unit}", beside, ratio)
    return drawn


if __name__ == "__main__":
    main()
