"""``nozzlewatch printability``: meshes to parts, parts to a network, a network to its figures."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import Result
from typer.testing import CliRunner

from detector.printability.evaluate import Evaluated
from detector.printability.model_file import load_model
from nozzlewatch.printability import app
from tests.detector.printability.boxes import write_boxes


@pytest.fixture(autouse=True, scope="module")
def _one_thread(one_thread: None) -> None: ...


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def told(*arguments: object) -> dict:
    result = run(*arguments, "--json", "-")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def meshes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("meshes")
    write_boxes(folder, each=1)
    return folder


@pytest.fixture(scope="module")
def parts(meshes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parts")
    found = told("preprocess", meshes, "-o", folder, "--variants", 1, "--jobs", 1)
    assert (found["made"], found["already_there"], found["broken"]) == (5, 0, [])
    each = {"none": 5, "middle-small": 5, "middle-large": 5, "border-large": 5}
    assert found["samples"] == {"rotated": each, "top": each}
    return folder


@pytest.fixture(scope="module")
def model(parts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    path = folder / "m.safetensors"
    found = told(
        "train", "--data", parts, "--model-path", path, "--size", 64, "--epochs", 1,
        "--batch-size", 4, "--epoch-samples", 4,
        "--optimizer", "sgd", "--rate", 0.01, "--log-file", folder / "log",
        "--tracking", folder / "mlflow", "--full-precision",
    )  # fmt: skip
    assert (found["network"], found["split"], found["epochs"]) == ("ThroughHoles", "honest", 1)
    assert json.loads((folder / "log").read_text())["metrics"] == found["figures"]
    assert (folder / "mlflow" / "mlflow.sqlite").is_file()
    return path


def test_preprocessing_again_makes_nothing_and_says_so(meshes: Path, parts: Path) -> None:
    result = run("preprocess", meshes, "-o", parts, "--variants", 1, "--jobs", 1)
    assert result.exit_code == 0
    assert "0 parts made, 5 were there" in result.output
    assert "top: 5 border-large" in result.output


def test_a_broken_mesh_is_told_with_exit_code_1(meshes: Path, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "cut.stl").write_bytes((meshes / "ann" / "0.stl").read_bytes()[:100])
    (tmp_path / "m" / "fine.stl").write_bytes((meshes / "ann" / "0.stl").read_bytes())
    result = run("preprocess", tmp_path / "m", "-o", tmp_path / "p", "--jobs", 1)
    assert result.exit_code == 1
    assert "passed over: " in result.output and "cut.stl" in result.output
    assert "1 parts made, 0 were there, 1 meshes passed over" in result.output


def test_sizes_of_holes_that_make_no_sense_are_told(meshes: Path, tmp_path: Path) -> None:
    result = run("preprocess", meshes, "-o", tmp_path, "--top-radius", 10, 5)
    assert result.exit_code == 2
    assert "top radius: found 10 and 5 voxels, expected two numbers above 0" in result.output


def test_the_figures_are_told_to_programs_and_to_people(parts: Path, model: Path, tmp_path: Path) -> None:
    found = msgspec.convert(
        told("evaluate", "--model-path", model, "--data", parts, "--failures", tmp_path / "failures"),
        Evaluated,
    )
    assert (found.samples, found.parts, found.network) == (4, 1, load_model(model).about.network)
    page = (tmp_path / "failures" / "index.html").read_text()
    assert found.failures
    for failure in found.failures:
        assert failure.picture is not None
        assert f'src="{failure.picture}"' in page
        assert (tmp_path / "failures" / failure.picture).is_file()
    for_people = run("evaluate", "--model-path", model, "--data", parts)
    assert for_people.exit_code == 0
    assert f"{found.accuracy.value:.4f}" in for_people.output
    assert "middle-large" in for_people.output


def test_a_search_tells_its_best(parts: Path, tmp_path: Path) -> None:
    found = told(
        "tune", "--data", parts, "--trials", 1, "--epochs", 1, "--size", 64,
        "--batch-size", 4, "--epoch-samples", 4, "-o", tmp_path,
    )  # fmt: skip
    assert found["best"] == found["tried"][0]
    assert found["best"]["params"]["optimizer"] in ("adam", "adadelta", "sgd")


def test_a_folder_without_parts_says_what_to_do(model: Path, tmp_path: Path) -> None:
    for command in ("train", "tune", "evaluate"):
        extra = ("--model-path", model) if command == "evaluate" else ()
        result = run(command, "--data", tmp_path, *extra)
        assert result.exit_code == 2
        assert "expected parts: nozzlewatch printability preprocess" in result.output
