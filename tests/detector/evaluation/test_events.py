"""The figures by event, against sets whose figures can be worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from detector.evaluation import events
from detector.evaluation.weighing import Weighing
from tests.detector.evaluation.farm import ONSET_S, SHARES, failing, farm, normal, told

PRINTS = [
    *(normal(f"n{n}") for n in range(8)),
    normal("n8", told(60.0)),
    normal("n9", told(60.0), told(2000.0)),
    failing("s0", told(ONSET_S + 20)),
    failing("s1", told(ONSET_S + 40, "blob")),
    failing("s2", told(300.0), told(ONSET_S + 60)),
    failing("s3"),
    failing(
        "h0", told(ONSET_S + 5, "heater_fault", ONSET_S - 10), kind="heater_fault", halted_s=ONSET_S + 35
    ),
    failing("h1", told(ONSET_S + 90, "stall", ONSET_S + 50), kind="heater_fault", halted_s=ONSET_S + 40),
    failing("h2", kind="heater_fault", halted_s=ONSET_S + 40),
]
KINDS = {"spaghetti": 0.7, "heater_fault": 0.3}


@pytest.fixture(name="weighing", scope="module")
def _weighing() -> Weighing:
    return Weighing(PRINTS, KINDS)


def test_mistakes_are_counted_of_a_hundred_prints_of_the_farm(weighing: Weighing) -> None:
    # 2 of 10 normal ones at 0.9; of spaghetti one missed and one alarmed early of 4; of heaters 1 of 3.
    expected = 100 * (0.9 * 0.2 + 0.1 * (0.7 * 0.5 + 0.3 / 3))
    value, low, high = events.mistakes_per_100(weighing)
    assert value == pytest.approx(expected)
    assert low < value < high


def test_false_alarms_are_counted_by_the_hours_in_which_nothing_is_wrong(weighing: Weighing) -> None:
    alarms = 0.9 * 3 / 10 + 0.1 * 0.7 / 4
    hours = 0.9 + 0.1 / 3  # a failing print is normal for a third of its hour
    assert events.false_alarms_per_hour(weighing).value == pytest.approx(alarms / hours)
    assert events.normal_alarmed(weighing).value == pytest.approx(0.2)


def test_precision_recall_and_f1_are_those_of_prints(weighing: Weighing) -> None:
    right = 0.1 * (0.7 * 3 / 4 + 0.3 * 2 / 3)
    wrong = 0.9 * 0.2 + 0.1 * 0.7 / 4
    precision, recall, f1 = events.detection(weighing)
    assert precision.value == pytest.approx(right / (right + wrong))
    assert recall.value == pytest.approx(right / 0.1)
    assert f1.value == pytest.approx(2 / (1 / precision.value + 1 / recall.value))
    assert precision.low < precision.value < precision.high


def test_recall_of_a_kind_has_wilsons_interval(weighing: Weighing) -> None:
    value, low, high = events.recall(weighing, "spaghetti")
    assert (value, low, high) == pytest.approx((0.75, 0.301, 0.954), abs=0.001)


def test_recall_within_a_time_counts_what_was_missed_as_late(weighing: Weighing) -> None:
    assert events.recall(weighing, "spaghetti", 30).value == pytest.approx(1 / 4)
    assert events.recall(weighing, "spaghetti", 40).value == pytest.approx(2 / 4)
    assert events.recall(weighing, "heater_fault", 10).value == pytest.approx(1 / 3)


def test_the_delay_is_that_of_what_was_found(weighing: Weighing) -> None:
    assert events.median_delay_s(weighing, "spaghetti") == pytest.approx(40)
    delays = events.delays(weighing)
    assert 20 <= delays.median_s.value <= 60 <= delays.p90_s <= 90
    assert delays.median_s.low <= delays.median_s.value <= delays.median_s.high


def test_the_bars_of_the_delays_and_the_missed_make_all_failures(weighing: Weighing) -> None:
    bars = events.delay_bars(weighing)
    assert sum(bar.share for bar in bars) == pytest.approx(events.recall(weighing).value)
    by_start = {bar.from_s: bar.share for bar in bars}
    assert by_start[20] == pytest.approx(0.7 / 4)  # 20 s lies in the bar that it begins
    assert (bars[0].from_s, bars[-1].to_s) == (0, None)


def test_the_lead_is_over_the_firmwares_own_halt(weighing: Weighing) -> None:
    lead = events.lead(weighing)
    assert lead.prints == 3
    assert lead.median_s == pytest.approx((30 - 50) / 2)  # once before, once after, once never
    assert lead.before.value == pytest.approx(1 / 3)


def test_naming_and_onset_are_judged_by_the_alarm_that_found_it(weighing: Weighing) -> None:
    named = 0.7 * 2 / 4 + 0.3 / 3
    assert events.named_right(weighing).value == pytest.approx(named / (0.7 * 3 / 4 + 0.3 * 2 / 3))
    assert 10 <= events.onset_error_s(weighing) <= 60


def test_what_each_kind_was_called_is_counted_with_what_was_not_told() -> None:
    found = events.confusion(PRINTS)
    assert found.kinds == ("spaghetti", "heater_fault")
    assert found.told == ("spaghetti", "blob", "heater_fault", "stall", "not told")
    assert found.counts == ((2, 1, 0, 0, 1), (0, 0, 1, 1, 1))


def test_a_method_that_never_alarms_has_no_precision_and_no_delay() -> None:
    silent = Weighing([normal(), failing()], SHARES)
    assert events.mistakes_per_100(silent).value == pytest.approx(10)
    assert np.isnan(events.detection(silent).precision.value)
    assert events.detection(silent).f1.value == 0
    assert np.isnan(events.delays(silent).median_s.value)
    assert np.isnan([events.onset_error_s(silent), events.named_right(silent).value]).all()
    assert (events.lead(silent).prints, np.isnan(events.lead(silent).median_s)) == (0, True)


def test_two_methods_over_the_same_prints_are_told_apart_more_finely_than_each_alone() -> None:
    worse = farm()
    spared = [one.name for one in worse if not one.fails and one.is_mistaken][:3]
    better = [normal(one.name) if one.name in spared else one for one in worse]
    apart = events.paired_difference(better, worse, SHARES)
    assert apart.value == pytest.approx(-100 * 0.9 * 3 / 100)
    assert apart.low < apart.value < apart.high <= 0
    alone = events.mistakes_per_100(Weighing(worse, SHARES))
    assert apart.high - apart.low < alone.high - alone.low
    same = events.paired_difference(worse, reversed(worse), SHARES)
    assert tuple(same) == (0, 0, 0)
