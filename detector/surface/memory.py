"""What a network remembers of the pictures that it learned from: their embeddings.

They tell pictures of something else apart ("none of these"), and let a network learn further classes without
the pictures of its first ones.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from detector.model.engine import Floats

NEAREST = 3
"""A single remembered picture may be an odd one."""
LEAST_SPREAD = 1e-3
"""A number that is the same for all learned pictures must not decide by its rounding alone."""
PER_CLASS = 200
"""Most pictures of a class that are remembered: 0.2 MB at a width of 512."""


class Memory(NamedTuple):
    """``embeddings`` float16 [m, width] of learned pictures and their ``labels`` int64 [m]."""

    embeddings: Tensor
    labels: Tensor

    def unlikeness(self, embeddings: Floats) -> Floats:
        """How far each picture is from those learned: float32 [n, width] -> [n].

        The mean distance to the NEAREST of them, every number of an embedding measured by its own spread over
        them: what hardly ever differs between learned pictures tells most about others.
        """
        known = self.embeddings.float()
        mean, spread = known.mean(0), known.std(0, correction=0) + LEAST_SPREAD
        apart = torch.cdist(
            (torch.from_numpy(embeddings) - mean) / spread,
            (known - mean) / spread,
            compute_mode="donot_use_mm_for_euclid_dist",
        )
        nearest = apart.topk(min(NEAREST, len(known)), largest=False).values
        return np.asarray(nearest.mean(1).numpy() / np.sqrt(known.shape[1]), np.float32)


def remembered(embeddings: Floats, labels: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Memory:
    """A memory of at most PER_CLASS pictures of each class, the first ones."""
    chosen = [np.flatnonzero(labels == label)[:PER_CLASS] for label in np.unique(labels)]
    those = np.sort(np.concatenate(chosen))
    return Memory(torch.from_numpy(embeddings[those]).half(), torch.from_numpy(labels[those]))


def joined(first: Memory, second: Memory) -> Memory:
    """Both memories as one."""
    return Memory(*(torch.cat(pair) for pair in zip(first, second, strict=True)))
