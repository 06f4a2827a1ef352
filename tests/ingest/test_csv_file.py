"""Readings from CSV files, ours and those of others."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.errors import NozzlewatchError, SourceError, SourceNotFound
from ingest.records import NS_PER_S, Reading
from ingest.sources import parse_address
from ingest.telemetry import TELEMETRY
from ingest.telemetry.csv_file import CsvFile

MADE_S = 1_767_225_600  # 2026-01-01
YEAR_2000_S = 946_684_800


def table(path: Path, text: str | bytes, options: str = "") -> CsvFile:
    file = path / "log.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return CsvFile(parse_address(f"csv:{file}{options}", TELEMETRY), "p")


def read(source: CsvFile) -> list[Reading]:
    async def collect() -> list[Reading]:
        return [item async for item in source.items() if isinstance(item, Reading)]

    return asyncio.run(collect())


def told(readings: list[Reading]) -> list[tuple[float, str, float]]:
    return [(one.at_ns / NS_PER_S, one.channel, one.value) for one in readings]


def test_our_own_channels_are_read_at_their_times(tmp_path: Path) -> None:
    source = table(tmp_path, f"time,hotend_c,bed_power\n{MADE_S},215.25,0.5\n{MADE_S + 1},,0.25\n")
    assert told(read(source)) == [
        (MADE_S, "hotend_c", 215.25),
        (MADE_S, "bed_power", 0.5),
        (MADE_S + 1, "bed_power", 0.25),
    ]
    assert (source.time_estimated, dict(source.counts), source.facts) == (False, {}, {})


@pytest.mark.parametrize(
    ("head", "channel"),
    [
        ("Hotend", "hotend_c"),
        ("Nozzle Temp (°C)", "hotend_c"),
        ("tool0 actual", "hotend_c"),
        ("hotend_temp_c", "hotend_c"),
        ("extruder_temperature", "hotend_c"),
        ("target", "hotend_target_c"),
        ("tool0_target", "hotend_target_c"),
        ("Bed", "bed_c"),
        ("heater_bed_target", "bed_target_c"),
        ("Z", "z_mm"),
        ("fan_speed", "fan"),
        ("chamber temperature [C]", "chamber_c"),
    ],
)
def test_common_names_of_others_are_understood(tmp_path: Path, head: str, channel: str) -> None:
    assert told(read(table(tmp_path, f"Timestamp;{head}\n2026-01-01T00:00:00Z;21,5\n"))) == [
        (MADE_S, channel, 21.5)
    ]


def test_percent_become_shares(tmp_path: Path) -> None:
    assert told(read(table(tmp_path, f"time\tfan (%)\n{MADE_S}\t50\n"))) == [(MADE_S, "fan", 0.5)]


def test_seconds_since_the_beginning_are_estimated_until_start_tells_it(tmp_path: Path) -> None:
    text = "time,hotend\n0,200\n2.5,201\n"
    source = table(tmp_path, text)
    assert [at_s for at_s, *_ in told(read(source))] == [YEAR_2000_S, YEAR_2000_S + 2.5]
    assert source.time_estimated
    source = table(tmp_path, text, "?start=2026-01-01T00:00:00Z")
    assert [at_s for at_s, *_ in told(read(source))] == [MADE_S, MADE_S + 2.5]
    assert not source.time_estimated


def test_what_is_not_understood_is_named_and_counted(tmp_path: Path) -> None:
    rows = [f"{MADE_S},hot,good,1", "yesterday,200,bad,2", f"{MADE_S + 2},inf,,3", f"{MADE_S + 3},210,,4"]
    source = table(tmp_path, "\n".join(["time,hotend,mood,print_time", *rows]))
    assert told(read(source)) == [(MADE_S + 3, "hotend_c", 210.0)]
    assert source.counts == {"garbled": 2, "untimed": 1}
    assert source.facts == {"columns not understood": "mood, print_time"}


def test_a_clock_that_was_set_back_goes_on(tmp_path: Path) -> None:
    source = table(tmp_path, f"time,hotend\n{MADE_S},1\n{MADE_S - 3600},2\n{MADE_S - 3599},3\n")
    assert [at_s for at_s, *_ in told(read(source))] == [MADE_S, MADE_S, MADE_S + 1]
    assert source.counts == {"clock_jump": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found the columns none, expected time"),
        ("time,mood\n1,2\n", "found the columns time, mood, expected time and at least one of hotend_c"),
        ("hotend,bed\n1,2\n", "found the columns hotend, bed"),
        ("time,hotend\n", "found no reading"),
    ],
)
def test_a_table_without_sense_is_refused_in_words(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        read(table(tmp_path, text))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFound, match="No such file"):
        read(CsvFile(parse_address(f"csv:{tmp_path}/none.csv", TELEMETRY), "p"))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300) | st.text('time,hotend;"\n\r\t01.-e\0', max_size=200).map(str.encode))
def test_whatever_the_bytes_are_nothing_but_our_errors_comes(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes
) -> None:
    folder = tmp_path_factory.mktemp("noise")
    for text in (noise, b"time,hotend\n" + noise):
        try:
            readings = read(table(folder, text))
        except NozzlewatchError as error:
            assert "expected" in str(error)
        else:
            assert [one.at_ns for one in readings] == sorted(one.at_ns for one in readings)


@pytest.mark.data
def test_a_real_table_of_klipper_statistics_is_read(data_dir: Path) -> None:
    source = CsvFile(parse_address(f"csv:{data_dir}/telemetry/klippy_stats.csv", TELEMETRY), "p")
    readings = read(source)
    channels = {one.channel for one in readings}
    assert channels == {"hotend_c", "hotend_target_c", "hotend_power", "bed_c", "bed_target_c", "bed_power"}
    assert max(one.value for one in readings if one.channel == "hotend_power") <= 1.0
