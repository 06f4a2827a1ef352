"""How triangles hang together: equal vertices, edges, bodies, volumes; for millions, in bounded memory."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from features.mesh_records import Faces, Mesh, Points, Vertices

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

MIXERS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)
"""Odd numbers that spread three words over 64 bits; what is alike by chance is found and told apart."""

BLOCK = 1 << 18


class Neighbours(NamedTuple):
    """Pairs of faces [k] that alone share an edge, and whether both run along it the same way: a mistake."""

    one: Integers
    other: Integers
    alike: npt.NDArray[np.bool_]


def unique_rows(rows: Points | Integers) -> tuple[Integers, Integers]:
    """Equal rows of [n, 3] as one: the index of one of each [k], ascending, and which of them a row is [n].

    What lies together in ``rows`` so stays together, which is what makes millions of them quick to look up.
    """
    order, begins = _alike(rows)
    first = np.sort(order[begins])
    place = np.empty(len(rows), np.int32)
    place[first] = np.arange(len(first), dtype=np.int32)
    which = np.empty(len(rows), np.int64)
    which[order] = place[order[begins]][np.cumsum(begins, dtype=np.int32) - 1]
    if any((rows[first, column][which] != rows[:, column]).any() for column in range(3)):
        _, first, which = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return first, which


def _alike(rows: Points | Integers) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """An order [n] in which rows that are mixed alike follow each other, and where such a run begins [n]."""
    words = np.ascontiguousarray(rows + rows.dtype.type(0)).view(f"u{rows.dtype.itemsize}")
    mixed = np.zeros(len(words), np.uint64)
    for column, mixer in enumerate(MIXERS):
        mixed ^= words[:, column]
        mixed *= np.uint64(mixer)
        mixed ^= mixed >> np.uint64(29)
    del words  # as large as the rows
    order = np.argsort(mixed)
    mixed = mixed[order]
    return order, np.concatenate([[True], mixed[1:] != mixed[:-1]])[: len(order)]


def used(points: Points, faces: Faces) -> tuple[Points, Faces]:
    """Points [n, 3] without those that no face has, and the faces [m, 3] of what is left."""
    kept = np.zeros(len(points), np.bool_)
    kept[faces] = True
    if kept.all():
        return points, faces
    return points[kept], (np.cumsum(kept) - 1)[faces]


def open_edges(faces: Faces) -> Integers:
    """Edges [k] that are not run along equally often in both directions: none in a closed surface.

    Each is its lower vertex << 32 | its higher one. An edge of four faces is closed as well: two bodies touch
    there.
    """
    keys = np.concatenate([_directed(faces, corner) for corner in range(3)])
    if not len(keys):
        return keys
    keys.sort()
    onwards = (keys & 1).astype(np.int8) * 2 - 1
    keys >>= 1
    begins = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    begins = begins[np.add.reduceat(onwards, begins, dtype=np.int32) != 0]
    result: Integers = keys[begins]
    return result


def ends(edges: Integers) -> Integers:
    """The vertices of edges as ``open_edges`` gives them, each once."""
    return np.unique(np.concatenate([edges >> 32, edges & 0xFFFFFFFF]))


def neighbours(faces: Faces) -> Neighbours:
    """Pairs of faces at edges that no third face shares."""
    keys = np.concatenate([_directed(faces, corner) for corner in range(3)])
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    _, begins, counts = np.unique(keys >> 1, return_index=True, return_counts=True)
    first = begins[counts == 2]  # noqa: PLR2004 - a pair
    owner = order % len(faces)
    return Neighbours(owner[first], owner[first + 1], keys[first] == keys[first + 1])


def bodies(faces: Faces) -> Integers:
    """Which body each face belongs to [m]: those that hang together by edges of two faces."""
    pairs = neighbours(faces)
    return components(pairs.one, pairs.other, len(faces))


def turned_over(faces: Faces) -> npt.NDArray[np.bool_]:
    """Faces [m] to turn over so that all of a body run alike: as one of its faces does.

    Every face stands twice, as it is and turned over, and is linked to that form of its neighbours which runs
    as it does; a body so falls into two parts, each other's mirror. One that does not has no outside at all
    (a Möbius strip) and stays as it is.
    """
    pairs, count = neighbours(faces), len(faces)
    other = pairs.other + np.where(pairs.alike, count, 0)
    mirrored = pairs.other + np.where(pairs.alike, 0, count)
    one = np.concatenate([pairs.one, pairs.one + count])
    labels = components(one, np.concatenate([other, mirrored]), 2 * count)
    as_it_is, over = labels[:count], labels[count:]
    return as_it_is > over


def volumes(mesh: Mesh) -> Floats:
    """What each face adds to the volume [m], mm³: positive where the mesh is right side out."""
    middle = mesh.vertices.mean(0)
    blocks = range(0, len(mesh.faces), BLOCK)
    return np.concatenate([_volumes(mesh.vertices, mesh.faces[at : at + BLOCK], middle) for at in blocks])


def winding(mesh: Mesh, point: Floats) -> float:
    """How often a closed surface winds around a point: 1 inside a body (van Oosterom, Strackee 1983)."""
    blocks = range(0, len(mesh.faces), BLOCK)
    angle = sum(_solid_angle(mesh.vertices[mesh.faces[at : at + BLOCK]] - point) for at in blocks)
    return angle / (4 * np.pi)


def components(one: Integers, other: Integers, count: int) -> Integers:
    """Which part each of ``count`` things belongs to [count]: ``one`` and ``other`` [k] hang together."""
    links = coo_array((np.ones(len(one), np.bool_), (one, other)), (count, count))
    return np.asarray(connected_components(links, directed=False)[1], np.int64)


def _directed(faces: Faces, corner: int) -> Integers:
    """A face's edge from this corner to the next [m]: both vertices, and the direction in the lowest bit."""
    begin, end = faces[:, corner], faces[:, (corner + 1) % 3]
    return ((np.minimum(begin, end) << 32 | np.maximum(begin, end)) << 1) | (begin < end)


def _volumes(vertices: Vertices, faces: Faces, middle: Floats) -> Floats:
    a, b, c = (vertices[faces[:, corner]] - middle for corner in range(3))
    result: Floats = np.einsum("ij,ij->i", a, np.cross(b, c)) / 6
    return result


def _solid_angle(corners: Floats) -> float:
    """Seen from the origin; corners [m, 3, 3]."""
    lengths = np.linalg.norm(corners, axis=2)
    a, b, c = (corners[:, corner] for corner in range(3))
    below = lengths.prod(1)
    for one, other, third in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        below += np.einsum("ij,ij->i", corners[:, one], corners[:, other]) * lengths[:, third]
    return float(2 * np.arctan2(np.einsum("ij,ij->i", a, np.cross(b, c)), below).sum())
