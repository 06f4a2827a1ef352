"""All figures of one method and of those beside it, as ``bench/accuracy.json`` and the report hold them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any

import msgspec

from detector.evaluation import events
from detector.evaluation.curves import Curves, curves
from detector.evaluation.outcome import PrintOutcome
from detector.evaluation.reasons import Reasons, reasons
from detector.evaluation.weighing import FAILING_SHARE, Weighing
from detector.training.intervals import Interval

Ci = tuple[float, float] | None
"""The 95 % interval of the figure before it; None where the figure is undefined."""


class MethodFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What stands side by side for every method; None where a figure is undefined (no alarm at all, say)."""

    mistakes_per_100: float
    mistakes_ci: Ci
    false_alarms_per_print_hour: float
    false_alarms_ci: Ci
    precision: float | None
    precision_ci: Ci
    recall: float
    recall_ci: Ci
    f1: float
    f1_ci: Ci
    pr_auc: float
    pr_auc_ci: Ci
    roc_auc: float
    delay_median_s: float | None
    delay_ci: Ci  # of the median
    delay_p90_s: float | None
    named_right: float | None
    named_right_ci: Ci


class BaselineFigures(MethodFigures, frozen=True, kw_only=True):
    """The same of another method; ``difference`` is our mistakes per 100 less its: below 0 we make fewer."""

    difference: float
    difference_ci: Ci


class KindFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of failure; ``share`` is of all failures on a farm."""

    prints: int
    share: float
    recall: float
    recall_ci: Ci
    delay_median_s: float | None


class GroupFigures(MethodFigures, frozen=True, kw_only=True):
    """A farm on which only some kinds fail; ``prints`` are those that fail."""

    prints: int


class Figures(MethodFigures, frozen=True, kw_only=True):
    """All there is to tell of one method.

    ``lead_*`` are over heater and sensor faults that the firmware halted, ``lead_prints`` of them; ``delays``
    are (from, to, share of failures), ``pr`` and ``roc`` the points of ``detector.evaluation.curves``.
    """

    prints: int
    failing: int
    failing_share: float
    hours: float
    print_hours_median: float
    normal_alarmed: float  # the share of normal prints with an alarm
    normal_alarmed_ci: Ci
    recall_within: dict[str, float]  # by seconds
    onset_error_median_s: float | None
    lead_prints: int
    lead_median_s: float | None
    lead_before: float | None
    lead_before_ci: Ci
    kinds: dict[str, KindFigures]
    groups: dict[str, GroupFigures]
    baselines: dict[str, BaselineFigures]
    delays: tuple[events.Bar, ...]
    confusion: events.Confusion
    reasons: Reasons
    pr: tuple[tuple[float, float], ...]
    roc: tuple[tuple[float, float], ...]


def figures(
    outcomes: Iterable[PrintOutcome],
    shares: Mapping[str, float],
    *,
    baselines: Mapping[str, Iterable[PrintOutcome]] | None = None,
    failing: float = FAILING_SHARE,
    seed: int = 0,
) -> dict[str, Any]:
    """``measured`` as JSON holds it."""
    told = measured(outcomes, shares, baselines=baselines, failing=failing, seed=seed)
    fields: dict[str, Any] = msgspec.to_builtins(told)
    return fields


def measured(
    outcomes: Iterable[PrintOutcome],
    shares: Mapping[str, float],
    *,
    baselines: Mapping[str, Iterable[PrintOutcome]] | None = None,
    failing: float = FAILING_SHARE,
    seed: int = 0,
) -> Figures:
    """Measure one method, and others over the same prints.

    ``shares`` of the failing prints by kind, ``failing`` of all prints, as ``Weighing`` takes them;
    ``baselines`` are other methods' outcomes of the very same prints by method. Raises UsageError.
    """
    weighing = Weighing(outcomes, shares, failing=failing, seed=seed)
    swept, others = curves(weighing), baselines or {}
    return Figures(
        **_method(weighing, swept),
        **_set(weighing),
        **_alone(weighing),
        recall_within={str(s): events.recall(weighing, within_s=s).value for s in events.WITHIN_S},
        kinds=_kinds(weighing),
        groups=_groups(weighing),
        baselines={name: _baseline(weighing, weighing.of(theirs)) for name, theirs in others.items()},
        delays=tuple(events.delay_bars(weighing)),
        confusion=events.confusion(weighing.outcomes),
        reasons=reasons(weighing),
        pr=swept.pr,
        roc=swept.roc,
    )


def _method(weighing: Weighing, swept: Curves) -> dict[str, Any]:
    detection, delays = events.detection(weighing), events.delays(weighing)
    return {
        **_with_ci("mistakes_per_100", "mistakes_ci", events.mistakes_per_100(weighing)),
        **_with_ci("false_alarms_per_print_hour", "false_alarms_ci", events.false_alarms_per_hour(weighing)),
        **_with_ci("precision", "precision_ci", detection.precision),
        **_with_ci("recall", "recall_ci", detection.recall),
        **_with_ci("f1", "f1_ci", detection.f1),
        **_with_ci("pr_auc", "pr_auc_ci", swept.pr_auc),
        **_with_ci("delay_median_s", "delay_ci", delays.median_s),
        **_with_ci("named_right", "named_right_ci", events.named_right(weighing)),
        "roc_auc": swept.roc_auc,
        "delay_p90_s": _known(delays.p90_s),
    }


def _set(weighing: Weighing) -> dict[str, Any]:
    hours = [one.hours for one in weighing.outcomes]
    return {
        "prints": len(hours),
        "failing": sum(one.fails for one in weighing.outcomes),
        "failing_share": weighing.failing,
        "hours": math.fsum(hours),
        "print_hours_median": median(hours),
    }


def _alone(weighing: Weighing) -> dict[str, Any]:
    """What is told of the one method only."""
    lead = events.lead(weighing)
    return {
        **_with_ci("normal_alarmed", "normal_alarmed_ci", events.normal_alarmed(weighing)),
        **_with_ci("lead_before", "lead_before_ci", lead.before),
        "lead_prints": lead.prints,
        "lead_median_s": _known(lead.median_s),
        "onset_error_median_s": _known(events.onset_error_s(weighing)),
    }


def _kinds(weighing: Weighing) -> dict[str, KindFigures]:
    failing = [one for one in weighing.outcomes if one.fails]
    present = events.confusion(failing).kinds
    total = sum(weighing.shares[kind] for kind in present)
    return {
        kind: KindFigures(
            prints=sum(one.kind == kind for one in failing),
            share=weighing.shares[kind] / total,
            delay_median_s=_known(events.median_delay_s(weighing, kind)),
            **_with_ci("recall", "recall_ci", events.recall(weighing, kind)),
        )
        for kind in present
    }


def _groups(weighing: Weighing) -> dict[str, GroupFigures]:
    """Each group that has a failing print."""
    groups = {name: weighing.only(kinds) for name, kinds in events.GROUPS.items()}
    return {
        name: GroupFigures(prints=sum(one.fails for one in group.outcomes), **_method(group, curves(group)))
        for name, group in groups.items()
        if group is not None
    }


def _baseline(ours: Weighing, theirs: Weighing) -> BaselineFigures:
    apart = _with_ci("difference", "difference_ci", events.difference(ours, theirs))
    return BaselineFigures(**_method(theirs, curves(theirs)), **apart)


def _with_ci(name: str, ci: str, interval: Interval) -> dict[str, Any]:
    value, low, high = interval
    return {name: _known(value), ci: None if math.isnan(value) else (low, high)}


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
