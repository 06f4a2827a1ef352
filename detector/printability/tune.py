"""The search for a good recipe on one's own parts; it goes on where it was stopped, or killed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import msgspec

from detector.printability.dataset import How, load, split
from detector.printability.grids import HoleSet
from detector.printability.learner import Changes
from detector.printability.networks import build
from detector.printability.train import Lesson, learn
from detector.training.distributed import Place, running
from detector.training.recipe import OptimizerName, Options, Recipe
from detector.training.tuning import Between, OneOf, Report, Space, Tried, Value, tune

SPACE: Space = {"rate": Between(1e-4, 1e-2, log=True), "optimizer": OneOf(("adam", "adadelta", "sgd"))}
"""As published: Adam and Adadelta over this range; SGD, with momentum 0.5, is in the source's tables."""


class PrintabilityTuning(msgspec.Struct, frozen=True, kw_only=True):
    """What is searched: the recipe with the lowest validation loss after at most ``epochs`` epochs.

    ``output`` keeps the study, a name of its own for each network, size, set of holes and split.
    """

    folder: Path
    output: Path
    trials: int
    network: str
    epochs: int = 8
    size: int = 64
    holes: HoleSet = HoleSet.TOP
    how: How = "honest"
    balanced: bool = True
    batch_size: int = 16
    epoch_samples: int | None = None
    changes: Changes = Changes()
    seed: int = 0
    quiet: bool = False


class PrintabilityTuned(msgspec.Struct, frozen=True, kw_only=True):
    """What was tried, in order, and the best of what was finished; ``goal`` is the validation loss."""

    best: Tried | None
    tried: list[Tried]


def tuned(asked: PrintabilityTuning, stop: threading.Event) -> PrintabilityTuned:
    """Search. Raises UsageError."""
    parts = load(asked.folder, asked.holes, balanced=asked.balanced)
    lesson = Lesson(
        parts, split(parts, asked.how, asked.seed), asked.size, asked.batch_size, asked.changes,
        asked.epoch_samples,
    )  # fmt: skip
    with running() as place:

        def objective(params: Mapping[str, Value], report: Report) -> float:
            return _loss_of(asked, lesson, place, params, report, stop)

        found = tune(
            objective, SPACE, name=_name(asked), trials=asked.trials, folder=asked.output, seed=asked.seed,
            higher_is_better=False, stop=stop, quiet=asked.quiet,
        )  # fmt: skip
    return PrintabilityTuned(best=found.best, tried=found.tried)


def _loss_of(
    asked: PrintabilityTuning,
    lesson: Lesson,
    place: Place,
    params: Mapping[str, Value],
    report: Report,
    stop: threading.Event,
) -> float:
    """Train with these parameters; the lowest validation loss of an epoch."""
    recipe = Recipe(
        epochs=asked.epochs, rate=cast(float, params["rate"]), seed=asked.seed, decay=0.0,
        optimizer=cast(OptimizerName, params["optimizer"]),
    )  # fmt: skip
    fitted = learn(
        build(asked.network, asked.size, asked.seed, asked.holes),
        lesson,
        Options(recipe=recipe, quiet=True),
        place,
        stop=stop,
        told=lambda epoch: report(epoch.number, epoch.metrics["loss"]),
    )
    return fitted.best.metrics["loss"] if fitted.best is not None else float("inf")


def _name(asked: PrintabilityTuning) -> str:
    return (
        f"{asked.folder.name} {asked.holes} {asked.how} {asked.network} {asked.size} voxels "
        f"{asked.epoch_samples or 'all'} samples {asked.epochs} epochs"
    )
