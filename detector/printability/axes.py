"""The axis of a hole among voxels: that of the empty cylinder around which a part's surface lies closest.

A long hole is widest along its axis. A short one is widest aslant, where its rims give way; but there, too,
it touches most of its wall along its axis.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from detector.printability.defects import Hole
from features.silhouettes import Values

Points: TypeAlias = npt.NDArray[np.float64]
Marks: TypeAlias = npt.NDArray[np.bool_]

AROUND, BESIDE = 6.0, 3.0
"""Voxels beyond an opening within which material can bound it; and within which its wall is sought."""
TOUCH_VOXELS = 0.7
"""Material that is so little farther than what is nearest to an axis is the wall."""
LEAST_WIDTH = 0.8
"""Share of its width that a hole keeps when its axis settles: a thread amid the wall would touch more."""
LEEWAY_VOXELS, LEEWAY_DEGREES = 2.0, 20.0
"""How far beyond its lens, and how far turned, a hole's axis may be: a climb shall not leave the part."""


class Steps(NamedTuple):
    """How a climb goes: so many steps by chance are tried at once from where it is best so far.

    Where none is better, the next ones are smaller by ``shrink``.
    """

    trials: int
    rounds: int
    shrink: float
    voxels: float
    degrees: float


TO_THE_WIDEST = Steps(32, 14, 0.6, 1.0, 5.0)
TO_THE_WALL = Steps(48, 20, 0.8, 0.6, 6.0)


def climb(skin: Points, start: Hole) -> Hole:
    """The widest empty cylinder near ``start`` among the centres of a part's outer voxels [n, 3].

    Its point lies in the middle of what bounds it.
    """
    return _climbed(around(skin, start, AROUND), start, TO_THE_WIDEST, lambda squares: squares.min(1))


def settle(skin: Points, start: Hole) -> Hole:
    """The empty cylinder near ``start`` that touches most of a part's outer voxels [n, 3]: a hole's wall.

    Its radius is that of the hole, within some hundredths of a voxel.
    """
    narrowest = (LEAST_WIDTH * start.radius) ** 2

    def height(squares: Values) -> Values:
        return np.asarray(np.where(squares.min(1) > narrowest, _touched(squares), 0))

    return _climbed(around(skin, start, BESIDE), start, TO_THE_WALL, height)


def touched(skin: Points, hole: Hole) -> int:
    """How many of a part's outer voxels [n, 3] are a hole's wall."""
    return int(_touched(_own_squares(skin, hole))[0])


def away(points: Points, hole: Hole) -> Values:
    """How far points [n, 3] are from a hole's axis: [n]."""
    return np.asarray(np.sqrt(np.maximum(_own_squares(points, hole)[0], 0)))


def around(skin: Points, hole: Hole, voxels: float) -> Points:
    """Of a part's outer voxels [n, 3] those that are less than so far beyond a hole."""
    return np.asarray(skin[away(skin, hole) < hole.radius + voxels])


def beside(near: Points, point: Values, direction: Values) -> Values:
    """The point of the axis that is amid the points ``near`` [n, 3]."""
    return np.asarray(point + ((near - point) @ direction).mean() * direction)


def hole_of(point: Values, direction: Values | tuple[float, ...], radius: float) -> Hole:
    """A hole in plain numbers."""
    x, y, z = (float(own) for own in point)
    u, v, w = (float(own) for own in direction)
    return Hole((x, y, z), (u, v, w), float(radius))


def _touched(squares: Values) -> Values:
    """Of distances, squared, [k, n] in each row: how many are those of a wall, float64 [k]."""
    nearest = np.sqrt(np.maximum(squares.min(1, keepdims=True), 0))
    return np.asarray((squares < (nearest + TOUCH_VOXELS) ** 2).sum(1, dtype=np.float64))


def _climbed(near: Points, start: Hole, steps: Steps, height: Callable[[Values], Values]) -> Hole:
    """Where a climb from ``start`` ends.

    ``height``: of axes, by the squares of their distances [k, n] to the points ``near`` [n, 3], float64 [k].
    """
    if not len(near):
        return start
    random = np.random.default_rng(0)
    direction = np.array(start.direction)
    point = beside(near, np.array(start.point), direction)
    best = height(_squares(near, direction[None], point[None]))[0]
    voxels, turn = steps.voxels, np.radians(steps.degrees)
    for _ in range(steps.rounds):
        directions = direction + random.normal(size=(steps.trials, 3)) * turn
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        points = point + random.normal(size=(steps.trials, 3)) * voxels
        heights = height(_squares(near, directions, points))
        heights[~_within_leeway(start, directions, points)] = -np.inf
        ahead = int(heights.argmax())
        if heights[ahead] > best:
            best, direction, point = heights[ahead], directions[ahead], points[ahead]
        else:
            voxels, turn = voxels * steps.shrink, turn * steps.shrink
    axis = hole_of(point, direction, 0.0)
    return axis._replace(radius=float(away(near, axis).min()))


def _within_leeway(start: Hole, directions: Values, points: Values) -> Marks:
    """Whether axes of ``directions`` [k, 3] through ``points`` [k, 3] can be that of a glimpse: bool [k]."""
    aside, turned = away(points, start), np.abs(directions @ np.array(start.direction))
    return np.asarray((aside < start.radius + LEEWAY_VOXELS) & (turned > np.cos(np.radians(LEEWAY_DEGREES))))


def _own_squares(points: Points, hole: Hole) -> Values:
    """The squares of distances from one hole's axis, as ``_squares``: [1, n]."""
    return _squares(points, np.array([hole.direction]), np.array([hole.point]))


def _squares(points: Points, directions: Values, through: Values) -> Values:
    """The squares of the distances of points [n, 3] from axes of ``directions`` [k, 3] ``through`` points
    [k, 3]: [k, n]; a rounding error may be below 0."""
    squares = (-2 * through) @ points.T
    squares += np.einsum("ij,ij->i", points, points) + (through**2).sum(1, keepdims=True)
    lengths = directions @ points.T
    lengths -= (directions * through).sum(1, keepdims=True)
    squares -= np.square(lengths, out=lengths)
    return squares
