"""Heaters that fail while the firmware still copes: limits of power, beds, full power that is not enough."""

from __future__ import annotations

import numpy as np
import pytest

from detector.anomaly import Kind
from tests.detector.windows import kinds_told, printing, ramp, step, told

FAILS_S = 100.0


def test_an_open_cartridge_is_told_where_the_configuration_allows_less_than_full_power() -> None:
    """``max_power: 0.7``: the duty rests there while the temperature falls."""
    falls = ramp((0, 210), (FAILS_S, 210), (200, 135))
    windows = printing(130, hotend_c=falls, hotend_power=ramp((0, 0.4), (FAILS_S, 0.4), (106, 0.7)))
    seconds, reason = told(windows, Kind.HEATER_FAULT)
    assert seconds - FAILS_S < 25
    assert "power 70 %" in reason.text


def test_heating_up_under_a_limit_of_power_is_no_heater_fault() -> None:
    heats = ramp((0, 30), (13, 31), (190, 208), (200, 210), (220, 210))
    limited = ramp((5, 0.6), (194, 0.6), (195, 0.35))
    windows = printing(220, hotend_c=heats, hotend_target_c=step(5, 0, 210), hotend_power=limited)
    assert kinds_told(windows) == set()


def test_full_power_for_a_minute_below_the_target_is_a_heater_fault() -> None:
    """Two kelvins below it, where no firmware halts: the heater has lost the half of its power."""
    stays = ramp((0, 210), (FAILS_S, 210), (120, 207.5))
    windows = printing(240, hotend_c=stays, hotend_power=ramp((0, 0.5), (FAILS_S, 0.5), (112, 1.0)))
    seconds, reason = told(windows, Kind.HEATER_FAULT)
    assert seconds - FAILS_S < 90
    assert "too little heat" in reason.text


def test_a_hot_end_that_creeps_up_at_full_power_is_not_exhausted() -> None:
    creeps = ramp((0, 251), (200, 259))
    assert kinds_told(printing(200, hotend_c=creeps, hotend_target_c=260.0, hotend_power=1.0)) == set()


@pytest.mark.parametrize("rate_k_s", [0.03, 0.1])
def test_an_open_bed_is_told_before_its_control_gives_all(rate_k_s: float) -> None:
    """Marlin halts 20 s after 2 K are gone: half of that is left at least."""

    def falls(t: float) -> float:
        return 60.0 - rate_k_s * max(t - FAILS_S, 0.0)

    def given(t: float) -> float:
        return min(0.3 + 0.3 * (60.0 - falls(t)), 1.0)

    seconds, reason = told(printing(240, bed_c=falls, bed_power=given), Kind.HEATER_FAULT)
    assert seconds < FAILS_S + 2.0 / rate_k_s + 10.0
    assert "held it before" in reason.text or "full power" in reason.text
    assert "  " not in reason.text


def test_a_bed_that_is_switched_on_and_off_is_no_heater_fault() -> None:
    """It goes on falling for some seconds after it was switched on."""
    swings = ramp(*[(20 * n, 60.7 if n % 2 else 59.2) for n in range(20)])
    windows = printing(380, bed_c=swings, bed_power=lambda t: float((t - 15.0) % 40.0 > 20.0))
    assert kinds_told(windows) == set()


@pytest.mark.parametrize("hysteresis_k", [1.5, 2.5])
def test_a_bed_that_is_switched_late_is_no_heater_fault(hysteresis_k: float) -> None:
    """Heat takes eight seconds to its sensor: it falls at full power, kelvins below its target."""
    seconds = np.arange(0.0, 600.0, 0.2)
    celsius, power, stored = np.empty_like(seconds), np.empty_like(seconds), 60.0
    on, under_way = True, [0.0] * 40
    for at in range(len(seconds)):
        on = stored < 60.0 - hysteresis_k if not on else stored < 60.0 + hysteresis_k
        under_way = [*under_way[1:], float(on)]
        stored += 0.2 * (0.3 * under_way[0] - 0.17)
        celsius[at], power[at] = stored, float(on)
    windows = printing(
        600,
        bed_c=lambda t: float(np.interp(t, seconds, celsius)),
        bed_power=lambda t: float(power[min(round(t / 0.2), len(power) - 1)]),
    )
    assert kinds_told(windows) == set()


def test_a_switched_bed_that_gives_nothing_is_told() -> None:
    falls = ramp((0, 60), (FAILS_S, 60), (FAILS_S + 100, 53))
    seconds, _ = told(printing(200, bed_c=falls, bed_power=step(FAILS_S + 20, 0.0, 1.0)), Kind.HEATER_FAULT)
    assert seconds - FAILS_S < 60


def test_a_draft_over_the_bed_is_no_heater_fault() -> None:
    cools = ramp((0, 60), (FAILS_S, 60), (130, 59.0), (160, 60.0))
    windows = printing(200, bed_c=cools, bed_power=ramp((0, 0.3), (FAILS_S, 0.3), (130, 0.42), (160, 0.34)))
    assert kinds_told(windows) == set()


def test_a_heater_that_sticks_while_it_held_its_target_is_told_after_some_kelvins() -> None:
    rises = ramp((0, 210), (FAILS_S, 210), (120, 238))
    windows = printing(120, hotend_c=rises, hotend_power=ramp((0, 0.4), (FAILS_S, 0.4), (101, 0.0)))
    seconds, reason = told(windows, Kind.HEATER_FAULT)
    assert seconds - FAILS_S < 9
    assert "stuck on" in reason.text


def test_an_overshoot_after_heating_up_is_no_stuck_heater() -> None:
    """12 K over the target, 9 s after the power went: the heat of a warm-up was under way."""
    heats = ramp((0, 150), (30, 208), (39, 222), (60, 212), (80, 210))
    windows = printing(100, hotend_c=heats, hotend_power=lambda t: 1.0 if t < 30 else 0.0 if t < 60 else 0.4)
    assert kinds_told(windows) == set()


def test_a_duty_that_rests_a_little_below_the_target_is_no_limit() -> None:
    """Ten bits: 0.3 K off for minutes is the converter's step."""
    assert kinds_told(printing(200, hotend_c=209.7, hotend_power=0.45)) == set()
