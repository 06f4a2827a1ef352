"""What the training loop needs to know of surfaces: batches of changed pictures, the loss, the figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from detector.surface.dataset import Indices, Split, Surfaces, normalised
from detector.surface.networks import SurfaceNetwork, in_trunk
from detector.training.distributed import Place, order
from detector.training.learner import Loss
from features import augment

LEAST_AN_EPOCH, MOST_TIMES = 480, 8
"""Pictures of an epoch: fewer are gone through several times, or an epoch would be a step or two."""
NOISY_SHARE = 0.5
"""So many of the pictures get noise where it is asked for; the others stay as clear as most will be."""
NOISE_DB = ((10.0, 18.0), (22.0, 45.0))
"""Signal-to-noise ratios that are learned from. Tests ask for 20 dB: it is left out, so that they ask for
noise that no training has seen."""
VALIDATION_BATCH = 64


class Changes(NamedTuple):
    """How a picture differs each time it is learned from.

    ``views``: mirrored, cropped and relit; ``turned``: by quarter turns too; ``noise``: in half of them.
    """

    views: bool = True
    turned: bool = False
    noise: bool = True


AS_THEY_ARE = Changes(views=False, noise=False)


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
        changes: Changes,
        repeated: bool = True,
        trunk_rate: float = 1.0,
    ) -> None:
        """``repeated``: a small training part is gone through several times an epoch.

        ``trunk_rate``: the trunk's learning rate, as a share of that of all else.
        """
        self.network: nn.Module = network
        self._own, self._trunk_rate = network, trunk_rate
        self._dataset, self._parts, self._place = dataset, parts, place
        self._own_batch = max(batch_size // place.world, 1)
        self._seed, self._changes = seed, changes
        self._times = min(-(-LEAST_AN_EPOCH // len(parts.train)), MOST_TIMES) if repeated else 1

    def rate_factor(self, name: str) -> float:
        """As ``Learner.rate_factor``."""
        return self._trunk_rate if in_trunk(self._own, name) else 1.0

    def batches(self, epoch: int) -> Batches:
        """As ``Learner.batches``."""
        shown = np.tile(self._parts.train, self._times)
        drawn = shown[order(len(shown), self._seed, epoch)]
        random = np.random.default_rng([self._seed, epoch, self._place.rank])
        return Batches(self._dataset, self._place.share(drawn), self._own_batch, self._changes, random)

    def loss(self, batch: Batch) -> Loss:
        """As ``Learner.loss``."""
        logits, targets = self._judged(batch)
        return Loss(torch.nn.functional.cross_entropy(logits, targets), len(targets))

    def validate(self) -> Mapping[str, float]:
        """``loss`` and ``accuracy`` over the validation pictures."""
        own = self._place.share(self._parts.validation)
        loss = right = 0.0
        for batch in Batches(self._dataset, own, VALIDATION_BATCH):
            logits, targets = self._judged(batch)
            loss += float(torch.nn.functional.cross_entropy(logits, targets, reduction="sum"))
            right += float((logits.argmax(1) == targets).sum())
        share = max(len(own), 1)
        return self._place.mean({"loss": loss / share, "accuracy": right / share}, len(own))

    def _judged(self, batch: Batch) -> tuple[Tensor, Tensor]:
        device = self._place.device
        pictures = batch.pictures.to(device, memory_format=torch.channels_last)
        return self.network(pictures).float(), batch.targets.to(device)


class Batches:
    """Some pictures of a dataset, batch by batch, each changed by chance where that is asked for."""

    def __init__(
        self,
        dataset: Surfaces,
        indices: Indices,
        size: int,
        changes: Changes = AS_THEY_ARE,
        random: np.random.Generator | None = None,
    ) -> None:
        self._dataset, self._changes = dataset, changes
        self._random = random or np.random.default_rng(0)
        self._parts = [indices[begin : begin + size] for begin in range(0, len(indices), size)]

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[Batch]:
        for part in self._parts:
            pixels = changed(self._dataset.pixels(part), self._changes, self._random)
            yield Batch(normalised(pixels), self._dataset.targets(part))


def changed(pixels: Tensor, changes: Changes, random: np.random.Generator) -> Tensor:
    """Pictures [n, 3, side, side] in 0..255 as they may look another time."""
    viewed = augment.for_surfaces(pixels, random, turned=changes.turned) if changes.views else pixels
    if not changes.noise:
        return viewed
    return augment.noise_some(viewed, random, share=NOISY_SHARE, snr_db=NOISE_DB)
