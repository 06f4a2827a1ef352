"""Parts whose walls, holes, bridges, overhangs and islands are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import trimesh
from trimesh import Trimesh
from trimesh.creation import annulus, box, cylinder, extrude_triangulation, icosphere

from features.mesh_records import Mesh

GRID = 128
"""Voxels along a part in the grids of the networks: what a measure may be off by."""


def as_mesh(part: Trimesh) -> Mesh:
    """A part as the product sees it."""
    return Mesh(np.asarray(part.vertices, np.float64), np.asarray(part.faces, np.int64))


def voxel_mm(part: Trimesh) -> float:
    """The side of a voxel of a grid of GRID voxels."""
    return float(part.extents.max()) / (GRID - 2)


def block(low: Sequence[float], high: Sequence[float]) -> Trimesh:
    """A box between two corners."""
    return box(bounds=[low, high])


def joined(*parts: Trimesh) -> Trimesh:
    """One body of several that overlap or touch."""
    return trimesh.boolean.union(parts, engine="manifold")


def beside(*parts: Trimesh) -> Trimesh:
    """Bodies in one file that are not joined."""
    return trimesh.util.concatenate(parts)


def drilled(
    part: Trimesh, holes: Sequence[tuple[float, float, float]], axis: str = "z", sections: int = 64
) -> Trimesh:
    """A part with holes through all of it: (u, v, diameter) each, in (x, y), (x, z) or (y, z)."""
    length = 4 * float(part.extents.max())
    turns = {"z": (0, 0, 1), "y": (0, 1, 0), "x": (1, 0, 0)}
    turn = trimesh.geometry.align_vectors((0, 0, 1), turns[axis])
    bits = []
    for u, v, diameter in holes:
        bit = cylinder(diameter / 2, length, sections=sections)
        bit.apply_transform(turn)
        bit.apply_translation({"z": (u, v, 0), "y": (u, 0, v), "x": (0, u, v)}[axis])
        bits.append(bit)
    return trimesh.boolean.difference([part, joined(*bits)], engine="manifold")


def leaning(angle_deg: float, height: float = 10.0) -> Trimesh:
    """A block whose right side leans out by an angle from the vertical, above a foot that stands straight."""
    out = height * np.tan(np.radians(angle_deg))
    return prism([(0, 0), (20, 0), (20, 5), (20 + out, 5 + height), (0, 5 + height)], 15.0)


def prism(outline: Sequence[tuple[float, float]], depth: float) -> Trimesh:
    """A convex outline in (x, z) drawn along y."""
    corners = np.asarray(outline, np.float64)
    fan = np.array([(0, k, k + 1) for k in range(1, len(corners) - 1)])
    part = extrude_triangulation(corners, fan, depth)
    part.apply_transform(trimesh.transformations.rotation_matrix(np.pi / 2, (1, 0, 0)))
    part.fix_normals()
    return part


def bridge(span: float, width: float = 8.0) -> Trimesh:
    """Two piers with a deck over them."""
    piers = [block((x, 0, 0), (x + 6, width, 12)) for x in (0.0, 6.0 + span)]
    return joined(*piers, block((0, 0, 11), (12 + span, width, 15)))


def ledge(reach: float) -> Trimesh:
    """A pier with a shelf on one side."""
    return joined(block((0, 0, 0), (10, 12, 20)), block((0, 0, 15), (10 + reach, 12, 20)))


def mushroom(reach: float) -> Trimesh:
    """A round stem with a flat cap that reaches out all around."""
    stem, cap = cylinder(6, 20, sections=96), cylinder(6 + reach, 4, sections=96)
    cap.apply_translation((0, 0, 10))
    return joined(stem, cap)


def floating(gap: float) -> Trimesh:
    """A block on the bed and another one that hangs over it, touching nothing."""
    return beside(block((0, 0, 0), (20, 20, 6)), block((4, 5, 6 + gap), (14, 15, 14 + gap)))


def hollow(wall: float, side: float = 20.0) -> Trimesh:
    """A box with a cavity inside that nothing leads into."""
    cavity = box((side - 2 * wall,) * 3)
    cavity.invert()
    return beside(box((side,) * 3), cavity)


def tube(wall: float, sections: int = 64) -> Trimesh:
    """An upright tube of 10 mm inside radius."""
    return annulus(10, 10 + wall, 25, sections=sections)


def shell(wall: float) -> Trimesh:
    """A hollow ball."""
    inside = icosphere(4, 12 - wall)
    inside.invert()
    return beside(icosphere(4, 12), inside)


def turned(part: Trimesh, seed: int) -> Trimesh:
    """A part turned at random."""
    copy = part.copy()
    copy.apply_transform(
        trimesh.transformations.random_rotation_matrix(np.random.default_rng(seed).random(3))
    )
    return copy
