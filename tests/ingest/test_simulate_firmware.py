"""The simulated firmware's dialogue with a host."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ingest.simulate.faults import Fault, FaultKind
from ingest.simulate.firmware import Firmware
from ingest.simulate.machine import Lateness
from ingest.simulate.printer import Printer, Start
from ingest.simulate.simulated import SimulatedPrinter
from ingest.simulate.spec import STEP_S, MachineSpec
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
    assert idle.handle("M220") == ["FR:100%", "ok"]
    assert idle.handle("M221") == ["echo:E0 Flow: 100%", "ok"]
    assert idle.handle("FOO 1") == ['echo:Unknown command: "FOO 1"', "ok"]
    assert idle.handle("M9999") == ['echo:Unknown command: "M9999"', "ok"]
    assert idle.handle("; nothing") == []
    for accepted in ("G90", "G92 E0", "M82", "M83", "M84 S9", "M107", "M220 S100", "M221 S95", "M117 X"):
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
    assert re.search(r" W:\d$", [line for _, line in waiting if " W:" in line][-1])
    own_s = [at_s for at_s, line in waiting if " T:" in line and " W:" not in line]
    assert own_s == [float(second) for second in range(1, 60) if second < done_s], "reports go on"
    assert [line for at_s, line in said if at_s == done_s][:2] == ["ok", "ok"]
    assert idle.printer.fan == 1.0


def test_a_wait_can_be_broken_off(idle: Firmware) -> None:
    idle.handle("M190 S60")
    run(idle, 5)
    assert idle.handle("M105") == [], "it has to queue"
    wait_over, temperatures, broken_off = idle.handle("M108")
    assert (wait_over, temperatures[:5], broken_off) == ("ok", "ok T:", "ok"), "each has its own"
    assert idle.handle("M109 R20") == []
    assert idle.handle("M112") == ["Error:Printer halted. kill() called!"]
    assert idle.handle("M105") == []


def test_a_host_sets_how_often_it_is_told_that_the_board_is_busy(idle: Firmware) -> None:
    assert idle.handle("M113") == ["echo:M113 S2", "ok"]
    assert idle.handle("M113 S5") == ["ok"]
    idle.handle("G4 S12")
    assert [at_s for at_s, line in run(idle, 12) if "busy" in line] == [5.0, 10.0]
    idle.handle("M113 S0")
    idle.handle("G4 S12")
    assert [line for _, line in run(idle, 12)] == ["ok"]


def test_the_print_timer_stands_in_pauses_and_starts_with_the_heat(idle: Firmware) -> None:
    idle.handle("M75")
    run(idle, 70)
    assert idle.handle("M31") == ["echo:Print time: 1m 10s", "ok"]
    idle.handle("M76")
    run(idle, 10)
    idle.handle("M75")
    run(idle, 5)
    idle.handle("M77")
    run(idle, 5)
    assert idle.handle("M31") == ["echo:Print time: 1m 15s", "ok"]
    idle.handle("M109 S200")
    run(idle, 3)
    idle.handle("M108")
    assert idle.handle("M31") == ["echo:Print time: 3s", "ok"]


@pytest.mark.parametrize("line", ["G1 X" + "9" * 5000, "N" + "9" * 80 + " M105", "M26 S" + "9" * 400])
def test_a_line_of_any_length_is_answered(idle: Firmware, line: str) -> None:
    assert idle.handle(line)[-1] == "ok"


def test_waiting_only_for_heating_does_not_wait_for_cooling(idle: Firmware) -> None:
    assert idle.handle("M109 S0") == ["ok"]


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


def test_noise_damages_some_of_what_is_said_and_is_over_when_it_is_over() -> None:
    noise = Fault(kind=FaultKind.GARBLED, at_s=100.0, until_s=400.0)
    printer = SimulatedPrinter("p", 1, [noise])
    said = printer.lines_until(500.0)
    bad_s = [at_s for at_s, line in said if not REPORT.match(line) and line != "ok"]
    assert 0.3 < len(bad_s) / 300 < 0.8
    assert min(bad_s) >= 100.0
    assert max(bad_s) < 400.0
    answers = [printer.receive("M105", 500.0)[0] for _ in range(20)]
    assert all(REPORT.match(answer.removeprefix("ok")) for answer in answers)


def test_noise_reaches_answers_too_and_less_where_it_is_less() -> None:
    def damaged(severity: float) -> int:
        noise = Fault(kind=FaultKind.GARBLED, at_s=0.0, severity=severity)
        printer = SimulatedPrinter("p", 1, [noise])
        return sum(printer.receive("M115", 1.0)[0][:13] != "FIRMWARE_NAME" for _ in range(200))

    assert 5 < damaged(0.2) < damaged(1.0) < 160


def test_no_noise_ends_a_line_that_is_none() -> None:
    noise = Fault(kind=FaultKind.GARBLED, at_s=0.0)
    said = SimulatedPrinter("p", 1, [noise]).lines_until(600.0)
    assert not any(set(line) & {"\r", "\n", "\x00"} for _, line in said)
    assert any(" T:" in line[10:] for _, line in said), "one ran into the next"
    assert any("::" in line for _, line in said), "words come twice"


def test_reports_come_late_as_the_machine_has_it() -> None:
    spec = MachineSpec(report_jitter_s=0.05)
    said = SimulatedPrinter("p", 1, spec=spec).lines_until(2000.0)
    times_s = [at_s for at_s, line in said if " T:" in line]
    spans_s = np.diff(times_s)
    assert (spans_s >= 1.0 - 1e-6).all()
    assert spans_s.mean() == pytest.approx(1.0 + 0.05 * np.sqrt(2.0 / np.pi), abs=0.01)
    usual_s = spans_s[spans_s < 1.45]
    assert len(usual_s) > 0.99 * len(spans_s)
    assert np.unique(usual_s.round(4)).size > 500, "not in whole control steps"
    assert times_s == sorted(times_s)


def test_a_very_late_report_is_rare_and_comes() -> None:
    rng = np.random.default_rng(1)
    late_s = np.array([Lateness(0.01, rng).draw() for _ in range(20_000)])
    assert 0.0002 < (late_s > 0.4).mean() < 0.003
    assert late_s.max() < 2.1


def test_advanced_oks_tell_the_line_and_what_room_there_is() -> None:
    printer = Printer(np.random.default_rng(1), start=Start.IDLE)
    firmware = Firmware(printer, np.random.default_rng(2), advanced_ok=True)
    firmware.handle("M110 N11")
    assert firmware.handle(numbered(12, "G90")) == ["ok N12 P15 B3"]
    assert firmware.handle(numbered(13, "G1 X100 F600")) == ["ok N13 P14 B3"]
    assert firmware.handle("G1 X10") == ["ok P13 B3"]
    assert firmware.handle("M105")[0].startswith("ok T:")
    firmware.handle("G4 S1")
    assert firmware.handle(numbered(14, "M73 P10 R5")) == []
    assert [line for _, line in run(firmware, 40) if line.startswith("ok")] == ["ok P15 B2", "ok N14 P15 B3"]


def test_a_hosts_print_waits_for_a_filament_change_and_says_what_marlin_says(idle: Firmware) -> None:
    assert idle.handle("M600") == ["//action:paused"]
    assert idle.handle("G1 X1") == []
    said = run(idle, 60)
    assert [line for _, line in said if line.startswith("echo:Insert")]
    assert [line for _, line in said if line == "echo:busy: paused for user"]
    idle.handle("M108")
    assert [line for _, line in run(idle, 60) if line == "ok"] == ["ok"] * 3
