"""Shapes that solid things are put together from, in mm; faces run counter-clockwise as seen from outside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ingest.simulate.look import Colour, Vector
from ingest.simulate.mesh import Carrier, Faces, Mesh, Vertices

Outline: TypeAlias = Sequence[tuple[float, float]]
"""Corners of a convex polygon, counter-clockwise."""

X, Y, Z = 0, 1, 2


class Shape(NamedTuple):
    """``vertices`` [n, 3] mm, ``faces`` [m, 3]."""

    vertices: Vertices
    faces: Faces


class Pile:
    """Shapes that move together, with colours; becomes a ``Mesh``."""

    def __init__(self, carrier: Carrier) -> None:
        self.carrier = carrier
        self._shapes: list[Shape] = []
        self._colours: list[Vertices] = []
        self._gloss: list[npt.NDArray[np.float32]] = []
        self._count = 0

    def add(self, shape: Shape, colour: Colour | Vertices, gloss: float = 0.1) -> None:
        """Put a shape in; ``colour`` is one for all or one per face, [m, 3]."""
        faces = len(shape.faces)
        self._shapes.append(Shape(shape.vertices, shape.faces + np.int32(self._count)))
        self._count += len(shape.vertices)
        self._colours.append(np.broadcast_to(np.asarray(colour, np.float32), (faces, 3)))
        self._gloss.append(np.full(faces, gloss, np.float32))

    def mesh(self) -> Mesh:
        """All of it as one mesh."""
        if not self._shapes:
            return Mesh(self.carrier, *_nothing())
        return Mesh(
            self.carrier,
            np.concatenate([shape.vertices for shape in self._shapes]),
            np.concatenate([shape.faces for shape in self._shapes]),
            np.concatenate(self._colours),
            np.concatenate(self._gloss),
        )


def _nothing() -> tuple[Vertices, Faces, Vertices, npt.NDArray[np.float32]]:
    flat = np.zeros((0, 3), np.float32)
    return flat, np.zeros((0, 3), np.int32), flat, np.zeros(0, np.float32)


def prism(outline: Outline, low: float, high: float, axis: int = Z) -> Shape:
    """A convex outline drawn out along an axis; it lies in (y, z), (x, z) or (x, y), as that leaves."""
    flat = np.asarray(outline, np.float32)
    sides = len(flat)
    ends = [np.column_stack([flat, np.full(sides, end, np.float32)]) for end in (low, high)]
    ring = np.arange(sides)
    after = (ring + 1) % sides
    walls = [
        np.column_stack([ring, after, after + sides]),
        np.column_stack([ring, after + sides, ring + sides]),
    ]
    fan = np.column_stack([np.zeros(sides - 2, np.int64), ring[1:-1], ring[2:]])
    faces = np.concatenate([*walls, fan[:, ::-1], fan + sides]).astype(np.int32)
    return _along(Shape(np.concatenate(ends), faces), axis)


def _along(upright: Shape, axis: int) -> Shape:
    if axis == Z:
        return upright
    if axis == X:
        return Shape(upright.vertices[:, [2, 0, 1]], upright.faces)
    return Shape(upright.vertices[:, [0, 2, 1]], np.ascontiguousarray(upright.faces[:, ::-1]))


def box(low: Vector, high: Vector) -> Shape:
    """A box between two corners."""
    outline = [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])]
    return prism(outline, low[2], high[2])


def slab(low: Vector, high: Vector, bevel: float, axis: int = Z) -> Shape:
    """A box whose edges along an axis are bevelled, mm."""
    across = [i for i in (X, Y, Z) if i != axis]
    (left, bottom), (right, top) = ((end[across[0]], end[across[1]]) for end in (low, high))
    outline = [
        (left + bevel, bottom),
        (right - bevel, bottom),
        (right, bottom + bevel),
        (right, top - bevel),
        (right - bevel, top),
        (left + bevel, top),
        (left, top - bevel),
        (left, bottom + bevel),
    ]
    return prism(outline, low[axis], high[axis], axis)


def circle(centre: tuple[float, float], radius: float, sides: int = 12) -> Outline:
    """A regular outline about a point."""
    turns = (np.arange(sides) + 0.5) * (2 * math.pi / sides)
    return [(centre[0] + radius * math.cos(turn), centre[1] + radius * math.sin(turn)) for turn in turns]


def rod(begin: Vector, end: Vector, radius: float, sides: int = 8, end_radius: float | None = None) -> Shape:
    """A round bar between two points, a cone where the radii differ."""
    last = radius if end_radius is None else end_radius
    return tube(np.array([begin, end]), [radius, last], sides)


def tube(points: npt.ArrayLike, radius: float | Sequence[float], sides: int = 6) -> Shape:
    """A round tube along points [n, 3], its ends closed."""
    line = np.asarray(points, np.float64)
    count = len(line)
    radii = np.broadcast_to(np.asarray(radius, np.float64), count)
    along = np.gradient(line, axis=0)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    side, up = _across(along)
    turns = np.arange(sides) * (2 * math.pi / sides)
    spokes = np.cos(turns)[:, None] * side[:, None] + np.sin(turns)[:, None] * up[:, None]
    vertices = line[:, None] + radii[:, None, None] * spokes
    return Shape(vertices.reshape(-1, 3).astype(np.float32), _tube_faces(count, sides))


def _across(along: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Two directions square to each of a line's, with them a right-handed frame; they turn little."""
    mean = np.abs(along).mean(axis=0)
    reference = np.eye(3)[int(np.argmin(mean))]
    side = np.cross(reference, along)
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    return side, np.cross(along, side)


def _tube_faces(rings: int, sides: int) -> Faces:
    ring = np.arange(sides)
    after = (ring + 1) % sides
    below = np.repeat(np.arange(rings - 1) * sides, sides)
    here, there = np.tile(ring, rings - 1) + below, np.tile(after, rings - 1) + below
    walls = [
        np.column_stack([here, there, there + sides]),
        np.column_stack([here, there + sides, here + sides]),
    ]
    fan = np.column_stack([np.zeros(sides - 2, np.int64), ring[1:-1], ring[2:]])
    return np.concatenate([*walls, fan[:, ::-1], fan + (rings - 1) * sides]).astype(np.int32)


def curve(*through: Vector, steps: int = 10) -> npt.NDArray[np.float64]:
    """A smooth line, [steps, 3], from the first point to the last, drawn towards the others."""
    ends = np.asarray(through, np.float64)
    degree = len(ends) - 1
    at = np.linspace(0.0, 1.0, steps)[:, None]
    weights = [math.comb(degree, k) * at**k * (1 - at) ** (degree - k) for k in range(degree + 1)]
    return np.asarray(sum(weight * point for weight, point in zip(weights, ends, strict=True)))


def sheet(corner: Vector, right: Vector, up: Vector, columns: int, rows: int) -> Shape:
    """A flat rectangle of so many fields, seen from the side that ``right`` x ``up`` points to."""
    u, v = np.meshgrid(np.linspace(0, 1, columns + 1), np.linspace(0, 1, rows + 1))
    vertices = np.array(corner) + u.reshape(-1, 1) * np.array(right) + v.reshape(-1, 1) * np.array(up)
    low = (np.arange(rows)[:, None] * (columns + 1) + np.arange(columns)).ravel()
    over = low + columns + 1
    faces = [np.column_stack([low, low + 1, over + 1]), np.column_stack([low, over + 1, over])]
    return Shape(vertices.astype(np.float32), np.concatenate(faces).astype(np.int32))


def flat(outline: Outline, at: float, axis: int = Y, towards: float = -1.0) -> Shape:
    """An outline without thickness at a place along an axis; seen from the axis' low or high (1) side."""
    count = len(outline)
    caps = prism(outline, at, at, axis).faces[-2 * (count - 2) :]  # the low end's, then the high end's
    chosen = caps[count - 2 :] - np.int32(count) if towards > 0.0 else caps[: count - 2]
    return Shape(prism(outline, at, at, axis).vertices[:count], np.ascontiguousarray(chosen))


def patch(
    low: tuple[float, float], high: tuple[float, float], at: float, axis: int = Y, towards: float = -1.0
) -> Shape:
    """A rectangle without thickness; see ``flat``."""
    return flat([low, (high[0], low[1]), high, (low[0], high[1])], at, axis, towards)


def uneven(shape: Shape, colour: Colour, rng: np.random.Generator, amount: float) -> Vertices:
    """A colour per face that differs a little from field to field of a ``sheet``, [m, 3]."""
    fields = 1.0 + amount * rng.standard_normal(len(shape.faces) // 2)
    factors = np.clip(np.tile(fields, 2), 0.3, 2.0)
    return np.asarray(np.clip(factors[:, None] * np.array(colour), 0.0, 1.0), np.float32)
