"""A network that learns in milliseconds, and a program that trains it.

``python -m tests.detector.training.tiny FOLDER [--dropout P] [--die-after EPOCH] [--resume]`` leaves
``weights`` and ``log`` in FOLDER; under torchrun all ranks train together. With ``--die-after`` it kills
itself after that epoch, as a power cut would.
"""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from detector.model.weights import save_weights
from detector.training.checkpoint import Epoch
from detector.training.distributed import Place, order, running
from detector.training.learner import Loss
from detector.training.loop import Fitted, fit
from detector.training.recipe import Options, Recipe
from detector.training.tracking import NoTracker

SAMPLES, WIDTH, CLASSES, BATCH = 17, 6, 3, 8
"""Batches of 8, 8 and 1: in the last one the second of two ranks has nothing."""
RECIPE = Recipe(epochs=5, rate=0.05, warmup_steps=4, seed=3, mixed_precision=False)


class TinyLearner:
    """Classes of random points, by a network with dropout where that is asked for."""

    goal = "loss_of_validation"
    higher_is_better = False

    def __init__(self, place: Place, dropout: float = 0.0) -> None:
        generator = torch.Generator().manual_seed(11)
        self.points = torch.randn(SAMPLES, WIDTH, generator=generator).to(place.device)
        self.classes = torch.randint(CLASSES, (SAMPLES,), generator=generator).to(place.device)
        self.place = place
        with torch.random.fork_rng([]):
            torch.manual_seed(7 + place.rank)  # ranks begin differently, and must be made alike
            layers = nn.Linear(WIDTH, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, CLASSES)
            self.network: nn.Module = nn.Sequential(*layers).to(place.device)

    def rate_factor(self, name: str) -> float:
        return 1.0

    def batches(self, epoch: int) -> Iterator[Tensor]:
        mine = torch.from_numpy(self.place.share(order(SAMPLES, RECIPE.seed, epoch)))
        return iter(mine.split(BATCH // self.place.world))

    def loss(self, batch: Tensor) -> Loss:
        return Loss(self._error(batch), len(batch))

    def validate(self) -> Mapping[str, float]:
        mine = torch.from_numpy(self.place.share(range(SAMPLES)))
        return self.place.mean({self.goal: self._error(mine).item()}, len(mine))

    def _error(self, batch: Tensor) -> Tensor:
        return nn.functional.cross_entropy(self.network(self.points[batch]), self.classes[batch])


def run(
    learner: TinyLearner, folder: Path, place: Place, *, die_after: int = 0, resume: bool = False
) -> Fitted:
    def told(epoch: Epoch) -> None:
        if epoch.number == die_after:
            os.kill(os.getpid(), signal.SIGKILL)

    options = Options(
        recipe=RECIPE, checkpoint=folder / "checkpoint", resume=resume, log_file=folder / "log", quiet=True
    )
    fitted = fit(learner, options, place, NoTracker(), told=told)
    if place.leads:
        save_weights(folder / "weights", learner.network, {})
    return fitted


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--die-after", type=int, default=0)
    parser.add_argument("--resume", action="store_true")
    asked = parser.parse_args()
    with running("cpu") as place:
        learner = TinyLearner(place, asked.dropout)
        run(learner, asked.folder, place, die_after=asked.die_after, resume=asked.resume)


if __name__ == "__main__":
    main()
