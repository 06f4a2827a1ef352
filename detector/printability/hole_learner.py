"""How ThroughHoles learns: from the openings of drilled parts, each told whether it speaks against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from detector.printability.axes import hole_of
from detector.printability.batches import Batches
from detector.printability.dataset import Indices
from detector.printability.defects import Hole
from detector.printability.grids import HoleSet
from detector.printability.kept import Arrays, Kept
from detector.printability.learner import PrintabilityLearner, figures
from detector.printability.openings import (
    LESSONS_LOOKS,
    Opening,
    angle_degrees,
    between_voxels,
    is_view_through,
    openings_above,
    openings_anywhere,
    openings_near,
    seen_along,
    surface,
)
from detector.printability.profiles import Profile, openings, profiles_of
from detector.printability.through_holes import ThroughHoles
from detector.printability.whole_parts import fitted
from detector.printability.without_torch import NOTHING
from detector.training.learner import Loss
from features.silhouettes import Occupied

Said: TypeAlias = npt.NDArray[np.int8]

SPEAKS, QUIET, NOT_ASKED = 1, 0, -1
SAME_VOXELS, SAME_DEGREES = 1.5, 12.0
"""An opening that differs less from the drilled hole is that hole: the axis of a short one is not sure.
Other views through a bad hole are not asked: aslant it looks like another."""
MOST = 8
"""Openings of a part that are learned from at a time, those that speak among them."""
HOLES_WEIGHT = 0.5
"""Of the loss of the holes that must speak, and of those that must not, beside that of whole parts."""


class Holes(NamedTuple):
    """A sample's openings: profiles float16 [k, RINGS, SECTORS], and what is known of each, int8 [k]: SPEAKS,
    QUIET or NOT_ASKED."""

    profiles: Profile
    said: Said


class HoleBatch(NamedTuple):
    """The openings of n samples: profiles float32 [m, RINGS, SECTORS], what is known of each int64 [m], of
    which sample it is int64 [m], and whether the samples are printable, float32 [n]."""

    profiles: Tensor
    said: Tensor
    sample: Tensor
    printable: Tensor


class HoleLearner(PrintabilityLearner):
    """Binary cross-entropy of each part, and of each of its openings. Its network is a ThroughHoles.

    To find a part's openings takes most of the time, along all directions a second. So what a sample shows is
    kept, unless its hole is placed anew in each epoch, some 60 KB in memory; what is kept of a part's own
    holes is good for all its samples.
    """

    def __init__(self, network: nn.Module, *given: Any, kept_in: Path | None = None, **named: Any) -> None:
        """As ``PrintabilityLearner``. ``kept_in``: a folder for what samples show, this training's own."""
        super().__init__(network, *given, **named)
        self._kept = Kept(kept_in)

    @property
    def _judging(self) -> ThroughHoles:
        return cast(ThroughHoles, self.network)

    def batches(self, epoch: int) -> Batches[Holes, HoleBatch]:  # type: ignore[override]
        """As ``Learner.batches``."""
        read = partial(self.holes, epoch=epoch)
        return Batches(self._drawn(epoch), self._own(self._batch), read, self._together, self._threads())

    def loss(self, batch: HoleBatch) -> Loss:  # type: ignore[override]
        """As ``Learner.loss``."""
        device, network = self._place.device, self._judging
        # Batch norm takes nothing from nothing, unless it is shared with ranks that wait for this one.
        some = len(batch.profiles) > 0 or self._place.world > 1
        said = network.against(batch.profiles.to(device)).float() if some else network.shift.new_zeros(0)
        evidence = said.new_full((len(batch.printable),), NOTHING)
        evidence = evidence.scatter_reduce(0, batch.sample.to(device), said, "amax")
        whole = binary_cross_entropy_with_logits(network.logits(evidence), batch.printable.to(device))
        holes = self._of_holes(said, batch.said.to(device), len(batch.printable))
        return Loss(whole + HOLES_WEIGHT * holes, len(batch.printable))

    def _of_holes(self, logits: Tensor, said: Tensor, samples: int) -> Tensor:
        """Openings that must speak and those that must not are weighed apart: there are more of the latter.

        Means over the openings of all ranks, so weighed that ``samples`` of this rank bring its part of them.
        """
        losses = binary_cross_entropy_with_logits(logits, (said == SPEAKS).float(), reduction="none")
        sides = [said == SPEAKS, said == QUIET]
        *counts, all_samples = self._place.total(np.array([*(int(side.sum()) for side in sides), samples]))
        means = [
            (losses * side).sum() / max(int(count), 1) for side, count in zip(sides, counts, strict=True)
        ]
        return torch.stack(means).sum() * (int(all_samples) / samples)

    def validate(self) -> Mapping[str, float]:
        """As ``PrintabilityLearner.validate``, of the evidence as ``calibrate`` is going to scale it."""
        own = self._place.share(self._split.validation)
        evidence = self.evidence(own).double().cpu().numpy()
        rows = self._place.gather(np.stack([evidence, self.printable(own)], 1))
        said, printable = torch.from_numpy(rows).unbind(1)
        scale, shift = fitted(said, 1 - printable)
        return figures(np.stack([-(rows[:, 0] * scale + shift), rows[:, 1]], 1))

    @torch.no_grad()
    def evidence(self, indices: Indices) -> Tensor:
        """What the network says against each of these samples, as they are, float32 [n]."""
        device = self._place.device
        said = [
            self._judging.evidence(torch.from_numpy(seen).to(device).float())
            for batch in Batches(indices, self._batch, self._seen, _as_read, self._threads())
            for seen in batch
        ]
        return torch.stack(said) if said else torch.zeros(0, device=device)

    def holes(self, index: int, epoch: int) -> Holes:
        """At most MOST of a sample's openings as they are in this epoch, whichever rank reads it.

        Each is turned by chance.
        """
        random = np.random.default_rng((self._seed, epoch, index))
        found = self._found(index, epoch, random)
        order = random.permutation(len(found.said))
        chosen = order[np.argsort(found.said[order] != SPEAKS, kind="stable")][:MOST]
        profiles = found.profiles[chosen]
        if self._changes.turned:
            for number, one in enumerate(profiles):
                profiles[number] = _turned(one, random)
        return Holes(profiles, found.said[chosen])

    def _together(self, indices: Indices, found: Sequence[Holes]) -> HoleBatch:
        return HoleBatch(
            torch.from_numpy(np.concatenate([one.profiles for one in found])).float(),
            torch.from_numpy(np.concatenate([one.said for one in found])).long(),
            torch.from_numpy(np.repeat(np.arange(len(found)), [len(one.said) for one in found])),
            torch.from_numpy(self.printable(indices)).float(),
        )

    def printable(self, indices: Indices) -> npt.NDArray[np.float64]:
        """The labels of samples, 1 for printable ones, float64 [n]."""
        return self._parts.labels[indices].astype(np.float64)

    def _found(self, index: int, epoch: int, random: np.random.Generator) -> Holes:
        """All openings that a sample is learned from with."""
        place, placing = self._changes.place(epoch), self._placing(index, epoch, random)
        if place is None:
            return Holes(**self._look(index, placing))
        where = 0 if self._parts.samples[index].hole is None else place
        return Holes(**self._kept.of(f"learned-{index}-{where}", lambda: self._look(index, placing)))

    def _look(self, index: int, random: np.random.Generator | None) -> Arrays:
        occupied, drilled = self._parts.drilled(index, self._size, random)
        found = self._openings(index, occupied, drilled)
        bad = None if self._parts.labels[index] else drilled
        said = np.array([_said(bad, one.hole) for one in found], np.int8)
        return {"profiles": profiles_of(found), "said": said}

    def _openings(self, index: int, occupied: Occupied, drilled: Hole | None) -> tuple[Opening, ...]:
        """All of them from above; along any direction those of the drilled hole, and the part's own."""
        if self._parts.holes is HoleSet.TOP:
            return openings_above(occupied)
        skin, own = surface(occupied), self._own_holes(index)
        if drilled is None:
            return tuple(seen_along(skin, hole) for hole in own)
        apart = [hole for hole in own if not is_view_through(drilled, hole)]
        return (*openings_near(occupied, drilled), *(seen_along(skin, hole) for hole in apart))

    def _own_holes(self, index: int) -> tuple[Hole, ...]:
        def find() -> Arrays:
            found = openings_anywhere(self._parts.untouched(index, self._size), LESSONS_LOOKS)
            return {"holes": np.array([(*hole.point, *hole.direction, hole.radius) for hole, _ in found])}

        rows = self._kept.of(f"own-{self._parts.groups[index]}", find)["holes"]
        return tuple(hole_of(row[:3], row[3:6], row[6]) for row in rows)

    def _seen(self, index: int) -> Profile:
        """The profiles of a held-out sample as it is: of all that is found, its hole being unknown."""

        def find() -> Arrays:
            return {"profiles": profiles_of(openings(self._as_is(index), self._parts.holes))}

        return self._kept.of(f"held-out-{index}", find)["profiles"]


def _as_read(_: Indices, seen: Sequence[Profile]) -> Sequence[Profile]:
    return seen


def _said(bad: Hole | None, hole: Hole) -> int:
    if bad is None:
        return QUIET
    if between_voxels(bad, hole) < SAME_VOXELS and angle_degrees(bad, hole) < SAME_DEGREES:
        return SPEAKS
    return NOT_ASKED if is_view_through(bad, hole) else QUIET


def _turned(seen: Profile, random: np.random.Generator) -> Profile:
    """The same hole after a turn about its axis, and maybe in a mirror."""
    rolled = np.roll(seen, int(random.integers(seen.shape[1])), 1)
    return rolled[:, ::-1] if random.random() < 0.5 else rolled  # noqa: PLR2004 - as often as not
