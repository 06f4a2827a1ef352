"""What is seen of a through-hole: how far it is to the nearest material, around it in rings.

The same hole looks the same wherever it lies and however it is turned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.spatial import KDTree

from detector.printability.grids import HoleSet
from detector.printability.openings import Opening, openings_above, openings_anywhere
from features.silhouettes import Occupied

Profile: TypeAlias = npt.NDArray[np.float16]

RINGS, SECTORS = 64, 24
RING_VOXELS = 0.25
"""The rings reach 16 voxels from the axis: beyond the widest hole of the sets and the wall beside it."""
FAR_VOXELS = 4.0
"""Material farther away than this is not there."""


def openings(occupied: Occupied, set_of_holes: HoleSet) -> tuple[Opening, ...]:
    """Where one can look through a part, bool [x, y, z], along what the set of holes goes."""
    return openings_above(occupied) if set_of_holes is HoleSet.TOP else openings_anywhere(occupied)


def profile(opening: Opening) -> Profile:
    """How far it is to the nearest material around an opening, float16 [RINGS, SECTORS], 1 for FAR and more.

    Distances, unlike pixels, know the radius of a hole to a hundredth of a voxel.
    """
    places = _PLACES.reshape(-1, 2)
    reach = RINGS * RING_VOXELS + FAR_VOXELS
    near = opening.flat[(np.abs(opening.flat) < reach).all(1)]
    if not len(near):
        return np.ones((RINGS, SECTORS), np.float16)
    away, _ = KDTree(near).query(places, distance_upper_bound=FAR_VOXELS)
    return np.asarray(np.minimum(away, FAR_VOXELS) / FAR_VOXELS, np.float16).reshape(RINGS, SECTORS)


def _places() -> npt.NDArray[np.float64]:
    rings = (np.arange(RINGS) + 0.5) * RING_VOXELS
    turns = 2 * np.pi * np.arange(SECTORS) / SECTORS
    return np.asarray(rings[:, None, None] * np.stack([np.cos(turns), np.sin(turns)], 1))


_PLACES = _places()
"""Where a profile is taken, voxels across the axis: [RINGS, SECTORS, 2]."""


def profiles_of(found: Sequence[Opening]) -> Profile:
    """The profiles of openings in one array, float16 [k, RINGS, SECTORS], also of none."""
    return np.stack([profile(one) for one in found]) if found else np.zeros((0, RINGS, SECTORS), np.float16)
