"""A mesh with what every check asks of it: normals, areas, and which faces meet at which edge."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from detector.printability.physical.finding import Flags, Floats, Integers
from features.mesh_records import Mesh, MeshError

BED_MM = 0.05
"""Faces whose corners are all this close to the lowest point lie on the bed."""


class Edges(NamedTuple):
    """Where exactly two faces meet, e edges.

    ``sides`` int64 [e, 2] are the edge as a side of both faces: the numbers in ``sides_of``. ``faces`` int64
    [e, 2] are the faces, ``opposite`` int64 [e, 2] the vertex of each that is off the edge. ``turn_deg`` [e]
    is the angle between the two normals: positive on a convex edge, negative in a concave one.
    """

    sides: Integers
    faces: Integers
    opposite: Integers
    turn_deg: Floats


class Surface(NamedTuple):
    """A mesh of m faces, every vertex of which belongs to one.

    ``normals`` [m, 3] are unit (zero for a face without area), ``areas_mm2`` [m]; ``low`` [3] mm is the
    lowest corner of the bounding box.
    """

    mesh: Mesh
    normals: Floats
    areas_mm2: Floats
    edges: Edges
    low: Floats

    def turned(self, rotation: Floats) -> Surface:
        """The surface with its points turned by a rotation [3, 3]."""
        vertices = self.mesh.vertices @ rotation.T
        mesh = self.mesh._replace(vertices=vertices)
        return self._replace(mesh=mesh, normals=self.normals @ rotation.T, low=_low(vertices))

    @property
    def triangles(self) -> Floats:
        """Corners of all faces, [m, 3, 3] mm."""
        return self.corners_of(np.arange(len(self.mesh.faces)))

    def corners_of(self, faces: Integers) -> Floats:
        """Corners of some faces [k], [k, 3, 3] mm."""
        triangles: Floats = self.mesh.vertices[self.mesh.faces[faces]]
        return triangles

    @property
    def lowest_mm(self) -> float:
        """Height of the bed."""
        return float(self.low[2])


def surface_of(mesh: Mesh) -> Surface:
    """Work out a mesh's normals, areas and edges. Raises MeshError for one without triangles."""
    if not len(mesh.faces) or not np.isfinite(mesh.vertices).all():
        raise MeshError(
            f"found a mesh of {len(mesh.faces)} triangles, expected a part of finite size: export it anew"
        )
    mesh = _without_loose(mesh)
    a, b, c = (mesh.vertices[mesh.faces[:, corner]] for corner in range(3))
    cross = np.cross(b - a, c - a)
    twice = np.sqrt(np.einsum("ij,ij->i", cross, cross))
    normals = cross / np.where(twice > 0, twice, 1.0)[:, None]
    return Surface(mesh, normals, twice / 2, _edges(mesh, normals), _low(mesh.vertices))


def on_bed(surface: Surface) -> Flags:
    """Faces that lie on the bed, [m]."""
    heights = surface.mesh.vertices[:, 2][surface.mesh.faces]
    return np.asarray(heights.max(1) < surface.lowest_mm + BED_MM)


def sides_of(faces: Integers) -> Integers:
    """The vertices of all sides of faces [m, 3]: int64 [3 m, 2]; side s belongs to face s % m."""
    return np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])


def connected(count: int, pairs: Integers) -> Integers:
    """Number the groups of ``count`` things that ``pairs`` [n, 2] join: int64 [count]."""
    graph = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _low(vertices: Floats) -> Floats:
    return np.array([vertices[:, axis].min() for axis in range(3)])


def _without_loose(mesh: Mesh) -> Mesh:
    """The mesh without vertices that no face has."""
    used = np.zeros(len(mesh.vertices), np.bool_)
    used[mesh.faces.ravel()] = True
    if used.all():
        return mesh
    return Mesh(mesh.vertices[used], (np.cumsum(used) - 1)[mesh.faces])


def _edges(mesh: Mesh, normals: Floats) -> Edges:
    """Edges that two faces share. Those of one face, or of more than two, join nothing."""
    faces = mesh.faces
    ends = np.sort(sides_of(faces), axis=1)
    keys = ends[:, 0] * len(mesh.vertices) + ends[:, 1]
    order = np.argsort(keys, kind="stable")
    begins = np.flatnonzero(np.diff(keys[order], prepend=-1))
    pairs = begins[np.diff(begins, append=len(keys)) == 2]  # noqa: PLR2004 - the two sides of a surface
    sides = np.stack([order[pairs], order[pairs + 1]], 1)
    both = sides % len(faces)
    opposite = faces[both, (sides // len(faces) + 2) % 3]
    return Edges(sides, both, opposite, _turns(mesh, normals, both, opposite))


def _turns(mesh: Mesh, normals: Floats, both: Integers, opposite: Integers) -> Floats:
    """Signed angles between the normals of faces that meet, degrees [e]."""
    one, other = normals[both[:, 0]], normals[both[:, 1]]
    cosine = np.einsum("ij,ij->i", one, other)
    # The far corner of the second face lies below the plane of the first on a convex edge.
    across = mesh.vertices[opposite[:, 1]] - mesh.vertices[opposite[:, 0]]
    rise = np.einsum("ij,ij->i", across, one)
    # Near 0 degrees the chord between the normals is exact where the cosine is not.
    chord = np.sqrt(np.einsum("ij,ij->i", one - other, one - other))
    angle = np.where(cosine > 0, 2 * np.arcsin(np.clip(chord / 2, 0, 1)), np.arccos(np.clip(cosine, -1, 1)))
    return np.asarray(np.where(rise > 0, -1.0, 1.0) * np.degrees(angle))
