"""The frozen simulated prints that the detector is measured on, and those that thresholds are chosen on.

They are made as ``nozzlewatch simulate`` and ``preprocess`` make them, and go on where they were stopped. A
set that is whole says so in its folder, with what made it: another simulator never makes it anew unasked.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.machine import data_dir
from detector.evaluation.events import HALTING
from detector.evaluation.outcome import S_PER_H
from detector.learning.preprocess import recordings_in
from detector.learning.shards import facts_of, shards_in
from ingest.errors import SourceError, UsageError
from ingest.simulate.held import Held
from ingest.simulate.onsets import failure_kinds
from ingest.simulate.produce import Wanted
from ingest.simulate.splits import Split
from nozzlewatch.simulating import simulate
from nozzlewatch.watching.preprocess import make_prints
from sinks.json_text import as_json

MINUTES, FPS = 15.0, 0.2
WHOLE = "set.json"
NORMAL, KINDS, PHYSICAL, VALIDATION, QUIET = "normal", "kinds", "physical", "val", "val-sound"
MEASURED = (NORMAL, KINDS, PHYSICAL)
"""Sets that are measured on, together."""
CHOSEN_ON = (VALIDATION, QUIET)
"""Sets that thresholds are chosen on, together."""


class Size(NamedTuple):
    """Prints of each set: normal ones, failing ones of each kind, of each heater and sensor fault (which are
    rare, but told best), and those that thresholds are chosen on, ``quiet`` of them sound ones alone: a false
    alarm costs nine times as much as a missed failure."""

    normal: int = 620
    each_kind: int = 45
    each_physical: int = 160
    validation: int = 300
    quiet: int = 400


FULL, QUICK = Size(), Size(normal=60, each_kind=5, each_physical=10, validation=40, quiet=40)


class MadeSet(msgspec.Struct, frozen=True, kw_only=True):
    """What a set came to, for programs."""

    prints: int
    failing: int
    hours: float
    seed: int
    split: Split
    kinds: tuple[str, ...]
    minutes: float
    fps: float
    gcode: str  # the version of the real G-code that jobs are taken from, "" for none
    simulator: str


def wanted_sets(folder: Path, size: Size) -> dict[str, Wanted]:
    """What to simulate, by the sets' names; recordings lie below ``folder``. Some jobs are real G-code
    where NOZZLEWATCH_DATA has any."""
    real = data_dir() / "gcode"
    gcode = real if any(real.glob("*.gcode")) else None
    physical = tuple(kind.value for kind in HALTING)
    others = tuple(kind for kind in failure_kinds() if kind not in physical)

    def wanted(
        name: str,
        prints: int,
        seed: int,
        failing: float,
        kinds: tuple[str, ...] = (),
        split: Split = Split.TEST,
        pairs: bool = False,
    ) -> Wanted:
        return Wanted(
            prints=prints, seed=seed, split=split, folder=folder / "prints" / name, minutes=MINUTES, fps=FPS,
            failing=failing, gcode=gcode, kinds=kinds, pairs=pairs,
        )  # fmt: skip

    return {
        # Not seed 1: its false alarms were looked into, and rules were mended for them.
        NORMAL: wanted(NORMAL, size.normal, 4, 0.0),
        KINDS: wanted(KINDS, size.each_kind * len(others), 2, 1.0, others),
        PHYSICAL: wanted(PHYSICAL, size.each_physical * len(physical), 3, 1.0, physical),
        VALIDATION: wanted(VALIDATION, size.validation, 12, 0.5, failure_kinds(), Split.VAL, pairs=True),
        QUIET: wanted(QUIET, size.quiet, 83, 0.0, (), Split.VAL),
    }


def beats_folder(wanted: Wanted) -> Path:
    """Where the prints of a set lie."""
    return wanted.folder.parent.parent / "beats" / wanted.folder.name


def make_set(wanted: Wanted, jobs: int, stop: threading.Event, *, keep: bool = False) -> list[Path]:
    """The prints of a set, which is made as far as it is missing; unless ``keep`` its recordings go then.

    Raises UsageError for a folder that holds another set, SourceError where a recording became no print, and
    as ``produce`` and ``preprocess``.
    """
    folder = beats_folder(wanted)
    if not _is_whole(folder, wanted.held):
        simulate(wanted, jobs, stop)
        made = make_prints(recordings_in([wanted.folder]), folder, jobs, stop)
        if made.broken:
            raise SourceError(f"{folder}: {made.broken[0]}; {len(made.broken)} recordings became no print")
        (folder / WHOLE).write_bytes(as_json(wanted.held))
    if not keep:
        shutil.rmtree(wanted.folder, ignore_errors=True)
    return shards_in([folder])


def told(wanted: Wanted, prints: Sequence[Path]) -> MadeSet:
    """What a set came to."""
    facts, held = [facts_of(path) for path in prints], wanted.held
    return MadeSet(
        prints=len(facts),
        failing=sum(one.kind is not None for one in facts),
        hours=sum(one.ends_s for one in facts) / S_PER_H,
        seed=held.seed,
        split=held.split,
        kinds=held.kinds,
        minutes=held.minutes,
        fps=held.fps,
        gcode=held.gcode,
        simulator=held.simulator,
    )


def _is_whole(folder: Path, held: Held) -> bool:
    """Whether the set is there. Raises UsageError where another one is."""
    told = folder / WHOLE
    if not told.is_file():
        return False
    before = msgspec.json.decode(told.read_bytes(), type=Held)
    if before != held:
        raise UsageError(
            f"{folder}: found prints of simulator {before.simulator} (now {held.simulator}) or of other "
            "arguments, expected those of this version: choose another --folder, or remove this one"
        )
    return True
