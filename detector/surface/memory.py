"""What a network remembers of the pictures that it learned from: their embeddings.

They tell pictures of something else apart ("none of these"), and let a network learn further classes without
the pictures of its first ones.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from detector.model.engine import Floats

PER_CLASS = 200
"""Most pictures of a class that are remembered: 0.2 MB at a width of 512."""


class Memory(NamedTuple):
    """``embeddings`` float16 [m, width] of learned pictures and their ``labels`` int64 [m]."""

    embeddings: Tensor
    labels: Tensor

    def unlikeness(self, embeddings: Floats) -> Floats:
        """How far each picture is from the nearest one learned: float32 [n, width] -> [n].

        One less the cosine between the two: 0 for the same direction, 1 for a right angle.
        """
        known = functional.normalize(self.embeddings.float(), dim=1)
        nearest = (functional.normalize(torch.from_numpy(embeddings), dim=1) @ known.T).amax(1)
        return np.asarray(1 - nearest.numpy(), np.float32)


def remembered(embeddings: Floats, labels: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Memory:
    """A memory of at most PER_CLASS pictures of each class, the first ones."""
    chosen = [np.flatnonzero(labels == label)[:PER_CLASS] for label in np.unique(labels)]
    those = np.sort(np.concatenate(chosen))
    return Memory(torch.from_numpy(embeddings[those]).half(), torch.from_numpy(labels[those]))
