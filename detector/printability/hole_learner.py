"""How ThroughHoles learns: from the holes of drilled parts, each told whether it speaks against printing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from detector.printability.dataset import Indices
from detector.printability.defects import Hole
from detector.printability.grids import HoleSet
from detector.printability.learner import PrintabilityLearner, figures, read_ahead
from detector.printability.openings import (
    Opening,
    angle_degrees,
    between_voxels,
    climb,
    openings_above,
    openings_anywhere,
    seen_along,
    surface,
)
from detector.printability.silhouettes import Mask, Occupied
from detector.printability.through_holes import (
    NOTHING,
    Profile,
    ThroughHoles,
    openings,
    profile,
    profiles_of,
)
from detector.training.learner import Loss

Kept: TypeAlias = npt.NDArray[np.float16]

SAME_VOXELS, SAME_DEGREES = 1.5, 25.0
"""An opening that differs less from the drilled hole is that hole: a short one is seen from many
directions."""
GLIMPSE_VOXELS, GLIMPSE_DEGREES = 1.0, 3.0
"""How far from a drilled hole's axis the climb to it begins: about as far as a first look leaves it."""
MOST = 12
"""Openings of a part that are learned from at a time, the drilled one among them."""
HOLES_WEIGHT = 0.5
"""Of the loss of the holes that must speak, and of those that must not, beside that of whole parts."""


class Holes(NamedTuple):
    """A sample's openings: profiles float32 [k, RINGS, SECTORS], and which of them must speak, bool [k]."""

    profiles: Profile
    speaks: Mask


class HoleBatch(NamedTuple):
    """The openings of n samples: profiles float32 [m, RINGS, SECTORS], which must speak float32 [m], of which
    sample each is int64 [m], and whether the samples are printable float32 [n]."""

    profiles: Tensor
    speaks: Tensor
    sample: Tensor
    printable: Tensor


class HoleLearner(PrintabilityLearner):
    """Binary cross-entropy of each part, and of each of its openings. Its network is a ThroughHoles."""

    def __init__(self, network: nn.Module, *given: Any, **named: Any) -> None:
        """As ``PrintabilityLearner``."""
        super().__init__(network, *given, **named)
        self._of_parts: dict[int, tuple[Hole, ...]] = {}
        self._kept: dict[int, Kept] = {}

    @property
    def _holes_network(self) -> ThroughHoles:
        return cast(ThroughHoles, self.network)

    def batches(self, epoch: int) -> HoleBatches:  # type: ignore[override]
        """As ``Learner.batches``."""
        return HoleBatches(self, self._drawn(epoch), self._own(self._batch), epoch, self._threads())

    def loss(self, batch: HoleBatch) -> Loss:  # type: ignore[override]
        """As ``Learner.loss``."""
        device = self._place.device
        network = self._holes_network
        said = (
            network.against(batch.profiles.to(device)).float()
            if len(batch.profiles)
            else network.shift[None][:0]
        )
        evidence = said.new_full((len(batch.printable),), NOTHING)
        evidence = evidence.scatter_reduce(0, batch.sample.to(device), said, "amax")
        whole = binary_cross_entropy_with_logits(network.logits(evidence), batch.printable.to(device))
        return Loss(whole + HOLES_WEIGHT * _of_holes(said, batch.speaks.to(device)), len(batch.printable))

    def validate(self) -> Mapping[str, float]:
        """As ``PrintabilityLearner.validate``."""
        own = self._place.share(self._split.validation)
        logits = self._holes_network.logits(self.evidence(own)).double().cpu().numpy()
        return figures(self._place.gather(np.stack([logits, self._parts.labels[own].astype(np.float64)], 1)))

    @torch.no_grad()
    def evidence(self, indices: Indices) -> Tensor:
        """What the network says against each of these samples, as they are, float32 [n].

        What is seen of a sample is kept: to find its openings takes most of the time, and they stay.
        """
        missing = [index for index in indices.tolist() if index not in self._kept]
        batches = [
            np.array(missing[begin : begin + self._batch]) for begin in range(0, len(missing), self._batch)
        ]
        for read, seen in read_ahead(batches, self._seen, self._threads()):
            self._kept.update(zip(read.tolist(), seen, strict=True))
        network, device = self._holes_network, self._place.device
        parts = [torch.from_numpy(self._kept[index]).to(device).float() for index in indices.tolist()]
        return (
            torch.stack([network.evidence(seen) for seen in parts])
            if parts
            else torch.zeros(0, device=device)
        )

    def holes(self, index: int, epoch: int) -> Holes:
        """A sample's openings as they are in this epoch, whichever rank reads it, each turned by chance."""
        random = np.random.default_rng((self._seed, epoch, index))
        occupied, drilled = self._parts.drilled(index, self._size, random if self._changes.fresh else None)
        found = self._openings(index, occupied, drilled, random)
        speaks = [
            not self._parts.labels[index] and drilled is not None and _same(drilled, one.hole)
            for one in found
        ]
        seen = [profile(one) for one in found]
        if self._changes.turned:
            seen = [_turned(one, random) for one in seen]
        return Holes(profiles_of(seen), np.array(speaks, bool))

    def printable(self, indices: Indices) -> Mask:
        """The labels of samples, bool [n]."""
        return self._parts.labels[indices]

    def _openings(
        self, index: int, occupied: Occupied, drilled: Hole | None, random: np.random.Generator
    ) -> tuple[Opening, ...]:
        if self._parts.holes is HoleSet.TOP:
            return openings_above(occupied)
        # The part's own holes are found once: to look for them takes a second, and a drilled one is known.
        skin = surface(occupied)
        there = [hole for hole in self._own_holes(index) if drilled is None or not _same(drilled, hole)]
        some = [there[number] for number in random.permutation(len(there))[: MOST - 1]]
        found = [] if drilled is None else [climb(skin, _glimpsed(drilled, random))]
        return tuple(seen_along(skin, hole) for hole in (*found, *some))

    def _seen(self, index: int) -> Kept:
        """The profiles of a sample as it is."""
        found = openings(self._as_is(index), self._parts.holes)
        return profiles_of([profile(one) for one in found]).astype(np.float16)

    def _own_holes(self, index: int) -> tuple[Hole, ...]:
        group = int(self._parts.groups[index])
        if group not in self._of_parts:
            untouched = self._parts.untouched(index, self._size)
            self._of_parts[group] = tuple(one.hole for one in openings_anywhere(untouched))
        return self._of_parts[group]


class HoleBatches:
    """The openings of samples, batch by batch; the next ones are read meanwhile."""

    def __init__(self, learner: HoleLearner, indices: Indices, size: int, epoch: int, threads: int) -> None:
        self._learner, self._epoch, self._threads = learner, epoch, threads
        self._indices = [indices[begin : begin + size] for begin in range(0, len(indices), size)]

    def __len__(self) -> int:
        return len(self._indices)

    def __iter__(self) -> Iterator[HoleBatch]:
        def read(index: int) -> Holes:
            return self._learner.holes(index, self._epoch)

        for indices, found in read_ahead(self._indices, read, self._threads):
            yield HoleBatch(
                torch.from_numpy(np.concatenate([one.profiles for one in found])),
                torch.from_numpy(np.concatenate([one.speaks for one in found]).astype(np.float32)),
                torch.from_numpy(np.repeat(np.arange(len(found)), [len(one.speaks) for one in found])),
                torch.from_numpy(self._learner.printable(indices).astype(np.float32)),
            )


def _of_holes(said: Tensor, speaks: Tensor) -> Tensor:
    """Openings that must speak and openings that must not are weighed apart: there are more of the latter."""
    losses = binary_cross_entropy_with_logits(said, speaks, reduction="none")
    quiet = 1 - speaks
    return (losses * speaks).sum() / speaks.sum().clamp(min=1) + (losses * quiet).sum() / quiet.sum().clamp(
        min=1
    )


def _same(drilled: Hole, hole: Hole) -> bool:
    return between_voxels(drilled, hole) < SAME_VOXELS and angle_degrees(drilled, hole) < SAME_DEGREES


def _glimpsed(hole: Hole, random: np.random.Generator) -> Hole:
    """A drilled hole as a first look may leave it."""
    direction = np.array(hole.direction) + random.normal(size=3) * np.radians(GLIMPSE_DEGREES)
    x, y, z = (np.array(hole.point) + random.normal(size=3) * GLIMPSE_VOXELS).tolist()
    u, v, w = (direction / np.linalg.norm(direction)).tolist()
    return Hole((x, y, z), (u, v, w), hole.radius / 2)


def _turned(seen: Profile, random: np.random.Generator) -> Profile:
    """The same hole after a turn about its axis, and maybe in a mirror."""
    rolled = np.roll(seen, int(random.integers(seen.shape[1])), 1)
    return rolled[:, ::-1] if random.random() < 0.5 else rolled  # noqa: PLR2004 - as often as not
