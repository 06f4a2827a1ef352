"""What is seen of a part along a direction: the pixels that are covered, and the way back into space.

Points are in voxels, as in ``defects``: the centre of voxel [i, j, k] is at (i + 0.5, j + 0.5, k + 0.5).
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Occupied: TypeAlias = npt.NDArray[np.bool_]
Mask: TypeAlias = npt.NDArray[np.bool_]
Values: TypeAlias = npt.NDArray[np.float64]
Vector: TypeAlias = tuple[float, float, float]

UP: Vector = (0.0, 0.0, 1.0)


class Silhouette(NamedTuple):
    """A part seen along a direction: ``covered`` bool [u, v] in pixels of one voxel.

    Pixel [i, j] has its centre at ``corner`` + (i + 0.5) * ``across`` + (j + 0.5) * ``over``.
    """

    covered: Mask
    corner: Values
    across: Values
    over: Values

    def point(self, i: float, j: float) -> Values:
        """The middle of a pixel in space, somewhere along the direction: float64 [3]."""
        return np.asarray(self.corner + (i + 0.5) * self.across + (j + 0.5) * self.over)


def from_above(occupied: Occupied) -> Silhouette:
    """Of a part, bool [x, y, z], along z."""
    return Silhouette(np.asarray(occupied.any(2)), np.zeros(3), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]))


def centres_of(occupied: Mask) -> Values:
    """The centres of the voxels that are set, or of the pixels: float64 [n, 3] or [n, 2]."""
    return np.argwhere(occupied).astype(np.float64) + 0.5


def along(centres: Values, direction: Vector) -> Silhouette:
    """Of voxels' centres, float64 [n, 3], at least one: each marks a pixel."""
    across, over = plane(direction)
    flat = np.stack([across, over]) @ centres.T  # [2, n]: least and most of long rows are found quickly
    low = np.floor(flat.min(1)) - 2
    pixels = (flat - low[:, None]).astype(np.int64)
    covered = np.zeros(pixels.max(1) + 3, bool)
    covered[pixels[0], pixels[1]] = True
    # A turned lattice leaves gaps of a pixel where the part is one layer deep: they are no holes.
    closed = ndimage.binary_closing(covered, np.ones((3, 3), bool))
    return Silhouette(closed, low @ np.stack([across, over]), across, over)


def plane(direction: Vector) -> tuple[Values, Values]:
    """Two unit vectors at right angles to a direction and to each other."""
    axis = np.array(direction)
    aside = np.zeros(3)
    aside[np.abs(axis).argmin()] = 1.0
    across = np.cross(axis, aside)
    across /= np.linalg.norm(across)
    return across, np.cross(axis, across)
