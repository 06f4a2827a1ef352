"""When a print counts as found, missed or falsely alarmed."""

from __future__ import annotations

import pytest

from tests.detector.evaluation.farm import ENDS_S, ONSET_S, failing, normal, told


def test_a_failing_print_is_found_by_the_first_alarm_from_its_onset_on() -> None:
    one = failing("f", told(ONSET_S + 90, "stall"), told(ONSET_S + 30))
    assert one.found == told(ONSET_S + 30)
    assert (one.delay_s, one.is_mistaken) == (30.0, False)
    assert failing("f", told(ONSET_S)).delay_s == 0.0


def test_an_alarm_counts_up_to_the_end_of_the_print_and_not_after_it() -> None:
    assert not failing("f", told(ENDS_S)).is_missed
    assert failing("f", told(ENDS_S + 1)).is_missed
    assert not normal("n", told(ENDS_S + 1)).false_alarms


def test_an_alarm_before_the_onset_is_false_and_finds_nothing() -> None:
    early = failing("f", told(ONSET_S - 1))
    assert (early.is_missed, len(early.false_alarms), early.is_mistaken) == (True, 1, True)


def test_a_false_alarm_is_not_forgiven_where_the_failure_is_found_later() -> None:
    both = failing("f", told(100.0), told(ONSET_S + 5))
    assert (both.is_missed, both.is_mistaken) == (False, True)


def test_every_alarm_on_a_normal_print_is_false() -> None:
    assert len(normal("n", told(10.0), told(900.0)).false_alarms) == 2
    assert normal("n").is_mistaken is False
    assert normal("n", told(10.0)).found is None


def test_an_alarm_is_not_false_once_the_firmware_has_halted_a_print_that_is_called_sound() -> None:
    halted = normal("n", told(500.0), halted_s=500.0)
    assert (halted.false_alarms, halted.is_mistaken, halted.found) == ((), False, None)
    assert normal("n", told(499.0), halted_s=500.0).is_mistaken
    early = failing("f", told(ONSET_S - 10), halted_s=ONSET_S - 20)
    assert (early.false_alarms, early.is_missed) == ((), True)


def test_normal_hours_end_at_the_onset() -> None:
    assert normal("n", hours=2.0).normal_hours == 2.0
    assert failing("f", hours=3.0).normal_hours == pytest.approx(1.0)


def test_the_curves_score_a_failing_print_from_its_onset_on_alone() -> None:
    assert failing("f", peaks=(0.9, 0.2)).score == 0.2
    assert normal("n", peaks=(0.7, 0.0)).score == 0.7


@pytest.mark.parametrize(
    "what", [{"onset_s": None}, {"onset_s": -1.0}, {"onset_s": ENDS_S + 1}, {"hours": 0.0}, {"weight": 0.0}]
)
def test_a_truth_that_contradicts_itself_is_refused(what: dict[str, float | None]) -> None:
    with pytest.raises(ValueError, match="f: found"):
        failing("f", **what)
