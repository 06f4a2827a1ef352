"""What a printability network sees in a part: how likely it prints, and what speaks most against it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor

from detector.printability.defects import Occupied
from detector.printability.grids import as_input
from detector.printability.model_file import PrintabilityModel
from features.mesh import Mesh
from features.voxels import VoxelGrid, voxelize

Evidence: TypeAlias = npt.NDArray[np.float32]
Judge: TypeAlias = Callable[[Tensor], tuple[Tensor, Tensor]]

USUAL_THRESHOLD = 0.5
NEAR = 0.1
"""Share of a grid's side within which empty space belongs to a part: the middle of the widest hole."""


class Seen(NamedTuple):
    """The network's word: the probability that the part prints, and from which on it is taken for printable.

    ``where_mm`` is the middle of the place that speaks most against it, in the mesh's coordinates; None where
    the part is printable, and for networks that give no places.
    """

    probability: float
    threshold: float
    where_mm: tuple[float, float, float] | None

    @property
    def printable(self) -> bool:
        """Whether the probability reaches the threshold."""
        return self.probability >= self.threshold


def look(mesh: Mesh, model: PrintabilityModel) -> Seen | None:
    """Ask the network; None where the part is so thin that no voxel of it is left. Raises MeshError."""
    grid = voxelize(mesh, model.about.holes.grid)
    if not grid.occupied.any():
        return None
    occupied = as_input(grid.occupied, model.about.size)
    with torch.inference_mode():
        logit, evidence = _judged(model, torch.from_numpy(occupied.astype(np.float32))[None, None])
    probability = 1 / (1 + float(np.exp(-np.float64(logit))))
    seen = Seen(probability, model.about.figures.get("threshold", USUAL_THRESHOLD), None)
    if seen.printable or evidence is None:
        return seen
    return seen._replace(where_mm=_in_mm(strongest(evidence, occupied), grid, len(occupied)))


def strongest(evidence: Evidence, occupied: Occupied) -> tuple[float, float, float]:
    """The middle, in voxels, of the cell that speaks most against a part: evidence [s, s, s].

    Cells far from any material have no say: what a network makes of empty space can be shown to nobody.
    """
    cells, size = len(evidence), len(occupied)
    wide = size // cells
    inner = occupied[(slice(0, wide * cells),) * 3]
    near = inner.reshape(cells, wide, cells, wide, cells, wide).any((1, 3, 5))
    if (steps := int(NEAR * size / wide)) > 0:
        near = ndimage.binary_dilation(near, iterations=steps)
    told = np.where(near, evidence, -np.inf) if near.any() else evidence
    x, y, z = ((at + 0.5) * size / cells for at in np.unravel_index(int(told.argmax()), told.shape))
    return (float(x), float(y), float(z))


def _judged(model: PrintabilityModel, grids: Tensor) -> tuple[float, Evidence | None]:
    """The logit of one grid and, of a network that gives places, its evidence [s, s, s]."""
    judge = cast(Judge | None, getattr(model.network, "judge", None))
    if judge is None:
        return float(model.network(grids)[0]), None
    logits, evidence = judge(grids)
    return float(logits[0]), evidence[0].float().numpy()


def _in_mm(voxels: tuple[float, float, float], grid: VoxelGrid, size: int) -> tuple[float, float, float]:
    """A point of the input of ``size`` voxels; ``as_input`` halves a larger grid and pads a smaller one."""
    made = len(grid.occupied)
    scale, pad = (made / size, 0) if made >= size else (1.0, (size - made) // 2)
    x, y, z = (
        start + (at - pad) * scale * grid.mm_per_voxel
        for at, start in zip(voxels, grid.origin_mm, strict=True)
    )
    return (x, y, z)
