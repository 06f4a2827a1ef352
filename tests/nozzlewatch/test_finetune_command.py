"""``finetune`` takes a user's own recordings, with labels in them or beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from detector.anomaly import Kind
from detector.model.watch_model import load_watch_model, save_watch_model
from ingest.simulate.produce import Wanted, produce
from ingest.simulate.splits import Split
from nozzlewatch.cli import app
from tests.detector.learning.tiny_model import tiny_model
from tests.detector.learning.tiny_prints import tiny, write_prints

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``own`` recordings that bear labels, ``old`` prints, and a model."""
    folder = tmp_path_factory.mktemp("farm")
    wanted = Wanted(
        prints=4, seed=5, split=Split.TRAIN, folder=folder / "own", minutes=0.5, fps=0.2, size=(160, 120),
        failing=0.5, kinds=("heater_fault",),
    )  # fmt: skip
    produce(wanted, 1, lambda made: None, lambda: False)
    kinds = (Kind.STALL, Kind.BLOB, None)
    shards = [tiny(f"{n}", kinds[n % 3], seed=n, blind=True) for n in range(12)]
    write_prints(folder / "old", shards)
    save_watch_model(folder / "watch.safetensors", tiny_model())
    return folder


def told(farm: Path, tmp_path: Path, *more: object) -> tuple[int, dict[str, Any]]:
    arguments: list[object] = [
        farm / "own",
        "-o",
        tmp_path / "mine.safetensors",
        "--replay",
        farm / "old",
        "--json",
        "-",
    ]
    arguments += ["--model-path", farm / "watch.safetensors", "--epochs", 12, "--rate", 2e-2, "--jobs", 1]
    result = CliRunner().invoke(app, ["finetune", *map(str, (*arguments, *more))])
    assert result.exit_code in {0, 1}, result.output
    return result.exit_code, json.loads(result.stdout)


def test_labels_in_recordings_are_learned(farm: Path, tmp_path: Path) -> None:
    code, found = told(farm, tmp_path)
    assert found["prints"] == 4
    assert found["left_out"] == []
    assert code == (0 if found["gained"] else 1)
    assert (tmp_path / "mine.safetensors").exists() == found["gained"]
    assert set(found["before"]) == set(found["after"]) == {"own", "replayed"}
    replayed = [found[when]["replayed"]["mistakes"] for when in ("before", "after")]
    assert replayed[1] <= replayed[0] + 0.5
    if found["gained"]:
        assert "+own-" in load_watch_model(tmp_path / "mine.safetensors").about.version


def test_labels_beside_them_go_before_those_within(farm: Path, tmp_path: Path) -> None:
    rows = [f"{path.stem},fine,," for path in sorted((farm / "own").glob("*.mcap"))]
    (tmp_path / "labels.csv").write_text("\n".join(["print,kind,from,to", *rows]))
    _, found = told(farm, tmp_path, "--labels", tmp_path / "labels.csv", "--epochs", 1)
    assert found["before"]["own"]["failing"] == 0


def test_mistakes_in_labels_are_wrong_usage(farm: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("print,kind,from,to\ntrain-5-00000,spagetti,1,2\n")
    arguments = [farm / "own", "-o", tmp_path / "mine", "--labels", tmp_path / "labels.csv"]
    arguments += ["--replay", farm / "old", "--model-path", farm / "watch.safetensors"]
    result = CliRunner().invoke(app, ["finetune", *map(str, arguments)])
    assert result.exit_code == 2
    assert "labels.csv: line 2: kind: found 'spagetti'" in result.stderr
