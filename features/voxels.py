"""A mesh as a cube of voxels, and voxels packed into bits.

A voxel is occupied where the surface winds around its centre: along z through every column of centres, a
surface that is entered counts +1 and one that is left counts -1, and what is above zero is inside. So bodies
that overlap or lie within each other stay solid, and a cavity, whose surface is turned inwards, stays hollow.

Along a row of centres in x every triangle covers the centres between its rising and its falling edge. An edge
crosses the row at the same place for both of its triangles, to the last bit, and of the centres on an edge
each belongs to one side: no centre is counted twice or left out, whatever lies on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.mesh_records import Mesh, MeshError

Occupied = npt.NDArray[np.bool_]
Packed = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

SIZE = 128
"""Voxels along each side of a grid, as the source of the printability networks has it."""

NUDGE = (1.0e-4, 1.3e-4, 1.7e-4)
"""Voxels by which a mesh is moved off the centres, above the rounding of float32 files: a wall that lies on a
layer of centres is then on one side of all of them, and not of some."""

PAIRS = 1 << 18
"""Crossings that are worked out at a time: their arrays stay within a core's cache and tens of MB."""

MAX_CROSSINGS = 100_000_000
"""Crossings of columns with the surface, beyond which a mesh is no part: thousands in each column."""


class VoxelGrid(NamedTuple):
    """A part in voxels.

    ``occupied`` is bool [x, y, z]: a voxel is occupied where its centre is inside the mesh; z is up.
    ``origin_mm`` is the corner of voxel [0, 0, 0] in the mesh's own coordinates.
    """

    occupied: Occupied
    mm_per_voxel: float
    origin_mm: tuple[float, float, float]


class _Met(NamedTuple):
    """Where a row or a column meets the surface: ``at`` and ``height`` in voxels, [n] each."""

    at: Floats
    height: Floats


def voxelize(mesh: Mesh, size: int = SIZE, *, margin: int = 1) -> VoxelGrid:
    """Fill a cube of size³ voxels with the part.

    The longest side of its bounding box takes size - 2 * margin voxels; it is centred in x and y, and its
    lowest point is at the lower face of layer z = margin. Raises MeshError for a mesh without extent and for
    one with more than MAX_CROSSINGS.
    """
    grid = _frame(mesh, size, margin)
    points = (mesh.vertices - grid.origin_mm) / grid.mm_per_voxel - NUDGE
    turns = np.zeros(size * size * (size + 1), np.int32)
    room = float(MAX_CROSSINGS)
    for at in range(0, len(mesh.faces), PAIRS):
        triangles = points[mesh.faces[at : at + PAIRS]]
        room -= _crossings(triangles)
        _check_room(room)
        _add_turns(turns, triangles, size)
    winding = np.cumsum(turns.reshape(size, size, size + 1)[:, :, :size], axis=2, dtype=np.int32)
    return grid._replace(occupied=winding > 0)


def pack(occupied: Occupied) -> Packed:
    """Eight voxels in a byte: bool [x, y, z] -> uint8 [x * y * z / 8], rounded up."""
    return np.packbits(occupied)


def unpack(packed: Packed, size: int) -> Occupied:
    """What ``pack`` packed: uint8 [size³ / 8] -> bool [size, size, size]."""
    return np.unpackbits(packed, count=size**3).view(np.bool_).reshape(size, size, size)


def _frame(mesh: Mesh, size: int, margin: int) -> VoxelGrid:
    """An empty grid around the mesh."""
    room = size - 2 * margin
    if room < 1 or margin < 0:
        raise ValueError(f"no room in {size} voxels with margins of {margin}")
    if not len(mesh.faces):
        raise MeshError("found a mesh without triangles, expected a part: export it anew")
    used = np.zeros(len(mesh.vertices), np.bool_)
    used[mesh.faces] = True
    low, high = mesh.vertices[used].min(0), mesh.vertices[used].max(0)
    longest = float((high - low).max())
    if not 0 < longest < np.inf:
        raise MeshError(f"found a mesh whose longest side is {longest} mm, expected a part: export it anew")
    scale = longest / room
    middle = (low + high) / 2 - scale * size / 2
    origin = (float(middle[0]), float(middle[1]), float(low[2]) - margin * scale)
    return VoxelGrid(np.zeros((size,) * 3, np.bool_), scale, origin)


def _crossings(triangles: Floats) -> float:
    """How many columns triangles [n, 3, 3] cross, about: as many as they cover area from above."""
    ab, ac = (triangles[:, corner, :2] - triangles[:, 0, :2] for corner in (1, 2))
    return float(np.abs(ab[:, 0] * ac[:, 1] - ab[:, 1] * ac[:, 0]).sum() / 2)


def _check_room(room: float) -> None:
    if room < 0:
        raise MeshError(
            f"found a surface that crosses the grid more than {MAX_CROSSINGS:.0e} times, expected a part: it "
            "holds stacks of sheets, export it anew"
        )


def _add_turns(turns: npt.NDArray[np.int32], triangles: Floats, size: int) -> None:
    """Add to ``turns`` [size, size, size + 1], flat, what changes in each column at each layer."""
    a, b, c = (triangles[:, corner, 1] for corner in range(3))
    low, high = _span(np.minimum(np.minimum(a, b), c), np.maximum(np.maximum(a, b), c), size)
    for faces, rows in _expanded(low, high):
        rising, falling = _row_crossings(triangles[faces], np.asarray(rows + 0.5))
        left, right = np.minimum(rising.at, falling.at), np.maximum(rising.at, falling.at)
        turn = np.where(rising.at > falling.at, -1, 1).astype(np.int32)
        slope = (rising.height - falling.height) / np.where(left < right, rising.at - falling.at, 1.0)
        for pairs, columns in _expanded(*_span(left, right, size)):
            height = falling.height[pairs] + slope[pairs] * (columns + 0.5 - falling.at[pairs])
            layers = np.clip(np.ceil(height - 0.5), 0, size).astype(np.int64)
            np.add.at(turns, (columns * size + rows[pairs]) * (size + 1) + layers, turn[pairs])


def _row_crossings(triangles: Floats, y: Floats) -> tuple[_Met, _Met]:
    """Where the rows at ``y`` [n] meet the rising and the falling edge of their triangles [n, 3, 3]."""
    above = triangles[:, :, 1] > y[:, None]
    up = above.sum(1) == 1
    # Two edges meet the row, both at the one corner that is alone on its side of it.
    alone = np.where(up, above.argmax(1), (~above).argmax(1))
    every = np.arange(len(triangles))
    corner = triangles[every, alone]
    after, before = triangles[every, (alone + 1) % 3], triangles[every, (alone + 2) % 3]
    towards, away = _meet(corner, before, y), _meet(corner, after, y)
    return (
        _Met(*(np.where(up, one, other) for one, other in zip(towards, away, strict=True))),
        _Met(*(np.where(up, other, one) for one, other in zip(towards, away, strict=True))),
    )


def _meet(one: Floats, other: Floats, y: Floats) -> _Met:
    """Where edges meet their rows; from their lower end, so that it is the same for both triangles."""
    swap = (one[:, 1] > other[:, 1])[:, None]
    low, high = np.where(swap, other, one), np.where(swap, one, other)
    part = (y - low[:, 1]) / (high[:, 1] - low[:, 1])
    met = low + part[:, None] * (high - low)
    return _Met(met[:, 0], met[:, 2])


def _span(low: Floats, high: Floats, size: int) -> tuple[Integers, Integers]:
    """The first centre at or above ``low``, and the first at or above ``high``: half-open ranges."""
    first, stop = (np.clip(np.ceil(edge - 0.5), 0, size).astype(np.int64) for edge in (low, high))
    return first, stop


def _expanded(first: Integers, stop: Integers) -> Iterator[tuple[Integers, Integers]]:
    """Every number in the ranges [n] with the index of its range, about PAIRS at a time."""
    used = np.flatnonzero(stop > first)
    counts = (stop - first)[used]
    ends = np.cumsum(counts)
    begun = 0
    while begun < len(used):
        done = ends[begun - 1] if begun else 0
        end = max(begun + 1, int(np.searchsorted(ends, done + PAIRS, side="right")))
        some = slice(begun, end)
        starts = first[used[some]] - (ends[some] - counts[some] - done)
        yield (
            np.repeat(used[some], counts[some]),
            np.repeat(starts, counts[some]) + np.arange(ends[end - 1] - done),
        )
        begun = end
