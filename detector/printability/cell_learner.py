"""How LocalEvidence learns: from clippings of drilled parts, with every cell told what it should say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from detector.printability.dataset import Indices
from detector.printability.defects import Mask, Occupied
from detector.printability.grids import turned
from detector.printability.learner import LAYOUT, PrintabilityLearner, read_ahead
from detector.printability.local_evidence import AROUND, CELL, LocalEvidence
from detector.training.learner import Loss

SIDE = 64
"""Voxels along each side of a clipping, at most."""
AT_THE_HOLE = 0.85
"""So many clippings of drilled parts hold the hole; the others are of whatever else is there."""
AWAY = 14.0
"""Voxels by which the middle of a clipping is off the hole, at most: holes are not always in the middle."""
DRILLED = 8
"""Voxels of a cell (of 64) that a bad hole has taken, from which on it must speak; cells with fewer are not
asked."""
CELLS_WEIGHT, QUIET_WEIGHT = 0.5, 2.0
"""Of the loss of the cells that must speak and of those that must not, beside that of the whole clipping."""


class Clipping(NamedTuple):
    """A part of a sample: what is there and what a bad hole has taken, bool [x, y, z] both.

    ``seen`` is the silhouette from above, bool [x, y], of all that is above and below it as well.
    """

    occupied: Occupied
    taken: Mask
    seen: Mask


class CellBatch(NamedTuple):
    """Clippings: voxels uint8 [n, 1, x, y, z], silhouettes uint8 [n, x, y], and how many voxels a bad hole
    took of each cell, float32 [n, x / 4, y / 4, z / 4]."""

    voxels: Tensor
    seen: Tensor
    taken: Tensor


class CellLearner(PrintabilityLearner):
    """Binary cross-entropy of each clipping and of its cells; validated on whole parts as any network.

    Its network is a LocalEvidence.
    """

    def batches(self, epoch: int) -> CellBatches:  # type: ignore[override]
        """As ``Learner.batches``."""
        return CellBatches(self, self._drawn(epoch), self._own(self._batch), epoch, self._threads())

    def loss(self, batch: CellBatch) -> Loss:  # type: ignore[override]
        """As ``Learner.loss``."""
        device = self._place.device
        grids = batch.voxels.to(device, memory_format=LAYOUT).float()
        taken = batch.taken.to(device)
        network = cast(LocalEvidence, self.network)
        cells = network.cells(grids, batch.seen.to(device).float()).float()
        bad = (taken >= DRILLED).flatten(1).any(1)
        whole = binary_cross_entropy_with_logits(network.logits(cells), (~bad).float())
        return Loss(whole + _of_cells(cells, taken), len(taken))

    def clipping(self, index: int, epoch: int) -> Clipping:
        """A clipping of a sample as it looks in this epoch, whichever rank reads it."""
        random = np.random.default_rng((self._seed, epoch, index))
        occupied = self._parts.occupied(index, self._size, 0, random if self._changes.fresh else None)
        untouched = self._parts.untouched(index, self._size)
        turn = int(random.choice(self._parts.holes.turns)) if self._changes.turned else 0
        occupied, untouched = turned(occupied, turn), turned(untouched, turn)
        drilled = untouched & ~occupied
        window = _window(untouched, _middle(occupied, drilled, random))
        taken = np.zeros_like(occupied) if self._parts.labels[index] else drilled
        return Clipping(occupied[window], taken[window], np.asarray(occupied.any(2))[window[:2]])


class CellBatches:
    """Clippings, batch by batch; the next ones are read meanwhile."""

    def __init__(self, learner: CellLearner, indices: Indices, size: int, epoch: int, threads: int) -> None:
        self._learner, self._epoch, self._threads = learner, epoch, threads
        self._indices = [indices[begin : begin + size] for begin in range(0, len(indices), size)]

    def __len__(self) -> int:
        return len(self._indices)

    def __iter__(self) -> Iterator[CellBatch]:
        def read(index: int) -> Clipping:
            return self._learner.clipping(index, self._epoch)

        for _, clippings in read_ahead(self._indices, read, self._threads):
            yield _batch(clippings)


def _of_cells(cells: Tensor, taken: Tensor) -> Tensor:
    """Cells that must speak and cells that must not are weighed apart: there are thousands of the latter."""
    must = (taken >= DRILLED).float()
    quiet = (taken == 0).float()
    losses = binary_cross_entropy_with_logits(cells, must, reduction="none")
    speaking = (losses * must).sum() / must.sum().clamp(min=1)
    silent = (losses * quiet).sum() / quiet.sum().clamp(min=1)
    return CELLS_WEIGHT * speaking + QUIET_WEIGHT * silent


def _middle(occupied: Occupied, drilled: Mask, random: np.random.Generator) -> npt.NDArray[np.int64]:
    """About where a clipping has its middle: at the hole where there is one, most times."""
    at_hole = drilled.any() and random.random() < AT_THE_HOLE
    places = np.flatnonzero(drilled if at_hole else occupied)
    if not len(places):
        return np.array(occupied.shape) // 2
    place = np.unravel_index(places[random.integers(len(places))], occupied.shape)
    return np.asarray(place + random.uniform(-AWAY, AWAY, 3)).round().astype(np.int64)


def _window(untouched: Occupied, middle: npt.NDArray[np.int64]) -> tuple[slice, ...]:
    """At most SIDE voxels a side around ``middle``, as far as there is material."""
    window = []
    for axes, at in zip(((1, 2), (0, 2), (0, 1)), middle.tolist(), strict=True):
        begin, end = _span(np.asarray(untouched.any(axes)))
        low = min(max(at - SIDE // 2, begin), max(end - SIDE, begin))
        window.append(slice(low, min(low + SIDE, end)))
    return tuple(window)


def _span(filled: Mask) -> tuple[int, int]:
    """Where material begins and ends, with room around as the network has it."""
    places = np.flatnonzero(filled)
    if not len(places):
        return 0, len(filled)
    return max(int(places[0]) - AROUND, 0), min(int(places[-1]) + 1 + AROUND, len(filled))


def _batch(clippings: list[Clipping]) -> CellBatch:
    """Clippings of any size, each at the lower corner of what holds the largest."""
    sides = np.array([one.occupied.shape for one in clippings]).max(0)
    sides = -(-sides // CELL) * CELL
    voxels = np.zeros((len(clippings), *sides), np.uint8)
    seen, taken = np.zeros(voxels.shape[:3], np.uint8), np.zeros_like(voxels)
    for number, one in enumerate(clippings):
        x, y, z = one.occupied.shape
        voxels[number, :x, :y, :z], taken[number, :x, :y, :z] = one.occupied, one.taken
        seen[number, :x, :y] = one.seen
    x, y, z = (int(side) // CELL for side in sides)
    counts = taken.reshape(len(clippings), x, CELL, y, CELL, z, CELL).sum((2, 4, 6), dtype=np.float32)
    return CellBatch(torch.from_numpy(voxels[:, None]), torch.from_numpy(seen), torch.from_numpy(counts))
