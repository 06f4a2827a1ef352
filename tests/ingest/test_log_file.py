"""Logs of every format, as readings and events at their times."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.errors import SourceError, SourceNotFound
from ingest.records import NS_PER_S, Event, EventKind, Reading, SerialLine
from ingest.telemetry.lines import LineCutter
from ingest.telemetry.marlin import LONGEST_LINE
from tests.ingest.logs import HEAD, OCTO, events, log_of, ns, open_log, read, values

# Stamped lines


@pytest.mark.parametrize(
    "line",
    [
        "2021-05-10 17:14:55,666 - Recv:  T:21.00 /0.00",
        "2021-05-10 17:14:55.666  T:21.00 /0.00",
        "[2021-05-10 17:14:55.666] T:21.00 /0.00",
        "2021-05-10T17:14:55.666Z ok T:21.00 /0.00",
        "2021-05-10T19:14:55.666+02:00 T:21.00 /0.00",
        "2021/05/10 17:14:55.666 -> T:21.00 /0.00",
        "[17:14:55.666] T:21.00 /0.00",
        "17:14:55.666 -> ok T:21.00 /0.00",
        "> 17:14:55.666: ok T:21.00 /0.00",
    ],
)
def test_a_stamp_is_the_time_of_its_line(tmp_path: Path, line: str) -> None:
    source = log_of(tmp_path, "a terminal program's banner", line, options="?start=2021-05-10")
    assert values(read(source), "hotend_c") == [(ns("2021-05-10T17:14:55.666"), 21.0)]
    assert not source.time_estimated


def test_bare_times_of_day_go_on_after_midnight(tmp_path: Path) -> None:
    source = log_of(tmp_path, "[23:59:59.000] ok", "[00:00:01.000] ok")
    assert [at for at, _ in values(read(source), "lines")] == [
        ns("2000-01-01T23:59:59"),
        ns("2000-01-02T00:00:01"),
    ]
    assert not source.counts


def test_a_clock_that_is_set_back_is_counted_and_time_goes_on(tmp_path: Path) -> None:
    head = "2021-10-31 "
    source = log_of(
        tmp_path,
        head + "02:59:59,000 - Recv: ok",
        head + "02:00:00,000 - Recv: ok",
        head + "02:00:05,000 - Recv: ok",
    )
    stamps = [at for at, _ in values(read(source), "lines")]
    assert stamps == [ns("2021-10-31T02:59:59"), ns("2021-10-31T02:59:59"), ns("2021-10-31T03:00:04")]
    assert source.counts == {"clock_jump": 1}


def test_in_a_serial_log_commands_and_the_hosts_words_are_no_lines_of_the_printer(tmp_path: Path) -> None:
    head = "2021-05-10 17:14:55,666 - "
    said = ["Trying port /dev/ttyUSB0", "Send: N1 M106 S255*1", "Recv: ok", "Send: M600", "T:99.0 /0.0"]
    offline = 'Changing monitoring state from "Operational" to "Offline"'
    items = read(log_of(tmp_path, *(head + text for text in [*said, offline])))
    assert [value for _, value in values(items, "lines")] == [1.0]
    assert [value for _, value in values(items, "fan")] == [1.0]
    assert values(items, "hotend_c") == []
    assert events(items) == [EventKind.FILAMENT_CHANGE, EventKind.DISCONNECTED]


# Plain lines


def test_busy_lines_are_two_seconds_apart_and_waiting_reports_one(tmp_path: Path) -> None:
    report = " T:20.00 /200.00 @:127 W:?"
    source = log_of(
        tmp_path, "echo:busy: processing", report, report, report, "echo:busy: processing", report
    )
    times = [at - ns("2000-01-01T00:00:00") for at, _ in values(read(source), "lines")]
    assert [at // NS_PER_S for at in times] == [0, 0, 1, 2, 2, 3]
    assert source.time_estimated


def test_a_report_that_the_host_asked_for_takes_no_beat_of_its_own(tmp_path: Path) -> None:
    busy, asked, report = "echo:busy: processing", "SENDING:M105 ; TEMP REPORT", " T:20.00 /200.00 W:?"
    source = log_of(tmp_path, busy, asked, report, busy, busy, asked, report)
    times = [at - ns("2000-01-01T00:00:00") for at, _ in values(read(source), "hotend_c")]
    assert [at // NS_PER_S for at in times] == [0, 4]


def test_a_print_start_places_the_log_in_the_day(tmp_path: Path) -> None:
    lines = ["echo:busy: processing", "echo:busy: processing", "Print started at: 19:35:14", "ok"]
    times = [at for at, _ in values(read(log_of(tmp_path, *lines, options="?start=2020-05-01")), "lines")]
    assert times == [ns("2020-05-01T19:35:12"), ns("2020-05-01T19:35:14"), ns("2020-05-01T19:35:14")]


def test_a_start_with_a_time_of_day_places_the_first_line(tmp_path: Path) -> None:
    source = log_of(
        tmp_path, "start", "Print started at: 19:35:14", "ok", options="?start=2020-05-01T12:00:00Z"
    )
    assert {at for at, _ in values(read(source), "lines")} == {ns("2020-05-01T12:00:00")}


def test_a_later_print_start_moves_time_on_and_what_is_skipped_is_unrecorded(tmp_path: Path) -> None:
    source = log_of(tmp_path, "Print started at: 19:00:00", "ok", "Print started at: 20:00:00", "ok")
    items = read(source)
    assert [at for at, _ in values(items, "lines")] == [ns("2000-01-01T19:00:00"), ns("2000-01-01T20:00:00")]
    assert [(item.at_ns, item.kind) for item in items if isinstance(item, Event)] == [
        (ns("2000-01-01T19:00:00"), EventKind.UNRECORDED)
    ]


def test_pronterfaces_doubles_and_tracebacks_are_not_the_printers(tmp_path: Path) -> None:
    halt = "Error:Printer halted. kill() called!"
    gone = "[ERROR] Can't read from printer (disconnected?) (SerialException)"
    python = ["Traceback (most recent call last):", '  File "x.pyc", line 1, in f', "AttributeError: no"]
    items = read(log_of(tmp_path, "Disconnected.", "start", *python, halt, "[ERROR] " + halt, "", gone))
    assert events(items) == [EventKind.START, EventKind.HALTED, EventKind.DISCONNECTED]
    assert len(values(items, "lines")) == 2


# What is no log


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"", "an empty file"),
        (b"G28\nG1 X5\n", "no line that a printer sent"),
        (bytes(range(256)), "no line"),
    ],
)
def test_a_file_without_a_printers_line_says_so(tmp_path: Path, content: bytes, found: str) -> None:
    path = tmp_path / "x.gcode"
    path.write_bytes(content)
    with pytest.raises(
        SourceNotFound, match=rf"{re.escape(str(path))}: found {found}.*, expected .*: .*G-code"
    ):
        read(open_log(path))


def test_an_octoprint_log_without_a_block_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match=r"found no line that a printer sent.*Log communication"):
        read(log_of(tmp_path, OCTO.format(1)))


def test_a_missing_file_and_a_folder_say_so(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match="found a folder, expected"):
        read(open_log(tmp_path))
    with pytest.raises(SourceNotFound, match="found no such file, expected"):
        read(open_log(tmp_path / "none.log"))


def test_a_start_that_is_no_time_says_so() -> None:
    with pytest.raises(SourceError, match=r"start='soon', expected a day or a moment"):
        open_log(Path("x.log"), "?start=soon")


# Bytes


def test_latin_1_noise_is_counted_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "noise.log"
    path.write_bytes(b"ok\r\n\xff\xf0\xff\xfd\xbb\xfd\r\n T:20.0 /0.0\r\n")
    source = open_log(path)
    assert len(values(read(source), "garbled")) == 1
    assert source.counts == {"garbled": 1}


def test_a_line_without_end_is_cut_and_the_next_one_is_whole() -> None:
    cutter = LineCutter()
    lines = [
        line
        for chunk in (b"o", b"k\n", b"x" * 3000, b"x" * 3000, b"x" * 9000, b"\nok\n", b"T:")
        for line in cutter.feed(chunk)
    ]
    assert [*lines, *cutter.rest()] == [b"ok", b"x" * LONGEST_LINE, b"ok", b"T:"]


@given(st.lists(st.binary(max_size=50) | st.sampled_from([b"\n", b"x" * LONGEST_LINE])))
def test_lines_do_not_depend_on_how_the_bytes_come(chunks: list[bytes]) -> None:
    def lines(pieces: list[bytes]) -> list[bytes]:
        cutter = LineCutter()
        return [*(line for piece in pieces for line in cutter.feed(piece)), *cutter.rest()]

    assert lines(chunks) == lines([b"".join(chunks)])


heads = st.sampled_from(
    [
        b"ok\n",
        b"2021-05-10 17:14:55,666 - Recv: ok\n",
        OCTO.format(1).encode() + b"\n" + HEAD.encode() + b"\n| Recv: ok\n",
    ]
)


@given(
    heads,
    st.binary(),
    st.sampled_from(
        [b"", b"| Recv: ", b"2021-05-10 17:14:54 ", b"[99:99:99] ", b"Print started at: 25:00:00\n"]
    ),
)
def test_noise_in_a_log_never_raises(head: bytes, noise: bytes, before: bytes) -> None:
    with tempfile.NamedTemporaryFile(suffix=".log") as file:
        file.write(head + before + noise)
        file.flush()
        assert read(open_log(Path(file.name)))


# The real ones


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "estimated", "lines", "kinds"),
    [
        (
            "guidugast_pronterface.log",
            True,
            324,
            {EventKind.HALTED, EventKind.ERROR, EventKind.START, EventKind.DISCONNECTED},
        ),
        ("Shortybw_serial_short_log.log", False, 143, {EventKind.PAUSED}),
        ("AkiraAcetonoshi_octoprint.log", True, 60, {EventKind.ERROR, EventKind.UNRECORDED}),
        ("PetraSophos_octoprint.log", True, 511, {EventKind.RESEND, EventKind.UNRECORDED}),
        (
            "rsuzano_octoprint_2019-09-25.log",
            True,
            20,
            {EventKind.ERROR, EventKind.HALTED, EventKind.UNRECORDED},
        ),
    ],
)
def test_a_real_log_gives_what_stands_in_it(
    data_dir: Path, name: str, estimated: bool, lines: int, kinds: set[EventKind]
) -> None:
    source = open_log(data_dir / "telemetry" / "serial" / name)
    items = read(source)
    assert (source.time_estimated, len(values(items, "lines"))) == (estimated, lines)
    assert set(events(items)) == kinds


@pytest.mark.data
def test_every_real_log_can_be_read(data_dir: Path) -> None:
    for path in sorted((data_dir / "telemetry" / "serial").iterdir()):
        assert read(open_log(path)), path.name


def test_raw_lines_go_out_ahead_of_what_they_tell_when_they_are_wanted(tmp_path: Path) -> None:
    source = log_of(
        tmp_path,
        "2024-05-01 10:00:00,000 - Changing monitoring state",
        "2024-05-01 10:00:01,000 - Send: M105",
        "2024-05-01 10:00:02,000 - Recv: ok T:200.0 /200.0 @:60",
    )
    source.with_lines = True
    items = read(source)
    lines = [item for item in items if isinstance(item, SerialLine)]
    assert [(line.text, line.sent) for line in lines] == [("M105", True), ("ok T:200.0 /200.0 @:60", False)]
    assert items.index(lines[1]) < next(n for n, item in enumerate(items) if isinstance(item, Reading))
