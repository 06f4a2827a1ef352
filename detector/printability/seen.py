"""What a printability network sees in a part: how likely it prints, and what speaks most against it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from detector.printability.about import About
from detector.printability.defects import Hole
from detector.printability.grids import as_input
from features.mesh import Mesh
from features.silhouettes import Occupied
from features.voxels import VoxelGrid, voxelize

Judge: TypeAlias = Callable[[Occupied], tuple[float, Hole | None]]
"""Of a part's voxels bool [size, size, size]: a network's logit, above 0 where it prints, and the hole that
speaks most against it, None for networks that name no hole."""

USUAL_THRESHOLD = 0.5


class Seen(NamedTuple):
    """The network's word: the probability that the part prints, and from which on it is taken for printable.

    ``where_mm`` is on the axis of the hole that speaks most against it, in the mesh's coordinates; None where
    the part is printable, and for networks that name no hole.
    """

    probability: float
    threshold: float
    where_mm: tuple[float, float, float] | None

    @property
    def printable(self) -> bool:
        """Whether the probability reaches the threshold."""
        return self.probability >= self.threshold


class Look(NamedTuple):
    """A network that can be asked, and what is known of it."""

    about: About
    judge: Judge

    def at(self, mesh: Mesh) -> Seen | None:
        """Ask it; None where the part is so thin that no voxel of it is left. Raises MeshError."""
        grid = voxelize(mesh, self.about.holes.grid)
        if not grid.occupied.any():
            return None
        occupied = as_input(grid.occupied, self.about.size)
        logit, hole = self.judge(occupied)
        probability = 1 / (1 + float(np.exp(-np.float64(logit))))
        seen = Seen(probability, self.about.figures.get("threshold", USUAL_THRESHOLD), None)
        if seen.printable or hole is None:
            return seen
        return seen._replace(where_mm=_in_mm(hole.point, grid, len(occupied)))


def _in_mm(voxels: tuple[float, float, float], grid: VoxelGrid, size: int) -> tuple[float, float, float]:
    """A point of the input of ``size`` voxels; ``as_input`` halves a larger grid and pads a smaller one."""
    made = len(grid.occupied)
    scale, pad = (made / size, 0) if made >= size else (1.0, (size - made) // 2)
    x, y, z = (
        start + (at - pad) * scale * grid.mm_per_voxel
        for at, start in zip(voxels, grid.origin_mm, strict=True)
    )
    return (x, y, z)
