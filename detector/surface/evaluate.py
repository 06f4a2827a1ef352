"""How good a surface network is on pictures that it never saw: figures with intervals."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import numpy as np
import torch

from detector.surface.dataset import Indices, Noise, Surfaces, load
from detector.surface.model_file import SurfaceModel, load_model
from detector.training.intervals import Interval, wilson
from detector.training.metrics import accuracy, calibration_error, confusion, macro, per_class
from ingest.errors import UsageError

MS_PER_S = 1e3


class ClassFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One class: how many pictures it has, and how well it is told."""

    pictures: int
    precision: float
    recall: float
    f1: float


class Evaluated(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one network on one folder; ``confusion`` has a row per true class.

    ``accuracy_ci`` is Wilson's 95 % interval: of these pictures, not of other trainings.
    ``ms_per_picture`` is what the network takes for one at a time, reading left out.
    """

    model_path: str
    folder: str
    model_type: str
    pictures: int
    noise_db: float | None
    accuracy: float
    accuracy_ci: tuple[float, float]
    precision: float
    recall: float
    f1: float
    calibration_error: float
    classes: dict[str, ClassFigures]
    confusion: list[list[int]]
    ms_per_picture: float


def evaluate(
    model_path: Path, folder: Path, *, batch_size: int = 32, noise_db: float | None = None, seed: int = 0
) -> Evaluated:
    """Judge every picture of a class-per-folder dataset, with noise at a signal-to-noise ratio if asked.

    Raises UsageError, SourceError.
    """
    model, dataset = load_model(model_path), load(folder)
    if dataset.classes != model.about.classes:
        raise UsageError(
            f"{folder}: found the classes {', '.join(dataset.classes)}, expected those that {model_path} was "
            f"trained on: {', '.join(model.about.classes)}"
        )
    noise = None if noise_db is None else Noise(noise_db, seed)
    shares = probabilities(model, dataset, np.arange(len(dataset)), batch_size, noise)
    guesses = shares.argmax(1)
    right = guesses == dataset.labels
    counts = confusion(dataset.labels, guesses, len(dataset.classes))
    share: Interval = wilson(int(right.sum()), len(right))
    each = per_class(counts)
    return Evaluated(
        model_path=str(model_path),
        folder=str(folder),
        model_type=model.about.model_type,
        pictures=len(dataset),
        noise_db=noise_db,
        accuracy=accuracy(dataset.labels, guesses),
        accuracy_ci=(share.low, share.high),
        **macro(counts),
        calibration_error=calibration_error(shares.max(1), right),
        classes={
            name: ClassFigures(
                pictures=int(counts[number].sum()),
                precision=float(each.precision[number]),
                recall=float(each.recall[number]),
                f1=float(each.f1[number]),
            )
            for number, name in enumerate(dataset.classes)
        },
        confusion=counts.tolist(),
        ms_per_picture=ms_per_picture(model, dataset),
    )


@torch.inference_mode()
def probabilities(
    model: SurfaceModel, dataset: Surfaces, indices: Indices, batch_size: int, noise: Noise | None = None
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Of each picture the probability of each class: float64 [n, classes]."""
    parts = [indices[begin : begin + batch_size] for begin in range(0, len(indices), batch_size)]
    judged = [model.network(dataset.batch(part, noise)).double().softmax(1).numpy() for part in parts]
    return np.concatenate(judged)


@torch.inference_mode()
def ms_per_picture(model: SurfaceModel, dataset: Surfaces, tries: int = 20) -> float:
    """Median time for one picture at a time, ms, after a first one that warms up."""
    took = []
    for number in range(tries + 1):
        picture = dataset.batch(np.array([number % len(dataset)]))
        began_s = time.perf_counter()
        model.network(picture)
        took.append(time.perf_counter() - began_s)
    return float(np.median(took[1:]) * MS_PER_S)
