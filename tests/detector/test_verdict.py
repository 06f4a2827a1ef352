"""From a beat's probabilities to what is said: how high, of which kind, and after how many beats."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from detector.anomaly import Kind
from detector.model.kinds import KINDS
from detector.policies import POLICIES
from detector.verdict import (
    OPEN_AT,
    SUREST,
    UNSURE,
    Evidence,
    Limits,
    Probabilities,
    Verdict,
    alarm_scale,
    alarm_score,
    attributed,
    calibrated,
    weigh,
)

LIMITS = Limits(threshold=0.5, min_beats=2, within_beats=3)
BLOB, STALL, WARPING = Kind.BLOB, Kind.STALL, Kind.WARPING


def shares(**named: float) -> Probabilities:
    """Probabilities of kinds by name; the rest is a print that is fine."""
    found = np.zeros(1 + len(KINDS))
    for name, share in named.items():
        found[1 + KINDS.index(Kind(name))] = share
    found[0] = 1 - found.sum()
    return found


def weighed(
    beats: Sequence[tuple[int, Probabilities]], limits: Limits = LIMITS, taken: Sequence[Kind] = ()
) -> list[Verdict]:
    evidence, said = Evidence(), []
    for beat, probabilities in beats:
        evidence, verdict = weigh(evidence, beat, probabilities, limits, taken)
        assert verdict is not None
        said.append(verdict)
    return said


def test_probabilities_are_calibrated_by_class() -> None:
    logits, temperatures = np.array([1.0, 2.0, 0.0]), (1.0, 2.0, 4.0)
    expected = np.exp([1.0, 1.0 + 3.0, 0.0])
    np.testing.assert_allclose(calibrated(logits, temperatures, (0, 3, 0)), expected / expected.sum())
    np.testing.assert_allclose(calibrated(logits, (1.0,) * 3), np.exp(logits) / np.exp(logits).sum())
    rows = calibrated(np.stack([logits, 1e4 * logits]), temperatures)
    np.testing.assert_allclose(rows.sum(1), 1)


def test_the_alarm_score_is_of_all_kinds_that_are_switched_on() -> None:
    probabilities = shares(blob=0.3, stall=0.25)
    assert alarm_score(probabilities) == pytest.approx(0.55)
    assert alarm_score(probabilities, [BLOB]) == pytest.approx(0.3)
    assert alarm_score(shares()) == 0


def test_the_threshold_lies_where_policies_open() -> None:
    for threshold in (0.1, 0.5, 0.97):
        assert alarm_scale(0.0, threshold) == 0
        assert alarm_scale(threshold, threshold) == OPEN_AT
        assert alarm_scale(1.0, threshold) == 1
        scaled = [alarm_scale(score, threshold) for score in np.linspace(0, 1, 50)]
        assert scaled == sorted(scaled)
        assert alarm_scale(threshold / 2, threshold) == pytest.approx(OPEN_AT / 2)
    assert {POLICIES[kind].open_at for kind in KINDS} == {OPEN_AT}


def test_one_beat_at_the_threshold_is_not_enough_and_two_of_three_are() -> None:
    said = weighed([(7, shares(blob=0.6)), (8, shares()), (9, shares(blob=0.6)), (10, shares(blob=0.4))])
    assert [one.enough for one in said] == [False, False, True, False]
    assert said[0].probability == UNSURE < OPEN_AT <= said[2].probability
    assert said[2].beats == (7, 9)


def test_beats_that_are_missing_count_as_time() -> None:
    said = weighed([(7, shares(blob=0.6)), (10, shares(blob=0.6))])
    assert [one.enough for one in said] == [False, False]


def test_the_network_is_never_certain_in_the_policies_sense() -> None:
    said = weighed([(beat, shares(blob=1.0)) for beat in range(3)])
    assert [one.probability for one in said] == [UNSURE, SUREST, SUREST]
    assert all(policy.certain_at > SUREST for policy in POLICIES.values())
    assert [one.score for one in said] == [1.0] * 3


def test_a_kind_may_have_a_threshold_of_its_own() -> None:
    limits = Limits(threshold=0.5, thresholds={"blob": 0.9}, min_beats=1, within_beats=1)
    said = weighed([(1, shares(blob=0.8)), (2, shares(blob=0.1, stall=0.7))], limits)
    assert [(one.kind, one.enough) for one in said] == [(BLOB, False), (STALL, True)]


def test_what_is_switched_off_neither_counts_nor_is_named() -> None:
    limits = Limits(threshold=0.5, min_beats=1, within_beats=1, kinds=(STALL,))
    (said,) = weighed([(1, shares(blob=0.9, stall=0.05))], limits)
    assert (said.kind, said.enough, said.score) == (STALL, False, pytest.approx(0.05))
    nothing = Limits(threshold=0.5, min_beats=1, within_beats=1, kinds=())
    assert weigh(Evidence(), 1, shares(blob=0.9), nothing) == (Evidence(), None)


@pytest.mark.parametrize(
    ("told", "taken", "kind"),
    [
        ({BLOB: 0.6, STALL: 0.3}, [], BLOB),
        ({BLOB: 0.6, STALL: 0.3}, [STALL], STALL),  # one failure, one alarm
        ({BLOB: 0.85, STALL: 0.12}, [STALL], STALL),
        ({BLOB: 0.85, STALL: 0.05}, [STALL], BLOB),  # another one, clearly
        ({BLOB: 0.7, STALL: 0.05}, [STALL], STALL),
        ({BLOB: 0.1, STALL: 0.05, WARPING: 0.2}, [STALL, BLOB], BLOB),
        ({BLOB: 0.6, STALL: 0.3}, [WARPING], BLOB),  # open, and switched off since
    ],
)
def test_a_failure_keeps_the_name_under_which_it_was_told(
    told: dict[Kind, float], taken: list[Kind], kind: Kind
) -> None:
    assert attributed(told, taken) is kind


def test_beside_an_open_alarm_another_kind_needs_beats_of_its_own() -> None:
    turning = [(1, shares(stall=0.9)), (2, shares(stall=0.9)), (3, shares(blob=0.9)), (4, shares(blob=0.9))]
    said = weighed(turning, taken=[STALL])
    assert [(one.kind, one.enough) for one in said[2:]] == [(BLOB, False), (BLOB, True)]
    assert [(one.kind, one.enough) for one in weighed(turning)[2:]] == [(BLOB, True), (BLOB, True)]


def test_a_beat_that_comes_again_counts_once() -> None:
    said = weighed([(1, shares(blob=0.9)), (1, shares(blob=0.9))])
    assert [one.enough for one in said] == [False, False]
