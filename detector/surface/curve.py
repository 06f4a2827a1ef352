"""How much it takes: networks trained on fewer and fewer pictures of each class."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from detector.surface.dataset import load, reduced, split
from detector.surface.model_file import About, SurfaceModel
from detector.surface.networks import build, takes_trunk
from detector.surface.train import TRUNK_RATE, Lesson, improved, learn, trunk_of
from detector.training.distributed import Place
from detector.training.recipe import Options
from ingest.errors import UsageError


class Curve(NamedTuple):
    """Which networks to train: on so many pictures of each class of ``folder``, our way.

    A share ``validation`` of each class chooses the best epoch and is never learned from.
    """

    folder: Path
    per_class: Sequence[int]
    epochs: int = 10
    rate: float = 3e-3
    validation: float = 0.2
    trunk: Path | None = None
    seed: int = 0
    quiet: bool = False

    def models(
        self, model_type: str, classes: Sequence[str], stop: threading.Event | None = None
    ) -> Iterator[tuple[int, SurfaceModel]]:
        """Each count with its network, which remembers nothing. Raises UsageError, SourceError, NotFinite."""
        dataset = load(self.folder)
        if dataset.classes != tuple(classes):
            raise UsageError(
                f"{self.folder}: found the classes {', '.join(dataset.classes)}, expected those that are to "
                f"be judged: {', '.join(classes)}"
            )
        parts = split(dataset, 1.0 - self.validation, self.validation, 0, self.seed)
        recipe = improved(self.epochs, self.rate, self.seed)
        trunk = trunk_of(self.trunk) if takes_trunk(model_type) else None
        place = Place(0, 1, torch.device("cpu"))
        for count in self.per_class:
            few = parts._replace(train=reduced(dataset, parts.train, count, self.seed))
            network = build(model_type, len(dataset.classes), trunk, self.seed)
            lesson = Lesson(dataset, few, trunk_rate=TRUNK_RATE if trunk else 1.0)
            learn(network, lesson, Options(recipe=recipe, quiet=self.quiet), place, stop=stop)
            yield count, SurfaceModel(network, About(model_type=model_type, classes=dataset.classes))
