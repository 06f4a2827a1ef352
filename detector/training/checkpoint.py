"""Where a training stands after an epoch: enough to go on as if it had never stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from detector.files import replacing
from detector.training.recipe import Recipe
from ingest.errors import UsageError

FORMAT, VERSION = "nozzlewatch training", 1

Metrics = dict[str, float]


class Epoch(msgspec.Struct, frozen=True, kw_only=True):
    """What one epoch gave. Epochs are counted from 1; ``rate`` is the learning rate of its last step.

    ``loss`` is the mean over all samples that were learnt from, ``metrics`` is what the learner's validation
    said, ``seconds`` is how long both took.
    """

    number: int
    loss: float
    rate: float
    metrics: Metrics
    seconds: float


class Best(msgspec.Struct, frozen=True, kw_only=True):
    """The epoch with the best goal so far, and the network's weights as they were after it, on the CPU."""

    epoch: int
    goal: float
    weights: dict[str, Tensor]


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where a training stands. Random states need no room: each epoch draws from (seed, epoch, rank)."""

    recipe: Recipe
    steps: int
    network: dict[str, Tensor]
    optimizer: dict[str, Any]
    history: list[Epoch]
    best: Best | None
    averages: list[Tensor] | None = None  # of the weights, where the recipe has any


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write it whole or not at all; the file holds tensors and plain values alone (``weights_only``)."""
    content = msgspec.structs.asdict(checkpoint) | {
        "format": FORMAT,
        "version": VERSION,
        "recipe": msgspec.to_builtins(checkpoint.recipe),
        "history": msgspec.to_builtins(checkpoint.history),
        "best": checkpoint.best and msgspec.structs.asdict(checkpoint.best),
    }
    with replacing(path) as unfinished:
        torch.save(content, unfinished)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read one, to the CPU. Raises UsageError for a missing, damaged or foreign file."""
    content = _read(path)
    found = (content.get("format"), content.get("version"))
    if found != (FORMAT, VERSION):
        raise UsageError(f"{path}: found {found}, expected a checkpoint {(FORMAT, VERSION)}: name another")
    try:
        return Checkpoint(
            recipe=msgspec.convert(content["recipe"], Recipe),
            steps=content["steps"],
            network=content["network"],
            optimizer=content["optimizer"],
            history=msgspec.convert(content["history"], list[Epoch]),
            best=content["best"] and Best(**content["best"]),
            averages=content.get("averages"),
        )
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise _foreign(path, error) from error


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise UsageError(f"{path}: found no file, expected a checkpoint: train without resuming")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises whatever its readers of zip, tar and pickle stumble over
        raise _foreign(path, error) from error
    return content if isinstance(content, dict) else {}


def _foreign(path: Path, error: Exception) -> UsageError:
    reason = str(error).partition("\n")[0]
    return UsageError(
        f"{path}: found a file that is damaged or holds something else ({type(error).__name__}: {reason}), "
        "expected a checkpoint of a training: remove it to begin anew, or name another file"
    )
