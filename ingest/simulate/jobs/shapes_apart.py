"""Bodies that only the validation split prints and those that only the test split does; see ``shapes``."""

from __future__ import annotations

import math

import numpy as np

from ingest.simulate.jobs.plan import Solid
from ingest.simulate.jobs.polygons import Rings, box, circle, hole, moved, regular
from ingest.simulate.jobs.shapes import Shape, loft, prism, rounded_box, steps
from ingest.simulate.toolpath import Floats

# Validation alone


def gear(rng: np.random.Generator, slender: float) -> Shape:
    """A toothed wheel with a bore."""
    teeth, bore, thick = int(rng.integers(10, 25)), rng.uniform(0.2, 0.45), rng.uniform(0.2, 0.45)

    def of(size_mm: float) -> Solid:
        angle = np.arange(4 * teeth) * (math.tau / (4 * teeth))
        radius = size_mm / 2 * np.where(np.arange(4 * teeth) % 4 < 2, 1.0, 1.0 - 3.2 / teeth)  # noqa: PLR2004
        rim = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
        return prism("gear", thick * min(slender, 1.5) * size_mm, [rim, hole(circle(bore * size_mm / 2))])

    return of


def arch(rng: np.random.Generator, slender: float) -> Shape:
    """Two feet and a bridge, its underside a half circle."""
    deep, foot, crown = rng.uniform(0.25, 0.5), rng.uniform(0.16, 0.28), rng.uniform(0.1, 0.2)

    def of(size_mm: float) -> Solid:
        width_mm, opening_mm = deep * size_mm, (1 - 2 * foot) * size_mm
        height_mm = max(min(slender, 1.1), 0.6) * size_mm
        spring_mm = height_mm - crown * size_mm - opening_mm / 2

        def legs(up_mm: float) -> Rings:
            leg_mm = size_mm / 2 - math.sqrt((opening_mm / 2) ** 2 - up_mm**2)
            return [box(leg_mm, width_mm, side * (size_mm - leg_mm) / 2) for side in (-1, 1)]

        feet, crown_rings = legs(0.0), [box(size_mm, width_mm)]

        def outline(z_mm: float) -> Rings:
            up_mm = z_mm - max(spring_mm, 0.0)
            if up_mm >= opening_mm / 2:
                return crown_rings
            return legs(up_mm) if up_mm > 0 else feet

        return loft("arch", height_mm, outline)

    return of


def comb(rng: np.random.Generator, slender: float) -> Shape:
    """Fins upright on a foot, as a heat sink."""
    fins, deep = int(rng.integers(4, 9)), rng.uniform(0.5, 0.9)

    def of(size_mm: float) -> Solid:
        depth_mm, fin_mm = deep * size_mm, max(0.42 * size_mm / fins, 1.6)
        places = (np.arange(fins) / (fins - 1) - 0.5) * (size_mm - fin_mm)
        upright = [box(fin_mm, depth_mm, float(x_mm)) for x_mm in places]
        return steps("comb", [(2.4, [box(size_mm, depth_mm)]), (2.4 + 0.5 * slender * size_mm, upright)])

    return of


def twisted_prism(rng: np.random.Generator, slender: float) -> Shape:
    """A polygon with few corners that turns as it rises."""
    corners, turns = int(rng.integers(3, 8)), rng.uniform(0.1, 0.45)

    def of(size_mm: float) -> Solid:
        foot, height_mm = _dense(regular(size_mm / 2, corners), 4), slender * size_mm
        return loft(
            "twisted_prism",
            height_mm,
            lambda z_mm: [moved(foot, 0.0, 0.0, math.tau * turns * z_mm / height_mm)],
        )

    return of


# Test alone


def hull(rng: np.random.Generator, slender: float) -> Shape:
    """A small ship: a hull that leans out, a deck with a cabin, a funnel."""
    beam, lean = rng.uniform(0.45, 0.6), rng.uniform(0.12, 0.25)

    def of(size_mm: float) -> Solid:
        tall = min(max(slender, 0.5), 1.0) * size_mm
        astern_mm = -0.12 * size_mm
        side_mm, cabin_mm = 0.42 * tall, 0.8 * tall
        cabin = moved(rounded_box(0.34 * size_mm, 0.62 * beam * size_mm, 1.5), astern_mm, 0.0)
        room = hole(moved(rounded_box(0.24 * size_mm, 0.42 * beam * size_mm, 1.0), astern_mm, 0.0))
        funnel = moved(circle(0.09 * size_mm), astern_mm, 0.0)

        def outline(z_mm: float) -> Rings:
            if z_mm < side_mm:
                return [_ship(size_mm, beam, 1.0 - lean * (1.0 - z_mm / side_mm))]
            if z_mm < cabin_mm:
                return [cabin, room]
            return [cabin] if z_mm < cabin_mm + 0.06 * tall else [funnel]

        return loft("hull", tall, outline)

    return of


def _ship(size_mm: float, beam: float, share: float) -> Floats:
    """Seen from above: pointed at the bow, flat at the stern."""
    along = np.linspace(-0.5, 0.5, 25)
    half = beam / 2 * np.sqrt(np.clip(1.0 - ((along + 0.5) * 0.93) ** 2.6, 0.0, None))
    right = np.column_stack([along, -half])
    return share * size_mm * np.concatenate([right, (right * (1, -1))[::-1]])


def lattice(rng: np.random.Generator, slender: float) -> Shape:
    """A pyramid of struts that lean to one another, with rings that hold them."""
    sides, thin, storeys = int(rng.integers(3, 7)), rng.uniform(0.09, 0.13), int(rng.integers(2, 4))

    def of(size_mm: float) -> Solid:
        height_mm, strut_mm = slender * size_mm, max(thin * size_mm, 3.0)
        storey_mm = height_mm / storeys

        def outline(z_mm: float) -> Rings:
            radius_mm = (size_mm / 2 - strut_mm) * (1.0 - 0.6 * z_mm / height_mm) + strut_mm
            if z_mm % storey_mm < 1.5 or z_mm < 1.5:  # noqa: PLR2004 - mm, the rings
                return [circle(radius_mm), hole(circle(radius_mm - strut_mm))]
            feet = regular(radius_mm - strut_mm / 2, sides, 0.5 * z_mm / size_mm)
            return [regular(strut_mm / 2, 12) + foot for foot in feet]

        return loft("lattice", height_mm, outline)

    return of


def letters(rng: np.random.Generator, slender: float) -> Shape:
    """Blocks like writing that stand on a plate."""
    count = int(rng.integers(3, 7))
    kinds = rng.integers(0, len(_GLYPHS), count)

    def of(size_mm: float) -> Solid:
        pitch_mm = size_mm / count
        rings: Rings = []
        for place, kind in enumerate(kinds):
            middle = ((place + 0.5) * pitch_mm - size_mm / 2, 0.0)
            rings += [pitch_mm * 0.8 * ring + middle for ring in _GLYPHS[kind]]
        base = rounded_box(1.06 * size_mm, 1.5 * pitch_mm, 0.2 * pitch_mm)
        return steps("letters", [(2.0, [base]), (2.0 + max(0.3 * slender * size_mm, 3.0), rings)])

    return of


_O = (1.0, 1.4)
_GLYPHS: tuple[Rings, ...] = (
    [np.array([[-5, -7], [5, -7], [5, -3.5], [-1, -3.5], [-1, 7], [-5, 7]]) / 10],  # L
    [np.array([[-2, -7], [2, -7], [2, 3.5], [5, 3.5], [5, 7], [-5, 7], [-5, 3.5], [-2, 3.5]]) / 10],  # T
    [regular(0.5, 32) * _O, hole(regular(0.22, 32) * _O)],  # O
    [box(0.4, 1.4)],  # I
    [np.array([[-5, -7], [5, -7], [5, 7], [1.2, 7], [1.2, -3], [-1.2, -3], [-1.2, 7], [-5, 7]]) / 10],  # U
)
"""In heights of 1.4; strokes of 0.35 to 0.4."""


def stairs(rng: np.random.Generator, slender: float) -> Shape:
    """Steps that lead up to a shelf over nothing."""
    treads, deep = int(rng.integers(3, 7)), rng.uniform(0.35, 0.7)

    def of(size_mm: float) -> Solid:
        rise_mm = max(0.8 * slender * size_mm / (treads + 1), 2.0)
        sections = []
        for tread in range(treads):
            long_mm = size_mm * (0.75 - 0.5 * tread / treads)
            sections.append(((tread + 1) * rise_mm, [box(long_mm, deep * size_mm, (long_mm - size_mm) / 2)]))
        sections.append(((treads + 1) * rise_mm, [box(0.85 * size_mm, deep * size_mm, -0.075 * size_mm)]))
        return steps("stairs", sections)

    return of


def star(rng: np.random.Generator, slender: float) -> Shape:
    """A star that twists and grows narrow."""
    points, sharp, twist = int(rng.integers(5, 9)), rng.uniform(0.5, 0.7), rng.uniform(-0.3, 0.3)

    def of(size_mm: float) -> Solid:
        angle = np.arange(2 * points) * (math.pi / points)
        radius = size_mm / 2 * np.where(np.arange(2 * points) % 2, sharp, 1.0)
        foot = _dense(np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]), 3)
        height_mm = slender * size_mm

        def outline(z_mm: float) -> Rings:
            share = z_mm / height_mm
            return [moved((1.0 - 0.45 * share) * foot, 0.0, 0.0, math.tau * twist * share)]

        return loft("star", height_mm, outline)

    return of


def ring_on_edge(rng: np.random.Generator, slender: float) -> Shape:
    """A ring that lies: half of a torus, hollow in the middle."""
    thick = rng.uniform(0.16, 0.26)

    def of(size_mm: float) -> Solid:
        tube_mm = min(thick * min(max(slender, 0.6), 1.2), 0.2) * size_mm
        middle_mm = size_mm / 2 - tube_mm

        def outline(z_mm: float) -> Rings:
            half_mm = math.sqrt(max(tube_mm**2 - (z_mm - 0.5 * tube_mm) ** 2, (0.3 * tube_mm) ** 2))
            return [circle(middle_mm + half_mm), hole(circle(middle_mm - half_mm))]

        return loft("ring_on_edge", 1.45 * tube_mm, outline)

    return of


def _dense(ring: Floats, parts: int) -> Floats:
    """The ring with every edge in so many parts, so that it can twist."""
    share = np.arange(parts)[None, :, None] / parts
    after = np.roll(ring, -1, axis=0)
    split: Floats = (ring[:, None] * (1 - share) + after[:, None] * share).reshape(-1, 2)
    return split
