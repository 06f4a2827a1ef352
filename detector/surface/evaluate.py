"""How good a surface network is on pictures that it never saw: figures with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from detector.model.engine import EngineName, Floats
from detector.surface.curve import Curve
from detector.surface.dataset import Indices, Noise, Surfaces, load
from detector.surface.inspect import BATCH
from detector.surface.judging import Judge
from detector.surface.model_file import SurfaceModel, load_model
from detector.training.intervals import wilson
from detector.training.metrics import accuracy, calibration_error, confusion, macro, per_class
from ingest.errors import UsageError


class ClassFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One class: how many pictures it has, and how well it is told."""

    pictures: int
    precision: float
    recall: float
    f1: float


class Share(msgspec.Struct, frozen=True):
    """A share of right guesses with Wilson's 95 % interval: of these pictures, not of other trainings."""

    accuracy: float
    ci: tuple[float, float]


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one network on one folder; ``confusion`` has a row per true class.

    ``noise`` is the accuracy by signal-to-noise ratio, dB; ``per_class`` that of networks of the same type by
    the number of pictures of each class that they were trained on. ``none_of_these`` is the share of the
    pictures that would be called none of the classes; None where the model remembers nothing.
    ``ms_per_picture`` is what the network takes for one at a time, reading left out.
    """

    model_path: str
    folder: str
    model_type: str
    pictures: int
    accuracy: float
    accuracy_ci: tuple[float, float]
    precision: float
    recall: float
    f1: float
    calibration_error: float
    none_of_these: float | None
    classes: dict[str, ClassFigures]
    confusion: list[list[int]]
    noise: dict[str, Share]
    per_class: dict[int, Share]
    ms_per_picture: float


def evaluate(
    model_path: Path,
    folder: Path,
    *,
    batch_size: int = BATCH,
    noise_db: Sequence[float] = (),
    seed: int = 0,
    curve: Curve | None = None,
    engine: EngineName = "auto",
) -> Evaluated:
    """Judge every picture of a class-per-folder dataset; again with noise at each ratio asked for.

    Raises UsageError, SourceError.
    """
    model, dataset = load_model(model_path), load(folder)
    _check_classes(model, model_path, dataset, folder)
    judge, everything = Judge(model, engine), np.arange(len(dataset))
    judged = judge.judge(dataset, everything, batch_size=batch_size)
    guesses = judged.shares.argmax(1)
    counts = confusion(dataset.labels, guesses, len(dataset.classes))
    clear = share(dataset.labels, guesses)
    noised = {db: judge.judge(dataset, everything, noise=Noise(db, seed)).shares for db in noise_db}
    return Evaluated(
        model_path=str(model_path),
        folder=str(folder),
        model_type=model.about.model_type,
        pictures=len(dataset),
        accuracy=clear.accuracy,
        accuracy_ci=clear.ci,
        **macro(counts),
        calibration_error=calibration_error(judged.shares.max(1), guesses == dataset.labels),
        none_of_these=unlike_share(model, judged.embeddings),
        classes=_by_class(counts, dataset.classes),
        confusion=counts.tolist(),
        noise={f"{db:g}": share(dataset.labels, shares.argmax(1)) for db, shares in noised.items()},
        per_class=_curve(curve, model, dataset) if curve is not None else {},
        ms_per_picture=judge.ms_per_picture(dataset),
    )


def share(labels: Indices, guesses: Indices) -> Share:
    """The share of right guesses, both int64 [n]."""
    _, low, high = wilson(int((labels == guesses).sum()), len(labels))
    return Share(accuracy(labels, guesses), (low, high))


def unlike_share(model: SurfaceModel, embeddings: Floats) -> float | None:
    """Of pictures with these embeddings [n, width], the share that is none of the model's classes."""
    if model.memory is None:
        return None
    return float((model.memory.unlikeness(embeddings) >= 1).mean())


def _curve(curve: Curve, model: SurfaceModel, dataset: Surfaces) -> dict[int, Share]:
    everything = np.arange(len(dataset))
    return {
        count: share(dataset.labels, Judge(trained).judge(dataset, everything).shares.argmax(1))
        for count, trained in curve.models(model.about.model_type, dataset.classes)
    }


def _by_class(counts: Indices, classes: Sequence[str]) -> dict[str, ClassFigures]:
    each = per_class(counts)
    return {
        name: ClassFigures(
            pictures=int(counts[number].sum()),
            precision=float(each.precision[number]),
            recall=float(each.recall[number]),
            f1=float(each.f1[number]),
        )
        for number, name in enumerate(classes)
    }


def _check_classes(model: SurfaceModel, model_path: Path, dataset: Surfaces, folder: Path) -> None:
    if dataset.classes != model.about.classes:
        raise UsageError(
            f"{folder}: found the classes {', '.join(dataset.classes)}, expected those that {model_path} was "
            f"trained on: {', '.join(model.about.classes)}"
        )
