"""An anomaly that a replay found really pauses a print: on OctoPrint, through the sinks and ingest."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from detector.anomaly import Anomaly, Kind, Scores
from ingest.farm import load_farm
from ingest.records import NS_PER_S, Record, encode
from ingest.simulate.faults import Fault, FaultKind
from ingest.simulate.recording import write_recording
from ingest.stage import StoreSource
from ingest.stream import DATA, ensure_groups, key, shard_of
from nozzlewatch.replay import replay
from sinks.read_log import read_anomalies, read_scores
from tests.end_to_end.test_octoprint_watched import LIMIT_S, PRINT, WatchedFarm
from tests.peers.octoprint_server import OctoPrintServer, serving
from tests.waiting import wait_until

PAUSE = '[kinds]\nheater_fault = {do = "pause", pause_at = 0.6, for_s = 5}\n[alerts]\nconsole = true\n'


@pytest.fixture(scope="module")
def octoprint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OctoPrintServer]:
    with serving(tmp_path_factory.mktemp("octoprint") / "base") as server:
        yield server


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Anomaly | Scores]:
    """What the detector tells of a recorded print whose heater breaks, in the order of its time."""
    folder = tmp_path_factory.mktemp("print")
    write_recording(folder, 60, [Fault(kind=FaultKind.OPEN_HEATER, at_s=20)])
    replay([f"log:{folder / 'serial.log'}"], folder / "out", printer="pi", stop=threading.Event())
    log = folder / "out" / "log"
    anomalies = [one for one in read_anomalies(log, latest_only=False) if one.kind is Kind.HEATER_FAULT]
    assert anomalies, "the replay found no broken heater"
    rows = read_scores(log).select(["job", "index", "span_ns", "p_heater_fault"]).to_pylist()
    scores = [
        Scores(
            printer="pi", job=row["job"], index=row["index"], span_ns=row["span_ns"], novelty=None,
            probabilities={Kind.HEATER_FAULT: row["p_heater_fault"]}, frame=None, frame_lost=False, marks=0,
            model="",
        )
        for row in rows
    ]  # fmt: skip
    last_ns = anomalies[-1].at_ns if anomalies[-1].state == "closed" else 2**63
    return [
        *(one for one in anomalies if one.state != "closed"),
        *(one for one in scores if one.start_ns < last_ns),
    ]


def as_of_now(told: list[Anomaly | Scores]) -> list[Record]:
    """The same, as if the recorded print had been watched until this moment."""
    newest_ns = max(one.start_ns + one.span_ns for one in told if isinstance(one, Scores))
    later = (time.time_ns() - newest_ns) // NS_PER_S
    shifted: list[Record] = []
    for one in told:
        fields = {name: getattr(one, name) for name in one.__struct_fields__}
        if isinstance(one, Scores):
            shifted.append(Scores(**fields | {"index": one.index + later}))
        else:
            times = {name: fields[name] + later * NS_PER_S for name in ("onset_ns", "detected_ns", "at_ns")}
            shifted.append(Anomaly(**fields | times))
    return shifted


def put(farm_file: Path, told: list[Record]) -> None:
    farm = load_farm(farm_file)
    with contextlib.closing(StoreSource(farm).attach()) as stores:
        ensure_groups(stores.events, range(farm.table.shards))
        shard = shard_of("pi", farm.table.shards)
        for one in told:
            name = "scores" if isinstance(one, Scores) else "anomalies"
            stores.events.xadd(key(name, shard), {DATA: encode(one)})


def test_a_print_is_paused_by_what_a_replay_found(
    octoprint: OctoPrintServer, found: list[Anomaly | Scores], tmp_path: Path
) -> None:
    watched = WatchedFarm(tmp_path, octoprint)
    watched.farm.write_text(f"{watched.farm.read_text()}{PAUSE}")
    octoprint.idle()
    watched.start()
    said = tmp_path / "said.txt"
    with said.open("w") as out:
        sinks = subprocess.Popen([sys.executable, "-m", "sinks", str(watched.farm)], stdout=out)
        try:
            octoprint.print_file("cube.gcode", PRINT)
            watched.until("cube.gcode ", idle=False)
            assert not octoprint.flag("paused")
            put(watched.farm, as_of_now(found))
            wait_until(lambda: octoprint.flag("paused"), LIMIT_S, "the pause")
            wait_until(lambda: "pi: paused" in said.read_text(), LIMIT_S, "the word of it")
            assert "pi: heater fault" in said.read_text()
            assert said.read_text().count("pi: paused") == 1
        finally:
            sinks.terminate()
            assert sinks.wait(30) == 0
            watched.stop()
            octoprint.idle()
