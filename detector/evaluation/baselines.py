"""What a watch must beat: answers that look at nothing, and published rules over scores.

Each takes prints for their truth alone and gives them with alarms of its own, so all are measured alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from detector.anomaly import Kind
from detector.evaluation.events import HUNDRED
from detector.evaluation.outcome import PrintOutcome, Told
from detector.evaluation.rules import PAUSE_S, Held, Rule, Series
from detector.evaluation.weighing import FAILING_SHARE, Values, Weighing
from detector.model.kinds import KINDS
from ingest.errors import UsageError

Outcomes = tuple[PrintOutcome, ...]


class Best(NamedTuple):
    """A threshold that was chosen, and the mistakes per 100 prints that it made where it was chosen."""

    threshold: float
    mistakes_per_100: float


def never_on(prints: Iterable[PrintOutcome]) -> Outcomes:
    """A watch that says nothing: its mistakes are the share of prints that fail."""
    return tuple(replace(one, told=(), peaks=(0.0, 0.0)) for one in prints)


def always_on(
    prints: Iterable[PrintOutcome], *, kind: str = Kind.SPAGHETTI, every_s: float = PAUSE_S
) -> Outcomes:
    """A watch that alarms all the time, anew every ``every_s``, and so finds all that lasts as long.

    It has an alarm before every onset too: each print is a mistake.
    """
    return tuple(
        replace(
            one,
            told=tuple(_told(float(at_s), kind) for at_s in np.arange(0.0, one.ends_s, every_s)),
            peaks=(1.0, 1.0),
        )
        for one in prints
    )


def random_at_base_rate(
    prints: Iterable[PrintOutcome],
    *,
    share: float = FAILING_SHARE,
    seed: int = 0,
    kinds: Sequence[str] = KINDS,
) -> Outcomes:
    """A watch that alarms once in a share of prints, at any time of it and of any kind."""
    rng = np.random.default_rng(seed)
    outcomes = []
    for one in prints:
        is_told, at_share, number = rng.random() < share, rng.random(), int(rng.integers(len(kinds)))
        told = (_told(float(at_share) * one.ends_s, kinds[number]),) if is_told else ()
        drawn = replace(one, told=told)
        outcomes.append(
            replace(drawn, peaks=(float(bool(drawn.false_alarms)), float(drawn.found is not None)))
        )
    return tuple(outcomes)


def ruled(prints: Iterable[PrintOutcome], series: Mapping[str, Series], rule: Rule) -> Outcomes:
    """A rule over the scores of each print, by its name; it names the kind that ``Series.kinds`` does there.

    Where that is empty it says spaghetti, which such rules are made for. The told onset is when the alarm
    opens. Raises UsageError for a print without a series.
    """
    return tuple(_ruled(one, rule(_series_of(one, series))) for one in prints)


def best_threshold(
    prints: Iterable[PrintOutcome],
    series: Mapping[str, Series],
    rule_of: Callable[[float], Rule],
    thresholds: Sequence[float],
    shares: Mapping[str, float],
    *,
    failing: float = FAILING_SHARE,
) -> Best:
    """The threshold of fewest mistakes per 100, to be chosen on validation prints and never on test.

    Where several do equally well, the middle one of them: furthest from where it gets worse.
    """
    if not thresholds:
        raise UsageError("found 0 thresholds, expected at least one to choose from")
    weighing = Weighing(prints, shares, failing=failing)
    made = [_mistakes(weighing, ruled(weighing.outcomes, series, rule_of(one))) for one in thresholds]
    least = min(made)
    equal = [one for one, mistakes in zip(thresholds, made, strict=True) if mistakes == least]
    return Best(sorted(equal)[len(equal) // 2], least)


def thresholds_of(
    prints: Iterable[PrintOutcome], series: Mapping[str, Series], rule: Rule, count: int = 100
) -> list[float]:
    """Thresholds worth trying: quantiles of the highest level that the rule's scores reach in each print."""
    highest = [max(_peaks(one, rule(_series_of(one, series)))) for one in prints]
    reached = [level for level in highest if level > 0.0]
    if not reached:
        raise UsageError("found no score above 0 in any print, expected some to choose a threshold by")
    return sorted(set(np.quantile(reached, np.linspace(0, 1, count)).tolist()))


def _mistakes(weighing: Weighing, outcomes: Outcomes) -> float:
    """Rounded, so that equally good thresholds compare as equal."""
    mistaken = np.array([one.is_mistaken for one in outcomes])
    return round(HUNDRED * float(weighing.weights @ mistaken), 9)


def _ruled(one: PrintOutcome, held: Held) -> PrintOutcome:
    at_s, scores, kinds = held.series
    points = held.opens.tolist()
    named = [(point, kinds[point] if kinds else Kind.SPAGHETTI) for point in points]
    told = tuple(_told(float(at_s[point]), kind, float(scores[point])) for point, kind in named)
    return replace(one, told=told, peaks=_peaks(one, held))


def _peaks(one: PrintOutcome, held: Held) -> tuple[float, float]:
    """The highest levels before and from the onset on; 0 where the rule looked at nothing."""
    at_s = held.series.at_s[held.points]
    before = at_s < (np.inf if one.onset_s is None else one.onset_s)
    kept = at_s <= one.ends_s
    return _highest(held.levels[before & kept]), _highest(held.levels[~before & kept])


def _highest(levels: Values) -> float:
    return float(max(0.0, levels.max(initial=0.0)))


def _series_of(one: PrintOutcome, series: Mapping[str, Series]) -> Series:
    if one.name not in series:
        raise UsageError(f"{one.name}: found no scores of this print, expected a series for each")
    return series[one.name]


def _told(at_s: float, kind: str, score: float = 1.0) -> Told:
    return Told(at_s=at_s, kind=kind, onset_s=at_s, score=score)
