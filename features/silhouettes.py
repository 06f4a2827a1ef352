"""What is seen of a part along a direction: the pixels that are covered, and the way back into space.

Points are in voxels: the centre of voxel [i, j, k] is at (i + 0.5, j + 0.5, k + 0.5).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

Occupied: TypeAlias = npt.NDArray[np.bool_]
Mask: TypeAlias = npt.NDArray[np.bool_]
Values: TypeAlias = npt.NDArray[np.float64]
Vector: TypeAlias = tuple[float, float, float]

UP: Vector = (0.0, 0.0, 1.0)
_NEIGHBOURS = np.ones((3, 3), np.uint8)


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
    covered = np.zeros(pixels.max(1) + 3, np.uint8)
    covered[pixels[0], pixels[1]] = 1
    # A turned lattice leaves gaps of a pixel where the part is one layer deep: they are no holes.
    closed = cv2.morphologyEx(covered, cv2.MORPH_CLOSE, _NEIGHBOURS).view(bool)
    return Silhouette(closed, low @ np.stack([across, over]), across, over)


def enclosed(seen: Silhouette) -> Iterator[tuple[int, int, float]]:
    """Of each opening that the silhouette has all around it: its middle pixel and its radius, pixels.

    Around counts without corners: material that meets at a corner alone holds nothing together.
    """
    u, v = seen.covered.shape
    opened = np.ones((u + 2, v + 2), np.uint8)  # the outside goes all round
    np.logical_not(seen.covered, out=opened[1:-1, 1:-1].view(bool))
    count, labels = cv2.connectedComponents(opened, connectivity=4)
    outside = labels[0, 0]
    if count <= 2:  # noqa: PLR2004 - what is covered, and the outside
        return
    depth = cv2.distanceTransform(opened, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    for label in range(1, count):
        if label != outside:
            inside = np.where(labels == label, depth, 0.0)
            i, j = np.unravel_index(int(inside.argmax()), inside.shape)
            yield int(i) - 1, int(j) - 1, float(inside[i, j])


def plane(direction: Vector) -> tuple[Values, Values]:
    """Two unit vectors at right angles to a direction and to each other."""
    x, y, z = direction
    # Across the coordinate axis that it has least of. Written out: numpy's cross takes longer than all else.
    least = int(np.abs(direction).argmin())
    u, v, w = ((0.0, z, -y), (-z, 0.0, x), (y, -x, 0.0))[least]
    length = math.sqrt(u * u + v * v + w * w)
    u, v, w = u / length, v / length, w / length
    return np.array([u, v, w]), np.array([y * w - z * v, z * u - x * w, x * v - y * u])
