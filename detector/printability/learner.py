"""What the training loop needs to know of printability: batches of drilled parts, the loss, the figures."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from detector.printability.batches import Batches
from detector.printability.dataset import Indices, Parts, Split
from detector.training.distributed import Place, order
from detector.training.learner import Loss
from detector.training.metrics import roc_auc
from features.silhouettes import Occupied

MOST_THREADS = 16
LAYOUT = torch.channels_last_3d
"""Of voxels, as that of weights (``networks.placed``)."""


class Changes(NamedTuple):
    """How a sample differs each time it is learned from.

    ``turned``: by right angles, as its set of holes allows. ``places``: in how many places its hole is, one
    an epoch in turn, first where it was made; None: in a new one in every epoch, without end.
    """

    turned: bool = True
    places: int | None = 1

    def place(self, epoch: int) -> int | None:
        """In which of its places a hole is in this epoch, from 0; None: in a new one."""
        return None if self.places is None else (epoch - 1) % self.places


AS_THEY_ARE = Changes(turned=False)


class Batch(NamedTuple):
    """Voxels uint8 [n, 1, size, size, size] of 0 and 1, and whether they are printable, float32 [n]."""

    voxels: Tensor
    targets: Tensor


class PrintabilityLearner:
    """Binary cross-entropy over logits; the best epoch is that of the lowest validation loss."""

    goal, higher_is_better = "loss", False

    def __init__(
        self,
        network: nn.Module,
        parts: Parts,
        part_of: Split,
        place: Place,
        *,
        size: int,
        batch_size: int,
        seed: int,
        changes: Changes = AS_THEY_ARE,
        epoch_samples: int | None = None,
    ) -> None:
        """``epoch_samples``: most samples of an epoch, drawn anew in each; None for all of them."""
        self.network: nn.Module = network
        self._parts, self._split, self._place, self._size = parts, part_of, place, size
        self._batch, self._seed, self._changes = batch_size, seed, changes
        self._epoch_samples = epoch_samples

    def rate_factor(self, name: str) -> float:
        """As ``Learner.rate_factor``."""
        del name
        return 1.0

    def batches(self, epoch: int) -> Batches[Occupied, Batch]:
        """As ``Learner.batches``."""

        return self._of_voxels(self._drawn(epoch), lambda index: self._changed(index, epoch))

    def loss(self, batch: Batch) -> Loss:
        """As ``Learner.loss``."""
        logits, targets = self._judged(batch)
        return Loss(binary_cross_entropy_with_logits(logits, targets), len(targets))

    def validate(self) -> Mapping[str, float]:
        """``loss``, ``accuracy`` and ``auc`` over the validation samples, as they are."""
        own = self._place.share(self._split.validation)
        batches = self._of_voxels(own, self._as_is)
        judged = [torch.stack(self._judged(batch), 1).double().cpu().numpy() for batch in batches]
        return figures(self._place.gather(np.concatenate(judged) if judged else np.zeros((0, 2))))

    def _drawn(self, epoch: int) -> Indices:
        """This rank's samples of an epoch. What is left after the last whole batch is learned from in others:
        batch norm takes nothing good from a few samples, and nothing at all from one."""
        drawn = order(len(self._split.train), self._seed, epoch)[: self._epoch_samples]
        whole = max(len(drawn) - len(drawn) % self._batch, min(len(drawn), self._batch))
        return self._place.share(self._split.train[drawn[:whole]])

    def _of_voxels(self, indices: Indices, read: Callable[[int], Occupied]) -> Batches[Occupied, Batch]:
        return Batches(
            indices, self._own(self._batch), read, partial(voxel_batch, self._parts), self._threads()
        )

    def _changed(self, index: int, epoch: int) -> Occupied:
        """A sample as it looks in this epoch, whichever rank reads it."""
        random = np.random.default_rng((self._seed, epoch, index))
        turn = int(random.choice(self._parts.holes.turns)) if self._changes.turned else 0
        return self._parts.occupied(index, self._size, turn, self._placing(index, epoch, random))

    def _placing(self, index: int, epoch: int, random: np.random.Generator) -> np.random.Generator | None:
        """By what chance a sample's hole is placed in this epoch; None: it is where it was made."""
        place = self._changes.place(epoch)
        if place is None:
            return random
        return np.random.default_rng((self._seed, index, place)) if place else None

    def _as_is(self, index: int) -> Occupied:
        return self._parts.occupied(index, self._size)

    def _judged(self, batch: Batch) -> tuple[Tensor, Tensor]:
        device = self._place.device
        logits: Tensor = self.network(batch.voxels.to(device, memory_format=LAYOUT).float())
        return logits.float(), batch.targets.to(device)

    def _own(self, batch: int) -> int:
        return max(batch // self._place.world, 1)

    def _threads(self) -> int:
        return max(1, min(MOST_THREADS, os.cpu_count() or 1) // self._place.world)


def figures(rows: npt.NDArray[np.float64]) -> dict[str, float]:
    """``loss``, ``accuracy`` and ``auc`` of logits beside targets of 0 and 1, float64 [n, 2]."""
    logits, targets = torch.from_numpy(rows).unbind(1)
    right = (logits > 0) == (targets > 0.5)  # noqa: PLR2004 - 0 or 1
    return {
        "loss": float(binary_cross_entropy_with_logits(logits, targets)),
        "accuracy": float(right.double().mean()),
        "auc": roc_auc(rows[:, 0], rows[:, 1] > 0.5),  # noqa: PLR2004
    }


def voxel_batch(parts: Parts, indices: Indices, grids: Sequence[Occupied]) -> Batch:
    """The grids bool [size, size, size] of samples, as a batch."""
    voxels = torch.from_numpy(np.stack(grids).view(np.uint8)[:, None])
    return Batch(voxels, torch.from_numpy(parts.labels[indices].astype(np.float32)))
