"""``train`` and ``tune``: what their flags say is what is learned."""

from __future__ import annotations

import inspect
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from detector.anomaly import Kind
from detector.learning.train import DetectorTraining
from detector.model.frame_network import build_frame_network
from detector.model.watch_model import load_watch_model
from detector.model.weights import save_weights
from ingest.errors import UsageError
from nozzlewatch.cli import app
from nozzlewatch.watching.options import MANIFEST, check_places, data_of
from nozzlewatch.watching.train import train
from tests.detector.learning.tiny_prints import tiny, write_prints

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def prints(tmp_path: Path) -> Path:
    """``learn`` and ``held`` without pictures, and ``out`` with a frame network that is trained already."""
    for folder, seed in (("learn", 0), ("held", 50)):
        kinds = (Kind.STALL, Kind.HEATER_FAULT, None)
        shards = [tiny(f"{seed + n}", kind, seed=seed + n, blind=True) for n, kind in enumerate(kinds)]
        write_prints(tmp_path / folder, shards)
    save_weights(tmp_path / "out" / "frames.safetensors", build_frame_network("attention"), {})
    return tmp_path


def run(command: str, prints: Path, *arguments: object) -> Result:
    usual = [prints / "learn", "--held-out", prints / "held", "-o", prints / "out", "--data-dir", "none"]
    return CliRunner().invoke(app, [command, *map(str, (*usual, "--trunk", "none", *arguments))])


def test_flags_shape_the_network(prints: Path) -> None:
    shape = ["--width", 24, "--heads", 3, "--layers", 1, "--band", 9, "--dropout", 0.2]
    told = run(
        "train",
        prints,
        "--epochs",
        1,
        "--beat-epochs",
        2,
        "--rate",
        2e-3,
        *shape,
        "--full-precision",
        "--json",
        "-",
    )
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert (found["prints"], found["held_out"]) == (3, 3)
    temporal = load_watch_model(prints / "out" / "watch.safetensors").about.temporal
    assert (temporal.width, temporal.heads, temporal.layers) == (24, 3, 1)
    assert (temporal.band, temporal.dropout) == (9, 0.2)
    assert len((prints / "out" / "temporal.jsonl").read_text().splitlines()) == 1
    people = run("train", prints, *shape)
    assert people.exit_code == 0, people.output
    assert "trained on 3 prints" in people.stdout


def test_shapes_that_cannot_be_are_wrong_usage(prints: Path) -> None:
    told = run("train", prints, "--width", 25)
    assert told.exit_code == 2
    assert "found width 25 and 4 heads" in told.stderr
    assert run("train", prints, "--rate", -1).exit_code == 2


def test_the_search_tells_the_best_as_json_and_goes_on(prints: Path) -> None:
    first = run("tune", prints, "--trials", 1, "--epochs", 1, "--json", "-")
    assert first.exit_code == 0, first.output
    found = json.loads(first.stdout)
    assert found["best"] == found["tried"][0]
    again = run("tune", prints, "--trials", 1, "--epochs", 1)
    assert again.exit_code == 0, again.output
    assert "finished" in again.stdout


def test_real_pictures_are_those_named_else_the_usual_ones_where_there_are_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOZZLEWATCH_DATA", str(tmp_path))
    assert data_of(None) is None
    with pytest.raises(UsageError, match="--data-dir: found no"):
        data_of(str(tmp_path))
    (tmp_path / MANIFEST).parent.mkdir()
    (tmp_path / MANIFEST).touch()
    assert data_of(None) == data_of(str(tmp_path)) == tmp_path
    assert data_of("none") is None


def test_places_that_cannot_be_written_are_told_before_the_work(tmp_path: Path) -> None:
    check_places(json="-", report=None, output=tmp_path / "new")
    with pytest.raises(UsageError, match=r"--report .*: found a folder"):
        check_places(report=tmp_path)
    with pytest.raises(UsageError, match=r"--json .*: found no folder"):
        check_places(json=str(tmp_path / "absent" / "file"))


def test_its_defaults_are_those_of_the_training() -> None:
    usual = DetectorTraining(prints=(), held_out=(), out=Path())
    said = {name: one.default for name, one in inspect.signature(train).parameters.items()}
    assert usual.close_ups is not None
    assert (said["close_epochs"], said["close_rate"]) == (usual.close_ups.epochs, usual.close_ups.rate)
    assert (said["frame_epochs"], said["frame_rate"]) == (usual.frames.epochs, usual.frames.rate)
    assert (said["epochs"], said["rate"]) == (usual.temporal.epochs, usual.temporal.rate)
    assert said["averaging"] == usual.frames.averaging == usual.temporal.averaging
    shape = {name: getattr(usual.shape, name) for name in ("width", "heads", "layers", "band", "dropout")}
    assert {name: said[name] for name in shape} == shape
