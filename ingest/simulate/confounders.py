"""What makes a print look or sound wrong although it is not: draws happenings, overrides and pauses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

import numpy as np

from ingest.simulate.happenings import Happening, HappeningKind
from ingest.simulate.splits import Split
from ingest.simulate.toolpath import Order

STRENGTHS = {Split.TRAIN: (0.3, 0.9), Split.VAL: (0.3, 0.9), Split.TEST: (0.2, 1.0)}
LAST_SHARE = 0.9  # of the recording: nothing begins later
LONGEST_SHARE = 0.35  # of the recording, for what has no length of its own that matters
AFTER_ONSET_S = 120.0  # the job is not paused for so long after a fault's onset


class Confounder(NamedTuple):
    """One of them by its name, from ``from_s`` until ``until_s``, and what makes it happen."""

    name: str
    from_s: float
    until_s: float
    happenings: tuple[Happening, ...] = ()
    orders: tuple[Order, ...] = ()


class Span(NamedTuple):
    """When something may happen: ``first_s``, ``last_s`` while the job prints; ``seconds`` in all."""

    first_s: float
    last_s: float
    seconds: float


class Job(NamedTuple):
    """What overrides need to know of the job: ``hotend_c``, ``bed_c`` its targets."""

    hotend_c: float
    bed_c: float


_Draw: TypeAlias = Callable[[np.random.Generator, float, float, Job], tuple[Order, ...]]


def _there_and_back(code: str, low: float, high: float, usual: float) -> _Draw:
    """An override in per cent that is taken back at the end."""

    def draw(rng: np.random.Generator, from_s: float, until_s: float, _job: Job) -> tuple[Order, ...]:
        value = round(float(rng.uniform(low, high)))
        return Order(from_s, f"{code} S{value}"), Order(until_s, f"{code} S{usual:g}")

    return draw


def _warmer(rng: np.random.Generator, from_s: float, until_s: float, job: Job) -> tuple[Order, ...]:
    by_k = float(rng.choice([-15.0, -10.0, -5.0, 5.0, 10.0]))
    return Order(from_s, f"M104 S{job.hotend_c + by_k:g}"), Order(until_s, f"M104 S{job.hotend_c:g}")


def _cooler_bed(rng: np.random.Generator, from_s: float, _until_s: float, job: Job) -> tuple[Order, ...]:
    return (Order(from_s, f"M140 S{max(job.bed_c - float(rng.choice([5.0, 10.0, 15.0])), 0.0):g}"),)


def _fan(rng: np.random.Generator, from_s: float, _until_s: float, _job: Job) -> tuple[Order, ...]:
    return (Order(from_s, f"M106 S{int(rng.integers(0, 256))}"),)


def _pause(_rng: np.random.Generator, from_s: float, until_s: float, _job: Job) -> tuple[Order, ...]:
    return Order(from_s, "M25"), Order(until_s, "M24")


def _change(_rng: np.random.Generator, from_s: float, _until_s: float, _job: Job) -> tuple[Order, ...]:
    return (Order(from_s, "M600"),)


def _flicker(rng: np.random.Generator, from_s: float, _until_s: float, _job: Job) -> tuple[Order, ...]:
    return (Order(from_s, f"@power_cut {float(rng.uniform(0.5, 3.0)):.1f}"),)


class _Kind(NamedTuple):
    weight: float
    lasts_s: tuple[float, float]
    orders: _Draw | None = None  # None: a happening of this name
    stops: bool = False  # the job stands meanwhile


_KINDS: Mapping[str, _Kind] = {
    HappeningKind.LIGHTS_OFF: _Kind(1.0, (60.0, 900.0)),
    HappeningKind.LIGHTS_ON: _Kind(1.0, (60.0, 900.0)),
    HappeningKind.LAMP_FLICKER: _Kind(0.5, (5.0, 120.0)),
    HappeningKind.SUN: _Kind(1.0, (300.0, 1800.0)),
    HappeningKind.NIGHT: _Kind(0.6, (200.0, 1800.0)),
    HappeningKind.HAND: _Kind(1.2, (2.0, 12.0)),
    HappeningKind.PERSON: _Kind(1.2, (2.0, 25.0)),
    HappeningKind.DOOR: _Kind(0.6, (4.0, 40.0)),
    HappeningKind.NUDGE: _Kind(0.6, (3.0, 60.0)),
    HappeningKind.FOCUS_HUNT: _Kind(0.6, (3.0, 15.0)),
    "speed_override": _Kind(0.8, (30.0, 300.0), _there_and_back("M220", 60.0, 140.0, 100.0)),
    "flow_override": _Kind(0.7, (30.0, 300.0), _there_and_back("M221", 88.0, 112.0, 100.0)),
    "hotend_override": _Kind(0.7, (60.0, 300.0), _warmer),
    "bed_override": _Kind(0.4, (60.0, 300.0), _cooler_bed),
    "fan_override": _Kind(0.7, (30.0, 300.0), _fan),
    "pause": _Kind(0.5, (20.0, 180.0), _pause, stops=True),
    "filament_change": _Kind(0.4, (60.0, 200.0), _change, stops=True),
    "power_flicker": _Kind(0.4, (10.0, 60.0), _flicker),
}
"""Names are told in the labels. The weights are relative."""


def draw_confounders(
    rng: np.random.Generator, split: Split, count: int, span: Span, job: Job, onsets_s: tuple[float, ...]
) -> tuple[Confounder, ...]:
    """So many different ones; fewer where the job prints too briefly or one would hide a fault's onset."""
    weights = np.array([kind.weight for kind in _KINDS.values()])
    chosen = rng.choice(len(weights), size=count, replace=False, p=weights / weights.sum())
    drawn = [_drawn(rng, split, str(list(_KINDS)[int(number)]), span, job) for number in chosen]
    return tuple(one for one in drawn if one is not None and not _hides(one, onsets_s))


def _drawn(rng: np.random.Generator, split: Split, name: str, span: Span, job: Job) -> Confounder | None:
    kind = _KINDS[name]
    first_s, last_s = (span.first_s, span.last_s) if kind.orders else (0.0, span.seconds)
    last_s = min(last_s, LAST_SHARE * span.seconds)
    lasts_s = min(float(rng.uniform(*kind.lasts_s)), LONGEST_SHARE * span.seconds)
    if last_s - first_s < lasts_s:
        return None
    from_s = float(rng.uniform(first_s, last_s - lasts_s))
    until_s = from_s + lasts_s
    if kind.orders:
        return Confounder(name, from_s, until_s, orders=kind.orders(rng, from_s, until_s, job))
    strength, seed = float(rng.uniform(*STRENGTHS[split])), int(rng.integers(2**31))
    one = Happening(kind=HappeningKind(name), at_s=from_s, until_s=until_s, strength=strength, seed=seed)
    return Confounder(name, from_s, until_s, happenings=(one,))


def _hides(one: Confounder, onsets_s: tuple[float, ...]) -> bool:
    """Whether the job would stand when a fault of it begins to show."""
    if not _KINDS[one.name].stops:
        return False
    return any(one.from_s - AFTER_ONSET_S <= onset_s <= one.until_s for onset_s in onsets_s)
