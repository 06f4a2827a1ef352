"""The whole training: what it writes can be read, one that was stopped goes on, several processes agree."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest
import torch
from msgspec.structs import replace

from detector.anomaly import Kind
from detector.learning.shards import shards_in
from detector.learning.train import DetectorTraining, TrainedDetector, learn_frames, train
from detector.model.past import SIGHT_DIM
from detector.model.temporal import TemporalShape
from detector.model.watch_model import load_watch_model
from detector.training.checkpoint import Epoch
from detector.training.distributed import Place
from detector.training.recipe import Recipe
from features.channels import SENSOR_DIM
from ingest.errors import UsageError
from tests.detector.learning.tiny_prints import write_pairs
from tests.detector.learning.together import learn

ROOT = Path(__file__).parents[3]
LIMIT_S = 120.0
ALONE = Place(0, 1, torch.device("cpu"))
SHAPE = TemporalShape(embedding=SIGHT_DIM, sensors=SENSOR_DIM, width=16, heads=2, layers=1, band=8)


@pytest.fixture(scope="module")
def prints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``learn`` and ``held`` with pairs of which each fails in another way."""
    folder = tmp_path_factory.mktemp("prints")
    write_pairs(folder / "learn", [Kind.SPAGHETTI, Kind.HEATER_FAULT, Kind.STALL, Kind.SENSOR_FAULT])
    write_pairs(folder / "held", [Kind.SPAGHETTI, Kind.STALL], seed=7)
    return folder


def asked(prints: Path, out: Path) -> DetectorTraining:
    recipe = Recipe(epochs=1, rate=1e-3)
    return DetectorTraining(
        beat_epochs=2,
        prints=(prints / "learn",), held_out=(prints / "held",), out=out, backbone="squeezenet",
        close_ups=recipe, frames=recipe, pairs_an_epoch=2, pictures_a_batch=4, validated=2,
        temporal=recipe, shape=SHAPE,
        prints_a_batch=2, quiet=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(prints: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainedDetector]:
    out = tmp_path_factory.mktemp("trained")
    found = train(asked(prints, out), threading.Event())
    assert found is not None
    return out, found


def epochs(log_file: Path) -> list[Epoch]:
    return [msgspec.json.decode(line, type=Epoch) for line in log_file.read_bytes().splitlines()]


def test_one_file_is_what_the_detector_reads(trained: tuple[Path, TrainedDetector]) -> None:
    out, told = trained
    model = load_watch_model(out / "watch.safetensors")
    assert (model.about.threshold, model.about.simulator) == (told.threshold, "tiny")
    assert model.about.temporal == SHAPE
    assert (told.prints, told.held_out) == (8, 4)
    assert {"pairs", "goal"} <= set(told.frames)
    assert {"mistakes", "auc"} <= set(told.temporal)
    assert not list(out.glob("*.training"))


def test_what_is_finished_is_not_done_again(prints: Path, trained: tuple[Path, TrainedDetector]) -> None:
    out, told = trained
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*s.safetensors")}
    (out / "temporal.safetensors").unlink()
    again = train(asked(prints, out), threading.Event())
    assert again is not None
    assert again.frames == told.frames
    assert again.temporal == pytest.approx(told.temporal)
    assert (out / "frames.safetensors").stat().st_mtime_ns == before["frames.safetensors"]


def test_one_that_was_stopped_goes_on_with_resume(prints: Path, tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    assert train(asked(prints, tmp_path), stop) is None
    assert (tmp_path / "close-ups.training").exists()
    with pytest.raises(UsageError, match="found a checkpoint, expected none: resume it"):
        train(asked(prints, tmp_path), threading.Event())
    goes_on, shards = replace(asked(prints, tmp_path), resume=True), shards_in([prints / "learn"])
    network, figures = learn_frames(goes_on, shards, shards, None, ALONE, threading.Event())
    assert network is not None
    assert figures
    assert not (tmp_path / "frames.training").exists()


def test_weights_of_another_network_are_told(prints: Path, trained: tuple[Path, TrainedDetector]) -> None:
    other = replace(asked(prints, trained[0]), shape=replace(SHAPE, layers=2))
    with pytest.raises(UsageError, match="found weights of another network"):
        train(other, threading.Event())


def test_folders_without_prints_are_told(prints: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"found no \*.beats, expected prints made by nozzlewatch preprocess"
    ):
        train(replace(asked(prints, tmp_path), prints=(tmp_path,)), threading.Event())


def test_two_processes_learn_what_one_learns(prints: Path, tmp_path: Path) -> None:
    """Of the frame learner and of the temporal one."""
    together, alone = tmp_path / "together", tmp_path / "alone"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m"]
    command += ["tests.detector.learning.together", str(prints / "learn"), str(together)]
    together.mkdir()
    ended = subprocess.run(command, cwd=ROOT, timeout=LIMIT_S, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    alone.mkdir()
    learn(prints / "learn", alone, ALONE)
    for name in ("frames.jsonl", "temporal.jsonl"):
        pairs = list(zip(epochs(together / name), epochs(alone / name), strict=True))
        for two, one in pairs:
            assert two.loss == pytest.approx(one.loss, rel=1e-3)
            assert two.metrics == pytest.approx(one.metrics, rel=1e-2, abs=1e-3)
        assert pairs[-1][1].loss < pairs[0][1].loss
