"""What is kept of each training, in a local folder: MLflow, without a server and without usage reports.

The folder holds ``mlflow.sqlite`` (parameters, metrics, tags) and ``artifacts/``. To look at it:
``mlflow ui --backend-store-uri sqlite:///FOLDER/mlflow.sqlite`` (MLflow's full package has the pages).
"""

from __future__ import annotations

import logging
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from detector.training.distributed import Place
from ingest.errors import UsageError

if TYPE_CHECKING:
    from mlflow import MlflowClient

HERE = Path(__file__).parent
NO_REPORTS = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
"""Either switches MLflow's usage reports off ("Usage Tracking" in its manual); read at import."""


class Tracker(Protocol):
    """Where a training notes what it was and how it went."""

    def params(self, values: Mapping[str, object]) -> None:
        """Settings, each told once with one value."""
        ...

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        """Figures of one step (an epoch)."""
        ...

    def tags(self, values: Mapping[str, str]) -> None:
        """What this training is, to find it again."""
        ...

    def artifact(self, path: Path) -> None:
        """Keep a copy of a file."""
        ...


class NoTracker:
    """Keeps nothing."""

    def params(self, values: Mapping[str, object]) -> None: ...

    def metrics(self, values: Mapping[str, float], step: int) -> None: ...

    def tags(self, values: Mapping[str, str]) -> None: ...

    def artifact(self, path: Path) -> None: ...


class MlflowTracker:
    """One run of MLflow."""

    def __init__(self, client: MlflowClient, run: str) -> None:
        self.client, self.run = client, run

    def params(self, values: Mapping[str, object]) -> None:
        for name, value in values.items():
            self.client.log_param(self.run, name, value)

    def metrics(self, values: Mapping[str, float], step: int) -> None:
        for name, value in values.items():
            self.client.log_metric(self.run, name, value, step=step)

    def tags(self, values: Mapping[str, str]) -> None:
        for name, value in values.items():
            self.client.set_tag(self.run, name, value)

    def artifact(self, path: Path) -> None:
        self.client.log_artifact(self.run, str(path))


@contextmanager
def tracking(folder: Path | None, experiment: str, run: str, place: Place) -> Iterator[Tracker]:
    """A tracker for one training: into ``folder`` on rank 0; without a folder and elsewhere it keeps nothing.

    The run bears the commit and the command as tags, and ends as finished, killed (Ctrl-C) or failed. Raises
    UsageError where MLflow is not installed.
    """
    if folder is None or not place.leads:
        yield NoTracker()
        return
    client = _client(folder)
    number = client.create_run(_experiment(client, folder, experiment), run_name=run).info.run_id
    tracker = MlflowTracker(client, number)
    tracker.tags({"commit": _commit(), "command": shlex.join(sys.argv)})
    status = "FAILED"
    try:
        yield tracker
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        client.set_terminated(number, status)


def _client(folder: Path) -> MlflowClient:
    os.environ.update(NO_REPORTS)
    try:
        from mlflow import MlflowClient  # noqa: PLC0415 - an extra, and a second to import
    except ImportError as error:
        raise UsageError(
            f"found no MLflow ({error}), expected it for a training that is tracked in {folder}: "
            'pip install "nozzlewatch[train]", or train without a folder for it'
        ) from error
    logging.getLogger("mlflow").setLevel(logging.WARNING)  # it tells of every table that it makes
    folder.mkdir(parents=True, exist_ok=True)
    return MlflowClient(f"sqlite:///{folder.absolute() / 'mlflow.sqlite'}")


def _experiment(client: MlflowClient, folder: Path, name: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    return str(client.create_experiment(name, (folder.absolute() / "artifacts").as_uri()))


def _commit() -> str:
    """The commit of this code, "-dirty" where it was changed since; "unknown" outside of git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        told = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=True)  # noqa: S603 - fixed
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return told.stdout.strip()
