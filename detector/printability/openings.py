"""Where one can look through a part: what a hole is, whoever drilled it.

Along its own direction a through-hole is an opening in the part's silhouette, of the hole's shape; from some
degrees beside it a lens is left of it. A look along directions all over the half sphere finds them so. From
there ``axes`` climbs to the widest empty cylinder, and on to the one that touches most of the hole's wall.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from detector.printability.axes import AROUND, Points, around, away, beside, climb, hole_of, settle, touched
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

LOOKS = 3000
"""Directions over the half sphere, some 2.5 degrees apart: through a narrow hole in 40 voxels of material one
sees from 4 degrees beside its axis at most. Along 1000 at least four of 184 narrow holes of the validation
parts (radius 3) are not found, along 3000 all of those that were looked into (docs/findings.md)."""
LESSONS_LOOKS = 1000
"""Enough to learn from: the drilled hole is known there, and of a part's own ones a few may be missing."""
NARROWEST, WIDEST = 1.0, 12.0
"""Voxels from the middle of an opening to what is around it: smaller ones are the lattice's, larger ones are
windows in a frame."""
WIDEST_ANYWHERE = 8.0
"""Along any direction parts fill 64 voxels and their holes are half as wide."""
TOLD_APART_VOXELS, TOLD_APART_DEGREES = 2.5, 12.0
"""Views that differ less are views through one hole."""
MOST_SEEN, MOST_CLIMBED = 20_000, 1000
"""Glimpses that are kept, and holes whose axis is sought, the widest: a bound for what is all holes. A fan's
grill shows some 15,000, and more than 400."""
SHELL = 2
"""Voxels of a part's outer layers that its silhouettes are drawn with: what is deeper hides nothing more."""
NEAR_DEGREES, NEAR_VOXELS = 30.0, 1.0
"""How far turned from a hole, and how far from its wall, views are views through it."""


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


def openings_anywhere(occupied: Occupied, looks: int = LOOKS) -> tuple[Opening, ...]:
    """Those that are seen along ``looks`` directions, of a part bool [x, y, z]; each one once.

    What touches most of its wall comes first, at most MOST_CLIMBED. Nothing of it is left to chance: the same
    part gives the same openings.
    """
    return _openings(occupied, _half_sphere(looks))


def openings_near(occupied: Occupied, hole: Hole) -> tuple[Opening, ...]:
    """Of LESSONS_LOOKS those that are views through one hole, aslant as well."""
    least = math.cos(math.radians(NEAR_DEGREES))
    towards = [one for one in _half_sphere(LESSONS_LOOKS) if abs(np.dot(one, hole.direction)) > least]
    return _openings(occupied, towards, lambda seen: is_view_through(hole, seen))


def _openings(
    occupied: Occupied, directions: Sequence[Vector], chosen: Callable[[Hole], bool] = lambda seen: True
) -> tuple[Opening, ...]:
    if not occupied.any():
        return ()
    skin = surface(occupied)
    glimpses = [one for one in _glimpses(surface(occupied, SHELL), skin, directions) if chosen(one)]
    widest = [climb(skin, hole) for hole in _apart(glimpses, _width, MOST_CLIMBED)]
    settled = [settle(skin, hole) for hole in widest]
    kept = _apart(settled, lambda hole: touched(skin, hole), MOST_CLIMBED, share=0.4)
    return tuple(seen_along(skin, hole) for hole in kept)


def surface(occupied: Occupied, layers: int = 1) -> Points:
    """The centres of a part's outer voxels, float64 [n, 3]: whatever bounds a hole is among them."""
    return centres_of(occupied & ~ndimage.binary_erosion(occupied, iterations=layers))


def seen_along(skin: Points, hole: Hole) -> Opening:
    """The view through a hole upon a part's ``surface``."""
    return Opening(hole, (skin - np.array(hole.point)) @ np.stack(plane(hole.direction), 1))


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
        hole_of(silhouette.point(i, j), direction, radius)
        for direction in directions
        for silhouette in [along(material, direction)]
        for i, j, radius in enclosed(silhouette)
        if NARROWEST < radius <= WIDEST_ANYWHERE
    ]
    widest = sorted(seen, key=lambda hole: -hole.radius)[:MOST_SEEN]
    return [_placed(skin, hole) for hole in widest]


def _width(hole: Hole) -> float:
    return hole.radius


def _apart(
    holes: Sequence[Hole], worth: Callable[[Hole], float], most: int, share: float = 1.0
) -> list[Hole]:
    """The worthiest of every bundle of holes that are one, ``share`` of TOLD_APART near each other."""
    waiting = sorted(holes, key=worth, reverse=True)
    kept: list[Hole] = []
    while waiting and len(kept) < most:
        first = waiting[0]
        kept.append(first)
        directions = np.array([hole.direction for hole in waiting])
        points = np.array([hole.point for hole in waiting])
        turned = np.abs(directions @ np.array(first.direction))
        alike = turned > np.cos(np.radians(share * TOLD_APART_DEGREES))
        alike &= away(points, first) < share * TOLD_APART_VOXELS
        alike[0] = True
        waiting = [hole for hole, same in zip(waiting, alike, strict=True) if not same]
    return kept


def _placed(skin: Points, hole: Hole) -> Hole:
    """With its point beside the material around it: two views through one hole cross there."""
    near = around(skin, hole, AROUND / 3)
    if not len(near):
        return hole
    direction = np.array(hole.direction)
    return hole_of(beside(near, np.array(hole.point), direction), direction, hole.radius)


@cache
def _half_sphere(count: int) -> tuple[Vector, ...]:
    """Unit vectors, each standing for the same area: a Fibonacci lattice."""
    steps = np.arange(count) + 0.5
    heights, turns = steps / count, np.pi * (1 + 5**0.5) * steps
    flat = np.sqrt(1 - heights**2)
    rows = zip(flat * np.cos(turns), flat * np.sin(turns), heights, strict=True)
    return tuple((float(x), float(y), float(z)) for x, y, z in rows)
