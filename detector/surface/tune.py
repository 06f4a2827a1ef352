"""The search for a good recipe on one's own pictures; it goes on where it was stopped, or killed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import msgspec
import torch
from msgspec.structs import replace

from detector.surface.dataset import Surfaces, load, split
from detector.surface.networks import DEFAULT_TYPE, build, takes_trunk
from detector.surface.train import Lesson, improved, learn, trunk_of
from detector.training.distributed import Place
from detector.training.recipe import Options
from detector.training.tuning import Between, OneOf, Report, Space, Tried, Value, tune

SPACE: Space = {
    "rate": Between(3e-4, 1e-2, log=True),
    "trunk_rate": Between(0.03, 1.0, log=True),
    "decay": Between(1e-4, 1e-1, log=True),
    "batch_size": OneOf((16, 32, 64)),
}


class SurfaceTuning(msgspec.Struct, frozen=True, kw_only=True):
    """What is searched: the recipe with the lowest validation loss after at most ``epochs`` epochs.

    ``output`` keeps the study, a name of its own for each type of network and dataset.
    """

    folder: Path
    output: Path
    trials: int
    epochs: int = 8
    model_type: str = DEFAULT_TYPE
    validation: float = 0.2
    trunk: Path | None = None
    seed: int = 0
    quiet: bool = False


class SurfaceTuned(msgspec.Struct, frozen=True, kw_only=True):
    """What was tried, in order, and the best of what was finished; ``goal`` is the validation loss."""

    best: Tried | None
    tried: list[Tried]


def tuned(asked: SurfaceTuning, stop: threading.Event) -> SurfaceTuned:
    """Search. Raises UsageError, SourceError."""
    dataset = load(asked.folder)

    def objective(params: Mapping[str, Value], report: Report) -> float:
        return _loss_of(asked, dataset, params, report, stop)

    found = tune(
        objective, SPACE, name=f"{asked.folder.name} {asked.model_type} {asked.epochs} epochs",
        trials=asked.trials, folder=asked.output, seed=asked.seed, higher_is_better=False, stop=stop,
        quiet=asked.quiet,
    )  # fmt: skip
    return SurfaceTuned(best=found.best, tried=found.tried)


def _loss_of(
    asked: SurfaceTuning,
    dataset: Surfaces,
    params: Mapping[str, Value],
    report: Report,
    stop: threading.Event,
) -> float:
    """Train with these parameters; the lowest validation loss of an epoch."""
    parts = split(dataset, 1.0 - asked.validation, asked.validation, 0, asked.seed)
    trunk = trunk_of(asked.trunk) if takes_trunk(asked.model_type) else None
    recipe = replace(
        improved(asked.epochs, cast(float, params["rate"]), asked.seed), decay=cast(float, params["decay"])
    )
    fitted = learn(
        build(asked.model_type, len(dataset.classes), trunk, asked.seed),
        Lesson(dataset, parts, cast(int, params["batch_size"]), trunk_rate=cast(float, params["trunk_rate"])),
        Options(recipe=recipe, quiet=True),
        Place(0, 1, torch.device("cpu")),
        stop=stop,
        told=lambda epoch: report(epoch.number, epoch.metrics["loss"]),
    )
    return fitted.best.metrics["loss"] if fitted.best is not None else float("inf")
