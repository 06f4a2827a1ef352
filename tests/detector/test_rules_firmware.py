"""What the rules make of the firmware's words, of the line and of silence."""

from __future__ import annotations

import pytest

from detector.anomaly import Kind
from detector.rules import RULES, judge
from features.sequence import History
from ingest.records import EventKind, Mark
from tests.detector.windows import (
    began_s,
    film,
    judged,
    kinds_told,
    printing,
    ramp,
    step,
    told,
)


def open_cartridge(t: float) -> float:
    return 210.0 - 0.95 * max(0.0, t - 60.0)


def saturated(t: float) -> float:
    return 1.0 if t > 62 else 0.4


# The firmware's own words


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Error:Heating failed, system stopped! Heater_ID: 0", Kind.HEATER_FAULT),
        ("Error:Thermal Runaway, system stopped! Heater_ID: bed", Kind.HEATER_FAULT),
        ("Error:Thermal Malfunction, system stopped! Heater_ID: E0", Kind.HEATER_FAULT),
        ("!! Heater extruder not heating at expected rate", Kind.HEATER_FAULT),
        ("Error:MINTEMP triggered, system stopped! Heater_ID: bed", Kind.SENSOR_FAULT),
        ("!! MCU 'mcu' shutdown: ADC out of range", Kind.SENSOR_FAULT),
        ("Error:MAXTEMP triggered, system stopped! Heater_ID: E0", Kind.SENSOR_FAULT),
        ("Error:Printer halted. kill() called!", Kind.STALL),
        ("!! Lost communication with MCU 'mcu'", Kind.STALL),
        ("!! MCU 'mcu' shutdown: Timer too close", Kind.STALL),
    ],
)
def test_the_firmwares_words_are_certain_and_quoted(text: str, kind: Kind) -> None:
    windows = printing(20, events={15.5: (EventKind.HALTED, text)})
    seconds, reason = told(windows, kind)
    assert (seconds, reason.probability, kinds_told(windows)) == (16.0, 1.0, {kind})
    assert f"“{text}”" in reason.text
    assert "now" in reason.text


@pytest.mark.parametrize(
    "text",
    [
        "!! Printer is not ready",
        "!! Must home axis first: 0.000 0.000 0.062 [5.000]",
        "!! Unable to connect",
        "Error:checksum mismatch, Last Line: 41",
        "MCU 'mcu' shutdown: Command request",
    ],
)
def test_other_words_are_no_failure(text: str) -> None:
    assert kinds_told(printing(20, events={15.5: (EventKind.ERROR, text)})) == set()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (
            "error: THERMAL RUNAWAY Check the heatbed thermistor wiring for possible damage.",
            Kind.HEATER_FAULT,
        ),
        ("error: PREHEAT ERROR", Kind.HEATER_FAULT),
        ("error: Heater extruder not heating at expected rate", Kind.HEATER_FAULT),
        ("error: MINTEMP ERROR", Kind.SENSOR_FAULT),
        ("error: Lost communication with MCU 'mcu'", Kind.STALL),
        ("error: Move out of range: 0.000 410.000 0.200 [12.000]", Kind.STALL),
        ("error", Kind.STALL),
    ],
)
def test_the_reason_of_a_prints_end_is_the_firmwares_word_too(text: str, kind: Kind) -> None:
    """PrusaLink and Moonraker tell it nowhere else."""
    windows = printing(
        90,
        events={15.5: (EventKind.JOB_ENDED, text)},
        marks=lambda t: Mark.IDLE if t > 15 else Mark.NONE,
        telemetry=lambda t: t < 16,
    )
    seconds, reason = told(windows, kind)
    assert (seconds, kinds_told(windows)) == (16.0, {kind})
    assert f"“{text}”" in reason.text


@pytest.mark.parametrize(
    "how", ["done", "finished", "cancelled", "failed", "interrupted", "over: how, nobody heard"]
)
def test_another_end_of_a_print_is_no_failure(how: str) -> None:
    assert kinds_told(printing(20, events={15.5: (EventKind.JOB_ENDED, how)})) == set()


def test_the_end_that_follows_a_halt_tells_nothing_new() -> None:
    said = {
        15.5: (EventKind.HALTED, "!! Heater extruder not heating at expected rate"),
        15.7: (EventKind.JOB_ENDED, "error: Printer halted. kill() called!"),
    }
    assert kinds_told(printing(20, events=said)) == {Kind.HEATER_FAULT}
    asked = {15.5: (EventKind.JOB_ENDED, "error: Shutdown due to webhooks request")}
    assert kinds_told(printing(20, events=asked)) == set()


@pytest.mark.parametrize(
    ("text", "names_bed"),
    [
        ("Check the heatbed thermistor wiring", True),
        ("Heater_ID: bed", True),
        ("Check the print head thermistor wiring", False),
    ],
)
def test_the_bed_is_known_by_its_names(text: str, names_bed: bool) -> None:
    words = f"error: THERMAL RUNAWAY {text}"
    _, reason = told(printing(20, events={15.5: (EventKind.JOB_ENDED, words)}), Kind.HEATER_FAULT)
    assert ("bed_c" in reason.channels) is names_bed


def test_a_named_heater_is_the_reason_for_the_halt_that_follows() -> None:
    said = {
        15.5: (EventKind.ERROR, "Error:Thermal Runaway, system stopped! Heater_ID: bed"),
        15.6: (EventKind.HALTED, "Error:Printer halted. kill() called!"),
    }
    assert kinds_told(printing(90, events=said, telemetry=lambda t: t < 16)) == {Kind.HEATER_FAULT}


def test_maxtemp_after_a_real_climb_is_a_heater_fault() -> None:
    said = {40.5: (EventKind.HALTED, "Error:MAXTEMP triggered, system stopped! Heater_ID: E0")}
    windows = printing(42, hotend_c=ramp((10, 210), (40, 262)), hotend_power=0.5, events=said)
    assert told(windows, Kind.HEATER_FAULT)[0] == 41.0


def test_a_halt_reaches_back_to_where_the_readings_went_wrong() -> None:
    said = {80.5: (EventKind.ERROR, "Error:Thermal Runaway, system stopped! Heater_ID: 0")}
    windows = printing(82, hotend_c=open_cartridge, hotend_power=saturated, events=said)
    firmware = next(reason for reason in judged(windows)[-1] if "firmware" in reason.text)
    assert began_s(firmware) == pytest.approx(60, abs=2)


def test_the_surest_reason_comes_first() -> None:
    said = {80.5: (EventKind.ERROR, "Error:Thermal Runaway, system stopped! Heater_ID: 0")}
    reasons = judged(printing(82, hotend_c=open_cartridge, hotend_power=saturated, events=said))[-1]
    assert len(reasons) > 1
    assert [r.probability for r in reasons] == sorted((r.probability for r in reasons), reverse=True)


def test_readings_of_a_halted_printer_are_no_new_failure() -> None:
    said = {30.5: (EventKind.HALTED, "!! MCU 'mcu' shutdown: Timer too close")}
    cools = ramp((30, 210), (100, 150))
    windows = printing(100, hotend_c=cools, hotend_power=lambda t: float(t > 31), events=said)
    assert kinds_told(windows) == {Kind.STALL}


def test_a_reset_while_printing_is_a_stall() -> None:
    seconds, reason = told(printing(30, events={20.5: (EventKind.START, "start")}), Kind.STALL)
    assert seconds == 21.0
    assert "hotend target was 210 °C" in reason.text


def test_connecting_and_the_boot_after_a_halt_are_no_reset() -> None:
    assert kinds_told(printing(10, events={0.0: (EventKind.START, "start")})) == set()
    idle = printing(30, hotend_target_c=0.0, bed_target_c=0.0, events={20.5: (EventKind.START, "start")})
    assert kinds_told(idle) == set()
    halt = "Error:MINTEMP triggered, system stopped! Heater_ID: bed"
    halted = {18.5: (EventKind.HALTED, halt), 20.5: (EventKind.START, "start")}
    assert kinds_told(printing(60, events=halted)) == {Kind.SENSOR_FAULT}


def test_the_end_of_the_filament_is_no_extrusion_unless_someone_changes_it() -> None:
    said = {10.5: (EventKind.RUNOUT, "//action:paused filament_runout 0")}
    assert kinds_told(printing(20, events=said)) == {Kind.NO_EXTRUSION}
    changing = printing(20, events=said, marks=lambda t: Mark.FILAMENT_CHANGE if t > 5 else Mark.NONE)
    assert kinds_told(changing) == set()


# The line


def test_a_line_error_storm_is_a_stall_and_a_single_resend_is_not() -> None:
    assert kinds_told(printing(60, resends=lambda t: float(t == 20))) == set()
    storm = printing(60, resends=lambda t: float(20 <= t < 40))
    seconds, reason = told(storm, Kind.STALL)
    assert seconds == 25.0
    assert reason.probability == pytest.approx(0.6)
    assert began_s(reason) == 20.0
    assert max(r.probability for reasons in judged(storm) for r in reasons) == 1.0


def test_garbled_lines_blind_the_watch() -> None:
    windows = printing(40, garbled=step(20, 0, 3))
    assert kinds_told(windows) == {Kind.TELEMETRY_FAULT}
    assert kinds_told(printing(40, garbled=lambda t: 3.0 * (t == 20))) == set()


def test_a_silent_printer_and_a_silent_camera_blind_the_watch() -> None:
    silent = Mark.TELEMETRY_SILENT | Mark.CAMERA_SILENT
    windows = printing(
        60,
        telemetry=lambda t: t < 20,
        frame=lambda t: t < 25,
        marks=lambda t: silent if t >= 50 else Mark.NONE,
    )
    seconds, telemetry = told(windows, Kind.TELEMETRY_FAULT)
    _, camera = told(windows, Kind.CAMERA_FAULT)
    assert (seconds, began_s(telemetry), began_s(camera)) == (51.0, 20.0, 25.0)
    assert "for 31 s" in telemetry.text
    assert kinds_told(windows) == {Kind.TELEMETRY_FAULT, Kind.CAMERA_FAULT}


def test_a_halted_printer_is_silent_and_the_watch_not_blind() -> None:
    windows = printing(
        60,
        telemetry=lambda t: t < 20,
        marks=lambda t: Mark.TELEMETRY_SILENT if t >= 35 else Mark.NONE,
        events={20.5: (EventKind.HALTED, "Error:Printer halted. kill() called!")},
    )
    assert Kind.TELEMETRY_FAULT not in kinds_told(windows)


def test_every_rule_bears_windows_that_hold_nothing() -> None:
    history = History(120)
    for window in film(30):
        history.push(window)
        assert [rule(history) for rule in RULES] == [None] * len(RULES)
    assert judge(history) == []
