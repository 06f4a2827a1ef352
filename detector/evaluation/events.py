"""The figures that count, by event: a print is found or not, whatever each of its frames said.

All of them are of the farm that the ``Weighing`` stands for, not of the set as it was drawn; what is counted
and not measured (a confusion matrix) says so. NaN stands for a figure of nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from detector.anomaly import Kind
from detector.evaluation.outcome import PrintOutcome
from detector.evaluation.weighing import FAILING_SHARE, Indices, Values, Weighing, quantiles
from detector.model.kinds import KINDS, VISUAL
from detector.training.intervals import Interval

WITHIN_S = (10, 30, 60, 300)
"""Delays of which it is told how many failures they catch."""
DELAY_EDGES_S = (0, 5, 10, 20, 30, 60, 120, 300, 600)
"""Where the bars of the delays begin; the last one is open."""
HALTING = (Kind.HEATER_FAULT, Kind.SENSOR_FAULT)
"""Kinds of which firmware says something by itself."""
GROUPS: dict[str, tuple[str, ...]] = {"all": KINDS, "visual kinds": VISUAL, "heater and sensor": HALTING}
"""Kinds that are also told together."""
NOT_TOLD = "not told"
HUNDRED = 100.0


class Detection(NamedTuple):
    """How prints are told apart.

    A failing print that is found is right, one that is missed is lacking, and a print with a false alarm,
    failing later or not, is wrong: precision = right / (right + wrong), recall = right / (right + lacking).
    """

    precision: Interval
    recall: Interval
    f1: Interval


class Delays(NamedTuple):
    """Seconds from onset to alarm, of failures that were found."""

    median_s: Interval
    p90_s: float


class Lead(NamedTuple):
    """How the watch stands beside the firmware, on heater and sensor faults that it halted."""

    prints: int
    median_s: (
        float  # from the alarm to the halt, of those that were found; below 0 where the firmware was first
    )
    before: Interval  # the share of all of them that was told before the halt


class Bar(NamedTuple):
    """Failures told within a span of delays; ``to_s`` None for whatever comes later."""

    from_s: float
    to_s: float | None
    share: float  # of all failures


class Confusion(NamedTuple):
    """Prints as they are in the set, int counts [true kinds, told kinds], by the alarm that found each."""

    kinds: tuple[str, ...]
    told: tuple[str, ...]  # the last one is NOT_TOLD
    counts: tuple[tuple[int, ...], ...]


def mistakes_per_100(weighing: Weighing) -> Interval:
    """Prints missed or with a false alarm, of 100.

    The interval is of what a bootstrap can draw: where no print of a sort was mistaken it knows of no such
    mistake, so with few prints its lower and upper end are too near to each other.
    """
    return weighing.mean(HUNDRED * _mistaken(weighing))


def false_alarms_per_hour(weighing: Weighing) -> Interval:
    """Alarms that opened while nothing was wrong, by the hours in which nothing was."""
    return weighing.ratio(
        weighing.values(lambda one: len(one.false_alarms)), weighing.values(lambda one: one.normal_hours)
    )


def normal_alarmed(weighing: Weighing) -> Interval:
    """Of prints that never fail, the share with an alarm."""
    normal = weighing.values(lambda one: not one.fails)
    return weighing.share(normal * _alarmed(weighing), normal)


def detection(weighing: Weighing) -> Detection:
    """Precision, recall and F1 over prints."""
    right, wrong, fails = _found(weighing), _alarmed(weighing), _fails(weighing)
    return Detection(
        weighing.ratio(right, right + wrong),
        recall(weighing),
        weighing.ratio(2 * right, right + wrong + fails),
    )


def recall(weighing: Weighing, kind: str | None = None, within_s: float = np.inf) -> Interval:
    """Of failing prints, or those of one kind, the share found within a delay."""
    among = _fails(weighing, kind)
    in_time = weighing.values(lambda one: one.delay_s is not None and one.delay_s <= within_s)
    return weighing.share(among * in_time, among)


def delays(weighing: Weighing) -> Delays:
    """Median and 90th percentile over failing prints."""
    kept, waited = _waited(weighing)
    median, p90 = quantiles(waited, weighing.weights[kept], (0.5, 0.9))
    drawn = np.array([quantiles(waited, draw, (0.5,))[0] for draw in weighing.draws[:, kept]])
    return Delays(weighing.interval(median, drawn), p90)


def median_delay_s(weighing: Weighing, kind: str | None = None) -> float:
    """The median alone, over failing prints or those of one kind."""
    kept, waited = _waited(weighing, kind)
    return quantiles(waited, weighing.weights[kept], (0.5,))[0]


def delay_bars(weighing: Weighing) -> list[Bar]:
    """How long failures waited for their alarm; what is missing to 1 was missed."""
    edges = (*DELAY_EDGES_S, np.inf)
    failing = weighing.weights * _fails(weighing)
    waited = weighing.values(_delay_s)
    shares = [
        float(failing[(waited >= low) & (waited < high)].sum() / failing.sum())
        for low, high in pairwise(edges)
    ]
    ends = (*DELAY_EDGES_S[1:], None)
    return [Bar(*bar) for bar in zip(DELAY_EDGES_S, ends, shares, strict=True)]


def lead(weighing: Weighing) -> Lead:
    """Over heater and sensor faults that the firmware halted; a halt that comes first is a negative lead."""
    halted = weighing.values(lambda one: one.halted_s is not None and one.kind in HALTING)
    leads = weighing.values(_lead_s)
    told = halted * ~np.isnan(leads)
    median = quantiles(leads[told > 0], weighing.weights[told > 0], (0.5,))[0]
    before = halted * (np.nan_to_num(leads, nan=-1.0) > 0)
    return Lead(int(halted.sum()), median, weighing.share(before, halted))


def named_right(weighing: Weighing) -> Interval:
    """Of failures that were found, the share whose alarm named the right kind."""
    right = weighing.values(lambda one: one.found is not None and one.found.kind == one.kind)
    return weighing.share(right, _found(weighing))


def onset_error_s(weighing: Weighing) -> float:
    """The median over found failures of how far the told onset lies from the true one, either way."""
    kept = _found(weighing) > 0
    return quantiles(weighing.values(_onset_error_s)[kept], weighing.weights[kept], (0.5,))[0]


def confusion(outcomes: Iterable[PrintOutcome]) -> Confusion:
    """What each failure was called."""
    failing = [one for one in outcomes if one.fails]
    pairs = [(str(one.kind), NOT_TOLD if one.found is None else one.found.kind) for one in failing]
    kinds = _ordered({true for true, _ in pairs})
    told = (*_ordered({name for pair in pairs for name in pair} - {NOT_TOLD}), NOT_TOLD)
    counts = tuple(tuple(pairs.count((true, name)) for name in told) for true in kinds)
    return Confusion(kinds, told, counts)


def paired_difference(
    a: Iterable[PrintOutcome],
    b: Iterable[PrintOutcome],
    shares: Mapping[str, float],
    *,
    failing: float = FAILING_SHARE,
    seed: int = 0,
) -> Interval:
    """Mistakes per 100 of ``a`` less those of ``b``: below 0, ``a`` makes fewer.

    Both are of the same prints, by name, which are drawn together: what makes a print hard for both falls
    out. Raises UsageError where the prints are not the same.
    """
    first = Weighing(a, shares, failing=failing, seed=seed)
    return difference(first, first.of(b))


def difference(a: Weighing, b: Weighing) -> Interval:
    """The same, of two methods that are weighed already (``Weighing.of``)."""
    return a.mean(HUNDRED * (_mistaken(a) - _mistaken(b)))


def _waited(weighing: Weighing, kind: str | None = None) -> tuple[Indices, Values]:
    """The prints that were found, and their delays in seconds."""
    kept = np.flatnonzero(_fails(weighing, kind) * _found(weighing))
    return kept, weighing.values(_delay_s)[kept]


def _delay_s(one: PrintOutcome) -> float:
    return np.nan if one.delay_s is None else one.delay_s


def _lead_s(one: PrintOutcome) -> float:
    return np.nan if one.found is None or one.halted_s is None else one.halted_s - one.found.at_s


def _onset_error_s(one: PrintOutcome) -> float:
    if one.found is None or one.onset_s is None:
        return np.nan
    return abs(one.found.onset_s - one.onset_s)


def _ordered(kinds: set[str]) -> tuple[str, ...]:
    known: Sequence[str] = KINDS
    return (*(str(kind) for kind in known if kind in kinds), *sorted(kinds - set(known)))


def _fails(weighing: Weighing, kind: str | None = None) -> Values:
    return weighing.values(lambda one: one.fails and kind in {None, one.kind})


def _found(weighing: Weighing) -> Values:
    return weighing.values(lambda one: one.found is not None)


def _alarmed(weighing: Weighing) -> Values:
    return weighing.values(lambda one: bool(one.false_alarms))


def _mistaken(weighing: Weighing) -> Values:
    return weighing.values(lambda one: one.is_mistaken)
