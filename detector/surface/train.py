"""Training of a surface network on a folder of pictures for each class.

torchrun --nproc-per-node 2 -m nozzlewatch surface train --data-dir DIR      (or without torchrun)
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import torch
from torch import Tensor

from detector.model.weights import load_weights
from detector.surface.dataset import Split, Surfaces, load, split
from detector.surface.learner import Changes, SurfaceLearner
from detector.surface.model_file import About, SurfaceModel, save_model
from detector.surface.networks import DEFAULT_TYPE, SurfaceNetwork, build, parameters, trunk_tensors
from detector.surface.remembering import with_memory
from detector.training.checkpoint import Epoch
from detector.training.distributed import Place, running
from detector.training.loop import Fitted, fit
from detector.training.recipe import Options, Recipe
from detector.training.tracking import NoTracker, Tracker, tracking
from ingest.errors import UsageError

EXPERIMENT = "surface"
WARMUP_STEPS = 20
TRUNK_RATE = 0.1
"""A trunk that begins with trained weights learns at this share of the rate of what begins at random."""


class SurfaceTraining(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. ``classes``: how many the user expects, None for as many as there are folders.

    ``validation`` is the share of each class that chooses the best epoch; ``trunk`` a file with SqueezeNet's
    weights, None to begin with random ones; ``trunk_rate`` is its rate as a share of that of all else;
    ``sound`` names the classes that are no defect.
    """

    folder: Path
    model_path: Path
    recipe: Recipe
    model_type: str = DEFAULT_TYPE
    classes: int | None = None
    sound: tuple[str, ...] = ()
    batch_size: int = 32
    validation: float = 0.2
    trunk: Path | None = None
    changes: Changes = Changes()
    repeated: bool = True
    trunk_rate: float = TRUNK_RATE
    log_file: Path | None = None
    tracked_in: Path | None = None
    resume: bool = False
    quiet: bool = False


class Trained(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it; ``figures`` of the best epoch on the validation pictures."""

    model_path: str
    model_type: str
    classes: tuple[str, ...]
    parameters: int
    pictures: dict[str, int]
    epochs: int
    best_epoch: int
    ended: str
    figures: dict[str, float]


class Lesson(NamedTuple):
    """From what a network learns, and how its pictures are shown; see ``SurfaceLearner``."""

    dataset: Surfaces
    parts: Split
    batch_size: int = 32
    changes: Changes = Changes()
    repeated: bool = True
    trunk_rate: float = TRUNK_RATE


def improved(epochs: int, rate: float, seed: int, patience: int | None = None) -> Recipe:
    """Our way: AdamW with a short warm-up and a falling rate."""
    return Recipe(epochs=epochs, patience=patience, rate=rate, warmup_steps=WARMUP_STEPS, seed=seed)


def published(epochs: int, rate: float, seed: int, patience: int | None = None) -> Recipe:
    """The authors' way: Adam at a constant rate."""
    return Recipe(
        epochs=epochs, patience=patience, rate=rate, seed=seed, schedule="constant", decay=0.0, clip_norm=None
    )


def train(asked: SurfaceTraining, stop: threading.Event) -> Trained | None:
    """Train, and write the network of the best epoch; None on ranks that do not lead.

    The training's checkpoint lies beside the network's file until it is finished: a training that was stopped
    goes on from there with ``resume``. Raises UsageError, SourceError, NotFinite.
    """
    dataset = load(asked.folder)
    _check_classes(asked, dataset)
    parts = split(dataset, 1.0 - asked.validation, asked.validation, 0, asked.recipe.seed)
    network = build(asked.model_type, len(dataset.classes), trunk_of(asked.trunk), asked.recipe.seed)
    checkpoint = asked.model_path.with_name(asked.model_path.name + ".training")
    options = Options(
        recipe=asked.recipe, checkpoint=checkpoint, resume=asked.resume, log_file=asked.log_file,
        quiet=asked.quiet,
    )  # fmt: skip
    lesson = Lesson(dataset, parts, asked.batch_size, asked.changes, asked.repeated, asked.trunk_rate)
    with (
        running() as place,
        tracking(asked.tracked_in, EXPERIMENT, asked.folder.name, place) as tracker,
    ):
        tracker.params(_told_of(asked))
        fitted = learn(network, lesson, options, place, tracker=tracker, stop=stop)
        if not place.leads:
            return None
        if fitted.best is None:
            raise UsageError(f"{asked.model_path}: was stopped before the first epoch had ended: no network")
        about = About(
            model_type=asked.model_type, classes=dataset.classes, side=dataset.side, sound=asked.sound,
            figures=fitted.best.metrics,
        )  # fmt: skip
        save_model(asked.model_path, with_memory(SurfaceModel(network, about), dataset, parts))
        tracker.artifact(asked.model_path)
    if fitted.ended != "asked to stop":
        checkpoint.unlink(missing_ok=True)
    return Trained(
        model_path=str(asked.model_path),
        model_type=asked.model_type,
        classes=dataset.classes,
        parameters=parameters(network),
        pictures={"train": len(parts.train), "validation": len(parts.validation)},
        epochs=len(fitted.history),
        best_epoch=fitted.best.number,
        ended=fitted.ended,
        figures=fitted.best.metrics,
    )


def learn(
    network: SurfaceNetwork,
    lesson: Lesson,
    options: Options,
    place: Place,
    *,
    tracker: Tracker | None = None,
    stop: threading.Event | None = None,
    told: Callable[[Epoch], None] | None = None,
) -> Fitted:
    """Fit a network to a lesson, and leave it on the CPU with the weights of its best epoch."""
    # Channels last: convolutions on a CPU take less time so.
    network.to(place.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    learner = SurfaceLearner(
        network, lesson.dataset, lesson.parts, place,
        batch_size=lesson.batch_size, seed=options.recipe.seed, changes=lesson.changes,
        repeated=lesson.repeated, trunk_rate=lesson.trunk_rate,
    )  # fmt: skip
    fitted = fit(learner, options, place, tracker or NoTracker(), stop=stop, told=told)
    network.to("cpu")
    return fitted


def trunk_of(file: Path | None) -> Mapping[str, Tensor] | None:
    """The trunk's weights to begin with, None for random ones; of a surface network, those of its trunk.

    Raises UsageError.
    """
    return trunk_tensors(load_weights(file).tensors) if file else None


def _check_classes(asked: SurfaceTraining, dataset: Surfaces) -> None:
    found = ", ".join(dataset.classes)
    if asked.classes not in (None, len(dataset.classes)):
        raise UsageError(
            f"{asked.folder}: found {len(dataset.classes)} classes ({found}), expected "
            f"{asked.classes} as --num-classes says: name the right folder, or leave the option out"
        )
    if unknown := set(asked.sound) - set(dataset.classes):
        raise UsageError(
            f"--sound: found {', '.join(sorted(unknown))}, expected names of the classes that are no defect, "
            f"out of {found}"
        )


def _told_of(asked: SurfaceTraining) -> dict[str, object]:
    return {"model_type": asked.model_type, "batch_size": asked.batch_size, **asked.changes._asdict()}
