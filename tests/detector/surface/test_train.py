"""A surface network is trained on folders, written, read again and judged on pictures that it never saw."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest
import torch
from typer.testing import CliRunner

from detector.model.weights import load_weights, save_weights
from detector.surface.dataset import load
from detector.surface.evaluate import Evaluated, evaluate
from detector.surface.learner import Changes
from detector.surface.model_file import load_model
from detector.surface.shipped import WALLS
from detector.surface.train import SurfaceTraining, Trained, train
from detector.training.recipe import Recipe
from features.stills import read_still, write_png
from ingest.errors import UsageError
from nozzlewatch.cli import app
from nozzlewatch.surface.options import USUAL_TRUNK, trunk_of

PER_CLASS, VALIDATION = 8, 0.25
RECIPE = Recipe(epochs=3, rate=3e-4, schedule="constant", decay=0.0)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``train`` and ``test`` with two classes that colour tells apart."""
    folder = tmp_path_factory.mktemp("surfaces")
    random = torch.Generator().manual_seed(3)
    for part in ("train", "test"):
        for name, level in (("bright", 190), ("dark", 50)):
            for number in range(PER_CLASS):
                noise = torch.randint(-40, 40, (48, 48, 3), generator=random)
                target = folder / part / name / f"{number}.png"
                target.parent.mkdir(parents=True, exist_ok=True)
                write_png(target, (level + noise).clamp(0, 255).to(torch.uint8).numpy())
    return folder


def asked(folders: Path, model: Path, **changed: object) -> SurfaceTraining:
    usual = {"folder": folders / "train", "model_path": model, "recipe": RECIPE, "validation": VALIDATION}
    usual |= {"repeated": False, "changes": Changes(noise=False)}
    return SurfaceTraining(**{**usual, "batch_size": 4, "quiet": True, **changed})  # type: ignore[arg-type]


def trained(wanted: SurfaceTraining) -> Trained:
    found = train(wanted, threading.Event())
    assert found is not None
    return found


@pytest.fixture(scope="module")
def model(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "m.safetensors"
    told = trained(asked(folders, path))
    assert told.pictures == {"train": 12, "validation": 4}
    assert (told.epochs, told.ended, told.classes) == (3, "finished", ("bright", "dark"))
    assert not path.with_name("m.safetensors.training").exists()
    return path


def test_a_written_network_knows_its_classes_and_tells_them_apart(folders: Path, model: Path) -> None:
    found = evaluate(model, folders / "test", batch_size=3)
    assert found.pictures == 2 * PER_CLASS
    assert found.accuracy == sum(found.confusion[n][n] for n in range(2)) / found.pictures >= 0.9
    assert found.accuracy_ci[0] < found.accuracy <= found.accuracy_ci[1]
    assert {name: one.pictures for name, one in found.classes.items()} == {"bright": 8, "dark": 8}
    assert found.ms_per_picture > 0


def test_the_same_recipe_gives_the_same_network(folders: Path, model: Path, tmp_path: Path) -> None:
    trained(asked(folders, tmp_path / "again.safetensors"))
    first, again = (load_weights(path).tensors for path in (model, tmp_path / "again.safetensors"))
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())


def test_a_batch_at_a_time_or_all_at_once_the_answer_is_the_same(folders: Path, model: Path) -> None:
    one, all_at_once = (evaluate(model, folders / "test", batch_size=size) for size in (1, 16))
    assert one.confusion == all_at_once.confusion
    assert one.calibration_error == pytest.approx(all_at_once.calibration_error, abs=1e-4)


def test_noise_drowns_what_the_network_knows(folders: Path, model: Path) -> None:
    assert evaluate(model, folders / "test", noise_db=(-40.0,)).noise["-40"].accuracy < 0.9


def test_a_number_of_classes_that_is_not_there_says_so(folders: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"found 2 classes \(bright, dark\), expected 6 as --num-classes"):
        train(asked(folders, tmp_path / "m", classes=6), threading.Event())


def test_a_training_that_is_stopped_at_once_leaves_no_network_and_goes_on(
    folders: Path, model: Path, tmp_path: Path
) -> None:
    path, stop = tmp_path / "m.safetensors", threading.Event()
    stop.set()
    with pytest.raises(UsageError, match="stopped before the first epoch had ended"):
        train(asked(folders, path), stop)
    assert not path.exists()
    trained(asked(folders, path, resume=True))
    assert path.read_bytes() == model.read_bytes()


def test_other_classes_and_other_files_are_told(folders: Path, model: Path, tmp_path: Path) -> None:
    picture = read_still(folders / "test" / "dark" / "0.png")
    for name in ("a", "b"):
        (tmp_path / "other" / name).mkdir(parents=True)
        for number in range(2):
            write_png(tmp_path / "other" / name / f"{number}.png", picture)
    with pytest.raises(UsageError, match=r"found the classes a, b, expected those .*: bright, dark"):
        evaluate(model, tmp_path / "other")
    save_weights(tmp_path / "foreign.safetensors", torch.nn.Linear(2, 2), {})
    with pytest.raises(UsageError, match="do not say which surface network"):
        load_model(tmp_path / "foreign.safetensors")


def test_the_flags_may_have_dashes_or_underscores(folders: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    told = CliRunner().invoke(
        app,
        ["surface", "train", "--data_dir", str(folders), "--dataset", "train", "--num_classes", "2",
         "--num-epochs", "1", "--batch_size", "8", "--early_stop", "1", "--checkpoint_path", str(path),
         "--log_file", str(tmp_path / "log.txt"), "--model-type", "SqueezeNet", "--published", "--json", "-"],
    )  # fmt: skip
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["model_type"] == load_model(path).about.model_type == "SqueezeNet"
    assert len((tmp_path / "log.txt").read_text().splitlines()) == 1
    judged = CliRunner().invoke(
        app,
        ["surface", "evaluate", "--model_path", str(path), "--data-dir", str(folders), "--dataset", "test",
         "--json", "-"],
    )  # fmt: skip
    assert judged.exit_code == 0, judged.output
    assert msgspec.json.decode(judged.stdout, type=Evaluated).pictures == len(load(folders / "test"))


def test_weights_to_begin_with_are_those_named_else_imagenets_else_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOZZLEWATCH_DATA", str(tmp_path))
    assert trunk_of(None) == WALLS
    usual = tmp_path / USUAL_TRUNK
    usual.parent.mkdir()
    usual.touch()
    assert trunk_of(None) == usual
    assert trunk_of("none") is None
    assert trunk_of("mine.safetensors") == Path("mine.safetensors")


def test_two_processes_learn_what_one_learns(folders: Path, tmp_path: Path) -> None:
    arguments = ["-m", "nozzlewatch", "surface", "train", "--data-dir", str(folders), "--dataset", "train"]
    arguments += ["--num-epochs", "1", "--batch-size", "4", "--plain", "--lr", "1e-4"]
    arguments += ["--full-precision", "--published", "--log-file"]
    two = ["-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"]
    for name, start in (("one", []), ("two", two)):
        target = [str(tmp_path / f"{name}.txt"), "--checkpoint-path", str(tmp_path / name)]
        subprocess.run([sys.executable, *start, *arguments, *target], check=True, capture_output=True)
    one, other = (json.loads((tmp_path / f"{name}.txt").read_text()) for name in ("one", "two"))
    assert one["loss"] == pytest.approx(other["loss"], rel=1e-4)
    assert one["metrics"]["loss"] == pytest.approx(other["metrics"]["loss"], rel=1e-3)
