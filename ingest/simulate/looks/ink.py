"""What is printed on, scratched into and painted over a flat surface: masks, and colour through them."""

from __future__ import annotations

import math

import cv2
import numpy as np

from ingest.simulate.look import Colour
from ingest.simulate.looks.colours import Picture
from ingest.simulate.looks.noise import Field, chance

SIZE = 512  # px, side of a surface
SYLLABLES = (
    "FOR",
    "MAK",
    "PRI",
    "LAY",
    "TEX",
    "NOV",
    "KUB",
    "RA",
    "ZO",
    "TEC",
    "ON",
    "IX",
    "EL",
    "UM",
    "STA",
    "3D",
)


def letters(rng: np.random.Generator, least: int, most: int) -> str:
    """A made-up word or number of some length."""
    word = "".join(SYLLABLES[int(at)] for at in rng.integers(0, len(SYLLABLES), most // 2))
    return word[: int(rng.integers(least, most + 1))]


def plain(skin: Colour) -> Picture:
    """A surface of one colour."""
    return np.full((SIZE, SIZE, 3), skin, np.float32)


def shaded(skin: Colour, light: Field) -> Picture:
    """One colour in uneven light, [h, w, 3]."""
    lit = np.maximum(light, np.float32(0.05)).astype(np.float32)
    return np.asarray(cv2.merge([lit * np.float32(channel) for channel in skin]), np.float32)


def paint(picture: Picture, mask: Field, skin: Colour, opacity: float) -> None:
    """Colour a picture in place where the mask is 1."""
    share = mask * np.float32(opacity)
    over = np.full_like(picture, skin)
    picture[:] = cv2.blendLinear(picture, over, np.float32(1.0) - share, share)


class Ink:
    """Marks on a surface; ``mask`` is where they are, 0..1, [SIZE, SIZE]. Points are (x, y) in px."""

    def __init__(self) -> None:
        self._levels = np.zeros((SIZE, SIZE), np.uint8)

    @property
    def mask(self) -> Field:
        return self._levels.astype(np.float32) / np.float32(255.0)

    def line(self, begin: tuple[int, int], end: tuple[int, int], width: int) -> None:
        cv2.line(self._levels, begin, end, 255, width, cv2.LINE_AA)

    def frame(self, low: tuple[int, int], high: tuple[int, int], width: int) -> None:
        cv2.rectangle(self._levels, low, high, 255, width, cv2.LINE_AA)

    def text(self, word: str, at: tuple[int, int], scale: float, width: int) -> None:
        cv2.putText(self._levels, word, at, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, width, cv2.LINE_AA)

    def triangle(self, middle: tuple[int, int], size: int) -> None:
        x, y = middle
        corners = np.array([(x, y - size), (x + size, y + size * 2 // 3), (x - size, y + size * 2 // 3)])
        cv2.polylines(self._levels, [corners.astype(np.int32)], True, 255, 2, cv2.LINE_AA)
        cv2.line(self._levels, (x, y - size // 3), (x, y + size // 4), 255, 2, cv2.LINE_AA)

    def plus(self, middle: tuple[int, int], size: int) -> None:
        x, y = middle
        self.line((x - size, y), (x + size, y), 1)
        self.line((x, y - size), (x, y + size), 1)

    def dots(self, columns: range, rows: range, radius: int) -> None:
        for x in columns:
            self._levels[rows.start : rows.stop : rows.step, x : x + radius] = 255

    def disc(self, rng: np.random.Generator, least: int, most: int) -> None:
        """A spot somewhere."""
        x, y = rng.integers(0, SIZE, 2).tolist()
        cv2.circle(self._levels, (x, y), int(rng.integers(least, most)), 255, -1, cv2.LINE_AA)

    def scratch(self, rng: np.random.Generator, least: int, most: int) -> None:
        """A straight, faint line somewhere, mostly along one of two ways."""
        x, y = rng.integers(0, SIZE, 2).tolist()
        turn = float(rng.normal(0.8 * float(rng.integers(0, 2)), 0.25))
        length = float(rng.uniform(least, most))
        end = (int(x + length * math.cos(turn)), int(y + length * math.sin(turn)))
        cv2.line(self._levels, (x, y), end, int(rng.integers(40, 200)), 1, cv2.LINE_AA)

    def curl(self, rng: np.random.Generator, level: int, width: int = 1) -> None:
        """A thread that lies curled somewhere, or a bow that was drawn."""
        steps, length = 40, float(rng.uniform(20, 170))
        bends = np.cumsum(rng.normal(0.0, 0.1, steps)) + float(rng.normal(0.0, 0.12)) * np.arange(steps)
        turns = float(rng.uniform(0.0, 2.0 * math.pi)) + bends
        way = np.cumsum(np.column_stack([np.cos(turns), np.sin(turns)]), axis=0) * length / steps
        points = (rng.uniform(0, SIZE, 2) + way).round().astype(np.int32)
        cv2.polylines(self._levels, [points], False, level, width, cv2.LINE_AA)

    def loop(self, rng: np.random.Generator) -> None:
        """An outline that an earlier print has left: a rectangle, an ellipse or several, with lines in it."""
        x, y = rng.integers(60, SIZE - 60, 2).tolist()
        wide, deep = rng.integers(15, 90, 2).tolist()
        level = int(rng.integers(60, 200))
        if chance(rng, 0.5):
            cv2.ellipse(self._levels, (x, y), (wide, deep), 0.0, 0.0, 360.0, level, 2, cv2.LINE_AA)
        else:
            cv2.rectangle(self._levels, (x - wide, y - deep), (x + wide, y + deep), level, 2, cv2.LINE_AA)
