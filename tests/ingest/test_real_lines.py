"""Every line of every real log goes through its parser: understood, or counted as unknown; none raises.

The totals stand here so that a parser that understands less, or takes noise for words, is seen.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from ingest.records import CHANNEL, EventKind
from ingest.telemetry.klippy.words import KlippyWords
from ingest.telemetry.logs.formats import NO_DATE, recognise
from ingest.telemetry.logs.words import Stamps, understand
from ingest.telemetry.marlin import decode, parse, parse_sent
from ingest.telemetry.parsed import Line, Parsed

SERIAL = {
    "AkiraAcetonoshi_octoprint.log": ("BlockLog", 2971, 63, 0),
    "PetraSophos_octoprint.log": ("BlockLog", 1119, 843, 97),
    "Shortybw_serial_short_log.log": ("LabelledLog", 211, 199, 0),
    "guidugast_low_temp_test.log": ("PlainLog", 139, 139, 0),
    "guidugast_pronterface.log": ("PlainLog", 374, 374, 0),
    "kwilliams312_octoprint_2020-12-12.log": ("BlockLog", 2176, 540, 0),
    "rsuzano_octoprint_2019-07-17.log": ("BlockLog", 229, 21, 0),
    "rsuzano_octoprint_2019-08-27.log": ("BlockLog", 594, 63, 0),
    "rsuzano_octoprint_2019-09-25.log": ("BlockLog", 394, 21, 0),
    "rsuzano_octoprint_2019-12-14.log": ("BlockLog", 1154, 21, 0),
    "theshamot_octoprint.log": ("BlockLog", 12144, 2016, 0),
}
"""Format, lines of the file, lines of serial traffic in it, and how many of these are unknown."""

TRANSCRIPTS = {"serial": (687, 15, 81), "klippy": (116, 0, 49)}
"""Lines, unknown ones, and those that tell an event."""

KLIPPY_EVENTS = {
    EventKind.START: 132,
    EventKind.HALTED: 65,
    EventKind.ERROR: 47,
    EventKind.PAUSED: 27,
    EventKind.JOB_STARTED: 26,
    EventKind.JOB_ENDED: 3,
    EventKind.RESUMED: 2,
    None: 158,  # restarts, and resets that they could not issue: routine
}

pytestmark = pytest.mark.data


@pytest.fixture(scope="session")
def telemetry(data_dir: Path) -> Path:
    return data_dir / "telemetry"


def lines_of(path: Path) -> list[str]:
    return [decode(line).rstrip("\r") for line in path.read_bytes().split(b"\n")]


def sane(parsed: Parsed) -> Parsed:
    """What was parsed, once its channels and its event are seen to be ours."""
    assert {channel for channel, _ in parsed.readings} <= CHANNEL.keys()
    assert parsed.event is None or parsed.known
    return parsed


def test_every_line_of_the_serial_logs_is_understood_or_counted(telemetry: Path) -> None:
    found = {}
    for path in (telemetry / "serial").glob("*.log"):
        lines = lines_of(path)
        log = recognise(lines)
        assert log is not None
        heard = [sane(heard.parsed).known for heard in log(None).heard(lambda lines=lines: iter(lines))]
        found[path.name] = (log.__name__, len(lines), len(heard), heard.count(False))
    assert found == SERIAL


def test_no_line_of_any_log_is_too_much_for_any_parser(telemetry: Path) -> None:
    words = KlippyWords()
    for path in (telemetry / "serial").glob("*.log"):
        for line in lines_of(path):
            for parsed in (parse(line), parse_sent(line), understand(line), words.parse(line)):
                sane(parsed)


def test_every_line_of_the_transcripts_is_understood_or_counted(telemetry: Path) -> None:
    total, unknown, told = Counter[str](), Counter[str](), Counter[str]()
    for transcript in map(json.loads, lines_of(telemetry / "transcripts.jsonl")[:-1]):
        kind = "klippy" if "klippy" in transcript["source"] else "serial"
        words, stamps = KlippyWords(), Stamps(NO_DATE)
        for line in transcript["lines"]:
            text = stamps.take(line)[1].removeprefix("| ")
            parsed = sane(words.parse(line) if kind == "klippy" else understand(text))
            total[kind] += 1
            unknown[kind] += not parsed.known
            told[kind] += parsed.event is not None
    assert {kind: (total[kind], unknown[kind], told[kind]) for kind in total} == TRANSCRIPTS


def test_every_line_of_the_klippy_events_is_understood(telemetry: Path) -> None:
    kinds: Counter[EventKind | None] = Counter()
    for event in map(json.loads, lines_of(telemetry / "klippy_events.jsonl")[:-1]):
        parsed = sane(KlippyWords().parse(event["text"]))
        assert parsed.line is not Line.GARBLED
        kinds[parsed.event and parsed.event[0]] += 1
    assert dict(kinds) == KLIPPY_EVENTS
