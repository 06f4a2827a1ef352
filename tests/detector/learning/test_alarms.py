"""A print's alarms and its truth, out of what network and rules said of its beats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from detector.evaluation.outcome import PrintOutcome
from detector.learning.alarms import Watched, insisting, outcome
from detector.learning.shards import PrintFacts, Told
from detector.model.kinds import KINDS
from detector.verdict import Limits
from ingest.records import NS_PER_S
from tests.detector.test_verdict import shares

LIMITS = Limits(threshold=0.5, min_beats=2, within_beats=3)
FIRST = 1000
BEGIN_S = FIRST * 5


def print_of(scores: Sequence[float], told: Sequence[Told] = (), at: int = 0, **facts: Any) -> Watched:
    """A print that the network judges from its ``at``-th beat on, as a blob with these scores."""
    begins: dict[str, Any] = {"name": "p", "ends_s": 5.0 * (at + len(scores)), "begin_ns": BEGIN_S * NS_PER_S}
    beats = np.arange(FIRST + at, FIRST + at + len(scores))
    said = np.stack([shares(blob=score) for score in scores])
    return Watched(PrintFacts(**begins | facts), beats, told, said, np.full(len(scores), 7.0, np.float32))


def rule(second: int, kind: str = "stall", probability: float = 1.0) -> Told:
    window = BEGIN_S + second
    return Told(window, kind, probability, window * NS_PER_S, "it has stopped")


def alarms(one: PrintOutcome) -> list[tuple[str, float]]:
    return [(each.kind, each.at_s) for each in one.told]


def test_an_alarm_before_the_onset_is_false_and_finds_nothing() -> None:
    one = outcome(print_of([0.8] * 10, kind="blob", onset_s=30.0), LIMITS)
    assert alarms(one) == [("blob", 10.0)]
    assert (len(one.false_alarms), one.is_missed) == (1, True)


def test_times_are_seconds_since_the_print_began() -> None:
    one = outcome(
        print_of([0.1, 0.1, 0.1, 0.9, 0.9, 0.9], kind="warping", onset_s=15.5, halted_s=29.0), LIMITS
    )
    assert one.delay_s == pytest.approx(25.0 - 15.5)
    assert one.told[0].onset_s == pytest.approx(18.0)
    assert (one.hours, one.ends_s, one.halted_s) == (30 / 3600, 30.0, 29.0)


def test_beats_while_no_print_ran_do_not_move_the_others() -> None:
    assert alarms(outcome(print_of([0.8] * 4, at=6), LIMITS)) == [("blob", 40.0)]


def test_rules_alone_make_alarms_too() -> None:
    sensed = print_of([0.0] * 6, [rule(3), rule(4)])._replace(probabilities=None, onset_s=None)
    one = outcome(sensed, LIMITS)
    assert alarms(one) == [("stall", 4.0)]
    assert one.peaks == (1.0, 0.0)


def test_what_names_no_failure_of_the_print_is_left_out() -> None:
    told = [rule(second, "unusual") for second in range(20)]
    assert outcome(print_of([0.0] * 6, told), LIMITS).told == ()
    assert outcome(print_of([0.0] * 6, [rule(1)]), LIMITS, kinds=KINDS[:3]).told == ()


def test_peaks_are_what_so_many_beats_reach_before_and_from_the_onset_on() -> None:
    scores = [0.1, 0.9, 0.2, 0.3, 0.6, 0.7]
    one = outcome(print_of(scores, kind="blob", onset_s=17.0), LIMITS)
    assert one.peaks == pytest.approx((0.2, 0.6))
    assert outcome(print_of(scores), LIMITS).peaks == pytest.approx((0.6, 0.0))


def test_a_failure_after_the_last_beat_is_none_and_one_before_the_first_begins_with_it() -> None:
    assert not outcome(print_of([0.1] * 4, kind="blob", onset_s=20.5), LIMITS).fails
    early = outcome(print_of([0.9] * 4, kind="blob", onset_s=-3.0), LIMITS)
    assert (early.onset_s, early.delay_s) == (0.0, 10.0)


def test_odd_beats_reach_nothing() -> None:
    assert insisting(np.array([0.9, 0.1, 0.1, 0.8, 0.7]), 2, 3) == pytest.approx([0.0, 0.1, 0.1, 0.1, 0.7])
    assert insisting(np.array([0.9, 0.1]), 1, 1) == pytest.approx([0.9, 0.1])
    assert len(insisting(np.zeros(0), 2, 3)) == 0
