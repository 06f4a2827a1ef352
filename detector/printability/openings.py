"""Where one can look through a part: what a hole is, whoever drilled it.

Along its own direction a through-hole is an opening in the part's silhouette, of the hole's shape; from some
degrees beside it a lens is left of it. A look along directions all over the half sphere finds them so, and a
climb from there to the widest empty cylinder finds the axis: within a tenth of a degree where a hole is long.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from detector.printability.defects import Hole
from features.silhouettes import (
    UP,
    Occupied,
    Values,
    Vector,
    along,
    centres_of,
    enclosed,
    from_above,
    plane,
)

Points: TypeAlias = npt.NDArray[np.float64]
Marks: TypeAlias = npt.NDArray[np.bool_]

LOOKS = 1000
"""Directions over the half sphere, some 4 degrees apart. Along 600 no lens is seen of one narrow hole in 25
(radius 3, in the training parts), along 1000 of one in 100."""
NARROWEST, WIDEST = 1.0, 12.0
"""Voxels from the middle of an opening to what is around it: smaller ones are the lattice's, larger ones are
windows in a frame."""
WIDEST_ANYWHERE = 8.0
"""Along any direction parts fill 64 voxels and their holes are half as wide."""
TOLD_APART_VOXELS, TOLD_APART_DEGREES = 2.5, 12.0
"""Views that differ less are views through one hole."""
MOST_SEEN, MOST_CLIMBED = 3000, 96
"""Glimpses that are kept, and holes whose axis is sought: the widest, in a part like a sieve."""
SHELL = 2
"""Voxels of a part's outer layers that its silhouettes are drawn with: what is deeper hides nothing more."""
TRIALS, ROUNDS, SHRINK = 32, 14, 0.6
"""Of a climb: so many steps by chance are tried at once from the best; where none is better, smaller ones."""
STEP_VOXELS, STEP_DEGREES = 1.0, 5.0
LEEWAY_VOXELS, LEEWAY_DEGREES = 2.0, 20.0
"""How far beyond its lens, and how far turned, a hole's axis may be: a climb shall not leave the part."""
NEAR_DEGREES, NEAR_VOXELS = 30.0, 1.0
"""How far turned from a hole, and how far from its wall, views are views through it."""
AROUND = 6.0
"""Voxels beyond an opening within which material can bound it."""


class Opening(NamedTuple):
    """An empty cylinder through a part, ``hole``, and the centres of material that it is seen among.

    ``flat`` float64 [n, 2]: the material's places across the axis, in voxels, which is at 0.
    """

    hole: Hole
    flat: Values


def openings_above(occupied: Occupied) -> tuple[Opening, ...]:
    """Those that are seen from above, of a part bool [x, y, z]."""
    seen = from_above(occupied)
    columns = centres_of(seen.covered)
    found = []
    for i, j, radius in enclosed(seen):
        if not NARROWEST < radius <= WIDEST:
            continue
        hole = Hole((i + 0.5, j + 0.5, _height(occupied, i, j, radius)), UP, radius)
        found.append(Opening(hole, columns - hole.point[:2]))
    return tuple(found)


def openings_anywhere(occupied: Occupied) -> tuple[Opening, ...]:
    """Those that are seen along any direction, of a part bool [x, y, z]; each one once, the widest first.

    At most MOST_CLIMBED. Nothing of it is left to chance: the same part gives the same openings.
    """
    return _openings(occupied, _half_sphere(LOOKS))


def openings_near(occupied: Occupied, hole: Hole) -> tuple[Opening, ...]:
    """Those of ``openings_anywhere`` that are views through one hole, aslant as well: for an eighth of it."""
    least = math.cos(math.radians(NEAR_DEGREES))
    towards = [one for one in _half_sphere(LOOKS) if abs(np.dot(one, hole.direction)) > least]
    return _openings(occupied, towards, lambda seen: is_view_through(hole, seen))


def _openings(
    occupied: Occupied, directions: Sequence[Vector], chosen: Callable[[Hole], bool] = lambda seen: True
) -> tuple[Opening, ...]:
    if not occupied.any():
        return ()
    skin = surface(occupied)
    glimpses = [one for one in _glimpses(surface(occupied, SHELL), skin, directions) if chosen(one)]
    climbed = [climb(skin, hole) for hole in _apart(glimpses, MOST_CLIMBED)]
    return tuple(seen_along(skin, hole) for hole in _apart(climbed, MOST_CLIMBED, share=0.4))


def surface(occupied: Occupied, layers: int = 1) -> Points:
    """The centres of a part's outer voxels, float64 [n, 3]: whatever bounds a hole is among them."""
    return centres_of(occupied & ~ndimage.binary_erosion(occupied, iterations=layers))


def seen_along(skin: Points, hole: Hole) -> Opening:
    """The view through a hole upon a part's ``surface``."""
    return Opening(hole, (skin - np.array(hole.point)) @ np.stack(plane(hole.direction), 1))


def climb(skin: Points, start: Hole) -> Hole:
    """The widest empty cylinder near ``start`` among a part's ``surface``.

    Its point lies in the middle of what bounds it.
    """
    random = np.random.default_rng(0)
    direction = np.array(start.direction)
    near = skin[_distances(skin, direction[None], np.array(start.point)[None])[0] < start.radius + AROUND]
    if not len(near):
        return start
    point = _beside(near, np.array(start.point), direction)
    best = float(_widths(near, direction[None], point[None])[0])
    voxels, turn = STEP_VOXELS, np.radians(STEP_DEGREES)
    for _ in range(ROUNDS):
        directions = direction + random.normal(size=(TRIALS, 3)) * turn
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        points = point + random.normal(size=(TRIALS, 3)) * voxels
        widths = _widths(near, directions, points)
        widths[~_within_leeway(start, directions, points)] = 0
        ahead = int(widths.argmax())
        if widths[ahead] > best:
            best, direction, point = float(widths[ahead]), directions[ahead], points[ahead]
        else:
            voxels, turn = voxels * SHRINK, turn * SHRINK
    return _hole(point, direction, best)


def angle_degrees(one: Hole, other: Hole) -> float:
    """Between two axes, 0 to 90."""
    return float(np.degrees(np.arccos(min(abs(np.dot(one.direction, other.direction)), 1.0))))


def between_voxels(one: Hole, other: Hole) -> float:
    """How far the point of ``other`` is from the axis of ``one``."""
    away = np.subtract(other.point, one.point)
    direction = np.array(one.direction)
    return float(np.linalg.norm(away - (away @ direction) * direction))


def is_view_through(hole: Hole, seen: Hole) -> bool:
    """Whether an opening is a view through this hole, aslant or not."""
    near = between_voxels(hole, seen) < hole.radius + NEAR_VOXELS
    return near and angle_degrees(hole, seen) < NEAR_DEGREES


def _height(occupied: Occupied, i: int, j: int, radius: float) -> float:
    """The middle of the material beside an opening, so that its point is in the part."""
    reach = math.ceil(radius) + 1
    beside = np.asarray(
        occupied[max(i - reach, 0) : i + reach + 1, max(j - reach, 0) : j + reach + 1].any((0, 1))
    )
    return float(centres_of(beside).mean())


def _glimpses(material: Points, skin: Points, directions: Sequence[Vector]) -> list[Hole]:
    """What is seen enclosed along directions, the widest MOST_SEEN, each placed in the part."""
    seen = [
        _hole(silhouette.point(i, j), direction, radius)
        for direction in directions
        for silhouette in [along(material, direction)]
        for i, j, radius in enclosed(silhouette)
        if NARROWEST < radius <= WIDEST_ANYWHERE
    ]
    widest = sorted(seen, key=lambda hole: -hole.radius)[:MOST_SEEN]
    return [_placed(skin, hole) for hole in widest]


def _apart(holes: Sequence[Hole], most: int, share: float = 1.0) -> list[Hole]:
    """The widest of every bundle of holes that are one, ``share`` of TOLD_APART near each other."""
    waiting = sorted(holes, key=lambda hole: -hole.radius)
    kept: list[Hole] = []
    while waiting and len(kept) < most:
        widest = waiting[0]
        kept.append(widest)
        directions = np.array([hole.direction for hole in waiting])
        points = np.array([hole.point for hole in waiting])
        axis, through = np.array(widest.direction)[None], np.array(widest.point)[None]
        alike = np.abs(directions @ axis[0]) > np.cos(np.radians(share * TOLD_APART_DEGREES))
        alike &= _distances(points, axis, through)[0] < share * TOLD_APART_VOXELS
        alike[0] = True
        waiting = [hole for hole, same in zip(waiting, alike, strict=True) if not same]
    return kept


def _placed(skin: Points, hole: Hole) -> Hole:
    """With its point beside the material around it: two views through one hole cross there."""
    direction = np.array(hole.direction)
    near = _distances(skin, direction[None], np.array(hole.point)[None])[0] < hole.radius + AROUND / 3
    if not near.any():
        return hole
    return _hole(_beside(skin[near], np.array(hole.point), direction), direction, hole.radius)


def _within_leeway(start: Hole, directions: Values, points: Values) -> Marks:
    """Whether axes of ``directions`` [k, 3] through ``points`` [k, 3] can be that of a glimpse: bool [k]."""
    axis, through = np.array(start.direction)[None], np.array(start.point)[None]
    aside = _distances(points, axis, through)[0]
    turned = np.abs(directions @ axis[0])
    return np.asarray((aside < start.radius + LEEWAY_VOXELS) & (turned > np.cos(np.radians(LEEWAY_DEGREES))))


def _beside(near: Points, point: Values, direction: Values) -> Values:
    """The point of the axis that is amid these."""
    return np.asarray(point + ((near - point) @ direction).mean() * direction)


def _widths(near: Points, directions: Values, through: Values) -> Values:
    """The radii of the empty cylinders along axes: float64 [k]."""
    return np.asarray(np.sqrt(np.maximum(_squares(near, directions, through).min(1), 0)))


def _distances(points: Points, directions: Values, through: Values) -> Values:
    """Of points [n, 3] to axes of ``directions`` [k, 3] ``through`` points [k, 3]: [k, n]."""
    return np.asarray(np.sqrt(np.maximum(_squares(points, directions, through), 0)))


def _squares(points: Points, directions: Values, through: Values) -> Values:
    """The same, squared; a rounding error may be below 0."""
    squares = (-2 * through) @ points.T
    squares += np.einsum("ij,ij->i", points, points) + (through**2).sum(1, keepdims=True)
    lengths = directions @ points.T
    lengths -= (directions * through).sum(1, keepdims=True)
    squares -= np.square(lengths, out=lengths)
    return squares


def _hole(point: Values, direction: Values | tuple[float, ...], radius: float) -> Hole:
    x, y, z = (float(own) for own in point)
    u, v, w = (float(own) for own in direction)
    return Hole((x, y, z), (u, v, w), float(radius))


@cache
def _half_sphere(count: int) -> tuple[Vector, ...]:
    """Unit vectors, each standing for the same area: a Fibonacci lattice."""
    steps = np.arange(count) + 0.5
    heights, turns = steps / count, np.pi * (1 + 5**0.5) * steps
    flat = np.sqrt(1 - heights**2)
    rows = zip(flat * np.cos(turns), flat * np.sin(turns), heights, strict=True)
    return tuple((float(x), float(y), float(z)) for x, y, z in rows)
