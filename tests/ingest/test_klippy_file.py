"""A finished klippy.log as a recorded source: its times, its events, and eleven real ones."""

from __future__ import annotations

import asyncio
import csv
import json
import os
from collections import defaultdict
from pathlib import Path

import pytest

from ingest.errors import SourceNotFound
from ingest.records import NS_PER_S, Event, EventKind, Reading
from ingest.sources import TelemetryItem
from ingest.telemetry import open_telemetry
from ingest.telemetry.klippy.file import KlippyFile
from tests.ingest.klippy_logs import CONFIG, START, START_NS, stats

GIT = "Git version: 'v0.12.0-1-gabc'"


def log_of(tmp_path: Path, *lines: str) -> KlippyFile:
    path = tmp_path / "klippy.log"
    path.write_text("\n".join(lines) + "\n")
    source = open_telemetry(f"klippylog:{path}", "p1")
    assert isinstance(source, KlippyFile)
    assert source.recorded
    return source


def read(source: KlippyFile) -> list[TelemetryItem]:
    async def collect() -> list[TelemetryItem]:
        return [item async for item in source.items()]

    items = asyncio.run(collect())
    assert [item.at_ns for item in items] == sorted(item.at_ns for item in items)
    return items


def times_s(items: list[TelemetryItem]) -> list[float]:
    """When the hot end was read, s after START."""
    hotend = [i for i in items if isinstance(i, Reading) and i.channel == "hotend_c"]
    return [(item.at_ns - START_NS) / NS_PER_S for item in hotend]


def test_a_start_places_what_follows_it(tmp_path: Path) -> None:
    source = log_of(
        tmp_path, GIT, START, *CONFIG, stats(23.3), "Got EOF when reading from device", stats(24.3)
    )
    items = read(source)
    assert times_s(items) == [3.3, 4.3]
    told = [(i.kind, (i.at_ns - START_NS) / NS_PER_S) for i in items if isinstance(i, Event)]
    assert told == [(EventKind.FIRMWARE, 0.0), (EventKind.START, 0.0), (EventKind.ERROR, 3.3)]
    assert source.facts == {"firmware": "Klipper v0.12.0-1-gabc"}
    assert not source.time_estimated
    assert not source.counts


def test_a_start_places_what_precedes_it_on_the_same_clock(tmp_path: Path) -> None:
    assert times_s(read(log_of(tmp_path, stats(8.0), stats(9.0), START, stats(21.0)))) == [-12.0, -11.0, 1.0]


def test_what_precedes_a_boot_of_the_host_ends_where_it_starts_again(tmp_path: Path) -> None:
    assert times_s(read(log_of(tmp_path, stats(900.0), stats(901.0), START, stats(21.0)))) == [-1.0, 0.0, 1.0]


def test_a_host_whose_clock_is_set_back_is_counted_and_time_goes_on(tmp_path: Path) -> None:
    earlier = START.replace("1645834634.9 20.0", "1645830000.0 30.0")
    source = log_of(tmp_path, START, stats(29.0), earlier, stats(31.0))
    assert times_s(read(source)) == [9.0, 10.0]
    assert source.counts == {"clock_jump": 1}


def test_a_log_without_a_start_ends_when_the_file_was_last_written(tmp_path: Path) -> None:
    source = log_of(tmp_path, stats(8.0), stats(9.0))
    os.utime(tmp_path / "klippy.log", ns=(START_NS, START_NS))
    assert times_s(read(source)) == [-1.0, 0.0]
    assert source.time_estimated


@pytest.mark.parametrize("lines", [(), ("ok T:20.0 /0.0",), ("Recv: ok", "\0\0")])
def test_a_file_that_klipper_did_not_write_says_so(tmp_path: Path, lines: tuple[str, ...]) -> None:
    with pytest.raises(SourceNotFound, match=r"found no line that Klipper writes, expected a klippy\.log"):
        read(log_of(tmp_path, *lines))


def test_a_missing_file_says_so(tmp_path: Path) -> None:
    source = log_of(tmp_path)
    (tmp_path / "klippy.log").unlink()
    with pytest.raises(SourceNotFound, match="check the path"):
        read(source)


# The real ones, rebuilt from their numbers and their lines


@pytest.fixture(scope="session")
def machines(data_dir: Path) -> dict[tuple[str, str], list[str]]:
    """Lines of each of the eleven klippy.log: Stats lines from the table, the others as they are."""
    events: defaultdict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    for line in (data_dir / "telemetry" / "klippy_events.jsonl").read_text().splitlines():
        event = json.loads(line)
        events[event["source_repo"], event["source_path"]].append(event)
    rows: defaultdict[tuple[str, str], list[dict[str, str]]] = defaultdict(list)
    with (data_dir / "telemetry" / "klippy_stats.csv").open() as file:
        for row in csv.DictReader(file):
            rows[row["source_repo"], row["source_path"]].append(row)
    return {key: _interleaved(rows[key], events[key]) for key in rows}


def _interleaved(rows: list[dict[str, str]], events: list[dict[str, str]]) -> list[str]:
    """Lines in the order of the log: an event stands after the row whose time it names."""
    lines: list[str] = []
    ahead, last = iter(rows), None
    for event in events:
        while event["after_time_s"] not in (None, last):
            row = next(ahead)
            last = float(row["time_s"])
            lines.append(_line(row))
        lines.append(event["text"])
    return [*lines, *map(_line, ahead)]


def _line(row: dict[str, str]) -> str:
    heaters = "{name}: target={%s_target_c} temp={%s_temp_c} pwm={%s_power}"
    bed, hotend = ((heaters % (name, name, name)) for name in ("bed", "hotend"))
    whole = "Stats {time_s}: gcodein={gcodein} mcu: bytes_retransmit={bytes_retransmit} freq=1 "
    return (
        whole.format(**row)
        + bed.format(name="heater_bed", **row)
        + " "
        + hotend.format(name="extruder", **row)
    )


REAL = {
    "Gutter-Guys/KlipperConfig/klippy.log": (7772, 7761, 15, 4, 5, 5, 2),
    "Gunny0201/Ender3ProKlipperError/klippy.log": (6587, 6582, 10, 0, 15, 0, 0),
    "Brutus325/Klipper-Unable-to-open-file-issue/klippy.log": (4216, 4187, 30, 4, 0, 0, 0),
    "chesleavens/Klipper-logs/klippy.log": (4093, 4091, 4, 0, 3, 2, 1),
    "npcizzy/Ender-3-NG-CoreXY-Config/klippy (1).log": (2757, 2755, 2, 1, 0, 1, 0),
    "RemyJardin/Octo-related-logs/klippy.log.2025-01-23_11-21-23": (2320, 2317, 15, 11, 0, 0, 0),
    "RemyJardin/Octo-related-logs/klippy.log": (1119, 1119, 3, 0, 1, 0, 0),
    "ianryeng/logs/klippy.log": (1296, 1293, 3, 0, 2, 0, 0),
    "SebaArzolaGuineo96/log/klippy.log": (933, 932, 47, 6, 0, 0, 5),
    "sohxet/klipper-issue/klippy.log": (578, 576, 1, 2, 0, 0, 0),
    "adamrodgers/sv08/klippy.log": (80, 80, 2, 0, 0, 0, 0),
}
"""Stats lines, hot-end temperatures in them (none before the sensor was read), starts, halts, prints begun
and ended from the SD card, and how often the host's UTC was set back (boards without a battery clock)."""
COUNTED = (EventKind.START, EventKind.HALTED, EventKind.JOB_STARTED, EventKind.JOB_ENDED)


@pytest.mark.data
def test_eleven_real_logs_are_read_in_full_and_in_order(
    machines: dict[tuple[str, str], list[str]], tmp_path: Path
) -> None:
    found = {}
    for key, lines in machines.items():
        source = log_of(tmp_path, *lines)
        items = read(source)
        events = [item.kind for item in items if isinstance(item, Event)]
        rows = sum(line.startswith("Stats ") for line in lines)
        counted = (*map(events.count, COUNTED), source.counts.get("clock_jump", 0))
        found["/".join(key)] = (rows, len(times_s(items)), *counted)
        assert not source.counts.get("garbled")
        assert not source.time_estimated
    assert found == REAL
