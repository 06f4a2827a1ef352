"""What a network remembers of the pictures that it learned from: their embeddings.

They tell pictures of something else apart ("none of these"), and let a network learn further classes without
the pictures of its first ones.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from detector.model.engine import Floats

Labels: TypeAlias = npt.NDArray[np.int64]

PER_CLASS = 200
"""Most pictures of a class that are remembered: 0.2 MB at a width of 512."""
NEAREST = 3
"""A single remembered picture may be an odd one."""
LEAST_SPREAD = 1e-3
"""A number that is the same for all learned pictures must not decide by its rounding alone."""
LOST = 0.005
"""Share of pictures like the learned ones beyond the limit of each of the two distances."""
MARGIN = 1.1
"""Limits lie so much further out: the pictures that set them are few."""
TINY = 1e-6


class Memory(NamedTuple):
    """``embeddings`` float16 [m, width] of learned pictures and their ``labels`` int64 [m].

    ``limits`` float32 [2] are the distances from which on a picture is none of the classes.
    """

    embeddings: Tensor
    labels: Tensor
    limits: Tensor

    def unlikeness(self, embeddings: Floats) -> Floats:
        """How unlike all learned ones each picture is, none of them from 1 on: float32 [n, width] -> [n]."""
        return np.asarray((self.distances(embeddings) / self.limits.numpy()).max(1), np.float32)

    def distances(self, embeddings: Floats) -> Floats:
        """How far each picture is from those learned, in two ways: float32 [n, width] -> [n, 2].

        Both are means over the NEAREST of them. The first measures every number of an embedding by its own
        spread over the learned pictures, and finds scenes and textures of another kind; the second is one
        less the cosine, and finds other defects of the same kind of surface.
        """
        known, seen = self.embeddings.float(), torch.from_numpy(embeddings)
        mean, spread = known.mean(0), known.std(0, correction=0) + LEAST_SPREAD
        exact = "donot_use_mm_for_euclid_dist"
        scaled = torch.cdist((seen - mean) / spread, (known - mean) / spread, compute_mode=exact)
        turned = 1 - functional.normalize(seen, dim=1) @ functional.normalize(known, dim=1).T
        nearest = [
            each.topk(min(NEAREST, len(known)), largest=False).values.mean(1) for each in (scaled, turned)
        ]
        return np.asarray(torch.stack(nearest, 1).numpy(), np.float32)


def remembered(embeddings: Floats, labels: Labels, others: Floats) -> Memory:
    """A memory of at most PER_CLASS pictures of each class, the first ones.

    ``others`` [n, width] are pictures of the same classes that were not learned from: they set the limits.
    """
    chosen = [np.flatnonzero(labels == label)[:PER_CLASS] for label in np.unique(labels)]
    those = np.sort(np.concatenate(chosen))
    kept = Memory(torch.from_numpy(embeddings[those]).half(), torch.from_numpy(labels[those]), torch.ones(2))
    return limited(kept, others)


def joined(first: Memory, second: Memory, others: Floats) -> Memory:
    """Both memories as one; its limits are at least the first one's."""
    both = Memory(
        torch.cat([first.embeddings, second.embeddings]),
        torch.cat([first.labels, second.labels]),
        torch.ones(2),
    )
    grown = limited(both, others)
    return grown._replace(limits=torch.maximum(grown.limits, first.limits))


def limited(memory: Memory, others: Floats) -> Memory:
    """The memory with limits that all but LOST of some pictures [n, width] keep, with MARGIN."""
    limits = np.quantile(memory.distances(others), 1 - LOST, axis=0) * MARGIN
    return memory._replace(limits=torch.from_numpy(np.maximum(limits, TINY).astype(np.float32)))
