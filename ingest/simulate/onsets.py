"""Which fault befalls a simulated print, when and how badly. Shares stand in ``MECHANISMS``.

Kinds of what fails most on farms: what comes off the bed, what is not laid where it should be, what does not
come out. Severity and growth differ by split: the test split's faults are weaker and slower at the tail.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from ingest.simulate.course import Course
from ingest.simulate.faults import TRUTH, Fault, FaultKind
from ingest.simulate.ranges import between
from ingest.simulate.repeats import repeats
from ingest.simulate.splits import Split
from ingest.simulate.toolpath import Floats

ONSET_SHARES = (0.12, 0.72)  # of the recording: no print fault begins earlier or later
FIRST_SAFE_S = 6.0  # after the first move
TRIES = 16  # onsets that are tried before the job is found not to fit
BLIND_SHARE = 0.06  # of the prints: camera or line fail, beside whatever else
SEVERITY = (0.25, 1.0)
WEAKER = 1.8  # the test split's severities pile up at the weak end: power of the uniform draw
SLOWER = (1.0, 1.8)  # factor on the growth in the test split
GAP_MM, HAIRS_MIN = 6.0, 8.0  # stringing needs travels over gaps, so many a minute
CELL_MM, ROW = 3.0, 1 << 20  # what is printed is looked at in such cells; numbers from row to row
FROM_THE_BED, LOW_MM = 0.4, 1.2  # share of what lets go that does so in the first layers, up to so high
LEAST_FILAMENT_MM = 1e-3

Choice = TypeVar("Choice")


class Mechanism(NamedTuple):
    """What a fault needs to show, and how fast it grows: ``weight`` of all, ``needs_s`` of printing after the
    onset, at a height from ``least_mm`` up to a share ``highest`` of the job's own."""

    weight: float
    growth_s: tuple[float, float] = (0.0, 0.0)
    needs_s: float = 60.0
    least_mm: float = 0.0
    highest: float = 1.0
    test_only: bool = False


_K = FaultKind
MECHANISMS: Mapping[FaultKind, Mechanism] = {
    _K.SPAGHETTI: Mechanism(0.20, (0.0, 120.0), 240.0, 0.1),
    _K.DETACHMENT: Mechanism(0.16, (2.0, 120.0), 240.0, 0.3),
    _K.WARPING: Mechanism(0.09, (60.0, 300.0), 240.0, 0.4, 0.5),
    _K.LAYER_SHIFT: Mechanism(0.08, (0.0, 0.0), 120.0, 1.0),
    _K.BELT_SLIP: Mechanism(0.03, (0.0, 120.0), 180.0, 0.8, test_only=True),
    _K.CLOG: Mechanism(0.08, (30.0, 300.0), 180.0),
    _K.HEAT_CREEP: Mechanism(0.04, (60.0, 300.0), 240.0, test_only=True),
    _K.FULL_CLOG: Mechanism(0.03, (2.0, 20.0), 120.0),
    _K.RUN_OUT: Mechanism(0.05, (0.0, 0.0), 180.0),
    _K.GRINDING: Mechanism(0.03, (10.0, 120.0), 120.0),
    _K.STRINGING: Mechanism(0.10, (0.0, 180.0), 180.0, 0.8),
    _K.BLOB: Mechanism(0.06, (60.0, 300.0), 180.0),
    _K.OPEN_HEATER: Mechanism(0.01),
    _K.WEAK_HEATER: Mechanism(0.015, (0.0, 300.0), 120.0),
    _K.STUCK_HEATER: Mechanism(0.005),
    _K.OPEN_BED: Mechanism(0.01, needs_s=120.0),
    _K.LOOSE_THERMISTOR: Mechanism(0.015, (0.0, 180.0)),
    _K.OPEN_THERMISTOR: Mechanism(0.005),
    _K.SLIPPED_THERMISTOR: Mechanism(0.01, (5.0, 200.0), 120.0, test_only=True),
    _K.LINE_ERRORS: Mechanism(0.01, (0.0, 60.0)),
    _K.RESET: Mechanism(0.01),
    _K.STARVATION: Mechanism(0.01, (0.0, 60.0), 120.0),
}
"""Faults of the print. Sums to 1.05 with those that the test split alone has; weights are relative."""

LETS_GO = frozenset({_K.SPAGHETTI, _K.DETACHMENT})
"""Faults that begin in the first layers more often than anywhere else."""

BLIND: Mapping[FaultKind, float] = {
    _K.CAMERA_FROZEN: 0.2,
    _K.CAMERA_BLACK: 0.2,
    _K.CAMERA_SILENT: 0.1,
    _K.CAMERA_MOVED: 0.2,
    _K.CAMERA_BLURRED: 0.1,
    _K.SILENCE: 0.1,
    _K.GARBLED: 0.1,
}
"""Faults of the watch's own senses."""
BLIND_FOR_S = (40.0, 400.0)
NEVER_BACK = 0.6  # share of them that last until the end


def draw_kind(rng: np.random.Generator, split: Split, truth: str | None = None) -> FaultKind:
    """A fault by its weight, of those that the split has, or of those alone that are failures of one kind."""
    own = {
        kind: m.weight
        for kind, m in MECHANISMS.items()
        if (split is Split.TEST or not m.test_only) and truth in (None, TRUTH[kind])
    }
    return _weighted(rng, own)


def failure_kinds() -> tuple[str, ...]:
    """The kinds of failure that a print of any split may have, in the order of the mechanisms."""
    return tuple(dict.fromkeys(TRUTH[kind] for kind in MECHANISMS))


def draw_fault(rng: np.random.Generator, split: Split, kind: FaultKind, course: Course) -> Fault | None:
    """A fault of a kind that shows in this job; None where it could not."""
    mechanism = MECHANISMS[kind]
    low = kind in LETS_GO and rng.random() < FROM_THE_BED
    for _ in range(TRIES):
        at_s = _onset_s(rng, mechanism, course)
        if at_s is None:
            return None
        if shows(kind, course, at_s) and not (low and course.height_mm(at_s) > LOW_MM):
            return _grown(rng, split, kind, course, at_s)
    return None


def draw_blindness(rng: np.random.Generator, seconds: float, *, by_lines: bool) -> tuple[Fault, ...]:
    """In a few prints, a fault of the camera or the line; only what comes in lines can be garbled."""
    if rng.random() >= BLIND_SHARE:
        return ()
    at_s = seconds * float(rng.uniform(0.1, 0.85))
    lasts_s = float(rng.uniform(*BLIND_FOR_S))
    kind = _weighted(rng, BLIND)
    if kind is FaultKind.GARBLED and not by_lines:
        kind = FaultKind.SILENCE
    forever = rng.random() < NEVER_BACK or kind is FaultKind.CAMERA_MOVED
    until_s = math.inf if forever else at_s + lasts_s
    severity, seed = float(rng.uniform(0.4, 1.0)), int(rng.integers(2**31))
    return (Fault(kind=kind, at_s=at_s, until_s=until_s, severity=severity, seed=seed),)


def shows(kind: FaultKind, course: Course, at_s: float) -> bool:
    """Whether a fault of a kind that begins now can be seen by the end of what it needs."""
    mechanism, path = MECHANISMS[kind], course.path
    height_mm, until_s = course.height_mm(at_s), at_s + mechanism.needs_s
    top_mm = float(path.points[:, 2].max())
    if not mechanism.least_mm <= height_mm <= max(mechanism.highest * top_mm, mechanism.least_mm + 1.0):
        return False
    if not course.parts(at_s, until_s):
        return False
    if kind is FaultKind.STRINGING:
        return ways_over_gaps(course, at_s, until_s) >= HAIRS_MIN * mechanism.needs_s / 60.0
    return True


def ways_over_gaps(course: Course, from_s: float, to_s: float) -> int:
    """Travels between two times that go at least ``GAP_MM`` and lead over what is not printed then."""
    path, moves = course.path, course.moves(from_s, to_s)
    points = path.points[moves.start : moves.stop + 1, :2]
    begin, way = points[:-1], np.diff(points, axis=0)
    prints = path.melted_mm_s[moves] > 0.0
    lengths_mm = np.hypot(*way.T)
    counts = (lengths_mm[prints] / CELL_MM).astype(np.intp) + 2
    which, number = repeats(counts)
    shares = number / (counts - 1)[which]
    places = begin[prints][which] + shares[:, None] * way[prints][which]
    printed = _cells(places)
    travels = ~prints & (lengths_mm >= GAP_MM)
    return int(np.count_nonzero(~np.isin(_cells(begin[travels] + way[travels] / 2.0), printed)))


def _cells(places: Floats) -> npt.NDArray[np.int64]:
    """A number for the cell that each place [n, 2] is in."""
    cells = np.rint(places / CELL_MM).astype(np.int64)
    return np.asarray(cells[:, 0] * ROW + cells[:, 1])


def _onset_s(rng: np.random.Generator, mechanism: Mechanism, course: Course) -> float | None:
    """A time within the recording's middle, with enough of the print before and after it."""
    early, late = (share * course.seconds for share in ONSET_SHARES)
    needs_s = min(mechanism.needs_s, 0.25 * course.seconds)
    first_s, last_s = max(early, course.first_s + FIRST_SAFE_S), min(late, course.last_s - needs_s)
    return float(rng.uniform(first_s, last_s)) if first_s < last_s else None


def _grown(rng: np.random.Generator, split: Split, kind: FaultKind, course: Course, at_s: float) -> Fault:
    mechanism = MECHANISMS[kind]
    growth_s, lot = float(rng.uniform(*mechanism.growth_s)), float(rng.random())
    slower = float(rng.uniform(*SLOWER))
    if split is Split.TEST:
        growth_s, lot = growth_s * slower, lot**WEAKER
    parts = _filament_mm(course, at_s, at_s + mechanism.needs_s)
    return Fault(
        kind=kind,
        at_s=at_s,
        severity=between(SEVERITY, lot),
        growth_s=min(growth_s, 300.0),
        part=_weighted(rng, parts),
        seed=int(rng.integers(2**31)),
    )


def _filament_mm(course: Course, from_s: float, to_s: float) -> dict[int, float]:
    """How much filament each object takes between two times."""
    path, moves = course.path, course.moves(from_s, to_s)
    taken = np.bincount(path.part[moves], path.e_mm[1:][moves] - path.e_mm[:-1][moves])
    return {part: float(taken[part]) + LEAST_FILAMENT_MM for part in course.parts(from_s, to_s)}


def _weighted(rng: np.random.Generator, weights: Mapping[Choice, float]) -> Choice:
    """One of them, by its share of the sum."""
    shares = np.array(list(weights.values()))
    return list(weights)[int(rng.choice(len(shares), p=shares / shares.sum()))]
