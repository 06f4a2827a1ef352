"""The simulated heaters: what boards read and decide, what air and loose sensors do to them."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from ingest.simulate.faults import Fault, FaultKind, FaultPlan
from ingest.simulate.heater import HEALTHY, Bed, Effect, Heater, HotEnd
from ingest.simulate.pid import OUTPUT_MAX, Gains, KlipperPid, Pid, Switching
from ingest.simulate.spec import STEP_S, Board, MachineSpec
from ingest.simulate.thermal import BED, HOTEND, Air, Weather
from ingest.simulate.thermistor import KLIPPER, PT1000, TEN_BIT, Sensor
from ingest.simulate.tuning import autotuned

HOT_C, WARM_C = 215.0, 60.0
KLIPPER_SPEC = MachineSpec(board=Board.KLIPPER, hotend_sensor=KLIPPER, bed_sensor=KLIPPER, adc_noise=2.0)


def rng() -> np.random.Generator:
    return np.random.default_rng(1)


def held(heater: Heater, seconds: float, effect: Effect = HEALTHY) -> np.ndarray:
    """Measurements, told readings and duties, [steps, 3]."""
    random, rows = rng(), []
    for _ in range(round(seconds / STEP_S)):
        heater.step(STEP_S, random, effect)
        rows.append((heater.measured_c, heater.reading_c, heater.duty))
    return np.array(rows)


def test_klipper_reads_every_three_tenths_however_time_is_sliced() -> None:
    readings_c = []
    for step_s in (0.1, 0.2, 0.5):
        hotend, random = HotEnd(KLIPPER_SPEC), rng()
        hotend.settle(HOT_C)
        seen_c = []
        for _ in range(round(60.0 / step_s)):
            hotend.step(step_s, random)
            seen_c.append(hotend.measured_c)
        readings_c.append(seen_c[-1])
        changes = np.flatnonzero(np.diff(seen_c)) + 2  # steps done when a new one is there
        due = np.ceil(0.3 * np.arange(1, 202) / step_s - 1e-6)
        assert set(changes) <= set(due.astype(int))
        assert len(changes) > 0.9 * min(60.0 / 0.3, 60.0 / step_s), "two in a row are seldom the same"
    assert np.ptp(readings_c) < 0.1, "the same noise on nearly the same temperature"


def test_what_klipper_tells_is_smoother_than_what_it_measures_and_in_hundredths() -> None:
    hotend = HotEnd(KLIPPER_SPEC)
    hotend.settle(HOT_C)
    measured_c, told_c, _ = held(hotend, 300.0).T
    assert told_c.std() < 0.8 * measured_c.std()
    assert np.allclose(told_c, np.round(told_c, 2), atol=1e-9)


def test_klippers_power_reaches_the_heater_one_reading_later() -> None:
    hotend, random = HotEnd(KLIPPER_SPEC), rng()
    hotend.target_c = HOT_C
    hotend.step(0.3, random)
    assert hotend.duty == 1.0
    assert hotend.body.heater_c == pytest.approx(25.0)
    hotend.step(0.3, random)
    hotend.step(0.3, random)
    assert hotend.body.heater_c > 27.0


def test_klippers_pid_gives_what_its_formula_says() -> None:
    pid = KlipperPid(Gains(25.5, 2.55, 51.0))
    pid.settle(HOT_C, 0.5)
    # P 0.1 * 1 K, I 0.01 * (50 + 0.3) K s, D 0.2 * 1 K over a second
    assert pid.output(0.3, HOT_C - 1.0, HOT_C) == pytest.approx(0.1 + 0.503 + 0.2)


def test_klipper_puts_small_changes_off_but_not_for_long() -> None:
    pid = KlipperPid(Gains(2.55, 0.0255, 0.0))
    pid.settle(HOT_C, 0.5)
    given = [pid.output(0.3, HOT_C - 2.0, HOT_C) for _ in range(14)]
    assert given[:12] == [0.5] * 12
    assert given[12] == pytest.approx(0.52, abs=0.002)


@pytest.mark.parametrize(
    "control", [KlipperPid(Gains(30.0, 2.0, 80.0), 0.5), Pid(Gains(30.0, 2.0, 80.0), 0.5)]
)
def test_no_more_power_is_given_than_is_allowed(control: KlipperPid | Pid) -> None:
    assert 0.45 < control.output(0.3, 25.0, HOT_C) <= 0.5
    assert control.output(0.3, HOT_C - 5.0, HOT_C) <= 0.5


def test_a_switching_bed_swings_about_its_target() -> None:
    marlin, klipper = Bed(MachineSpec(bed_switches=True)), Bed(replace(KLIPPER_SPEC, bed_switches=True))
    for bed, least_k, most_k in ((marlin, 0.2, 3.0), (klipper, 3.5, 7.0)):
        bed.settle(WARM_C)
        measured_c, _, duty = held(bed, 900.0)[500:].T
        assert set(duty) == {0.0, 1.0}
        assert least_k < np.ptp(measured_c) < most_k
        assert abs(measured_c.mean() - WARM_C) < 1.0


def test_switching_looks_only_so_often() -> None:
    switch = Switching(5.0, 0.0)
    assert switch.output(1.0, 59.0, 60.0) == 1.0
    assert [switch.output(1.0, 61.0, 60.0) for _ in range(5)] == [1.0] * 4 + [0.0]


def test_a_slipped_thermistor_lets_the_block_get_hotter_while_the_reading_comes_back() -> None:
    hotend = HotEnd(MachineSpec(hotend=replace(HOTEND, full_w=60.0)))
    hotend.settle(HOT_C)
    readings_c = held(hotend, 400.0, Effect(slipped=0.5))[:, 1]
    assert readings_c.min() < HOT_C - 5.0
    assert abs(readings_c[-200:].mean() - HOT_C) < 1.0
    assert 15.0 < hotend.body.block_c - HOT_C < 30.0


def test_the_plan_tells_the_hot_end_of_a_slipped_thermistor() -> None:
    plan = FaultPlan([Fault(kind=FaultKind.SLIPPED_THERMISTOR, at_s=10.0, severity=0.4)])
    assert plan.on_hotend(5.0).slipped == 0.0
    assert plan.on_hotend(15.0).slipped == pytest.approx(0.4)


def test_gusts_and_the_rooms_temperature_wander_as_told() -> None:
    air, random = Air(20.0, Weather(drafts=0.1, drafts_s=5.0, drift_c=2.0, drift_s=50.0)), rng()
    rows = []
    for _ in range(50_000):
        air.advance(STEP_S, random)
        rows.append((air.gust, air.ambient_c))
    gusts, room_c = np.array(rows).T
    assert gusts.mean() == pytest.approx(1.0, abs=0.02)
    assert gusts.std() == pytest.approx(0.1, rel=0.2)
    assert np.corrcoef(gusts[25:], gusts[:-25])[0, 1] == pytest.approx(np.exp(-1.0), abs=0.1)
    assert room_c.mean() == pytest.approx(20.0, abs=1.0)
    assert room_c.std() == pytest.approx(2.0, rel=0.3)


def test_drafts_cost_power_now_and_then_and_still_air_draws_no_chance() -> None:
    still, windy = (replace(KLIPPER_SPEC, hotend_weather=Weather(drafts=drafts)) for drafts in (0.0, 0.15))
    spread = []
    for spec in (still, windy):
        hotend = HotEnd(spec)
        hotend.settle(HOT_C)
        told_c = held(hotend, 600.0)[:, 1]
        spread.append(told_c.std())
    assert spread[1] > 1.5 * spread[0]
    random, untouched = rng(), rng()
    Air().advance(STEP_S, random)
    assert random.random() == untouched.random()


@pytest.mark.parametrize("sensor", [TEN_BIT, KLIPPER, PT1000])
def test_a_sensor_reads_what_it_is(sensor: Sensor) -> None:
    for celsius in (25.0, 60.0, 215.0, 260.0):
        assert sensor.celsius(sensor.counts(celsius)) == pytest.approx(celsius)
    readings = [sensor.read(HOT_C, rng(), 0.5) for _ in range(50)]
    assert np.mean(readings) == pytest.approx(HOT_C, abs=1.0)


def test_twelve_bits_are_finer_than_ten_and_platinum_is_coarser_than_a_thermistor() -> None:
    ten, twelve, platinum = (
        sensor.celsius(sensor.counts(HOT_C) - np.sign(sensor.beta_k - 1.0)) - HOT_C
        for sensor in (TEN_BIT, KLIPPER, PT1000)
    )
    assert 0.5 < ten < 0.9
    assert ten == pytest.approx(4.0 * twelve, rel=0.05)
    assert platinum > 2.0 * twelve


def test_tuning_finds_gains_as_real_ones_do_and_they_hold() -> None:
    gains = autotuned(HOTEND, HOT_C, 25.0)
    assert 15.0 < gains.p < 60.0  # Klipper's printer configurations for such hot ends: 20 to 45
    assert 1.0 < gains.i < 6.0
    assert 60.0 < gains.d < 180.0
    hotend = HotEnd(replace(KLIPPER_SPEC, hotend_gains=gains))
    hotend.settle(HOT_C)
    assert np.abs(held(hotend, 300.0)[:, 1] - HOT_C).max() < 1.0


def test_tuning_refuses_a_target_that_the_heater_does_not_reach() -> None:
    with pytest.raises(ValueError, match="tune lower"):
        autotuned(replace(BED, full_w=50.0), WARM_C, 25.0)


def test_a_settled_heater_stays_where_it_is() -> None:
    for spec in (MachineSpec(), KLIPPER_SPEC, replace(KLIPPER_SPEC, ambient_c=40.0)):
        hotend = HotEnd(spec)
        hotend.settle(HOT_C)
        assert np.abs(held(hotend, 20.0)[:, 1] - HOT_C).max() < 1.0
        assert hotend.power == round(hotend.duty * 127)
        assert OUTPUT_MAX == 255.0
