"""The running mean of a network's weights: what its last steps have in common, without the noise of each.

Polyak and Juditsky (SIAM J. Control Optim. 30, 1992); the mean is an exponential one, which forgets where the
training began.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

BEGIN = 10
"""The mean follows at once at first: after n steps it keeps (1 + n) / (BEGIN + n) of itself, at most its own
decay (as TensorFlow's ExponentialMovingAverage does with ``num_updates``)."""


class Averaged:
    """The mean of some parameters over the steps. Equal on all ranks, where these take equal steps."""

    def __init__(self, parameters: Sequence[nn.Parameter], decay: float) -> None:
        """``decay``: what the mean keeps of itself in a step, from 0 to below 1."""
        self._parameters, self._decay = parameters, decay
        self.means = [parameter.detach().clone() for parameter in parameters]

    @torch.no_grad()
    def follow(self, steps: int) -> None:
        """Take in the parameters after so many steps."""
        kept = min(self._decay, (1 + steps) / (BEGIN + steps))
        for mean, parameter in zip(self.means, self._parameters, strict=True):
            mean.lerp_(parameter, 1 - kept)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Within it the network bears the mean; afterwards what it had before."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def restore(self, means: Sequence[Tensor]) -> None:
        """Take on the means of a checkpoint. Raises ValueError for those of other parameters."""
        for mean, other in zip(self.means, means, strict=True):
            mean.copy_(other)

    @torch.no_grad()
    def _swap(self) -> None:
        for mean, parameter in zip(self.means, self._parameters, strict=True):
            own = parameter.detach().clone()
            parameter.copy_(mean)
            mean.copy_(own)
