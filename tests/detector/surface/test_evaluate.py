"""Figures of a network: by class, by noise, by how much it was trained on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from detector.surface.curve import Curve
from detector.surface.dataset import Split, load
from detector.surface.evaluate import evaluate
from detector.surface.finetune import with_classes
from detector.surface.model_file import About, SurfaceModel, save_model
from detector.surface.networks import build
from detector.surface.remembering import with_memory
from features.stills import write_png
from ingest.errors import UsageError
from nozzlewatch.cli import app

SIDE, PER_CLASS = 64, 8
LEVELS = {"bright": 210, "dark": 30}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``train`` and ``test`` with two classes that light tells apart."""
    folder = tmp_path_factory.mktemp("levels")
    random = np.random.default_rng(1)
    for part in ("train", "test"):
        for name, level in LEVELS.items():
            (folder / part / name).mkdir(parents=True)
            for number in range(PER_CLASS):
                noise = random.integers(-15, 15, (SIDE, SIDE, 3))
                write_png(folder / part / name / f"{number}.png", (level + noise).astype(np.uint8))
    return folder


@pytest.fixture(scope="module")
def model(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained trunk with a fitted head and a memory."""
    learned = load(folders / "train")
    everything = np.arange(len(learned))
    network = build("MSA_None", 2, seed=4).eval()
    about = About(model_type="MSA_None", classes=learned.classes)
    bare = with_memory(SurfaceModel(network, about), learned, Split(everything, everything, everything[:0]))
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    save_model(path, with_classes(bare, learned, everything))
    return path


def test_figures_are_of_the_pictures_judged(folders: Path, model: Path) -> None:
    found = evaluate(model, folders / "test", engine="torch")
    assert (found.pictures, found.accuracy, found.f1) == (2 * PER_CLASS, 1.0, 1.0)
    assert found.accuracy_ci[0] < 1.0
    assert found.confusion == [[PER_CLASS, 0], [0, PER_CLASS]]
    assert found.noise == found.per_class == {}
    assert found.none_of_these is not None
    assert 0 <= found.none_of_these <= 1


def test_the_noise_curve_has_a_share_for_each_ratio_and_falls(folders: Path, model: Path) -> None:
    found = evaluate(model, folders / "test", noise_db=(40.0, -40.0), engine="torch")
    assert list(found.noise) == ["40", "-40"]
    assert found.noise["40"].accuracy == 1.0 > found.noise["-40"].accuracy
    assert found.accuracy == 1.0, "the other figures are of the pictures as they are"


def test_the_curve_over_pictures_trains_on_so_many_of_each_class(folders: Path, model: Path) -> None:
    curve = Curve(folders / "train", (1, 4), epochs=1, validation=0.25, quiet=True)
    found = evaluate(model, folders / "test", curve=curve, engine="torch")
    assert list(found.per_class) == [1, 4]
    assert all(0 <= one.ci[0] <= one.accuracy <= one.ci[1] <= 1 for one in found.per_class.values())


def test_a_curve_of_other_classes_or_of_too_many_pictures_is_told(
    folders: Path, model: Path, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(2):
            (tmp_path / name / f"{number}.png").write_bytes(
                (folders / "test" / "dark" / f"{number}.png").read_bytes()
            )
    with pytest.raises(UsageError, match="found the classes a, b, expected those that are to be judged"):
        evaluate(model, folders / "test", curve=Curve(tmp_path, (1,)), engine="torch")
    with pytest.raises(UsageError, match=r"found 6 training pictures of bright, expected 7"):
        evaluate(
            model, folders / "test", curve=Curve(folders / "train", (7,), validation=0.25), engine="torch"
        )


def test_the_command_takes_ratios_as_often_as_wanted_and_logs(
    folders: Path, model: Path, tmp_path: Path
) -> None:
    told = CliRunner().invoke(
        app,
        ["surface", "evaluate", "--model_path", str(model), "--data_dir", str(folders), "--dataset", "test",
         "--batch_size", "3", "--noise-db", "20", "--noise-db", "10", "--engine", "torch", "--log-file",
         str(tmp_path / "log.json")],
    )  # fmt: skip
    assert told.exit_code == 0, told.output
    assert "called none of these" in told.output
    assert "noise, dB" in told.output
    assert list(json.loads((tmp_path / "log.json").read_text())["noise"]) == ["20", "10"]


def test_a_curve_without_pictures_to_train_on_is_told(folders: Path, model: Path) -> None:
    told = CliRunner().invoke(
        app,
        ["surface", "evaluate", "--model-path", str(model), "--data-dir", str(folders), "--dataset", "test",
         "--per-class", "3"],
    )  # fmt: skip
    assert told.exit_code == 2
    assert "--per-class: found no --train-data" in told.output
