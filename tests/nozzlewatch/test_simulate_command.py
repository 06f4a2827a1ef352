"""``simulate`` makes the same labelled recordings whenever and however it is run."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ingest.errors import UsageError
from ingest.recordings.reader import Recording
from ingest.records import NS_PER_S, Event, Frame, Reading, SerialLine
from ingest.simulate.faults import SEEN_ONLY
from ingest.simulate.held import HELD, MAKING
from ingest.simulate.produce import Made, Stopped, Wanted, make, produce
from ingest.simulate.scenario import Telling
from ingest.simulate.splits import Split
from ingest.simulate.version import digest, simulator_version
from nozzlewatch.cli import app
from nozzlewatch.simulating import gcode_of, size_of
from tests.ingest.recordings import read_frames, read_telemetry
from tests.waiting import wait_until

SECONDS = 20.0
KINDS = SEEN_ONLY | {"heater_fault", "sensor_fault", "stall", "camera_fault", "telemetry_fault"}
"""Kinds of failure that the detector is to learn."""
PRINTS = 2
ASKED = ["--seed", "5", "--split", "train", "--minutes", "0.3334", "--size", "160x120", "--gcode", "none"]


def wanted(folder: Path, **changed: object) -> Wanted:
    usual = {"prints": PRINTS, "seed": 5, "split": Split.TRAIN, "minutes": 0.3334, "size": (160, 120)}
    return Wanted(folder=folder, **{**usual, **changed})  # type: ignore[arg-type]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.mcap"))}


def go_on() -> bool:
    return False


def ignore(_made: Made) -> None: ...


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    produce(wanted(folder), 1, ignore, go_on)
    return folder


def command(folder: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "nozzlewatch", "simulate", "-o", str(folder), *ASKED, *more]


def test_the_same_seed_gives_the_same_bytes_on_any_number_of_cores(made: Path, tmp_path: Path) -> None:
    run = subprocess.run(
        command(tmp_path, "--prints", "2", "--jobs", "2", "--json", "-"), capture_output=True, check=True
    )
    assert contents(tmp_path) == contents(made)
    assert list(contents(made)) == ["train-5-00000.mcap", "train-5-00001.mcap"]
    told = json.loads(run.stdout)
    assert (told["made"], told["already_there"]) == (2, 0)
    assert told["simulator"] == simulator_version()


def test_one_that_was_killed_goes_on_to_the_same_bytes(made: Path, tmp_path: Path) -> None:
    run = subprocess.Popen(command(tmp_path, "--prints", "2", "--jobs", "1"), stderr=subprocess.DEVNULL)
    wait_until(lambda: any((tmp_path / MAKING).glob("*.mcap")) or run.poll() is not None)
    run.kill()
    run.wait()
    produce(wanted(tmp_path), 1, ignore, go_on)
    assert contents(tmp_path) == contents(made)


def test_what_is_finished_is_not_made_again(made: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.glob("*.mcap")}
    told: list[Made] = []
    produce(wanted(made), 1, told.append, go_on)
    assert not told
    assert {path: path.stat().st_mtime_ns for path in made.glob("*.mcap")} == before


def test_ctrl_c_ends_it_in_order(tmp_path: Path) -> None:
    run = subprocess.Popen(
        command(tmp_path, "--prints", "500", "--jobs", "2"), stderr=subprocess.PIPE, text=True
    )
    wait_until(lambda: any(tmp_path.glob("*.mcap")) or run.poll() is not None)
    run.send_signal(signal.SIGINT)
    said = run.communicate(timeout=60)[1]
    assert run.returncode == 1
    assert "was stopped; run the same again to go on" in said
    assert "Traceback" not in said
    assert not list((tmp_path / MAKING).glob("*.mcap"))


def test_a_print_that_is_stopped_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        produce(wanted(tmp_path), 1, ignore, lambda: True)
    assert not list(tmp_path.rglob("*.mcap"))


@pytest.mark.parametrize("number", range(PRINTS))
def test_labels_lie_in_the_recording_and_name_known_kinds(made: Path, number: int) -> None:
    path = wanted(made).path(number)
    about, labels = Recording(path).about, Recording(path).labels()
    assert about is not None
    begin_ns = min(frame.captured_ns for frame in read_frames(path)) - NS_PER_S
    end_ns = begin_ns + round((SECONDS + 2.0) * NS_PER_S)
    for label in labels:
        assert begin_ns <= label.from_ns <= label.to_ns <= end_ns
        assert label.kind is None or label.kind in KINDS
        assert label.text
    drawn = json.loads(about.scenario)
    wrong = [json.loads(label.text)["mechanism"] for label in labels if label.kind is not None]
    assert sorted(wrong) == sorted(fault["kind"] for fault in drawn["faults"])


@pytest.mark.parametrize("number", range(PRINTS))
def test_a_recording_says_what_made_it_and_holds_all_that_was_sensed(made: Path, number: int) -> None:
    path = wanted(made).path(number)
    about = Recording(path).about
    assert about is not None
    assert about.simulator == simulator_version()
    assert json.loads(about.scenario)["number"] == number
    frames, told = read_frames(path), read_telemetry(path)
    assert len(frames) in range(17, 21)
    assert all(isinstance(frame, Frame) and frame.jpeg.startswith(b"\xff\xd8") for frame in frames)
    channels = {item.channel for item in told if isinstance(item, Reading)}
    assert {"hotend_c", "hotend_target_c", "hotend_power", "bed_c", "bed_power"} <= channels


def test_every_way_of_telling_tells_what_its_source_would(tmp_path: Path) -> None:
    found: dict[str, tuple[set[str], bool, bool]] = {}
    for number in range(40):
        if len(found) == len(Telling):
            break
        scenario = json.loads(_about(tmp_path, number))
        told = read_telemetry(wanted(tmp_path).path(number))
        channels = {item.channel for item in told if isinstance(item, Reading)}
        lines = any(isinstance(item, SerialLine) for item in told)
        begins = any(isinstance(item, Event) and item.kind == "job_started" for item in told)
        if not scenario["faults"] and scenario["start"] == "printing":
            found[scenario["wiring"]["telling"]] = (channels, lines, begins)
    assert found.keys() == set(Telling)
    asked = {"feed_mm_s", "extrusion_mm_s", "melt_w", "progress"}
    for telling, (channels, lines, begins) in found.items():
        tells_job = telling in (Telling.HOST, Telling.MOONRAKER)
        assert lines is (telling in (Telling.HOST, Telling.PORT))
        assert begins is tells_job
        assert (asked <= channels) is tells_job


def _about(folder: Path, number: int) -> str:
    make(wanted(folder, minutes=0.05, failing=0.0), number, go_on)
    about = Recording(wanted(folder).path(number)).about
    assert about is not None
    return about.scenario


def test_telemetry_arrives_in_order_and_not_before_it_happens(made: Path) -> None:
    for number in range(PRINTS):
        recording = Recording(wanted(made).path(number))
        batches = recording.read({*recording.cameras, *recording.telemetry}, "p")
        for arrival in (arrival for batch in batches for arrival in batch):
            item = arrival.content
            assert getattr(item, "at_ns", arrival.arrival_ns) <= arrival.arrival_ns


@pytest.mark.parametrize(
    "changed", [{"seed": 6}, {"split": Split.VAL}, {"minutes": 1.0}, {"failing": 0.1}, {"size": (320, 240)}]
)
def test_a_folder_of_other_prints_is_refused(made: Path, changed: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="choose another folder") as error:
        produce(wanted(made, **changed), 1, ignore, go_on)
    assert next(iter(changed)) in str(error.value)


def test_a_folder_of_another_simulator_is_refused(made: Path, tmp_path: Path) -> None:
    held = json.loads((made / HELD).read_text())
    (tmp_path / HELD).write_text(json.dumps({**held, "simulator": "0123456789ab"}))
    with pytest.raises(UsageError, match="simulator 0123456789ab"):
        produce(wanted(tmp_path), 1, ignore, go_on)


def test_recordings_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "monday.mcap").write_bytes(b"mine")
    with pytest.raises(UsageError, match=r"monday\.mcap"):
        produce(wanted(tmp_path), 1, ignore, go_on)
    assert (tmp_path / "monday.mcap").read_bytes() == b"mine"


def test_two_cannot_work_on_one_folder(tmp_path: Path) -> None:
    def another() -> bool:
        with pytest.raises(UsageError, match="another simulate"):
            produce(wanted(tmp_path), 1, ignore, go_on)
        return True

    with pytest.raises(Stopped):
        produce(wanted(tmp_path), 1, ignore, another)


def test_wrong_options_are_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for size in ("320", "320x", "1x1", "99999x2"):
        with pytest.raises(UsageError, match="WIDTHxHEIGHT"):
            size_of(size)
    with pytest.raises(UsageError, match=r"no \*\.gcode"):
        gcode_of(str(tmp_path))
    monkeypatch.setenv("NOZZLEWATCH_DATA", str(tmp_path))
    assert gcode_of(None) is None
    assert gcode_of("none") is None
    told = CliRunner().invoke(app, ["simulate", "--prints", "0", "--split", "train", "-o", str(tmp_path)])
    assert told.exit_code == 2


def test_the_version_follows_the_source(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("one = 1\n")
    before = digest(tmp_path, tmp_path.glob("*.py"))
    (tmp_path / "a.py").write_text("one = 2\n")
    assert digest(tmp_path, tmp_path.glob("*.py")) != before
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert digest(tmp_path, tmp_path.glob("*.py")) != before


def test_a_pair_is_one_print_with_and_without_its_failure(tmp_path: Path) -> None:
    """Pictures are the same until the failure begins, the clock is, and only one of the two is labelled."""
    asked = {"prints": 3, "minutes": 2.0, "fps": 0.2}
    make(wanted(tmp_path / "alone", **asked), 2, go_on)
    kinds = make(wanted(tmp_path / "pair", pairs=True, **asked), 2, go_on).kinds
    failing, spared = (tmp_path / "pair" / f"train-5-00002{name}.mcap" for name in ("", "-spared"))
    assert failing.read_bytes() == (tmp_path / "alone" / failing.name).read_bytes()
    onset_ns = min(truth.from_ns for truth in Recording(failing).labels() if truth.kind in kinds)
    assert not {truth.kind for truth in Recording(spared).labels()} & KINDS
    frames, others = (read_frames(path) for path in (failing, spared))
    assert [one.captured_ns for one in frames] == [one.captured_ns for one in others]
    same = [one.jpeg == other.jpeg for one, other in zip(frames, others, strict=True)]
    before = [one.captured_ns < onset_ns for one in frames]
    assert any(before)
    assert all(one for one, early in zip(same, before, strict=True) if early)
    assert not all(same)


def test_a_sound_print_is_no_pair(tmp_path: Path) -> None:
    make(wanted(tmp_path, pairs=True, failing=0.0), 0, go_on)
    assert list(contents(tmp_path)) == ["train-5-00000.mcap"]


def test_a_kind_that_no_print_can_have_is_named_with_those_that_it_can(tmp_path: Path) -> None:
    run = subprocess.run(
        command(tmp_path / "x", "--prints", "1", "--kinds", "blob,fire"),
        capture_output=True,
        text=True,
        check=False,
    )
    told = " ".join(run.stderr.split())
    assert run.returncode == 2
    assert "--kinds: found fire, expected all or some of spaghetti," in told
