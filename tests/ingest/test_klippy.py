"""What the parser makes of the lines of a klippy.log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.records import CHANNEL, EventKind
from ingest.telemetry.klippy.words import KlippyWords
from ingest.telemetry.parsed import Line
from tests.ingest.klippy_logs import CONFIG, START, mcu, stats


def told(*lines: str) -> list[tuple[EventKind, str]]:
    """The events of these lines; those of cold Stats lines left out."""
    words = KlippyWords()
    events = [words.parse(line).event for line in lines]
    return [event for event in events if event and event[0] is not EventKind.UNRECORDED]


# The parser


def test_a_stats_line_becomes_readings_in_our_units() -> None:
    line = stats(156.4, mcu("mcu"), mcu("EBBCan"), "EBBCan: temp=49.2 Chamber_Temp: temp=41.5")
    parsed = KlippyWords().parse(line + " extruder1: target=250 temp=249.0 pwm=1.000")
    assert parsed.line is Line.TEMPERATURE
    assert dict(parsed.readings) == {
        "hotend_c": 209.9,
        "hotend_target_c": 210.0,
        "hotend_power": 0.55,
        "bed_c": 60.1,
        "bed_target_c": 60.0,
        "bed_power": 0.31,
        "chamber_c": 41.5,
    }


def test_a_sensor_that_was_not_read_yet_gives_no_reading() -> None:
    parsed = KlippyWords().parse(stats(23.3, hotend="target=0 temp=0.0 pwm=0.000"))
    assert "hotend_c" not in dict(parsed.readings)


def test_blocks_that_are_sent_again_count_as_resends_from_the_second_line_on() -> None:
    words = KlippyWords()

    def resends(*boards: str) -> float | None:
        return dict(words.parse(stats(1.0, *boards)).readings).get("resends")

    assert resends(mcu("mcu", 9), mcu("EBBCan", 0)) is None
    assert resends(mcu("mcu", 9), mcu("EBBCan", 0)) is None
    assert resends(mcu("mcu", 10), mcu("EBBCan", 64)) == 2
    assert resends(mcu("mcu", 0), mcu("EBBCan", 65)) == 1  # the first board was connected anew
    assert resends(mcu("mcu", 999)) is None  # another set of boards


def test_silence_means_nothing_after_a_line_that_is_cold() -> None:
    cold = "target=0 temp=24.2 pwm=0.000"
    words = KlippyWords()
    assert words.parse(stats(1.0, hotend=cold)).event is None  # the bed is hot
    event = words.parse(stats(2.0, hotend=cold).replace("target=60 temp=60.1", "target=0 temp=25.0")).event
    assert event is not None
    assert event[0] is EventKind.UNRECORDED


def test_a_shutdown_is_told_once_in_klippers_own_words() -> None:
    first = "MCU 'mcu' shutdown: Timer too close"
    rest = [
        "Transition to shutdown state: MCU 'mcu' shutdown: Timer too close",
        "Dumping gcode input 50 blocks",
        "Read 22074.2: 'G1 X1 !! Error: no such thing'",
        "MCU 'EBBCan' shutdown: Command request",
    ]
    again = "Transition to shutdown state: Lost communication with MCU 'mcu'"
    assert told(first, *rest, START, again) == [
        (EventKind.HALTED, first),
        (EventKind.START, START),
        (EventKind.HALTED, again),
    ]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("Heater extruder not heating at expected rate", EventKind.HALTED),
        ("MCU 'mcu' is_shutdown: ADC out of range", EventKind.HALTED),
        ("Timeout with MCU 'mcu' (eventtime=27.517070)", EventKind.ERROR),
        ("Got EOF when reading from device", EventKind.ERROR),
        ("Must home axis first: 0.000 0.000 5.000 [0.000]", EventKind.ERROR),
        ("Filament Sensor fs: runout event detected, Time 1234.56", EventKind.RUNOUT),
    ],
)
def test_a_line_that_tells_of_trouble_is_an_event(line: str, kind: EventKind) -> None:
    assert told(line) == [(kind, line)]


def test_the_version_is_told() -> None:
    assert told("Git version: 'v0.12.0-418-g0114d72a6'") == [
        (EventKind.FIRMWARE, "Klipper v0.12.0-418-g0114d72a6")
    ]


def test_prints_from_the_virtual_sd_card_begin_pause_and_end() -> None:
    begin, on = (f"Starting SD card print (position {at})" for at in (0, 1192))
    leave, done = "Exiting SD card print (position 1192)", "Finished SD card print"
    assert told(begin, leave, on, done, leave) == [
        (EventKind.JOB_STARTED, ""),
        (EventKind.PAUSED, leave),
        (EventKind.RESUMED, on),
        (EventKind.JOB_ENDED, done),
    ]
    halt = "Transition to shutdown state: Shutdown due to webhooks request"
    assert told(begin, halt, leave)[1:] == [(EventKind.HALTED, halt), (EventKind.JOB_ENDED, leave)]


def test_the_dump_of_the_configuration_tells_nothing_even_where_its_end_is_lost() -> None:
    error = "Got EOF when reading from device"
    assert told(*CONFIG, error) == [(EventKind.ERROR, error)]
    assert told(*CONFIG[:-1], stats(1.0), error) == [(EventKind.ERROR, error)]


@pytest.mark.parametrize(
    "line", ["Stats 15", "Stats 15.5: ext\x01ruder: target=0", "Stats 1.0: " + "x" * 5000]
)
def test_a_damaged_line_is_garbled(line: str) -> None:
    assert not KlippyWords().parse(line).known


def test_a_line_that_was_cut_gives_no_wrong_number() -> None:
    line = stats(1.0)
    whole = dict(KlippyWords().parse(line).readings)
    for end in range(len(line)):
        assert dict(KlippyWords().parse(line[:end]).readings).items() <= whole.items()


def test_the_nul_bytes_of_a_power_cut_are_passed_over() -> None:
    assert dict(KlippyWords().parse("\0\0\0" + stats(1.0)).readings)["hotend_c"] == 209.9


@given(st.lists(st.text() | st.sampled_from([*CONFIG, START, stats(1.0), "Stats ", "\0"])))
def test_nothing_raises(lines: list[str]) -> None:
    words = KlippyWords()
    for line in lines:
        assert {channel for channel, _ in words.parse(line).readings} <= CHANNEL.keys()
