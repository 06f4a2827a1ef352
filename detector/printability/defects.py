"""Holes that make a part printable or not: what a printability network learns from.

A part's voxels get one round hole through all of it. A narrow one closes when it is printed, one whose wall
to the part's border is thin breaks; a wide one in the middle is fine. Points are in voxels: the centre of
voxel [i, j, k] is at (i + 0.5, j + 0.5, k + 0.5), as with ``VoxelGrid.origin_mm``.
"""

from __future__ import annotations

import math
from enum import StrEnum
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from scipy import ndimage

from features.silhouettes import (
    UP,
    Mask,
    Occupied,
    Values,
    Vector,
    along,
    centres_of,
    from_above,
)
from ingest.errors import UsageError

DIRECTIONS_TRIED = 8
"""A part that has no room along the first random direction may have some along another."""
NEAR_TOLERANCE = 0.5
"""Voxels by which the thin wall may differ from what is asked for: grids have no finer distances."""


class Defect(StrEnum):
    """What was done to a part."""

    NONE = "none"
    MIDDLE_SMALL = "middle-small"
    MIDDLE_LARGE = "middle-large"
    BORDER_LARGE = "border-large"

    @property
    def printable(self) -> bool:
        """The label: an untouched part and one with a wide hole in its middle can be printed."""
        return self in (Defect.NONE, Defect.MIDDLE_LARGE)


class HoleRules(msgspec.Struct, frozen=True, kw_only=True):
    """Sizes in voxels. A wall of ``border_far`` or more holds, one of about ``border_near`` does not.

    ``rotated``: along a random direction; otherwise straight down from the top.
    """

    radius_small: float
    radius_large: float
    border_near: float
    border_far: float
    rotated: bool

    def __post_init__(self) -> None:
        """Raises UsageError with all mistakes at once."""
        pairs = {
            "radius": (self.radius_small, self.radius_large),
            "border": (self.border_near, self.border_far),
        }
        mistakes = [
            f"{'rotated' if self.rotated else 'top'} {name}: found {low:g} and {high:g} voxels, expected two "
            "numbers above 0, the second one larger"
            for name, (low, high) in pairs.items()
            if not 0 < low < high < math.inf
        ]
        if mistakes:
            raise UsageError("\n".join(mistakes))


TOP = HoleRules(radius_small=5, radius_large=10, border_near=3, border_far=5, rotated=False)
"""As published for parts that fill a grid of 128 voxels."""
ROTATED = HoleRules(radius_small=3, radius_large=6, border_near=2, border_far=5, rotated=True)
"""As published for parts that fill the middle 64 voxels of 128."""


class Hole(NamedTuple):
    """An endless cylinder: ``point`` lies on its axis, ``direction`` has length 1, ``radius`` in voxels."""

    point: Vector
    direction: Vector
    radius: float


def drill(occupied: Occupied, hole: Hole) -> Occupied:
    """The part without the voxels whose centres lie within the hole: bool [x, y, z], a new array."""
    return occupied & ~within(occupied.shape, hole)


def within(shape: tuple[int, ...], hole: Hole) -> Mask:
    """The voxels whose centres are no farther than the radius from the axis: bool, ``shape`` or [x, y, 1]."""
    if hole.direction == UP:
        shape = (*shape[:2], 1)  # every layer is the same
    # float32: the squares of 128 voxels stay exact to 0.01, and this is done for every sample that is read.
    offsets = [
        np.arange(n, dtype=np.float32) + np.float32(0.5 - at) for n, at in zip(shape, hole.point, strict=True)
    ]
    if hole.direction == UP:
        offsets[2][:] = 0
    squares = _outer_sum([own * own for own in offsets])
    along = _outer_sum([own * np.float32(part) for own, part in zip(offsets, hole.direction, strict=True)])
    return np.asarray(squares - along * along <= hole.radius**2)


def place(occupied: Occupied, defect: Defect, rules: HoleRules, random: np.random.Generator) -> Hole | None:
    """A hole of this kind at a random spot of a part, bool [x, y, z]; None where the part has no room.

    The border is that of the part's silhouette along the hole, through-holes of the part included. Draws from
    ``random`` alone. Raises ValueError for Defect.NONE, which has no hole.
    """
    if defect is Defect.NONE:
        raise ValueError("found Defect.NONE, expected a defect that has a hole")
    for _ in range(DIRECTIONS_TRIED if rules.rotated else 1):
        direction = random_direction(random) if rules.rotated else UP
        point = _spot(occupied, defect, rules, direction, random)
        if point is not None:
            large = defect is not Defect.MIDDLE_SMALL
            return Hole(point, direction, rules.radius_large if large else rules.radius_small)
    return None


def random_direction(random: np.random.Generator) -> Vector:
    """A unit vector, all directions alike likely."""
    drawn = random.normal(size=3)
    x, y, z = (drawn / np.linalg.norm(drawn)).tolist()
    return (x, y, z)


def _spot(
    occupied: Occupied, defect: Defect, rules: HoleRules, direction: Vector, random: np.random.Generator
) -> Vector | None:
    """A random point of the part through which the hole's axis may go."""
    if not occupied.any():
        return None
    seen = from_above(occupied) if direction == UP else along(centres_of(occupied), direction)
    fitting = np.argwhere(_fits(_depth(seen.covered), defect, rules))
    if not len(fitting):
        return None
    i, j = fitting[random.integers(len(fitting))]
    return _where_it_leaves(occupied, seen.point(i, j), direction)


def _fits(depth: Values, defect: Defect, rules: HoleRules) -> Mask:
    """Where the axis may be, by how far it is there to the border, voxels."""
    if defect is Defect.BORDER_LARGE:
        wall = depth - rules.radius_large
        return np.asarray((np.abs(wall - rules.border_near) <= NEAR_TOLERANCE) & (wall > 0))
    radius = rules.radius_small if defect is Defect.MIDDLE_SMALL else rules.radius_large
    return np.asarray(depth - radius >= rules.border_far)


def _depth(covered: Mask) -> Values:
    """How far each pixel's centre is inside of the silhouette, voxels; what is beyond the grid is outside."""
    # To the nearest centre outside; the border lies half a pixel before it.
    inside = ndimage.distance_transform_edt(np.pad(covered, 1))[1:-1, 1:-1]
    return np.asarray(inside - 0.5)


def _where_it_leaves(occupied: Occupied, point: Values, direction: Vector) -> Vector:
    """The last point of the axis through ``point`` that lies in the part, or beside the grid's middle.

    Any point would do for the cylinder; this one can be shown to somebody.
    """
    axis = np.array(direction)
    steps = np.arange(-2.0 * max(occupied.shape), 2.0 * max(occupied.shape), 0.5)
    centre = np.array(occupied.shape) / 2
    start = point + axis * ((centre - point) @ axis)
    places = start + steps[:, None] * axis
    cells = np.floor(places).astype(np.int64)
    inside = ((cells >= 0) & (cells < occupied.shape)).all(1)
    met = np.flatnonzero(inside)[occupied[tuple(cells[inside].T)]]
    x, y, z = (places[met[-1]] if len(met) else start).tolist()
    return (x, y, z)


def _outer_sum(parts: list[npt.NDArray[np.float32]]) -> npt.NDArray[np.float32]:
    x, y, z = parts
    return np.asarray((x[:, None] + y)[:, :, None] + z)
