"""Alarms out of a print's stored probabilities: when they open, since when, and that rules join in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from detector.alarms import NOWHERE, BeatSeries, alarms_of, since_ns
from detector.anomaly import Anomaly, Kind, Reason, State
from detector.verdict import Limits
from ingest.records import NS_PER_S
from tests.detector.test_verdict import shares

LIMITS = Limits(threshold=0.5, min_beats=2, within_beats=3)
SECOND = NS_PER_S


def series(scores: Sequence[float], onset_s: float = 7.0, first: int = 100, kind: str = "blob") -> BeatSeries:
    """A print of one kind: a beat for each score."""
    return BeatSeries(
        np.arange(first, first + len(scores)),
        np.stack([shares(**{kind: score}) for score in scores]),
        np.full(len(scores), onset_s),
    )


def told(alarms: Sequence[Anomaly]) -> list[tuple[Kind, State, float]]:
    """Kind, state and when it was told, s after the first beat's begin."""
    return [(one.kind, one.state, one.at_ns / SECOND - 500) for one in alarms]


def test_an_alarm_opens_with_the_beat_that_makes_it_enough_and_once() -> None:
    alarms = alarms_of(series([0.1, 0.8, 0.8, 0.8, 0.8]), LIMITS)
    assert told(alarms) == [(Kind.BLOB, State.OPENED, 15.0)]
    assert alarms[0].onset_ns == alarms[0].detected_ns - 7 * SECOND


def test_an_alarm_that_nothing_holds_is_closed_and_not_opened_at_once() -> None:
    alarms = alarms_of(series([0.8, 0.8, *[0.0] * 8, *[0.9] * 3]), LIMITS)
    assert told(alarms) == [(Kind.BLOB, State.OPENED, 10.0), (Kind.BLOB, State.CLOSED, 40.0)]


def test_a_score_below_the_threshold_holds_an_alarm_for_a_while() -> None:
    alarms = alarms_of(series([0.8, 0.8, *[0.4] * 12]), LIMITS)
    assert told(alarms) == [(Kind.BLOB, State.OPENED, 10.0)]


def test_an_alarm_of_a_physical_kind_waits_for_no_more_beats_than_others() -> None:
    alarms = alarms_of(series([0.8, 0.8], kind="stall"), LIMITS)
    assert told(alarms) == [(Kind.STALL, State.OPENED, 10.0)]


def test_what_rules_say_joins_in_and_names_the_failure() -> None:
    rule = {502: [Reason(Kind.STALL, 1.0, 501 * SECOND, "the printer has stopped")]}
    alarms = alarms_of(series([0.7] * 4), LIMITS, rules=rule)
    assert told(alarms) == [(Kind.STALL, State.OPENED, 3.0)]
    assert alarms[0].text == "the printer has stopped"


def test_ids_are_those_of_the_place() -> None:
    one, same = (alarms_of(series([0.8, 0.8]), LIMITS)[0].id for _ in range(2))
    other = alarms_of(series([0.8, 0.8]), LIMITS, place=NOWHERE._replace(printer="q"))[0].id
    assert one == same != other


@pytest.mark.parametrize(
    ("onset_s", "since_s"), [(7.0, 93.0), (0.2, 95.0), (1000.0, 40.0), (float("1e30"), 40.0)]
)
def test_an_onset_lies_a_beat_back_at_least_and_within_the_print(onset_s: float, since_s: float) -> None:
    assert since_ns(onset_s, 100 * SECOND, 5 * SECOND, 40 * SECOND) == since_s * SECOND


def test_a_print_of_no_beats_is_told_of_nothing() -> None:
    assert alarms_of(BeatSeries(np.empty(0, np.int64), np.empty((0, 12)), np.empty(0)), LIMITS) == []
