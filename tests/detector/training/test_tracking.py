"""What MLflow keeps of a training, read back by its own client."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mlflow import MlflowClient
from mlflow.entities import Run

from detector.training.distributed import Place
from detector.training.loop import fit
from detector.training.recipe import Options
from detector.training.tracking import NoTracker, tracking
from tests.detector.training.tiny import RECIPE, TinyLearner

ALONE = Place(0, 1, torch.device("cpu"))


def run_alone(program: str, env: dict[str, str] | None = None) -> None:
    command = [sys.executable, "-c", program]
    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 0, ended.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all tests: MLflow takes seconds to make its tables."""
    return tmp_path_factory.mktemp("tracked")


def runs(folder: Path, experiment: str) -> tuple[MlflowClient, list[Run]]:
    client = MlflowClient(f"sqlite:///{folder}/mlflow.sqlite")
    found = client.get_experiment_by_name(experiment)
    return client, list(client.search_runs([found.experiment_id])) if found else []


def test_a_trainings_recipe_and_epochs_can_be_read_back(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "card.md").write_text("the card")
    with tracking(folder, "tiny", "first", ALONE) as tracker:
        options = Options(recipe=RECIPE, quiet=True, checkpoint=tmp_path / "checkpoint")
        fitted = fit(TinyLearner(ALONE), options, ALONE, tracker)
        tracker.tags({"data": "random points"})
        tracker.artifact(tmp_path / "card.md")

    client, [run] = runs(folder, "tiny")
    assert run.data.params["rate"] == "0.05"
    assert run.data.params["epochs"] == "5"
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(e.number, e.loss) for e in fitted.history]
    goal = client.get_metric_history(run.info.run_id, "loss_of_validation")
    assert [point.value for point in goal] == [e.metrics["loss_of_validation"] for e in fitted.history]
    assert run.data.tags["data"] == "random points"
    assert run.data.tags["command"] == shlex.join(sys.argv)
    assert run.data.tags["commit"]
    assert run.info.run_name == "first"
    assert run.info.status == "FINISHED"
    assert [path.read_text() for path in (folder / "artifacts").rglob("card.md")] == ["the card"]


@pytest.mark.parametrize(("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED")])
def test_a_run_that_went_wrong_says_so(folder: Path, error: type[BaseException], status: str) -> None:
    with pytest.raises(error), tracking(folder, status, "run", ALONE):
        raise error
    _, [run] = runs(folder, status)
    assert run.info.status == status


def test_without_a_folder_and_on_other_ranks_nothing_is_kept(tmp_path: Path) -> None:
    with tracking(None, "tiny", "run", ALONE) as tracker:
        assert isinstance(tracker, NoTracker)
    with tracking(tmp_path, "tiny", "run", Place(1, 2, torch.device("cpu"))) as tracker:
        assert isinstance(tracker, NoTracker)
    assert not list(tmp_path.iterdir())


def test_mlflow_is_loaded_only_to_track_and_reports_nothing(folder: Path) -> None:
    program = f"""
import sys, torch
from pathlib import Path
import detector.training.loop
from detector.training.distributed import Place
from detector.training.tracking import tracking
assert "mlflow" not in sys.modules and "optuna" not in sys.modules
with tracking(Path({str(folder)!r}), "quiet", "run", Place(0, 1, torch.device("cpu"))):
    from mlflow.telemetry.client import get_telemetry_client
    from mlflow.telemetry.utils import is_telemetry_disabled
    assert is_telemetry_disabled()
    assert get_telemetry_client() is None
"""
    # Without the marks by which MLflow knows a test or a CI, where it reports nothing anyhow.
    run_alone(program, env={"PATH": os.environ["PATH"]})


def test_without_mlflow_the_error_says_what_to_install(tmp_path: Path) -> None:
    program = f"""
import sys, torch
from pathlib import Path
sys.modules["mlflow"] = None  # as if it were not installed
from detector.training.distributed import Place
from detector.training.tracking import tracking
from ingest.errors import UsageError
try:
    with tracking(Path({str(tmp_path)!r}), "tiny", "run", Place(0, 1, torch.device("cpu"))):
        pass
except UsageError as error:
    sys.exit(0 if 'pip install "nozzlewatch[train]"' in str(error) else str(error))
sys.exit("no error")
"""
    run_alone(program)
