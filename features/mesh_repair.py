"""Surfaces made whole: each repair only where it is needed, kept only where it helps, and told in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import trimesh
from scipy.spatial import KDTree
from trimesh.repair import fill_holes

from features.mesh_edges import (
    Floats,
    Integers,
    bodies,
    components,
    ends,
    open_edges,
    turned_over,
    unique_rows,
    used,
    volumes,
    winding,
)
from features.mesh_records import Faces, Mesh, MeshError, Soup

CRACK = 1e-5
"""Width of cracks that are closed, as a share of the longest side: a thousandth of a millimetre in 100 mm."""

MAX_MENDED = 1_000_000
"""Triangles beyond which nothing is mended: it would take more memory than a mesh may."""

MAX_NEAR = 200_000
"""Vertices of open edges beyond which only those in one cell are taken to be one."""

MAX_HOLE_EDGES = 5_000
"""Open edges beyond which holes are left: what has more of them is no closed part with a few mistakes."""

FLAT = 1e-9
"""Volume that is none, as a share of the cube of the longest side."""

MAX_LOOKED_AT = 10_000_000
"""Faces that are looked at to tell cavities from bodies that are inside out: a few seconds' worth."""

Mask = npt.NDArray[np.bool_]
Mended = tuple[Mesh, str]


class Repaired(NamedTuple):
    """A mesh in the file's unit, what was done to it, and the edges [k] that are still open."""

    mesh: Mesh
    notes: tuple[str, ...]
    open_edges: Integers


def repaired(soup: Soup) -> Repaired:
    """Merge equal vertices, drop faces without area, and mend what is not closed.

    Raises MeshError for a surface without area or, where it is closed, without volume.
    """
    mesh, notes = _merged(soup)
    del soup  # the memory of millions of triangles
    left = open_edges(mesh.faces)
    for mend in MENDS:
        if not len(left) or len(mesh.faces) > MAX_MENDED:
            break
        mended, note = mend(mesh, left)
        if len(mended.faces) and len(still := open_edges(mended.faces)) < len(left):
            mesh, left, notes = mended, still, [*notes, note]
    if not len(left):
        mesh, said = _right_side_out(mesh)
        notes += said
    vertices, faces = used(*mesh)
    return Repaired(Mesh(np.asarray(vertices, np.float64), faces), tuple(notes), left)


def _merged(soup: Soup) -> tuple[Mesh, list[str]]:
    """Vertices in one place are one, and faces with a corner twice are none."""
    first, which = unique_rows(soup.points)
    kept = which[soup.faces]
    if not (proper := _proper(kept)).all():
        kept = kept[proper]
    if not len(kept):
        raise MeshError("found no triangle with an area, expected a surface: export the file anew")
    dropped = len(soup.faces) - len(kept)
    notes = [*soup.notes, *([f"Left out {dropped:,} triangles without area."] if dropped else [])]
    points, faces = used(soup.points[first], kept)
    return Mesh(np.asarray(points, np.float64), faces), notes


def _without_duplicates(mesh: Mesh, left: Integers) -> Mended:
    """Faces of the same three corners: one where they face the same way, none where they face each other."""
    del left
    faces = mesh.faces
    _, which = unique_rows(np.sort(faces, axis=1))
    even = (np.argmin(faces, 1) + 1) % 3
    forward = faces[np.arange(len(faces)), even] < faces[np.arange(len(faces)), (even + 1) % 3]
    sides = np.bincount(which, np.where(forward, 1, -1))
    wanted = np.sign(sides)[which] == np.where(forward, 1, -1)
    candidates = np.flatnonzero(wanted)
    kept = candidates[np.unique(which[candidates], return_index=True)[1]]
    kept.sort()
    note = f"Left out {len(faces) - len(kept):,} triangles that stood twice."
    return mesh._replace(faces=faces[kept]), note


def _rewound(mesh: Mesh, left: Integers) -> Mended:
    """Faces of a body all the same way, as most of its area was."""
    del left
    over, body = turned_over(mesh.faces), bodies(mesh.faces)
    corners = mesh.vertices[mesh.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    turned = np.bincount(body, np.where(over, area, -area))
    over ^= (turned > 0)[body]
    return _flipped(mesh, over), f"Turned over {over.sum():,} triangles that faced the other way."


def _stitched(mesh: Mesh, left: Integers) -> Mended:
    """Vertices of open edges that are as good as in one place become one."""
    vertices, corners = mesh.vertices, ends(left)
    same = np.arange(len(vertices))
    same[corners] = corners[_near(vertices[corners], CRACK * float(np.ptp(vertices, axis=0).max()))]
    faces = same[mesh.faces]
    note = f"Closed cracks of up to {CRACK:g} of the part's longest side."
    return mesh._replace(faces=faces[_proper(faces)]), note


def _near(points: Floats, width: float) -> Integers:
    """For each point [n, 3] the index of one that stands for all within ``width`` of each other.

    Those in one cell of half the width are one first: so few pairs are left, however dense the points are.
    """
    first, which = unique_rows(np.floor((points - points.min(0)) / (width / 2)).astype(np.int64))
    if len(first) <= MAX_NEAR:
        pairs = KDTree(points[first]).query_pairs(width, output_type="ndarray")
        _, one, group = np.unique(
            components(pairs[:, 0], pairs[:, 1], len(first)), return_index=True, return_inverse=True
        )
        first = first[one[group]]
    return first[which]


def _filled(mesh: Mesh, left: Integers) -> Mended:
    """Holes of three or four edges."""
    if len(left) > MAX_HOLE_EDGES:
        return mesh, ""
    surface = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    fill_holes(surface)
    faces = np.asarray(surface.faces, np.int64)
    return mesh._replace(faces=faces), f"Filled holes with {len(faces) - len(mesh.faces):,} triangles."


MENDS: tuple[Callable[[Mesh, Integers], Mended], ...] = (_without_duplicates, _rewound, _stitched, _filled)
"""In the order in which they are tried."""


def _right_side_out(mesh: Mesh) -> tuple[Mesh, list[str]]:
    """A closed mesh with its faces outwards; a body within another one stays turned: it is a cavity."""
    each = volumes(mesh)
    whole, longest = float(each.sum()), float(np.ptp(mesh.vertices, axis=0).max())
    if abs(whole) < FLAT * longest**3:
        raise MeshError("found a surface that encloses no volume, expected a part: export the file anew")
    notes = []
    if whole < 0:
        mesh, each = _flipped(mesh, np.ones(len(each), np.bool_)), -each
        notes.append("The mesh was inside out and was turned.")
    over, unseen = _inside_out(mesh, each)
    if over.any():
        notes.append(f"Turned over {over.sum():,} triangles of bodies that were inside out.")
        mesh = _flipped(mesh, over)
    if unseen:
        notes.append(f"{unseen:,} more bodies face inwards and were taken to be cavities.")
    return mesh, notes


def _inside_out(mesh: Mesh, each: Floats) -> tuple[Mask, int]:
    """Faces [m] of bodies with a negative volume that no other body encloses; how many were not looked at."""
    over = np.zeros(len(each), np.bool_)
    if (each >= 0).all():
        return over, 0
    body = bodies(mesh.faces)
    negative = np.flatnonzero(np.bincount(body, each) < 0)
    looked_at = negative[: MAX_LOOKED_AT // len(body)]
    for one in looked_at:
        own = body == one
        point = mesh.vertices[mesh.faces[own][0]].mean(0)
        over |= own & (winding(mesh._replace(faces=mesh.faces[~own]), point) < 0.5)  # noqa: PLR2004 - half
    return over, len(negative) - len(looked_at)


def _flipped(mesh: Mesh, over: Mask) -> Mesh:
    return mesh._replace(faces=np.where(over[:, None], mesh.faces[:, ::-1], mesh.faces))


def _proper(faces: Faces) -> Mask:
    """Faces [m] with three different corners."""
    a, b, c = faces.T
    result: Mask = (a != b) & (b != c) & (c != a)
    return result
