"""A trained network learns further classes from few pictures, and keeps what it knew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from detector.surface.dataset import Split, Surfaces, load
from detector.surface.finetune import Embedded, finetune, head_fitted, with_classes
from detector.surface.inspect import Inspector
from detector.surface.model_file import About, SurfaceModel, load_model, save_model
from detector.surface.networks import build
from detector.surface.remembering import with_memory
from features.picture import Picture
from features.stills import read_still, write_png
from ingest.errors import UsageError

SIDE, PER_CLASS = 64, 10
LEVELS = {"bright": 210, "dark": 30, "middle": 120}


def flat(level: int, number: int) -> Picture:
    noise = np.random.default_rng((level, number)).integers(-15, 15, (SIDE, SIDE, 3))
    return np.asarray(np.clip(level + noise, 0, 255), np.uint8)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``first`` with bright and dark pictures, ``more`` with middle ones, ``test`` with others of all."""
    folder = tmp_path_factory.mktemp("levels")
    for part, names in (("first", ("bright", "dark")), ("more", ("middle",)), ("test", tuple(LEVELS))):
        for name in names:
            (folder / part / name).mkdir(parents=True)
            for number in range(PER_CLASS):
                shown = flat(LEVELS[name], number + (100 if part == "test" else 0))
                write_png(folder / part / name / f"{number}.png", shown)
    return folder


@pytest.fixture(scope="module")
def model(folders: Path) -> SurfaceModel:
    """Two classes of an untrained trunk, by a fitted head: what a short training would give."""
    first = load(folders / "first")
    everything = np.arange(len(first))
    network = build("MSA_None", 2, seed=4).eval()
    bare = SurfaceModel(network, About(model_type="MSA_None", classes=first.classes))
    remembering = with_memory(bare, first, Split(everything, everything, everything[:0]))
    return with_classes(remembering, first, everything)


def right(model: SurfaceModel, folder: Path, name: str) -> float:
    findings = Inspector(model).inspect([read_still(path) for path in sorted((folder / name).iterdir())])
    return float(np.mean([finding.nearest == name for finding in findings]))


def test_it_learns_a_class_and_keeps_the_first_ones(
    folders: Path, model: SurfaceModel, tmp_path: Path
) -> None:
    save_model(tmp_path / "first.safetensors", model)
    before = (tmp_path / "first.safetensors").read_bytes()
    told = finetune(tmp_path / "first.safetensors", folders / "more", tmp_path / "mine.safetensors")
    assert told.classes == ("bright", "dark", "middle")
    assert told.learned == {"middle": PER_CLASS}
    taught = load_model(tmp_path / "mine.safetensors")
    assert taught.about.classes == told.classes
    assert [right(taught, folders / "test", name) for name in LEVELS] == [1.0, 1.0, 1.0]
    assert (tmp_path / "first.safetensors").read_bytes() == before


def test_what_was_none_of_its_classes_is_one_of_them_then(folders: Path, model: SurfaceModel) -> None:
    shown = [read_still(path) for path in sorted((folders / "test" / "middle").iterdir())]
    taught = with_classes(model, load(folders / "more", fewest_classes=1), np.arange(PER_CLASS))
    assert [finding.label for finding in Inspector(taught).inspect(shown)] == ["middle"] * PER_CLASS
    assert taught.memory is not None
    assert model.memory is not None
    assert len(taught.memory.labels) == len(model.memory.labels) + PER_CLASS


def test_a_class_that_it_knows_gets_more_pictures_and_stays_one_class(
    folders: Path, model: SurfaceModel
) -> None:
    taught = with_classes(model, load(folders / "first"), np.arange(2 * PER_CLASS))
    assert taught.about.classes == model.about.classes
    assert [right(taught, folders / "test", name) for name in ("bright", "dark")] == [1.0, 1.0]


def test_classes_of_few_pictures_count_as_much_as_those_of_many() -> None:
    random = np.random.default_rng(1)
    many, few = random.normal(-1, 1, (400, 2)), random.normal(1, 1, (20, 2))
    inputs = torch.from_numpy(np.concatenate([many, few]).astype(np.float32))
    labels = torch.tensor([0] * 400 + [1] * 20)
    weights, biases = head_fitted(Embedded(inputs, labels), 2, 1e-3)
    guesses = (inputs @ weights.T + biases).argmax(1)
    shares = [float((guesses == labels)[labels == label].float().mean()) for label in (0, 1)]
    assert min(shares) > 0.85
    assert abs(shares[0] - shares[1]) < 0.1


def test_models_that_cannot_learn_more_say_why(folders: Path, model: SurfaceModel) -> None:
    pictures: Surfaces = load(folders / "more", fewest_classes=1)
    with pytest.raises(UsageError, match="found a model that remembers no pictures"):
        with_classes(model._replace(memory=None), pictures, np.arange(PER_CLASS))
    plain = SurfaceModel(
        build("SqueezeNet", 2).eval(),
        About(model_type="SqueezeNet", classes=("bright", "dark")),
        model.memory,
    )
    with pytest.raises(
        UsageError, match="found a SqueezeNet, whose head is not linear, expected a type with"
    ):
        with_classes(plain, pictures, np.arange(PER_CLASS))
