"""Bodies that every split prints and those that only the training split does.

Each builder draws a body's proportions and gives a function from its size in mm (of its longer side, seen
from above) to the solid. ``slender`` is its height in sizes; flat families take only a part of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

from ingest.simulate.jobs.plan import Outline, Solid
from ingest.simulate.jobs.polygons import Rings, box, circle, hole, moved, regular
from ingest.simulate.toolpath import Floats

Shape: TypeAlias = Callable[[float], Solid]
Builder: TypeAlias = Callable[[np.random.Generator, float], Shape]

ROUND = 60  # corners of a circle
LEAST_HEIGHT_MM = 1.2


def prism(family: str, height_mm: float, rings: Rings) -> Solid:
    """The same section all the way up."""
    return Solid(family, max(height_mm, LEAST_HEIGHT_MM), reach(rings), lambda _z_mm: rings)


def steps(family: str, sections: Sequence[tuple[float, Rings]]) -> Solid:
    """Sections one on another, each up to its height in mm."""

    def outline(z_mm: float) -> Rings:
        return next((rings for top_mm, rings in sections if z_mm < top_mm), [])

    widest = max(reach(rings) for _, rings in sections)
    return Solid(family, sections[-1][0], widest, outline)


def loft(family: str, height_mm: float, outline: Outline) -> Solid:
    """A section that changes with the height."""
    widest = max(reach(outline(share * height_mm)) for share in (0.01, 0.25, 0.5, 0.75, 0.99))
    return Solid(family, height_mm, 1.05 * widest, outline)


def reach(rings: Rings) -> float:
    """How far from the middle the rings go."""
    return max((float(np.hypot(*ring.T).max()) for ring in rings), default=0.0)


def rounded_box(width_mm: float, depth_mm: float, radius_mm: float) -> Floats:
    """A rectangle with round corners."""
    corners = []
    for turn, (x, y) in enumerate(((0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5), (0.5, -0.5))):
        angle = np.linspace(turn, turn + 1, 7) * math.pi / 2
        middle = (x * (width_mm - 2 * radius_mm), y * (depth_mm - 2 * radius_mm))
        corners.append(radius_mm * np.column_stack([np.cos(angle), np.sin(angle)]) + middle)
    return np.concatenate(corners)


# In every split, in other proportions


def cube(rng: np.random.Generator, slender: float) -> Shape:
    """A box with sharp or round edges."""
    depth, corner = rng.uniform(0.55, 1.0), rng.choice([0.0, 0.08, 0.2])

    def of(size_mm: float) -> Solid:
        sides = size_mm, depth * size_mm
        ring = rounded_box(*sides, corner * sides[1]) if corner else box(*sides)
        return prism("cube", slender * size_mm, [ring])

    return of


def vase(rng: np.random.Generator, slender: float) -> Shape:
    """Round or with many corners, its radius swinging with the height, perhaps fluted and twisted."""
    belly, phase, swings = rng.uniform(0.05, 0.3), rng.uniform(0, math.tau), rng.uniform(0.4, 1.3)
    flutes, depth = int(rng.integers(4, 14)), rng.choice([0.0, 0.03, 0.07])
    twist = rng.choice([0.0, 0.6, 1.4])

    def of(size_mm: float) -> Solid:
        height_mm = slender * size_mm
        corners = int(np.clip(2 * size_mm, 40, 90))
        angle = np.arange(corners) * (math.tau / corners)

        def outline(z_mm: float) -> Rings:
            share = z_mm / height_mm
            swing = 1.0 - belly + belly * math.sin(phase + math.tau * swings * share)
            radius = size_mm / 2 * swing * (1.0 - depth + depth * np.sin(flutes * (angle + twist * share)))
            return [np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])]

        return loft("vase", height_mm, outline)

    return of


# Training alone


def drilled_box(rng: np.random.Generator, slender: float) -> Shape:
    """A box with round holes through it."""
    depth, across, down = rng.uniform(0.5, 1.0), int(rng.integers(1, 4)), int(rng.integers(1, 3))
    bore = rng.uniform(0.35, 0.6)

    def of(size_mm: float) -> Solid:
        sides = size_mm, depth * size_mm
        pitch = sides[0] / across, sides[1] / down
        rings = [rounded_box(*sides, 0.08 * size_mm)]
        for column in range(across):
            for row in range(down):
                x_mm, y_mm = (column + 0.5) * pitch[0] - sides[0] / 2, (row + 0.5) * pitch[1] - sides[1] / 2
                rings.append(hole(moved(circle(bore * min(pitch) / 2), x_mm, y_mm)))
        return prism("drilled_box", 0.6 * slender * size_mm, rings)

    return of


def tube(rng: np.random.Generator, slender: float) -> Shape:
    """A ring, or a cup where it has a floor."""
    bore, floor = rng.uniform(0.6, 0.85), rng.choice([0.0, 0.08])
    corners = int(rng.choice([6, 8, 0, 0]))

    def of(size_mm: float) -> Solid:
        outer = regular(size_mm / 2, corners) if corners else circle(size_mm / 2)
        wall: Rings = [outer, hole(bore * outer)]
        height_mm = slender * size_mm
        return steps("tube", [(floor * height_mm, [outer]), (height_mm, wall)])

    return of


def cone(rng: np.random.Generator, slender: float) -> Shape:
    """A cone that ends blunt, or a pyramid."""
    tip, corners = rng.uniform(0.08, 0.4), int(rng.choice([4, 6, ROUND]))

    def of(size_mm: float) -> Solid:
        foot, height_mm = regular(size_mm / 2, corners, math.pi / 4), slender * size_mm
        return loft("cone", height_mm, lambda z_mm: [(1.0 - (1.0 - tip) * z_mm / height_mm) * foot])

    return of


def towers(rng: np.random.Generator, slender: float) -> Shape:
    """Thin columns on a common foot."""
    count, thin = int(rng.integers(2, 5)), rng.uniform(0.16, 0.24)
    corners = int(rng.choice([4, ROUND // 2]))

    def of(size_mm: float) -> Solid:
        places = [
            moved(np.zeros((1, 2)), 0.34 * size_mm, 0.0, 0.0) @ _turned(math.tau * k / count)
            for k in range(count)
        ]
        columns = [regular(thin * size_mm / 2, corners, math.pi / 4) + place for place in places]
        return steps("towers", [(1.6, [circle(size_mm / 2)]), (1.6 + 1.2 * slender * size_mm, columns)])

    return of


def bracket(rng: np.random.Generator, slender: float) -> Shape:
    """A plate on end with a foot and an arm that hangs over."""
    deep, thick, reach_ = rng.uniform(0.35, 0.7), rng.uniform(0.12, 0.2), rng.uniform(0.45, 0.9)

    def of(size_mm: float) -> Solid:
        width_mm, height_mm = deep * size_mm, slender * size_mm
        wall_mm = thick * size_mm
        foot = box(size_mm, width_mm)
        post = box(wall_mm, width_mm, (wall_mm - size_mm) / 2)
        arm = box(reach_ * size_mm, width_mm, (reach_ - 1.0) * size_mm / 2)
        low_mm, high_mm = max(0.8 * wall_mm, 1.6), height_mm - max(0.8 * wall_mm, 1.6)
        return steps(
            "bracket", [(low_mm, [foot]), (max(high_mm, low_mm + 2.0), [post]), (height_mm + 4.0, [arm])]
        )

    return of


def flat_plate(rng: np.random.Generator, slender: float) -> Shape:
    """A low plate with slots: most of it is skin."""
    depth, slots = rng.uniform(0.4, 0.9), int(rng.integers(0, 5))

    def of(size_mm: float) -> Solid:
        rings = [rounded_box(size_mm, depth * size_mm, 0.06 * size_mm)]
        for slot in range(slots):
            x_mm = ((slot + 0.5) / slots - 0.5) * 0.86 * size_mm
            rings.append(
                hole(moved(rounded_box(0.07 * size_mm, 0.55 * depth * size_mm, 0.03 * size_mm), x_mm, 0.0))
            )
        return prism("flat_plate", min(max(0.06 * slender * size_mm, 1.4), 5.0), rings)

    return of


def organiser(rng: np.random.Generator, slender: float) -> Shape:
    """A box of compartments, open above."""
    depth, across, down = rng.uniform(0.6, 1.0), int(rng.integers(1, 4)), int(rng.integers(1, 3))

    def of(size_mm: float) -> Solid:
        sides, wall_mm = (size_mm, depth * size_mm), 2.0
        outer = rounded_box(*sides, 0.08 * size_mm)
        width, height = (sides[0] - wall_mm) / across, (sides[1] - wall_mm) / down
        cells = [
            hole(moved(rounded_box(width - wall_mm, height - wall_mm, 0.1 * min(width, height)), x, y))
            for x in (np.arange(across) + 0.5) * width - (sides[0] - wall_mm) / 2
            for y in (np.arange(down) + 0.5) * height - (sides[1] - wall_mm) / 2
        ]
        return steps("organiser", [(1.4, [outer]), (max(0.7 * slender * size_mm, 5.0), [outer, *cells])])

    return of


def dome(rng: np.random.Generator, slender: float) -> Shape:
    """Half an egg, perhaps on a collar."""
    collar = rng.choice([0.0, 0.2])

    def of(size_mm: float) -> Solid:
        foot, height_mm = circle(size_mm / 2), min(slender, 1.2) * size_mm

        def outline(z_mm: float) -> Rings:
            share = max(z_mm / height_mm - collar, 0.0) / (1.0 - collar)
            return [math.sqrt(max(1.0 - share**2, 0.004)) * foot]

        return loft("dome", height_mm, outline)

    return of


def _turned(angle: float) -> Floats:
    return np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
