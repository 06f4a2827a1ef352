"""What machines are framed with: profiles, rods, rails, screws, belts, motors."""

from __future__ import annotations

import numpy as np

from ingest.simulate.look import Colour, Vector, vector
from ingest.simulate.looks.colours import colour, scaled, varied
from ingest.simulate.looks.shapes import Pile, X, Y, Z, box, patch, rod, slab

STEEL, CHROME, BLACK = colour("#9fa2a5"), colour("#c4c8cc"), colour("#222325")
SLOT = 6.2  # mm, the opening of a 20 mm profile's slot


def profile(pile: Pile, low: Vector, high: Vector, axis: int, skin: Colour, rng: np.random.Generator) -> None:
    """An aluminium profile along an axis, with a slot along the middle of every 20 mm of each side."""
    pile.add(box(low, high), varied(skin, rng, 0.06), 0.4)
    for side in (X, Y, Z):
        if side != axis:
            _slots(pile, low, high, axis, side, scaled(skin, 0.3))


def _slots(pile: Pile, low: Vector, high: Vector, axis: int, side: int, dark: Colour) -> None:
    """Dark lines along both faces that look along ``side``."""
    across = X + Y + Z - axis - side
    for slot in range(max(1, round((high[across] - low[across]) / 20.0))):
        middle = low[across] + 10.0 + 20.0 * slot
        spans = {axis: (low[axis], high[axis]), across: (middle - SLOT / 2, middle + SLOT / 2)}
        first, second = (spans[i] for i in sorted(spans))
        begin, end = (first[0], second[0]), (first[1], second[1])
        pile.add(patch(begin, end, low[side] - 0.2, side, -1.0), dark, 0.05)
        pile.add(patch(begin, end, high[side] + 0.2, side, 1.0), dark, 0.05)


def rods(
    pile: Pile, begin: Vector, end: Vector, apart: Vector, rng: np.random.Generator, radius: float = 4.0
) -> None:
    """Two smooth rods; ``apart`` leads from the one to the other."""
    metal = varied(CHROME, rng, 0.08)
    for share in (0.0, 1.0):
        first, last = np.array(begin) + share * np.array(apart), np.array(end) + share * np.array(apart)
        pile.add(rod(vector(first), vector(last), radius, 6), metal, 0.9)


def screw(pile: Pile, foot: Vector, height: float, rng: np.random.Generator) -> None:
    """A lead screw that stands in its motor."""
    top = (foot[0], foot[1], foot[2] + height)
    pile.add(rod(foot, top, 4.0, 6), varied(STEEL, rng, 0.1), 0.6)
    stepper(pile, (foot[0] - 21, foot[1] - 21, foot[2] - 40), rng)


def stepper(pile: Pile, low: Vector, rng: np.random.Generator) -> None:
    """A stepper motor of 42 mm that stands upright, ``low`` its lowest corner."""
    x, y, z = low
    metal = varied(STEEL, rng, 0.1)
    pile.add(box((x, y, z), (x + 42, y + 42, z + 9)), metal, 0.5)
    pile.add(slab((x, y, z + 9), (x + 42, y + 42, z + 31), 5.0), varied(BLACK, rng, 0.3), 0.3)
    pile.add(box((x, y, z + 31), (x + 42, y + 42, z + 40)), metal, 0.5)


def belt(pile: Pile, low: Vector, high: Vector) -> None:
    """A toothed belt between two corners."""
    pile.add(box(low, high), BLACK, 0.1)
