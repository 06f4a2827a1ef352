"""The simulated firmware's dialogue with a host, and the times at which it halts itself."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ingest.simulate.faults import Fault, FaultKind
from ingest.simulate.firmware import Firmware
from ingest.simulate.printer import STEP_S, Printer, Start
from ingest.simulate.protection import (
    BED_LIMITS,
    HOTEND_LIMITS,
    NOT_HEATING,
    RUNAWAY,
    TOO_COLD,
    TOO_HOT,
    Protection,
)
from ingest.simulate.simulated import SimulatedPrinter
from ingest.simulate.wire import numbered

REPORT = re.compile(r"^ T:-?\d+\.\d\d /\d+\.\d\d B:-?\d+\.\d\d /\d+\.\d\d @:\d+ B@:\d+( W:(\?|\d+))?$")


@pytest.fixture
def idle() -> Firmware:
    return Firmware(Printer(np.random.default_rng(1), start=Start.IDLE), np.random.default_rng(2))


def run(firmware: Firmware, seconds: float) -> list[tuple[float, str]]:
    """What the firmware says by itself over so many seconds of virtual time."""
    said = []
    for _ in range(round(seconds / STEP_S)):
        firmware.printer.advance(STEP_S)
        now_s = firmware.printer.now_s
        said += [(now_s, line) for line in firmware.tick(now_s)]
    return said


def test_octoprints_handshake_is_answered_as_a_real_board_does(idle: Firmware) -> None:
    assert idle.handle("N0 M110 N0*125") == ["ok"]
    assert idle.handle("N0 M110 N0*125") == ["ok"]
    name, *capabilities, ok = idle.handle("N1 M115*39")
    assert name.startswith("FIRMWARE_NAME:Marlin 2.1.2 ")
    assert "Cap:AUTOREPORT_TEMP:1" in capabilities
    assert all(re.fullmatch(r"Cap:[A-Z_]+:[01]", line) for line in capabilities)
    assert ok == "ok"
    assert idle.handle("M21") == ["echo:No SD card", "ok"]
    assert idle.handle("M155 S2") == ["ok"]
    reports = run(idle, 10)
    assert [at_s for at_s, _ in reports] == [2.0, 4.0, 6.0, 8.0, 10.0]
    assert all(REPORT.match(line) for _, line in reports)


def test_a_damaged_line_is_asked_for_again(idle: Firmware) -> None:
    for number in range(1, 42):
        idle.handle(numbered(number, "G1 X1"))
    assert idle.handle("N42 G1 X10 Y10*1") == ["Error:checksum mismatch, Last Line: 41", "Resend: 42", "ok"]
    assert idle.handle(numbered(43, "G1 X1")) == [
        "Error:Line Number is not Last Line Number+1, Last Line: 41",
        "Resend: 42",
        "ok",
    ]
    assert idle.handle("N42 M105") == [
        "Error:No Checksum with line number, Last Line: 41",
        "Resend: 42",
        "ok",
    ]
    assert idle.handle(numbered(42, "G1 X10")) == ["ok"]
    assert idle.handle(numbered(43, "G1 X11")) == ["ok"]


def test_a_host_may_set_the_line_number(idle: Firmware) -> None:
    assert idle.handle(numbered(500, "M110 N500")) == ["ok"]
    assert idle.handle(numbered(501, "M27")) == ["Not SD printing", "ok"]


def test_questions_are_answered(idle: Firmware) -> None:
    assert idle.handle("M105") == ["ok T:25.00 /0.00 B:25.00 /0.00 @:0 B@:0"]
    idle.handle("G1 X10 Y20.5 Z5 F3000 ; move")
    assert idle.handle("M114") == ["X:10.00 Y:20.50 Z:5.00 E:0.00 Count X:800 Y:1640 Z:2000", "ok"]
    assert idle.handle("M20") == ["echo:No SD card", "ok"]
    assert idle.handle("FOO 1") == ['echo:Unknown command: "FOO 1"', "ok"]
    assert idle.handle("M9999") == ['echo:Unknown command: "M9999"', "ok"]
    assert idle.handle("; nothing") == []
    for accepted in ("G28", "G90", "G92 E0", "M82", "M83", "M84", "M107", "M220 S100", "M221 S95", "M400"):
        assert idle.handle(accepted) == ["ok"]


def test_position_reports_come_like_the_answer_without_its_ok(idle: Firmware) -> None:
    idle.handle("M154 S1")
    assert [line for _, line in run(idle, 2)] == ["X:0.00 Y:0.00 Z:0.00 E:0.00 Count X:0 Y:0 Z:0"] * 2


def test_waiting_for_heat_reports_and_keeps_the_host_alive(idle: Firmware) -> None:
    idle.handle("M155 S1")
    assert idle.handle("M109 S60") == []
    assert idle.handle("M106 S255") == [], "what comes while it waits is carried out afterwards"
    said = run(idle, 60)
    done_s = next(at_s for at_s, line in said if line == "ok")
    waiting = [(at_s, line) for at_s, line in said if at_s < done_s]
    assert [at_s for at_s, line in waiting if line == "echo:busy: processing"][:2] == [2.0, 4.0]
    assert waiting[0][1].endswith(" W:?")
    assert re.search(r" W:\d$", [line for _, line in waiting if " T:" in line][-1])
    assert [line for at_s, line in said if at_s == done_s][:2] == ["ok", "ok"]
    assert idle.printer.fan == 1.0


def test_a_wait_can_be_broken_off(idle: Firmware) -> None:
    idle.handle("M190 S60")
    run(idle, 5)
    assert idle.handle("M108") == ["ok"]
    assert idle.handle("M109 R20") == []
    assert idle.handle("M112") == ["Error:Printer halted. kill() called!"]
    assert idle.handle("M105") == []


def test_waiting_only_for_heating_does_not_wait_for_cooling(idle: Firmware) -> None:
    assert idle.handle("M109 S0") == ["ok"]


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
    printer = SimulatedPrinter("p", 1, [Fault(kind=kind, at_s=20.0)])
    said = printer.lines_until(300.0)
    at_s = next(at_s for at_s, line in said if line == f"Error:{error}")
    assert earliest_s <= at_s - 20.0 <= latest_s
    assert said[-1] == (at_s, "Error:Printer halted. kill() called!"), "no word after a halt"
    assert printer.firmware.halted_s == at_s
    assert printer.receive("M105", 301.0) == []


def test_a_heater_that_never_warms_fails_after_the_watch_period() -> None:
    broken = Printer(np.random.default_rng(1), [Fault(kind=FaultKind.OPEN_HEATER, at_s=0.0)], Start.IDLE)
    firmware = Firmware(broken, np.random.default_rng(2))
    firmware.handle("M104 S200")
    said = run(firmware, 60)
    assert said[0] == (20.0, "Error:Heating failed, system stopped! Heater_ID: E0")


def test_a_sound_print_is_never_halted() -> None:
    printer = SimulatedPrinter("p", 1)
    assert not [line for _, line in printer.lines_until(1800.0) if "Error" in line]


def test_protection_takes_the_default_times_to_the_second() -> None:
    hold = Protection(HOTEND_LIMITS)
    assert hold.check(0.0, 215.0, 215.0) is None
    assert hold.check(40.0, 210.9, 215.0) is None
    assert hold.check(40.1, 210.9, 215.0) == RUNAWAY
    watch = Protection(BED_LIMITS)
    watch.retarget(0.0, 25.0, 60.0)
    assert watch.check(59.9, 26.9, 60.0) is None
    assert watch.check(60.0, 26.9, 60.0) == NOT_HEATING
    assert Protection(HOTEND_LIMITS).check(0.0, 4.9, 200.0) == TOO_COLD
    assert Protection(HOTEND_LIMITS).check(0.0, 4.9, 0.0) is None, "a cold room is no fault"
    assert Protection(HOTEND_LIMITS).check(0.0, 275.1, 0.0) == TOO_HOT


def test_a_new_target_is_not_a_runaway() -> None:
    hold = Protection(HOTEND_LIMITS)
    hold.check(0.0, 215.0, 215.0)
    hold.retarget(1.0, 215.0, 240.0)
    assert hold.check(1.0, 215.0, 240.0) is None
    hold.retarget(10.0, 230.0, 180.0)
    assert hold.check(60.0, 200.0, 180.0) is None


def test_a_line_error_storm_is_heard_as_resends() -> None:
    storm = Fault(kind=FaultKind.LINE_ERRORS, at_s=10.0, until_s=40.0)
    said = SimulatedPrinter("p", 1, [storm]).lines_until(60.0)
    asked_s = [at_s for at_s, line in said if re.fullmatch(r"Resend: \d+", line)]
    assert len(asked_s) > 30
    assert min(asked_s) >= 10.0
    assert max(asked_s) < 40.0


def test_a_storm_damages_a_hosts_own_lines() -> None:
    printer = SimulatedPrinter("p", 1, [Fault(kind=FaultKind.LINE_ERRORS, at_s=0.0)], start=Start.IDLE)
    answers, number = [], 1
    while number < 50:
        answers.append(printer.receive(numbered(number, "G1 X1"), 1.0))
        number += answers[-1] == ["ok"]
    assert any(answer[0].startswith("Error:checksum mismatch") for answer in answers)


def test_a_reset_boots_and_forgets_the_print() -> None:
    printer = SimulatedPrinter("p", 1, [Fault(kind=FaultKind.RESET, at_s=10.0)])
    said = printer.lines_until(30.0)
    assert [(at_s, line) for at_s, line in said if line == "start"] == [(10.0, "start")]
    assert (10.0, "Watchdog Reset") in said
    assert "/0.00" in said[-1][1]
    assert not printer.printer.printing


def test_silence_neither_says_nor_hears() -> None:
    printer = SimulatedPrinter("p", 1, [Fault(kind=FaultKind.SILENCE, at_s=10.0, until_s=20.0)])
    times = [at_s for at_s, _ in printer.lines_until(15.0)]
    assert max(times) < 10.0
    assert printer.receive("M105", 15.0) == []
    assert min(at_s for at_s, _ in printer.lines_until(30.0)) >= 20.0
