"""The contract between the training loop and what is learnt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol, TypeVar

from torch import Tensor, nn

from ingest.errors import NozzlewatchError

Batch = TypeVar("Batch")


class NotFinite(NozzlewatchError):
    """A training that went astray: its loss, gradient or goal is NaN or infinite. Nothing was written."""


class Loss(NamedTuple):
    """A batch's loss: a scalar to differentiate, the mean over ``samples`` samples, or over weights that are
    ``samples`` together (above 0)."""

    mean: Tensor
    samples: float


class Learner(Protocol[Batch]):
    """What is learnt: a network, its batches, its loss and how good it is. ``fit`` calls it from one thread.

    ``network`` lies on the place's device and is in training mode in ``loss``, in evaluation mode (and
    without gradients) in ``validate``. ``goal`` names the metric of ``validate`` that chooses the best epoch.
    """

    network: nn.Module
    goal: str
    higher_is_better: bool

    def rate_factor(self, name: str) -> float:
        """What the learning rate of a parameter is multiplied by, by its name in the network: 1 as a rule."""
        ...

    def batches(self, epoch: int) -> Iterable[Batch]:
        """This rank's batches of an epoch, counted from 1 (see ``Place.share`` and ``order``).

        The same epoch gives the same batches: draw from the epoch's number, or from torch's own generator,
        which is seeded anew at its start. Ranks may have different numbers of batches.
        """
        ...

    def loss(self, batch: Batch) -> Loss:
        """The loss of one batch on this rank; moves the batch to the device itself."""
        ...

    def validate(self) -> Mapping[str, float]:
        """Metrics over the validation data of all ranks, the same on each (``Place.mean``, ``total``)."""
        ...
