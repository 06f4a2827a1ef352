"""The search trains on one's own pictures, goes on where it was, and tells what it tried."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from detector.surface import textures
from detector.surface.tune import SurfaceTuning, tuned
from nozzlewatch.cli import app


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("surfaces")
    textures.write(made / "walls", 3, seed=1, side=48)
    return made


def test_a_search_goes_on_with_what_was_tried_before(folder: Path, tmp_path: Path) -> None:
    def asked(trials: int) -> SurfaceTuning:
        return SurfaceTuning(
            folder=folder / "walls", output=tmp_path, trials=trials, epochs=1, model_type="SqueezeNet",
            validation=0.4, quiet=True,
        )  # fmt: skip

    first = tuned(asked(1), threading.Event())
    assert [one.ended for one in first.tried] == ["finished"]
    assert first.best == first.tried[0]
    assert set(first.tried[0].params) == {"rate", "trunk_rate", "decay", "batch_size"}
    both = tuned(asked(2), threading.Event())
    assert both.tried[0] == first.tried[0]
    assert len(both.tried) == 2


def test_the_command_tells_the_best_as_json(folder: Path, tmp_path: Path) -> None:
    told = CliRunner().invoke(
        app,
        ["surface", "tune", "--data-dir", str(folder), "--dataset", "walls", "--trials", "1", "--num_epochs",
         "1", "--model-type", "SqueezeNet", "--trunk", "none", "--validation", "0.4", "-o", str(tmp_path),
         "--json", "-"],
    )  # fmt: skip
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert found["best"] == found["tried"][0]
