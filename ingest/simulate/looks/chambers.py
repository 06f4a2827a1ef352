"""The insides of closed printers, one painter per style: reflectance from the front, [HIGH, WIDE, 3]."""

from __future__ import annotations

import cv2
import numpy as np

from ingest.simulate.looks import clutter
from ingest.simulate.looks.clutter import Area
from ingest.simulate.looks.colours import Picture, one_of
from ingest.simulate.looks.noise import chance, soft
from ingest.simulate.looks.plaster import GLARE, HIGH, WIDE, plaster


def ribs(picture: Picture, rng: np.random.Generator, factor: float) -> None:
    """Edges and folds of sheet metal, screws, slots."""
    for _ in range(int(rng.integers(2, 6))):
        x = int(rng.integers(0, WIDE))
        clutter.shade(picture, Area(x, 0, x + int(rng.integers(4, 40)), HIGH), factor)
        clutter.shade(picture, Area(x, 0, x + 2, HIGH), 0.5)
    for _ in range(int(rng.integers(1, 4))):
        y = int(rng.integers(0, HIGH))
        clutter.shade(picture, Area(0, y, WIDE, y + int(rng.integers(3, 24))), factor)
    for _ in range(int(rng.integers(6, 18))):
        at = (int(rng.integers(0, WIDE)), int(rng.integers(0, HIGH)))
        cv2.circle(picture, at, 3, one_of(rng, ("#b0b2b4", "#101012")), -1)
    left, top = int(rng.integers(0, WIDE - 120)), int(rng.integers(20, 200))
    for slot in range(int(rng.integers(4, 9))):
        clutter.shade(picture, Area(left, top + 11 * slot, left + 110, top + 11 * slot + 5), 0.25)


def _lamp_bar(picture: Picture, rng: np.random.Generator, strength: float) -> None:
    """A strip of lamps under the lid and the light it throws down the wall."""
    fall = np.exp(-np.arange(HIGH, dtype=np.float32) / float(rng.uniform(60, 160)))
    picture *= (1.0 + strength * fall)[:, None, None]
    row, left = int(rng.integers(4, 26)), int(rng.integers(0, WIDE // 2))
    bar = np.zeros((HIGH, WIDE), np.float32)
    bar[row : row + int(rng.integers(3, 7)), left : left + int(rng.integers(80, WIDE // 2))] = 1.0
    glow = bar + 0.8 * soft(bar, 14.0)
    picture += (GLARE * glow)[..., None] * np.float32(rng.uniform(0.4, 1.0))


def _tube(picture: Picture, rng: np.random.Generator) -> None:
    """The tube or cable that comes down from a corner, on some."""
    if chance(rng, 0.6):
        begin = (int(rng.integers(WIDE)), 0)
        end = (begin[0] + int(rng.integers(-200, 200)), int(rng.integers(60, 200)))
        clutter.cable(picture, begin, end, one_of(rng, ("#d0d0cc", "#303236", "#8c8e90")), 3)


def dark_chamber(rng: np.random.Generator) -> Picture:
    """The inside of a black printer."""
    picture = plaster(rng, ("#2c2d30", "#36383c", "#404246"))
    ribs(picture, rng, 1.4)
    _tube(picture, rng)
    _lamp_bar(picture, rng, 1.2)
    return picture


def metal_chamber(rng: np.random.Generator) -> Picture:
    """The inside of a printer of grey or white sheet metal."""
    picture = plaster(rng, ("#8c9094", "#b0b4b8", "#6c7074", "#c8ccd0"))
    ribs(picture, rng, 0.75)
    lower = int(rng.integers(150, 260))
    clutter.shade(picture, Area(0, lower, WIDE, HIGH), 0.3)
    _tube(picture, rng)
    _lamp_bar(picture, rng, 0.5)
    return picture


def lit_chamber(rng: np.random.Generator) -> Picture:
    """A light interior, bright bars of lamps, a filter's honeycomb."""
    picture = plaster(rng, ("#d0d4d8", "#e0e0e0", "#a8acb0"))
    left, top = int(rng.integers(40, 400)), int(rng.integers(60, 160))
    for row in range(8):
        for column in range(14):
            at = (left + 11 * column + (row % 2) * 5, top + 10 * row)
            cv2.circle(picture, at, 4, (0.05, 0.05, 0.06), -1)
    ribs(picture, rng, 0.8)
    _lamp_bar(picture, rng, 0.8)
    return picture
