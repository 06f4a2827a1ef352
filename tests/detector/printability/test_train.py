"""A printability network is trained, written, read again, and goes on where it was stopped."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from detector.model.weights import load_weights, save_weights
from detector.printability.about import KEY, About
from detector.printability.dataset import load
from detector.printability.defects import ROTATED
from detector.printability.grids import HoleSet
from detector.printability.learner import Changes
from detector.printability.model_file import PrintabilityModel, load_model, save_model
from detector.printability.networks import build, parameters
from detector.printability.part_file import Making
from detector.printability.train import PrintabilityTraining, Trained, train
from detector.printability.tune import PrintabilityTuning, tuned
from detector.training.recipe import Recipe
from ingest.errors import UsageError
from tests.detector.printability.boxes import make_parts, write_boxes

NETWORK = "ResNet_small"
RECIPE = Recipe(epochs=1, rate=3e-4, decay=0.0, optimizer="adam", mixed_precision=False)


@pytest.fixture(autouse=True, scope="module")
def _one_thread(one_thread: None) -> None: ...


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    meshes = tmp_path_factory.mktemp("meshes")
    write_boxes(meshes, each=1)
    return make_parts(meshes, tmp_path_factory.mktemp("parts"), Making(variants=1))


def asked(folder: Path, model: Path, **changed: Any) -> PrintabilityTraining:
    usual: dict[str, Any] = {
        "folder": folder, "model_path": model, "recipe": RECIPE, "network": NETWORK, "batch_size": 4,
        "holes": HoleSet.ROTATED, "epoch_samples": 4, "quiet": True,
    }  # fmt: skip
    return PrintabilityTraining(**{**usual, **changed})


def trained(wanted: PrintabilityTraining) -> Trained:
    found = train(wanted, threading.Event())
    assert found is not None
    return found


@pytest.fixture(scope="module")
def model(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    told = trained(asked(folder, path))
    assert told.samples == {"train": 8, "validation": 8, "test": 4}
    assert told.parts == {"train": 2, "validation": 2, "test": 1}
    assert (told.epochs, told.ended, told.network, told.split) == (1, "finished", NETWORK, "honest")
    assert set(told.figures) == {"loss", "accuracy", "auc"}
    assert told.parameters == parameters(load_model(path).network)
    assert not path.with_name("m.safetensors.training").exists()
    return path


def test_a_written_network_says_what_it_is_and_judges_alike(folder: Path, model: Path) -> None:
    read = load_model(model)
    assert read.about == About(
        network=NETWORK, size=64, holes=HoleSet.ROTATED, rules=ROTATED, split="honest", seed=0,
        balanced=True, figures=read.about.figures,
    )  # fmt: skip
    assert not read.network.training
    parts = load(folder, HoleSet.ROTATED)
    voxels = torch.from_numpy(parts.occupied(0, 64).copy())[None, None].float()
    with torch.inference_mode():
        assert torch.equal(read.network(voxels), load_model(model).network(voxels))


def test_a_training_that_is_stopped_at_once_goes_on_and_ends_alike(
    folder: Path, model: Path, tmp_path: Path
) -> None:
    path, stop = tmp_path / "m.safetensors", threading.Event()
    stop.set()
    with pytest.raises(UsageError, match="stopped before the first epoch had ended"):
        train(asked(folder, path), stop)
    assert not path.exists()
    with pytest.raises(UsageError, match="found a checkpoint, expected none"):
        train(asked(folder, path), threading.Event())
    trained(asked(folder, path, resume=True))
    assert path.read_bytes() == model.read_bytes()


def test_what_samples_show_is_kept_until_the_training_has_ended(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, looks = tmp_path / "m.safetensors", tmp_path / "m.safetensors.looks"
    wanted = asked(folder, path, network="ThroughHoles", changes=Changes(places=2))
    looks.mkdir()
    (looks / "held-out-0.npz").write_bytes(b"of another training")

    def fails(evidence: object, against: object) -> tuple[float, float]:
        raise RuntimeError("the power went")

    with monkeypatch.context() as patched, pytest.raises(RuntimeError, match="the power went"):
        patched.setattr("detector.printability.hole_learner.fitted", fails)
        train(wanted, threading.Event())
    assert len(list(looks.glob("learned-*.npz"))) == 4
    monkeypatch.setattr("detector.printability.hole_learner.openings_near", _never)
    monkeypatch.setattr("detector.printability.hole_learner.openings_anywhere", _never)
    monkeypatch.setattr("detector.printability.hole_learner.openings", _never)
    trained(msgspec.structs.replace(wanted, resume=True))
    assert not looks.exists()


def _never(*given: object) -> None:
    raise AssertionError("looked again")


def test_files_that_hold_something_else_say_so(model: Path, tmp_path: Path) -> None:
    save_weights(tmp_path / "foreign", torch.nn.Linear(2, 2), {})
    with pytest.raises(UsageError, match="do not say which printability network"):
        load_model(tmp_path / "foreign")
    about = msgspec.structs.replace(load_model(model).about, network="Vanilla3DCNN")
    save_weights(tmp_path / "other", load_model(model).network, {KEY: msgspec.json.encode(about).decode()})
    with pytest.raises(UsageError, match="do not fit Vanilla3DCNN for 64 voxels"):
        load_model(tmp_path / "other")
    with pytest.raises(UsageError, match="found no file"):
        load_model(tmp_path / "gone")


def test_a_saved_model_is_the_same_file_again(model: Path, tmp_path: Path) -> None:
    read = load_model(model)
    save_model(tmp_path / "again", PrintabilityModel(read.network, read.about))
    assert (tmp_path / "again").read_bytes() == model.read_bytes()


def test_a_network_or_size_that_is_not_there_says_so(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="found the network 'Alexnet', expected one of"):
        train(asked(folder, tmp_path / "m", network="Alexnet"), threading.Event())
    with pytest.raises(UsageError, match="for a size of 100, expected 64 or 128"):
        train(asked(folder, tmp_path / "m", size=100), threading.Event())


def test_a_search_goes_on_with_what_was_tried_before(folder: Path, tmp_path: Path) -> None:
    def search(trials: int) -> PrintabilityTuning:
        return PrintabilityTuning(
            folder=folder, output=tmp_path, trials=trials, network=NETWORK, epochs=1, batch_size=4,
            holes=HoleSet.ROTATED, epoch_samples=4, quiet=True,
        )  # fmt: skip

    first = tuned(search(1), threading.Event())
    assert [one.ended for one in first.tried] == ["finished"]
    assert set(first.tried[0].params) == {"rate", "optimizer"}
    both = tuned(search(2), threading.Event())
    assert both.tried[0] == first.tried[0]
    assert len(both.tried) == 2
    assert all(1e-4 <= one.params["rate"] <= 1e-2 for one in both.tried)


def test_weights_of_every_rank_are_in_one_file(model: Path) -> None:
    assert set(load_weights(model).tensors) == set(build(NETWORK, 64).state_dict())
