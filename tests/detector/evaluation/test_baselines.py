"""What looks at nothing makes the mistakes that arithmetic says, and thresholds are chosen by mistakes."""

from __future__ import annotations

import numpy as np
import pytest

from detector.evaluation.baselines import (
    always_on,
    best_threshold,
    never_on,
    random_at_base_rate,
    ruled,
    thresholds_of,
)
from detector.evaluation.events import detection, mistakes_per_100
from detector.evaluation.rules import Series, threshold_rule
from detector.evaluation.weighing import Weighing
from ingest.errors import UsageError
from tests.detector.evaluation.farm import ONSET_S, SHARES, failing, farm, normal

AT_S = np.arange(0.0, 3600.0, 5.0)


def test_a_watch_that_says_nothing_misses_what_fails() -> None:
    silent = Weighing(never_on(farm()), SHARES)
    assert mistakes_per_100(silent).value == pytest.approx(10)
    assert detection(silent).recall.value == 0


def test_a_watch_that_always_alarms_finds_all_and_is_always_wrong() -> None:
    loud = Weighing(always_on(farm()), SHARES)
    assert mistakes_per_100(loud).value == pytest.approx(100)
    assert detection(loud).recall.value == 1
    assert detection(loud).precision.value == pytest.approx(0.1 / 1.1)


def test_chance_at_the_base_rate_is_worse_than_silence() -> None:
    prints = farm(normals=2000)
    drawn = Weighing(random_at_base_rate(prints, seed=1), SHARES)
    # Nine in a hundred of the normal ones, and of the failing ones nearly all: one in fifteen is found.
    assert mistakes_per_100(drawn).value == pytest.approx(0.9 * 10 + 0.1 * 93, abs=1.5)
    again, other = (random_at_base_rate(prints, seed=seed) for seed in (1, 2))
    assert drawn.outcomes == again
    assert again != other
    assert all(one.peaks in {(0, 0), (1, 0), (0, 1)} for one in again)


def scored(onset_s: float | None, low: float, high: float) -> Series:
    """Low until the onset, then high."""
    begins_s = np.inf if onset_s is None else onset_s
    return Series(AT_S, np.where(begins_s <= AT_S, high, low))


def test_a_rule_alarms_as_it_would_have_and_keeps_its_levels_for_the_curves() -> None:
    series = {"n": scored(None, 0.3, 0.0), "f": scored(ONSET_S, 0.2, 0.9)}
    sound, fails = ruled([normal(), failing()], series, threshold_rule(0.8, 3))
    assert (sound.told, sound.peaks) == ((), (0.3, 0.0))
    assert [(one.at_s, one.kind, one.score) for one in fails.told] == [(ONSET_S + 10, "spaghetti", 0.9)]
    assert fails.peaks == (0.2, 0.9)


def test_a_rule_names_the_kind_that_its_scores_look_like() -> None:
    series = scored(ONSET_S, 0.2, 0.9)._replace(kinds=tuple("stall" for _ in AT_S))
    (one,) = ruled([failing()], {"f": series}, threshold_rule(0.8))
    assert one.told[0].kind == "stall"


def test_the_threshold_of_fewest_mistakes_is_chosen_from_the_middle_of_the_best() -> None:
    prints = [normal("a"), normal("b"), failing("f")]
    series = {"a": scored(None, 0.1, 0), "b": scored(None, 0.4, 0), "f": scored(ONSET_S, 0.1, 0.8)}
    thresholds = [0.05, 0.3, 0.5, 0.6, 0.7, 0.9]
    best = best_threshold(prints, series, lambda t: threshold_rule(t, 2), thresholds, SHARES)
    assert best == (0.6, 0.0)


def test_a_threshold_that_silences_everything_costs_what_fails() -> None:
    prints, series = [normal("a"), failing("f")], {"a": scored(None, 0.9, 0), "f": scored(ONSET_S, 0.1, 0.8)}
    best = best_threshold(prints, series, threshold_rule, [0.5, 0.95], SHARES)
    assert best == (0.95, pytest.approx(10))


def test_thresholds_worth_trying_lie_where_the_prints_peak() -> None:
    prints, series = [normal("a"), failing("f")], {"a": scored(None, 0.3, 0), "f": scored(ONSET_S, 0.1, 0.8)}
    assert thresholds_of(prints, series, threshold_rule(0.0), 3) == pytest.approx([0.3, 0.55, 0.8])
    with pytest.raises(UsageError, match="no score above 0"):
        thresholds_of(prints, {name: scored(None, 0, 0) for name in series}, threshold_rule(0.0))


def test_a_print_without_scores_and_no_thresholds_are_refused() -> None:
    with pytest.raises(UsageError, match="f: found no scores"):
        ruled([failing()], {}, threshold_rule(0.5))
    with pytest.raises(UsageError, match="0 thresholds"):
        best_threshold([normal(), failing()], {}, threshold_rule, [], SHARES)
