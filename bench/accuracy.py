"""``make evaluate``: how good the detector is, on frozen simulated prints and on real images.

    python -m bench.accuracy [--quick] [--jobs N] [--folder out/accuracy] [--model-path FILE] [--keep]

Simulates the test split and the prints that the baselines' thresholds are chosen on (hours on two cores; it
goes on where it was stopped), then writes ``bench/accuracy.json`` and ``out/accuracy.html``; with ``--quick``
a tenth of the prints, into ``out/accuracy-quick.json`` and ``.html``. Real images are measured where
NOZZLEWATCH_DATA has them.
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from rich.console import Console

from bench.accuracy_sets import CHOSEN_ON, FULL, MEASURED, QUICK, Size, make_set, told, wanted_sets
from bench.machine import ROOT, data_dir, origin
from detector.learning.real_images import MANIFEST
from ingest.running import FINE, run_stage
from ingest.simulate.produce import Wanted
from nozzlewatch.progress import cores
from nozzlewatch.watching import evaluated
from nozzlewatch.watching.evaluate import measure, measure_images
from nozzlewatch.watching.options import model_of
from sinks.json_text import as_json

OUT = ROOT / "out"


class Places(NamedTuple):
    """Where sets lie, and where what was found goes."""

    folder: Path
    figures: Path
    page: Path


FULLY = Places(OUT / "accuracy", ROOT / "bench" / "accuracy.json", OUT / "accuracy.html")
QUICKLY = Places(OUT / "accuracy-quick", OUT / "accuracy-quick.json", OUT / "accuracy-quick.html")


class Asked(NamedTuple):
    """What is to be done; ``model``: None for the one that comes along, ``data``: None for no real images."""

    sets: Mapping[str, Wanted]
    places: Places
    command: str
    jobs: int
    model: Path | None = None
    data: Path | None = None
    keep: bool = False


def main() -> None:
    """Read the arguments, work, and end with an exit code as the commands do."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the prints")
    parser.add_argument("--jobs", type=int, default=cores(), help="processes")
    parser.add_argument("--folder", type=Path, help="of the sets")
    parser.add_argument("--model-path", type=Path, help="the network (default: the one that comes along)")
    parser.add_argument("--keep", action="store_true", help="keep the recordings, 2 MB each")
    given = parser.parse_args()
    places, size = (QUICKLY, QUICK) if given.quick else (FULLY, FULL)
    places = places._replace(folder=given.folder or places.folder)
    asked = Asked(
        wanted_sets(places.folder, size), places, _command(size), given.jobs, given.model_path,
        data_dir() if (data_dir() / MANIFEST).is_file() else None, given.keep,
    )  # fmt: skip
    sys.exit(run_stage(lambda stop: accuracy(asked, stop, Console()), quiet=True))


def accuracy(asked: Asked, stop: threading.Event, console: Console) -> int:
    """Make the sets, measure, write. Raises UsageError without a network, and as what it calls."""
    model = model_of(asked.model)  # before hours of simulation
    sets = {name: make_set(one, asked.jobs, stop, keep=asked.keep) for name, one in asked.sets.items()}
    prints, others = ([path for name in names for path in sets[name]] for names in (MEASURED, CHOSEN_ON))
    found = measure(model, prints, others, asked.places.folder, asked.jobs, stop)
    evaluated.print_prints(found, console)
    figures: dict[str, Any] = {
        **origin(asked.command),
        "model": evaluated.model_told(model),
        **evaluated.prints_told(found),
        "sets": {name: msgspec.to_builtins(told(one, sets[name])) for name, one in asked.sets.items()},
    }
    if asked.data is not None:
        figures["images"] = measure_images(model, asked.data, asked.jobs)
        evaluated.print_images(figures["images"], console)
    asked.places.page.parent.mkdir(parents=True, exist_ok=True)
    asked.places.figures.write_bytes(as_json(figures))
    evaluated.write_page(asked.places.page, model, found, prints, ", split test")
    console.print(f"written: {asked.places.figures}, {asked.places.page}", soft_wrap=True, markup=False)
    return FINE


def _command(size: Size) -> str:
    return "make evaluate" if size == FULL else "make evaluate QUICK=1"


if __name__ == "__main__":
    main()
