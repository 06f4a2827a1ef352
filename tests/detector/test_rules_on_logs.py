"""The rules and episodes over logs of real printers."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path

import pytest

from detector.anomaly import BLIND, Anomaly, Kind, State
from detector.episodes import POLICIES, Episode, advance
from detector.rules import HotendPast, judge_on
from features.sequence import History
from ingest.align import Aligner, Timing
from ingest.records import NS_PER_S, Reading, Window
from ingest.telemetry import open_telemetry

pytestmark = pytest.mark.data

LOGS: dict[str, set[Kind]] = {
    "guidugast_pronterface.log": {Kind.HEATER_FAULT},
    "guidugast_low_temp_test.log": set(),
    "AkiraAcetonoshi_octoprint.log": {Kind.HEATER_FAULT},
    "rsuzano_octoprint_2019-07-17.log": {Kind.STALL},
    "rsuzano_octoprint_2019-08-27.log": {Kind.HEATER_FAULT},
    "rsuzano_octoprint_2019-09-25.log": {Kind.HEATER_FAULT},
    "rsuzano_octoprint_2019-12-14.log": {Kind.SENSOR_FAULT},
    "PetraSophos_octoprint.log": {Kind.STALL},
    "Shortybw_serial_short_log.log": set(),
    "kwilliams312_octoprint_2020-12-12.log": {Kind.STALL},
    "theshamot_octoprint.log": {Kind.STALL},
}

TOLD_EARLY = {"AkiraAcetonoshi_octoprint.log": 2, "rsuzano_octoprint_2019-08-27.log": 2}
"""How many heater faults of a log are told by the readings, before the firmware halts."""

HEALTHY = (
    "Gunny0201/Ender3ProKlipperError",
    "Brutus325/Klipper-Unable-to-open-file-issue",
    "chesleavens/Klipper-logs",
    "RemyJardin/Octo-related-logs",
    "sohxet/klipper-issue",
    "ianryeng/logs",
    "npcizzy/Ender-3-NG-CoreXY-Config",
    "adamrodgers/sv08",
)
"""Klipper printers whose heaters and sensors were fine, whatever else befell them (23,046 readings)."""

KLIPPER = {
    "hotend_c": "hotend_temp_c",
    "hotend_target_c": "hotend_target_c",
    "hotend_power": "hotend_power",
    "bed_c": "bed_temp_c",
    "bed_target_c": "bed_target_c",
    "bed_power": "bed_power",
}
RESTARTED_S = 600.0
"""Put between two starts of a host, whose clock begins anew."""


async def heard(path: Path) -> list[Window]:
    source = open_telemetry(f"log:{path}", "p")
    aligner = Aligner("p", "j", Timing(), camera=False, telemetry=True)
    windows = []
    async for item in source.items():
        aligner.add(item, item.at_ns, estimated=source.time_estimated)
        windows += aligner.advance(item.at_ns)
    return [captured.window for captured in (*windows, *aligner.close())]


def watched(windows: Iterable[Window]) -> list[Anomaly]:
    """Every anomaly that rules and episodes make of the windows."""
    history, episodes, said = History(120), dict[Kind, Episode | None](), list[Anomaly]()
    past: HotendPast | None = None
    for window in windows:
        history.push(window)
        past, found = judge_on(past, history)
        reasons = {reason.kind: reason for reason in reversed(found)}
        for kind in sorted({*episodes, *reasons}):
            episodes[kind], now = advance(
                episodes.get(kind),
                reasons.get(kind),
                printer="p",
                job="j",
                kind=kind,
                window_index=window.index,
                span_ns=window.span_ns,
                model="rules",
                policy=POLICIES[kind],
            )
            said += now
    return said


@pytest.mark.parametrize("name", LOGS)
def test_each_log_tells_its_own_failure_and_no_other(data_dir: Path, name: str) -> None:
    said = watched(asyncio.run(heard(data_dir / "telemetry" / "serial" / name)))
    assert {anomaly.kind for anomaly in said} - BLIND == LOGS[name]


@pytest.mark.parametrize("name", TOLD_EARLY)
def test_failing_heaters_are_told_before_the_firmware_halts(data_dir: Path, name: str) -> None:
    said = watched(asyncio.run(heard(data_dir / "telemetry" / "serial" / name)))
    opened = [a for a in said if a.state is State.OPENED and a.kind is Kind.HEATER_FAULT]
    assert sum("firmware" not in anomaly.text for anomaly in opened) >= TOLD_EARLY[name]


@pytest.mark.parametrize("repository", HEALTHY)
def test_healthy_heaters_of_klipper_printers_are_never_called_failing(
    data_dir: Path, repository: str
) -> None:
    with (data_dir / "telemetry" / "klippy_stats.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["source_repo"] == repository]
    assert rows
    for _, log in groupby(rows, key=lambda row: row["source_path"]):
        kinds = {anomaly.kind for anomaly in watched(klipper_windows(log))}
        assert not kinds - BLIND


def klipper_windows(rows: Iterable[dict[str, str]]) -> Iterator[Window]:
    aligner = Aligner("p", "j", Timing(), camera=False, telemetry=True)
    now_s, last_s = 1_700_000_000.0, None
    for row in rows:
        at_s = float(row["time_s"])
        if last_s is not None:
            now_s += at_s - last_s if at_s >= last_s else RESTARTED_S
        last_s, at_ns = at_s, round(now_s * NS_PER_S)
        for channel, column in KLIPPER.items():
            aligner.add(Reading(printer="p", at_ns=at_ns, channel=channel, value=float(row[column])), at_ns)
        yield from (captured.window for captured in aligner.advance(at_ns))
    yield from (captured.window for captured in aligner.close())
