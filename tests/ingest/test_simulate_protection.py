"""When the simulated firmware halts itself: at the times that Marlin's defaults give."""

from __future__ import annotations

import numpy as np
import pytest

from ingest.simulate.faults import Fault, FaultKind
from ingest.simulate.firmware import Firmware
from ingest.simulate.heater import Heater
from ingest.simulate.printer import Printer, Start
from ingest.simulate.protection import (
    BED_LIMITS,
    HOTEND_LIMITS,
    NOT_HEATING,
    RUNAWAY,
    TOO_COLD,
    TOO_HOT,
    Limits,
    Protection,
)
from ingest.simulate.simulated import SimulatedPrinter
from ingest.simulate.spec import STEP_S

FAULT_S = 20.0
HOLD = [(HOTEND_LIMITS, 40.0, 4.0), (BED_LIMITS, 20.0, 2.0)]
"""THERMAL_PROTECTION_PERIOD and _HYSTERESIS of Marlin's Configuration_adv.h."""
WATCH = [(HOTEND_LIMITS, 20.0, 2.0), (BED_LIMITS, 60.0, 2.0)]
"""WATCH_TEMP_PERIOD and _INCREASE."""


@pytest.mark.parametrize(
    ("kind", "error", "earliest_s", "latest_s"),
    [
        # 4 K below the target after 4 to 9 s, then 40 s of patience
        (FaultKind.OPEN_HEATER, "Thermal Runaway, system stopped! Heater_ID: E0", 44, 50),
        # 40 W against 15 to 19 W of loss: 60 K take a minute
        (FaultKind.STUCK_HEATER, "MAXTEMP triggered, system stopped! Heater_ID: E0", 40, 75),
        (FaultKind.OPEN_THERMISTOR, "MINTEMP triggered, system stopped! Heater_ID: E0", 0, 0.3),
        # 0.1 K/s at first: 2 K after some 20 to 30 s, then 20 s
        (FaultKind.OPEN_BED, "Thermal Runaway, system stopped! Heater_ID: bed", 35, 55),
    ],
)
def test_the_firmware_halts_when_marlin_would(
    kind: FaultKind, error: str, earliest_s: float, latest_s: float
) -> None:
    printer = SimulatedPrinter("p", 1, [Fault(kind=kind, at_s=FAULT_S)])
    said = printer.lines_until(300.0)
    at_s = next(at_s for at_s, line in said if line == f"Error:{error}")
    assert earliest_s <= at_s - FAULT_S <= latest_s
    assert said[-1] == (at_s, "Error:Printer halted. kill() called!"), "no word after a halt"
    assert printer.firmware.halted_s == at_s
    assert printer.receive("M105", 301.0) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    ("kind", "is_hotend", "hold_s", "hold_c"),
    [(FaultKind.OPEN_HEATER, True, 40.0, 4.0), (FaultKind.OPEN_BED, False, 20.0, 2.0)],
)
def test_a_runaway_is_told_one_period_after_the_last_good_reading(
    kind: FaultKind, is_hotend: bool, hold_s: float, hold_c: float, seed: int
) -> None:
    simulated = SimulatedPrinter("p", seed, [Fault(kind=kind, at_s=FAULT_S)])
    heater: Heater = simulated.printer.hotend if is_hotend else simulated.printer.bed
    target_c, good_s = heater.target_c, 0.0
    while simulated.firmware.halted_s is None and simulated.now_s < 200.0:
        simulated.advance_to(simulated.now_s + STEP_S)
        good_s = simulated.now_s if heater.reading_c >= target_c - hold_c else good_s
    assert simulated.firmware.halt_reason == RUNAWAY
    assert hold_s <= simulated.now_s - good_s <= hold_s + 2 * STEP_S


@pytest.mark.parametrize(
    ("kind", "command", "heater", "watch_s"),
    [
        (FaultKind.OPEN_HEATER, "M104 S200", "E0", 20.0),
        (FaultKind.OPEN_HEATER, "M109 S200", "E0", 20.0),
        (FaultKind.OPEN_BED, "M140 S60", "bed", 60.0),
        (FaultKind.OPEN_BED, "M190 S60", "bed", 60.0),
    ],
)
def test_a_heater_that_never_warms_fails_after_the_watch_period(
    kind: FaultKind, command: str, heater: str, watch_s: float
) -> None:
    broken = Printer(np.random.default_rng(1), [Fault(kind=kind, at_s=0.0)], Start.IDLE)
    firmware = Firmware(broken, np.random.default_rng(2))
    firmware.handle(command)
    errors = []
    for _ in range(round(2 * watch_s / STEP_S)):
        broken.advance(STEP_S)
        lines = firmware.tick(broken.now_s)
        errors += [(broken.now_s, line) for line in lines if line.startswith("Error")]
    assert errors[0] == (watch_s, f"Error:Heating failed, system stopped! Heater_ID: {heater}")


def test_a_sound_print_is_never_halted() -> None:
    printer = SimulatedPrinter("p", 1)
    assert not [line for _, line in printer.lines_until(1800.0) if "Error" in line]


@pytest.mark.parametrize(("limits", "hold_s", "hold_c"), HOLD)
def test_a_target_must_be_held_within_the_hysteresis_for_the_period(
    limits: Limits, hold_s: float, hold_c: float
) -> None:
    near, far = Protection(limits), Protection(limits)
    assert near.check(0.0, 100.0, 100.0) is far.check(0.0, 100.0, 100.0) is None
    assert near.check(10 * hold_s, 100.0 - hold_c, 100.0) is None
    assert far.check(hold_s, 99.9 - hold_c, 100.0) is None
    assert far.check(hold_s + STEP_S, 99.9 - hold_c, 100.0) == RUNAWAY


@pytest.mark.parametrize(("limits", "hold_s", "hold_c"), HOLD)
def test_one_good_reading_gives_a_whole_period_more(limits: Limits, hold_s: float, hold_c: float) -> None:
    hold = Protection(limits)
    for at_s, reading_c in ((0.0, 100.0), (hold_s - 1.0, 99.9 - hold_c), (hold_s - 0.5, 100.0 - hold_c)):
        assert hold.check(at_s, reading_c, 100.0) is None
    assert hold.check(2 * hold_s - 0.6, 90.0, 100.0) is None
    assert hold.check(2 * hold_s - 0.4, 90.0, 100.0) == RUNAWAY


@pytest.mark.parametrize(("limits", "watch_s", "watch_c"), WATCH)
def test_a_heater_far_from_its_target_must_rise_with_every_period(
    limits: Limits, watch_s: float, watch_c: float
) -> None:
    watch = Protection(limits)
    watch.retarget(0.0, 25.0, 100.0)
    assert watch.check(watch_s - STEP_S, 25.0, 100.0) is None
    assert watch.check(watch_s, 25.0 + watch_c, 100.0) is None
    assert watch.check(2 * watch_s - STEP_S, 25.0 + watch_c, 100.0) is None
    assert watch.check(2 * watch_s, 24.9 + 2 * watch_c, 100.0) == NOT_HEATING


def test_a_heater_near_its_target_is_not_watched() -> None:
    watch = Protection(HOTEND_LIMITS)
    watch.retarget(0.0, 194.5, 200.0)
    assert watch.check(100.0, 194.5, 200.0) is None


def test_temperatures_beyond_the_limits_halt_at_once() -> None:
    assert Protection(HOTEND_LIMITS).check(0.0, 4.9, 200.0) == TOO_COLD
    assert Protection(HOTEND_LIMITS).check(0.0, 4.9, 0.0) is None, "a cold room is no fault"
    assert Protection(HOTEND_LIMITS).check(0.0, 275.1, 0.0) == TOO_HOT
    assert Protection(BED_LIMITS).check(0.0, 150.1, 0.0) == TOO_HOT


def test_a_new_target_is_not_a_runaway() -> None:
    hold = Protection(HOTEND_LIMITS)
    hold.check(0.0, 215.0, 215.0)
    hold.retarget(1.0, 215.0, 240.0)
    assert hold.check(1.0, 215.0, 240.0) is None
    hold.retarget(10.0, 230.0, 180.0)
    assert hold.check(60.0, 200.0, 180.0) is None
