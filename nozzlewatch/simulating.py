"""``nozzlewatch simulate``: labelled recordings of simulated prints, to learn from and to be judged on."""

from __future__ import annotations

import re
import threading
from collections import Counter
from pathlib import Path

import msgspec
from rich.console import Console
from rich.text import Text

from ingest.errors import UsageError
from ingest.simulate.onsets import failure_kinds
from ingest.simulate.produce import Made, Wanted, missing, produce
from ingest.simulate.version import simulator_version
from nozzlewatch.data import NONE, data_folder
from nozzlewatch.output import write_json
from nozzlewatch.progress import bar

ALL = "all"
SMALLEST, LARGEST = 64, 4096  # pixels of a side
SIZE = re.compile(r"(\d{1,5})x(\d{1,5})")
LONGEST_MINUTES, FASTEST_FPS, MOST_PIXELS = 24 * 60.0, 30.0, 4_000_000


class Simulated(msgspec.Struct, kw_only=True):
    """What came of it. ``kinds`` counts the failures of the prints that were made now."""

    folder: str
    simulator: str
    already_there: int = 0
    made: int = 0
    frames: int = 0
    size: int = 0  # bytes
    failing: int = 0
    kinds: dict[str, int] = {}


def simulate(wanted: Wanted, jobs: int, stop: threading.Event, *, quiet: bool = False) -> Simulated:
    """Make a set of recordings, with a bar for people unless ``quiet``. Raises as ``produce``."""
    there = wanted.prints - len(missing(wanted))
    simulated = Simulated(folder=str(wanted.folder), simulator=simulator_version(), already_there=there)
    kinds: Counter[str] = Counter()
    with bar(quiet) as shown:
        task = shown.add_task(f"{wanted.split} {wanted.seed}", total=wanted.prints, completed=there)

        def tell(made: Made) -> None:
            simulated.made += 1
            simulated.frames += made.frames
            simulated.size += made.size
            simulated.failing += bool(made.kinds)
            kinds.update(made.kinds)
            shown.advance(task)

        produce(wanted, jobs, tell, stop.is_set)
    simulated.kinds = dict(sorted(kinds.items()))
    return simulated


def size_of(text: str) -> tuple[int, int]:
    """Width and height of a picture of ``320x240``. Raises UsageError."""
    found = SIZE.fullmatch(text)
    size = (int(found[1]), int(found[2])) if found else (0, 0)
    if not all(SMALLEST <= side <= LARGEST for side in size) or size[0] * size[1] > MOST_PIXELS:
        raise UsageError(
            f"--size: found {text!r}, expected WIDTHxHEIGHT in pixels, such as 320x240 "
            f"(sides of {SMALLEST} to {LARGEST})"
        )
    return size


def gcode_of(text: str | None) -> Path | None:
    """The folder of real G-code files: the one named, none for "none", else that of the real data, if any."""
    if text == NONE:
        return None
    if text is None:
        usual = data_folder() / "gcode"
        return usual if any(usual.glob("*.gcode")) else None
    folder = Path(text)
    if not any(folder.glob("*.gcode")):
        raise UsageError(f"--gcode: found no *.gcode in {folder}, expected a folder of them, or {NONE}")
    return folder


def kinds_of(text: str | None) -> tuple[str, ...]:
    """The kinds of failure named, all for "all", none for None. Raises UsageError."""
    known = failure_kinds()
    if text is None or text == ALL:
        return known if text else ()
    asked = tuple(kind.strip() for kind in text.split(","))
    strange = [kind for kind in asked if kind not in known]
    if strange:
        raise UsageError(
            f"--kinds: found {', '.join(strange) or 'nothing'}, expected {ALL} or some of {', '.join(known)}"
        )
    return asked


def tell(simulated: Simulated, json: str | None) -> None:
    """Print what was made for people, or write it as JSON for programs."""
    if json is not None:
        write_json(json, msgspec.to_builtins(simulated))
        return
    kinds = ", ".join(f"{kind} {count}" for kind, count in simulated.kinds.items()) or "none"
    Console().print(
        Text(
            f"{simulated.folder}: {simulated.made} prints made ({simulated.frames} pictures, "
            f"{simulated.size / 2**20:.1f} MiB), {simulated.already_there} were there; simulator "
            f"{simulated.simulator}; failures: {kinds}"
        )
    )
