"""What the parser makes of firmware's lines and of hosts' commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.records import CHANNEL, EventKind
from ingest.telemetry.items import to_items
from ingest.telemetry.marlin import LONGEST_LINE, Line, Parsed, decode, parse, parse_sent

HOT = {"hotend_c": 178.77, "hotend_target_c": 195.0, "bed_c": 48.65, "bed_target_c": 45.0}
HOT_POWERED = {**HOT, "hotend_power": 1.0, "bed_power": 0.0}


@pytest.mark.parametrize(
    ("line", "kind", "expected"),
    [
        ("ok T:178.77 /195.00 B:48.65 /45.00 @:127 B@:0", Line.TEMPERATURE, HOT_POWERED),
        (" T:178.77 /195.00 B:48.65 /45.00 @:127 B@:0", Line.TEMPERATURE, HOT_POWERED),
        (" T:178.77 /195.00 B:48.65 /45.00 @:127 B@:0 W:?", Line.HEATING, HOT_POWERED),
        (" T:178.77 /195.00 B:48.65 /45.00 @:127 B@:0 W:4\r\n", Line.HEATING, HOT_POWERED),
        (" T:178.77 /195.00 (512) B:48.65 /45.00 (3.25) @:127 B@:0", Line.TEMPERATURE, HOT_POWERED),
        ("ok T:178.77/195.00 B:48.65/45.00 X:31.0/36.0 A:30.1/0.0 HBR@:9", Line.TEMPERATURE, HOT),
        (
            " T:210.0 /210.0 T0:150.0 /150.0 T1:210.0 /210.0 @:90 @0:10 @1:90",
            Line.TEMPERATURE,
            {"hotend_c": 210.0, "hotend_target_c": 210.0, "hotend_power": 90 / 127},
        ),
        ("T0:150 T1:20 /0 @0:127", Line.TEMPERATURE, {"hotend_c": 150, "hotend_power": 1}),
        ("ok B:21.1 /0.0 T0:0.0 /0.0", Line.TEMPERATURE, {"bed_c": 21.1, "bed_target_c": 0.0}),
        ("ok B:48.65 /45.0 T0:178.77 /195.0", Line.TEMPERATURE, HOT),
        ("ok T:0", Line.TEMPERATURE, {}),
        (" T:-15.00 /0.00 @:0", Line.TEMPERATURE, {"hotend_c": -15, "hotend_target_c": 0, "hotend_power": 0}),
        ("T:nan /0.00 C:41.5 /45.0 P:22.0", Line.TEMPERATURE, {"hotend_target_c": 0.0, "chamber_c": 41.5}),
        ("T:24.5 E:0 W:?", Line.HEATING, {"hotend_c": 24.5}),
        (
            "X:1.00 Y:-2.50 Z:5.00 E:0.10 Count X:80 Y:0 Z:2000",
            Line.POSITION,
            {"x_mm": 1.0, "y_mm": -2.5, "z_mm": 5.0, "e_mm": 0.1},
        ),
        ("X:1.0Y:2.0Z:3.0 Count A: 8 B:0 Z:9", Line.POSITION, {"x_mm": 1, "y_mm": 2, "z_mm": 3}),
        ("ok X:1.0 Y:2.0 Z:3.0", Line.POSITION, {"x_mm": 1, "y_mm": 2, "z_mm": 3}),
        ("ok N12 P15 B3", Line.OK, {"planner_free": 15.0}),
        ("ok P15 B3", Line.OK, {"planner_free": 15.0}),
    ],
)  # fmt: skip
def test_a_line_of_numbers_becomes_readings_in_our_units(
    line: str, kind: Line, expected: dict[str, float]
) -> None:
    parsed = parse(line)
    assert parsed.line is kind
    assert dict(parsed.readings) == pytest.approx(expected)
    assert parsed.known


@pytest.mark.parametrize(
    ("line", "kind", "event"),
    [
        ("start", Line.BOOT, EventKind.START),
        ("// Klipper state: Ready", Line.COMMENT, EventKind.START),
        ("Resend: 42", Line.RESEND, EventKind.RESEND),
        ("rs N42", Line.RESEND, EventKind.RESEND),
        ("Error:checksum mismatch, Last Line: 41", Line.RESEND, EventKind.RESEND),
        ("Error:Line Number is not Last Line Number+1, Last Line: 41", Line.RESEND, EventKind.RESEND),
        ("Error:No Checksum with line number, Last Line: 82558", Line.RESEND, EventKind.RESEND),
        ("Error:Thermal Runaway, system stopped! Heater_ID: bed", Line.ERROR, EventKind.ERROR),
        ("Error:MINTEMP triggered, system stopped! Heater_ID: E0", Line.ERROR, EventKind.ERROR),
        ("Error:Printer halted. kill() called!", Line.ERROR, EventKind.HALTED),
        ("!! Move out of range: 0.0 0.0 -1.0 [0.0]", Line.ERROR, EventKind.ERROR),
        ("!! Printer is not ready", Line.ERROR, EventKind.ERROR),
        ("!! Shutdown due to webhooks request", Line.ERROR, EventKind.HALTED),
        ("!! MCU 'mcu' shutdown: Timer too close", Line.ERROR, EventKind.HALTED),
        ("!! Lost communication with MCU 'mcu'", Line.ERROR, EventKind.HALTED),
        ("!! Heater extruder not heating at expected rate", Line.ERROR, EventKind.HALTED),
        ("// Klipper state: Shutdown", Line.COMMENT, EventKind.HALTED),
        ("// Klipper state: Disconnect", Line.COMMENT, EventKind.DISCONNECTED),
        ("echo:busy: paused for user", Line.BUSY, EventKind.PAUSED),
        ("echo:busy: paused for input", Line.BUSY, EventKind.PAUSED),
        ("//action:pause", Line.ACTION, EventKind.PAUSED),
        ("// action:paused", Line.ACTION, EventKind.PAUSED),
        ("//action:resumed", Line.ACTION, EventKind.RESUMED),
        ("//action:cancel", Line.ACTION, EventKind.CANCELLED),
        ("//action:paused filament_runout 0", Line.ACTION, EventKind.RUNOUT),
    ],
)
def test_an_event_carries_the_firmwares_own_words(line: str, kind: Line, event: EventKind) -> None:
    assert parse(line + "\r\n") == Parsed(kind, event=(event, line))


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("ok", Line.OK),
        ("wait", Line.WAIT),
        ("", Line.BLANK),
        ("echo:busy: processing", Line.BUSY),
        ("External Reset", Line.BOOT),
        ("echo: Brown out Reset", Line.BOOT),
        ("echo:Marlin 1.1.9", Line.ECHO),
        ("echo: Free Memory: 3206  PlannerBufferBytes: 1232", Line.ECHO),
        ('echo:Unknown command: "FOO"', Line.ECHO),
        ("Unified Bed Leveling System v1.01 active.", Line.CHATTER),
        ("  M906 T0 E800", Line.CHATTER),
        ("Cap:AUTOREPORT_TEMP:1", Line.CAPABILITY),
        ("ok FIRMWARE_VERSION:v0.9.1-212-ga7b50b60 FIRMWARE_NAME:Klipper", Line.CAPABILITY),
        ("//action:notification Printing 3%", Line.ACTION),
        ("// config, and restart the host software.", Line.COMMENT),
        ("Writing to file: KÄFER.GCO", Line.CHATTER),
    ],
)
def test_what_firmware_chats_is_known_and_no_event(line: str, kind: Line) -> None:
    parsed = parse(line)
    assert (parsed.line, parsed.readings, parsed.event) == (kind, (), None)


@pytest.mark.parametrize(
    "line",
    [
        "  TT::199.80199.80  //200.00200.00  BB::60.0060.00  //60.0060.00  @@::7272  BB@@::3232",
        "T:199.80199.80 /200.00",
        " /200.00 B:60.00 /60.00 @:72 B@:32",
        " T:99999.00 /200.00",
        " T:20.00 /200.00 @:3232",
        "okT:20.0 /0.0",
        "cho:busy: processing",
        "ror:checksum mismatch, Last Line: 41",
        "T:2\x000.1 /0.0",
        "\x7f\x03noise",
        "ÿðÿý»ýÿïÿ",
        'echo:Unknown command: "`h"',
        'echo:Unknown command: "119 Y82.1 E23"',
        'echo:Unknown command: "X119 Y82.1"',
        'echo:Unknown command: "¬"',
        "x" * LONGEST_LINE,
    ],
)
def test_a_damaged_line_is_garbled_and_gives_no_reading(line: str) -> None:
    assert parse(line) == Parsed(Line.GARBLED)


def test_only_lines_that_begin_with_ok_acknowledge() -> None:
    lines = ["ok", "ok N1 P2 B3", "ok T:20 /0", " T:20 /0", "echo:busy: processing"]
    assert [parse(line).acknowledges for line in lines] == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("N7 M104 S210*33", {"hotend_target_c": 210}),
        ("M104S210", {"hotend_target_c": 210}),
        ("m109 R195 ; wait", {"hotend_target_c": 195}),
        ("M104 T1 S210", {}),
        ("M140 S60", {"bed_target_c": 60}),
        ("M190 S60", {"bed_target_c": 60}),
        ("M220 S150", {"feed_factor": 1.5}),
        ("M221 S95", {"flow_factor": 0.95}),
        ("M106 S127.5", {"fan": 0.5}),
        ("M106", {"fan": 1.0}),
        ("M106 P1 S255", {}),
        ("M107", {"fan": 0.0}),
        ("N82559 G0 X103.468 Y111.888*42", {}),
        ("M105 ; TEMP REPORT", {}),
        ("M117 S5 is not a target", {}),
        ("no command at all", {}),
    ],
)
def test_a_command_tells_what_the_host_asked_for(command: str, expected: dict[str, float]) -> None:
    parsed = parse_sent(command)
    assert parsed.line is Line.HOST
    assert dict(parsed.readings) == pytest.approx(expected)


def test_m600_is_a_filament_change() -> None:
    assert parse_sent("N5 M600*1").event == (EventKind.FILAMENT_CHANGE, "N5 M600*1")


def test_every_received_line_counts_and_the_hosts_do_not() -> None:
    def channels(parsed: Parsed) -> list[str]:
        return [getattr(item, "channel", "event") for item in to_items(parsed, "p", 1)]

    assert channels(parse("ok")) == ["lines"]
    assert channels(parse("TT::1")) == ["lines", "garbled"]
    assert channels(parse("Resend: 1")) == ["lines", "resends", "event"]
    assert channels(parse_sent("M107")) == ["fan"]


pieces = st.sampled_from(
    ["ok", " ", "T:", "B:", "@:", "/", "20.0", "nan", "X:", "Y:", "Z:", "echo:", "Error:", "!!", "//action:"]
)
lines = st.text() | st.lists(pieces | st.text(max_size=3)).map("".join) | st.binary().map(decode)


@given(lines)
def test_no_text_at_all_makes_the_parser_raise_or_name_a_channel_of_its_own(line: str) -> None:
    for parsed in (parse(line), parse_sent(line)):
        assert all(channel in CHANNEL and abs(value) < 1e8 for channel, value in parsed.readings)


@pytest.mark.data
def test_every_line_of_the_real_logs_is_understood_without_raising(data_dir: Path) -> None:
    logs = sorted((data_dir / "telemetry" / "serial").iterdir())
    raw = [line for log in logs for line in log.read_bytes().split(b"\n")]
    parsed = [parse(decode(line)) for line in raw] + [parse_sent(decode(line)) for line in raw]
    assert len(logs) == 11
    assert len(parsed) > 40_000


@pytest.mark.data
def test_real_transcripts_hold_the_events_that_they_are_named_after(data_dir: Path) -> None:
    expected = {
        "thermal_runaway": {EventKind.ERROR},
        "mintemp": {EventKind.ERROR},
        "resend": {EventKind.RESEND},
    }
    for text in (data_dir / "telemetry" / "transcripts.jsonl").read_text("utf-8").split("\n"):
        case = json.loads(text or "{}")
        parsed = [parse(line.removeprefix("| ").removeprefix("Recv: ")) for line in case.get("lines", ())]
        if case.get("firmware") == "marlin":
            found = {line.event[0] for line in parsed if line.event}
            assert expected.get(case["kind"], set()) <= found, case["source"]
