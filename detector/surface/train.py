"""Training of a surface network on a folder of pictures for each class.

torchrun --nproc-per-node 2 -m nozzlewatch surface train --data-dir DIR      (or without torchrun)
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from detector.model.weights import load_weights
from detector.surface.dataset import Indices, Split, Surfaces, load, normalised, split
from detector.surface.model_file import About, SurfaceModel, save_model
from detector.surface.networks import DEFAULT_TYPE, SurfaceNetwork, build, parameters
from detector.training.distributed import Place, order, running
from detector.training.learner import Loss
from detector.training.loop import fit
from detector.training.recipe import Options, Recipe
from detector.training.tracking import tracking
from features.augment import for_surfaces
from ingest.errors import UsageError

EXPERIMENT = "surface"
VALIDATION_BATCH = 64


class SurfaceTraining(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for. ``classes``: how many the user expects, None for as many as there are folders.

    ``validation`` is the share of each class that chooses the best epoch; ``trunk`` a file with SqueezeNet's
    weights, None to begin with random ones; ``varied``: whether pictures are turned, cropped and relit.
    """

    folder: Path
    model_path: Path
    recipe: Recipe
    model_type: str = DEFAULT_TYPE
    classes: int | None = None
    batch_size: int = 32
    validation: float = 0.2
    trunk: Path | None = None
    varied: bool = True
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


class Batch(NamedTuple):
    """Pictures as the network reads them, float32 [n, 3, side, side], and their classes, int64 [n]."""

    pictures: Tensor
    targets: Tensor


class SurfaceLearner:
    """Cross-entropy over the classes of a dataset; the best epoch is that of the lowest validation loss.

    (By accuracy many epochs of a small validation part are equally good.)
    """

    goal, higher_is_better = "loss", False

    def __init__(
        self,
        network: SurfaceNetwork,
        dataset: Surfaces,
        parts: Split,
        place: Place,
        *,
        batch_size: int,
        seed: int,
        varied: bool,
    ) -> None:
        self.network: nn.Module = network
        self._dataset, self._parts, self._place = dataset, parts, place
        self._own_batch = max(batch_size // place.world, 1)
        self._seed, self._varied = seed, varied

    def batches(self, epoch: int) -> _Batches:
        """As ``Learner.batches``."""
        drawn = self._parts.train[order(len(self._parts.train), self._seed, epoch)]
        random = np.random.default_rng([self._seed, epoch, self._place.rank]) if self._varied else None
        return _Batches(self._dataset, self._place.share(drawn), self._own_batch, random)

    def loss(self, batch: Batch) -> Loss:
        """As ``Learner.loss``."""
        logits, targets = self._judged(batch)
        return Loss(torch.nn.functional.cross_entropy(logits, targets), len(targets))

    def validate(self) -> Mapping[str, float]:
        """``loss`` and ``accuracy`` over the validation pictures."""
        own = self._place.share(self._parts.validation)
        loss = right = 0.0
        for batch in _Batches(self._dataset, own, VALIDATION_BATCH, None):
            logits, targets = self._judged(batch)
            loss += float(torch.nn.functional.cross_entropy(logits, targets, reduction="sum"))
            right += float((logits.argmax(1) == targets).sum())
        share = max(len(own), 1)
        return self._place.mean({"loss": loss / share, "accuracy": right / share}, len(own))

    def _judged(self, batch: Batch) -> tuple[Tensor, Tensor]:
        device = self._place.device
        return self.network(batch.pictures.to(device)), batch.targets.to(device)


def train(asked: SurfaceTraining, stop: threading.Event) -> Trained | None:
    """Train, and write the network of the best epoch; None on ranks that do not lead.

    The training's checkpoint lies beside the network's file until it is finished: a training that was stopped
    goes on from there with ``resume``. Raises UsageError, SourceError, NotFinite.
    """
    dataset = load(asked.folder)
    if asked.classes not in (None, len(dataset.classes)):
        raise UsageError(
            f"{asked.folder}: found {len(dataset.classes)} classes ({', '.join(dataset.classes)}), expected "
            f"{asked.classes} as --num-classes says: name the right folder, or leave the option out"
        )
    parts = split(dataset, 1.0 - asked.validation, asked.validation, 0, asked.recipe.seed)
    trunk = load_weights(asked.trunk).tensors if asked.trunk else None
    network = build(asked.model_type, len(dataset.classes), trunk, asked.recipe.seed)
    checkpoint = asked.model_path.with_name(asked.model_path.name + ".training")
    with (
        running() as place,
        tracking(asked.tracked_in, EXPERIMENT, asked.folder.name, place) as tracker,
    ):
        options = Options(
            recipe=asked.recipe,
            checkpoint=checkpoint,
            resume=asked.resume,
            log_file=asked.log_file,
            quiet=asked.quiet,
        )
        learner = SurfaceLearner(
            network.to(place.device), dataset, parts, place,
            batch_size=asked.batch_size, seed=asked.recipe.seed, varied=asked.varied,
        )  # fmt: skip
        tracker.params(
            {"model_type": asked.model_type, "batch_size": asked.batch_size, "varied": asked.varied}
        )
        fitted = fit(learner, options, place, tracker, stop=stop)
        if not place.leads:
            return None
        if fitted.best is None:
            raise UsageError(f"{asked.model_path}: was stopped before the first epoch had ended: no network")
        about = About(
            model_type=asked.model_type,
            classes=dataset.classes,
            side=dataset.side,
            figures=fitted.best.metrics,
        )
        save_model(asked.model_path, SurfaceModel(network, about))
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


class _Batches:
    """Some pictures of a dataset, batch by batch."""

    def __init__(
        self, dataset: Surfaces, indices: Indices, size: int, random: np.random.Generator | None
    ) -> None:
        self._dataset, self._random = dataset, random
        self._parts = [indices[begin : begin + size] for begin in range(0, len(indices), size)]

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[Batch]:
        for part in self._parts:
            pixels = self._dataset.pixels(part)
            if self._random is not None:
                pixels = for_surfaces(pixels, self._random)
            yield Batch(normalised(pixels), self._dataset.targets(part))
