"""Voxel grids as a network takes them: their sizes, and the ways to turn them by right angles."""

from __future__ import annotations

from enum import StrEnum
from itertools import permutations, product
from typing import NamedTuple

import numpy as np

from detector.printability.defects import ROTATED, TOP, Hole, HoleRules
from features.silhouettes import Occupied
from ingest.errors import UsageError

SIZES = (64, 128)
"""Voxels along each side of what a network sees."""


class HoleSet(StrEnum):
    """Which of the two published sets of holes: from the top, or along any direction."""

    TOP = "top"
    ROTATED = "rotated"

    @property
    def grid(self) -> int:
        """Voxels along each side of the grid in which a part is made and drilled.

        The source pads its rotated parts from 64 voxels to 128 after that; see ``as_input``.
        """
        return 128 if self is HoleSet.TOP else 64

    @property
    def rules(self) -> HoleRules:
        """The published sizes of the holes."""
        return TOP if self is HoleSet.TOP else ROTATED

    @property
    def turns(self) -> tuple[int, ...]:
        """The turns, of TURNS, after which a part still belongs to the set: the first one changes nothing."""
        return UPRIGHT if self is HoleSet.TOP else ROTATIONS


class Turn(NamedTuple):
    """A symmetry of the cube: axis k of what comes out is axis ``axes[k]``, backwards where ``flips[k]``."""

    axes: tuple[int, ...]
    flips: tuple[bool, ...]

    @property
    def mirrors(self) -> bool:
        """Whether it makes a left hand of a right one."""
        odd = sum(a > b for k, a in enumerate(self.axes) for b in self.axes[k + 1 :]) % 2
        return bool((odd + sum(self.flips)) % 2)

    @property
    def keeps_up(self) -> bool:
        """Whether what was at the top still is."""
        return self.axes[2] == 2 and not self.flips[2]  # noqa: PLR2004 - z


TURNS = tuple(
    sorted(
        (Turn(axes, flips) for axes in permutations(range(3)) for flips in product((False, True), repeat=3)),
        key=lambda turn: turn.mirrors,
    )
)
"""The 48 symmetries of the cube: first the 24 rotations, the first of which changes nothing."""
ROTATIONS = tuple(number for number, turn in enumerate(TURNS) if not turn.mirrors)
UPRIGHT = tuple(number for number, turn in enumerate(TURNS) if turn.keeps_up)
"""The four quarter turns about z and their mirror images."""


def turned(occupied: Occupied, turn: int) -> Occupied:
    """A cube, bool [size, size, size], after one of TURNS: a view of the same voxels."""
    axes, flips = TURNS[turn]
    way = tuple(slice(None, None, -1 if flip else 1) for flip in flips)
    return occupied.transpose(axes)[way]


def as_input(occupied: Occupied, size: int) -> Occupied:
    """A grid of 64 or 128 voxels as a network of ``size`` 64 or 128 sees it: bool [size, size, size].

    A grid of 64 is padded on all sides, as the source pads its rotated parts: nothing of it is lost either
    way. One of 128 is halved. Raises UsageError for other sizes.
    """
    if size not in SIZES or len(occupied) not in SIZES:
        raise UsageError(f"found a grid of {len(occupied)} voxels for a size of {size}, expected 64 or 128")
    if len(occupied) == size:
        return occupied
    return halved(occupied) if len(occupied) > size else np.pad(occupied, size // 4)


def hole_as_input(hole: Hole, made: int, size: int) -> Hole:
    """Where a hole of a grid of ``made`` voxels is in what ``as_input`` makes of the grid."""
    x, y, z = hole.point
    if made < size:
        pad = size // 4
        return hole._replace(point=(x + pad, y + pad, z + pad))
    return Hole(
        (x * size / made, y * size / made, z * size / made), hole.direction, hole.radius * size / made
    )


def halved(occupied: Occupied) -> Occupied:
    """Each cube of eight voxels as one: occupied where four or more of them are.

    By majority holes and walls nearly keep their mean width; where one voxel were enough, the holes that make
    the difference would close. A tie counts as material, so that a wall of one voxel stays.
    """
    counts = occupied.view(np.uint8)
    counts = counts[:, :, ::2] + counts[:, :, 1::2]
    counts = counts[:, ::2] + counts[:, 1::2]
    counts = counts[::2] + counts[1::2]
    return np.asarray(counts >= 4)  # noqa: PLR2004 - half of eight
