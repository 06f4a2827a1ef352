"""A recorded print replayed: what is found, that it is found again, and that a live run finds the same."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import pytest

from detector.anomaly import Anomaly, Kind
from ingest.records import NS_PER_S
from ingest.simulate.faults import Fault, FaultKind
from ingest.simulate.recording import EPOCH, write_recording
from nozzlewatch.replay import Replayed, replay
from sinks.read_log import read_anomalies, read_scores
from tests.end_to_end.pipeline import rows, write_farm

SECONDS, FAULT_S = 90, 30
ONSET_SLACK_S = 5.0
"""The hotend cools slowly: its fall shows in the readings a few seconds after the heater has gone."""

LOGS = "telemetry/serial"
EMPTY_DECK = "images/part1/emptydeck/p1_blackmoai"


class Recording(NamedTuple):
    """A recorded print, and where its parts are."""

    camera: str
    telemetry: str
    frames: Path
    halted_s: float  # when the firmware halted, s since its beginning


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A print whose heater breaks in the middle."""
    folder = tmp_path_factory.mktemp("print")
    write_recording(folder, SECONDS, [Fault(kind=FaultKind.OPEN_HEATER, at_s=FAULT_S)])
    log, frames = folder / "serial.log", folder / "frames"
    halt = next(line for line in log.read_text().splitlines() if "Printer halted" in line)
    halted = datetime.fromisoformat(f"{halt[:19]}+00:00")
    return Recording(f"images:{frames}", f"log:{log}", frames, (halted - EPOCH).total_seconds())


def replayed(out: Path, *sources: str, printer: str = "ender") -> Replayed:
    return replay(sources, out, printer=printer, stop=threading.Event())


@pytest.fixture(scope="module")
def once(recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    return replayed(tmp_path_factory.mktemp("once"), recording.camera, recording.telemetry)


def logged(out: Path) -> tuple[list[dict[str, Any]], list[Anomaly]]:
    """Score rows without their stream ids, and all revisions of all anomalies."""
    scores = read_scores(out / "log").drop(["stream", "entry_id"]).to_pylist()
    return scores, sorted(read_anomalies(out / "log", latest_only=False), key=lambda a: (a.id, a.revision))


def only(found: Replayed, kind: Kind) -> Anomaly:
    (anomaly,) = [one for one in found.anomalies if one.kind is kind]
    return anomaly


def since_begin_s(at_ns: int) -> float:
    return at_ns / NS_PER_S - EPOCH.timestamp()


def test_a_broken_heater_is_found_when_it_breaks_and_before_the_firmware_halts(
    once: Replayed, recording: Recording
) -> None:
    fault = only(once, Kind.HEATER_FAULT)
    assert abs(since_begin_s(fault.onset_ns) - FAULT_S) <= ONSET_SLACK_S
    assert FAULT_S < since_begin_s(fault.detected_ns) < recording.halted_s - 10
    assert "hotend" in fault.text
    assert once.counts == {}


def test_a_replay_leaves_a_report_for_people_and_one_for_programs_and_a_log(once: Replayed) -> None:
    told = json.loads((once.out / "report.json").read_bytes())
    assert {row["id"] for row in told["anomalies"]} == {anomaly.id for anomaly in once.anomalies}
    assert told["figures"]["ender"]["windows"] == once.windows >= SECONDS
    page = (once.out / "report.html").read_text()
    assert only(once, Kind.HEATER_FAULT).text in page
    assert page.count('src="data:image/jpeg;base64,') == len(once.anomalies)  # each with its picture
    scores, anomalies = logged(once.out)
    assert len(scores) == once.windows
    assert sum(row["frame"] is not None for row in scores) == SECONDS
    assert {anomaly.id for anomaly in anomalies} == {anomaly.id for anomaly in once.anomalies}


def test_a_second_replay_finds_the_very_same(once: Replayed, recording: Recording, tmp_path: Path) -> None:
    again = replayed(tmp_path, recording.camera, recording.telemetry)
    assert again.anomalies == once.anomalies
    assert logged(again.out) == logged(once.out)


def test_a_replay_into_the_same_folder_doubles_nothing(recording: Recording, tmp_path: Path) -> None:
    first = replayed(tmp_path, recording.telemetry)
    before = logged(tmp_path)
    assert replayed(tmp_path, recording.telemetry) == first
    assert logged(tmp_path) == before


def test_the_live_watch_of_a_recording_finds_the_very_same(
    once: Replayed, recording: Recording, tmp_path: Path
) -> None:
    farm = write_farm(tmp_path, {"ender": (recording.camera, recording.telemetry)})
    command = [sys.executable, "-m", "nozzlewatch", "watch", str(farm), "--speed", "20"]
    watch = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    assert watch.returncode == 0, watch.stderr  # it ends by itself when the recording is over
    scores, anomalies = rows(farm)
    assert [(a.id, a.onset_ns, a.revision) for a in anomalies] == [
        (a.id, a.onset_ns, a.revision) for a in sorted(logged(once.out)[1], key=lambda a: (a.id, a.revision))
    ]
    assert (scores, anomalies) == logged(once.out)


def test_a_film_of_the_print_is_judged_as_its_pictures_are(
    once: Replayed, recording: Recording, tmp_path: Path
) -> None:
    pictures = [cv2.imread(str(path)) for path in sorted(recording.frames.iterdir())]
    height, width = pictures[0].shape[:2]
    film = tmp_path / "print.avi"
    writer = cv2.VideoWriter(str(film), cv2.VideoWriter.fourcc(*"MJPG"), 1.0, (width, height))
    for picture in pictures:
        writer.write(picture)
    writer.release()
    found = replayed(tmp_path / "out", f"video:{film}", recording.telemetry)
    assert found.windows == once.windows
    assert only(found, Kind.HEATER_FAULT).id == only(once, Kind.HEATER_FAULT).id
    scores, _ = logged(found.out)
    assert sum(row["frame"] is not None for row in scores) == SECONDS


@pytest.mark.data
def test_pictures_of_a_real_empty_deck_are_no_anomaly(data_dir: Path, tmp_path: Path) -> None:
    found = replayed(tmp_path, f"images:{data_dir / EMPTY_DECK}")
    assert (found.windows, found.anomalies) == (10, [])


def utc_ns(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * NS_PER_S)


@pytest.mark.data
@pytest.mark.parametrize("with_camera", [False, True], ids=["log alone", "log and camera"])
def test_a_real_heater_failure_is_told_at_the_firmwares_line(
    data_dir: Path, tmp_path: Path, with_camera: bool
) -> None:
    camera = [f"images:{data_dir / EMPTY_DECK}"] if with_camera else []
    found = replayed(tmp_path, *camera, f"log:{data_dir / LOGS / 'guidugast_pronterface.log'}")
    (fault,) = found.anomalies
    assert fault.kind is Kind.HEATER_FAULT
    assert abs(fault.onset_ns - utc_ns("2000-01-01T19:43:56Z")) <= 5 * NS_PER_S
    assert abs(fault.detected_ns - utc_ns("2000-01-01T19:44:11Z")) <= 3 * NS_PER_S
    assert "Heating failed" in fault.text
    assert "hotend" in fault.text
    scores, _ = logged(found.out)
    assert sum(row["frame"] is not None for row in scores) == 10 * with_camera


@pytest.mark.data
@pytest.mark.parametrize("name", ["guidugast_low_temp_test.log", "Shortybw_serial_short_log.log"])
def test_a_real_log_of_a_sound_print_is_no_heater_fault(data_dir: Path, tmp_path: Path, name: str) -> None:
    found = replayed(tmp_path, f"log:{data_dir / LOGS / name}")
    assert found.windows > 0
    assert found.anomalies == []
