"""Training of a printability network on parts that were preprocessed.

torchrun --nproc-per-node 2 -m nozzlewatch printability train --data PARTS      (or without torchrun)
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import torch
from torch import nn

from detector.printability.about import About
from detector.printability.dataset import How, Indices, Parts, Split, load, split
from detector.printability.grids import HoleSet
from detector.printability.hole_learner import HoleLearner
from detector.printability.learner import Changes, PrintabilityLearner
from detector.printability.model_file import PrintabilityModel, save_model
from detector.printability.networks import build, parameters, placed
from detector.printability.through_holes import ThroughHoles
from detector.printability.whole_parts import calibrate
from detector.training.checkpoint import Epoch
from detector.training.distributed import Place, order, running
from detector.training.loop import Fitted, fit
from detector.training.norms import with_shared_norms
from detector.training.recipe import Options, Recipe
from detector.training.tracking import NoTracker, Tracker, tracking
from ingest.errors import UsageError

EXPERIMENT = "printability"


class PrintabilityTraining(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for: ``network`` is a name of NETWORKS, ``size`` is in voxels a side.

    ``how`` says who is held out, ``balanced`` as in ``dataset.load``; ``epoch_samples`` is the most that an
    epoch learns from, ``validation_samples`` the most that it is judged by.
    """

    folder: Path
    model_path: Path
    recipe: Recipe
    network: str
    size: int = 64
    holes: HoleSet = HoleSet.TOP
    how: How = "honest"
    balanced: bool = True
    batch_size: int = 16
    epoch_samples: int | None = None
    validation_samples: int | None = None
    changes: Changes = Changes()
    log_file: Path | None = None
    tracked_in: Path | None = None
    resume: bool = False
    quiet: bool = False


class Trained(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it; ``figures`` of the best epoch on the validation samples."""

    model_path: str
    network: str
    size: int
    holes: HoleSet
    split: str
    parameters: int
    samples: dict[str, int]
    parts: dict[str, int]
    epochs: int
    best_epoch: int
    ended: str
    figures: dict[str, float]


class Lesson(NamedTuple):
    """From what a network learns, and how: see ``PrintabilityLearner``, for ``kept_in`` ``HoleLearner``."""

    parts: Parts
    split: Split
    size: int
    batch_size: int
    changes: Changes = Changes()
    epoch_samples: int | None = None
    kept_in: Path | None = None


def train(asked: PrintabilityTraining, stop: threading.Event) -> Trained | None:
    """Train, and write the network of the best epoch; None on ranks that do not lead.

    The training's checkpoint lies beside the network's file until it is finished, and a folder of what its
    samples show: a training that was stopped goes on from there with ``resume``. Raises UsageError and
    NotFinite.
    """
    parts = load(asked.folder, asked.holes, balanced=asked.balanced)
    held = split(parts, asked.how, asked.recipe.seed)
    lesson = Lesson(
        parts, held._replace(validation=_some(held.validation, asked)), asked.size, asked.batch_size,
        asked.changes, asked.epoch_samples, _beside(asked.model_path, ".looks"),
    )  # fmt: skip
    network = build(asked.network, asked.size, asked.recipe.seed, asked.holes)
    checkpoint = _beside(asked.model_path, ".training")
    options = Options(
        recipe=asked.recipe, checkpoint=checkpoint, resume=asked.resume, log_file=asked.log_file,
        quiet=asked.quiet,
    )  # fmt: skip
    with running() as place, tracking(asked.tracked_in, EXPERIMENT, asked.network, place) as tracker:
        if place.leads and not checkpoint.exists():
            _forget(lesson)
        place.wait()
        tracker.params(_told_of(asked))
        fitted = learn(network, lesson, options, place, tracker=tracker, stop=stop)
        if not place.leads:
            return None
        if fitted.best is None:
            raise UsageError(f"{asked.model_path}: was stopped before the first epoch had ended: no network")
        save_model(asked.model_path, PrintabilityModel(network, _about(asked, parts, fitted.best)))
        tracker.artifact(asked.model_path)
    if fitted.ended != "asked to stop":
        checkpoint.unlink(missing_ok=True)
        _forget(lesson)
    return _trained(asked, lesson, network, fitted, fitted.best)


def learn(
    network: nn.Module,
    lesson: Lesson,
    options: Options,
    place: Place,
    *,
    tracker: Tracker | None = None,
    stop: threading.Event | None = None,
    told: Callable[[Epoch], None] | None = None,
) -> Fitted:
    """Fit a network to a lesson, and leave it on the CPU with the weights of its best epoch.

    Batch norms take their statistics over the whole batch, as one process would. Raises UsageError for a
    batch, or an epoch, that cannot be shared out evenly.
    """
    placed(network, place.device)
    _check_shared(lesson, place)
    taught = with_shared_norms(network, place.device) if place.world > 1 else network
    through_holes = isinstance(taught, ThroughHoles)
    teacher = partial(HoleLearner, kept_in=lesson.kept_in) if through_holes else PrintabilityLearner
    learner = teacher(
        taught, lesson.parts, lesson.split, place,
        size=lesson.size, batch_size=lesson.batch_size, seed=options.recipe.seed, changes=lesson.changes,
        epoch_samples=lesson.epoch_samples,
    )  # fmt: skip
    fitted = fit(learner, options, place, tracker or NoTracker(), stop=stop, told=told)
    if isinstance(learner, HoleLearner) and isinstance(network, ThroughHoles):
        held = lesson.split.validation
        calibrate(network.eval(), learner.evidence(held), torch.from_numpy(~lesson.parts.labels[held]))
    network.to("cpu")
    return fitted


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _forget(lesson: Lesson) -> None:
    if lesson.kept_in is not None:
        shutil.rmtree(lesson.kept_in, ignore_errors=True)


def _some(indices: Indices, asked: PrintabilityTraining) -> Indices:
    """The same ones in every epoch, drawn by the recipe's seed."""
    return np.sort(indices[order(len(indices), asked.recipe.seed, 0)[: asked.validation_samples]])


def _check_shared(lesson: Lesson, place: Place) -> None:
    """Norms that are shared wait for all ranks: no rank may have a batch less than another."""
    if lesson.batch_size % place.world:
        raise UsageError(
            f"found a batch of {lesson.batch_size} samples for {place.world} processes, expected a multiple: "
            "change --batch-size, or torchrun's --nproc-per-node"
        )
    samples = min(len(lesson.split.train), lesson.epoch_samples or len(lesson.split.train))
    if samples < place.world:
        raise UsageError(
            f"found {samples} samples an epoch for {place.world} processes, expected one for each: "
            "take fewer processes"
        )


def _about(asked: PrintabilityTraining, parts: Parts, best: Epoch) -> About:
    return About(
        network=asked.network, size=asked.size, holes=asked.holes, rules=parts.making.rules(asked.holes),
        split=asked.how, seed=asked.recipe.seed, balanced=asked.balanced, figures=best.metrics,
    )  # fmt: skip


def _trained(
    asked: PrintabilityTraining, lesson: Lesson, network: nn.Module, fitted: Fitted, best: Epoch
) -> Trained:
    sides = lesson.split._asdict()
    return Trained(
        model_path=str(asked.model_path),
        network=asked.network,
        size=asked.size,
        holes=asked.holes,
        split=asked.how,
        parameters=parameters(network),
        samples={name: len(indices) for name, indices in sides.items()},
        parts={name: len(set(lesson.parts.groups[indices].tolist())) for name, indices in sides.items()},
        epochs=len(fitted.history),
        best_epoch=best.number,
        ended=fitted.ended,
        figures=best.metrics,
    )


def _told_of(asked: PrintabilityTraining) -> dict[str, object]:
    return {
        "network": asked.network, "size": asked.size, "holes": asked.holes.value, "split": asked.how,
        "balanced": asked.balanced, "batch_size": asked.batch_size, "epoch_samples": asked.epoch_samples,
        "validation_samples": asked.validation_samples,
        **asked.changes._asdict(),
    }  # fmt: skip
