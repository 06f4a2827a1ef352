"""Printed surfaces that are drawn: a dataset without data, for a demo and for tests. Pure but for ``write``.

Each picture is a close view of a printed wall: lines of plastic, one a layer, lit from above, with its own
colour, line height, light and grain. What tells the classes apart is the flaw that is laid over them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.picture import Picture
from features.stills import write_png
from ingest.errors import SourceError

Field: TypeAlias = npt.NDArray[np.float32]  # [side, side], brightness, 1 is the middle of a lit line

SIDE = 200
"""Side of a drawn picture, pixels."""
LINE_PX = (7.0, 12.0)
"""Height of a printed line in the picture."""
GRAIN = 0.02
"""Standard deviation of the camera's noise, of full brightness."""


def texture(kind: str, rng: np.random.Generator, side: int = SIDE) -> Picture:
    """A surface of one of KINDS as BGR uint8 [side, side, 3]. Raises KeyError for another kind."""
    line_px = rng.uniform(*LINE_PX)
    y, x = np.mgrid[:side, :side].astype(np.float32)
    surface = _FLAWS[kind](_Wall(x, y, line_px, rng))
    slope = rng.uniform(-0.15, 0.15, 2) / side
    light = rng.uniform(0.55, 0.8) * (1 + slope[0] * (x - side / 2) + slope[1] * (y - side / 2))
    colour = rng.uniform(0.5, 1.0, 3)
    grain = GRAIN * rng.standard_normal((side, side, 3))
    pixels = (surface * light)[..., None] * colour + grain
    return np.asarray(np.clip(255 * pixels, 0, 255), np.uint8)


def write(folder: Path, per_class: int, seed: int, side: int = SIDE) -> None:
    """Write a dataset: a folder for each of KINDS with ``per_class`` PNG files, the same for the same seed.

    Raises SourceError where the folder cannot be written.
    """
    for number, kind in enumerate(KINDS):
        class_folder = folder / kind
        try:
            class_folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SourceError(
                f"{class_folder}: found {error.strerror}, expected a place to write to"
            ) from error
        for at in range(per_class):
            picture = texture(kind, np.random.default_rng((seed, number, at)), side)
            write_png(class_folder / f"{at:04}.png", picture)


class _Wall:
    """A clean wall and the chance to spoil it: x, y [side, side] in pixels, a line's height, and chance."""

    def __init__(self, x: Field, y: Field, line_px: float, rng: np.random.Generator) -> None:
        self.x, self.y, self.line_px, self.rng = x, y, line_px, rng
        self.side = len(x)
        self.phase = rng.uniform(0, 1)

    def lines(self) -> Field:
        """Round lines: bright in their middle, dark where two of them meet."""
        turn = 2 * np.pi * (self.y / self.line_px + self.phase)
        return np.asarray(0.82 + 0.18 * np.cos(turn), np.float32)

    def spot(self) -> npt.NDArray[np.float64]:
        """A place within the picture, x and y, not at its very border."""
        return self.rng.uniform(0.1, 0.9, 2) * self.side


def _clean(wall: _Wall) -> Field:
    return wall.lines()


def _gaps(wall: _Wall) -> Field:
    """Lines that are missing for a stretch: the dark inside shows."""
    surface = wall.lines()
    for _ in range(wall.rng.integers(2, 5)):
        x, y = wall.spot()
        line = np.round(y / wall.line_px + wall.phase) - wall.phase
        within = np.abs(wall.y / wall.line_px - line) < wall.rng.uniform(0.35, 0.5)
        within &= np.abs(wall.x - x) < wall.rng.uniform(0.1, 0.3) * wall.side
        surface = np.asarray(np.where(within, 0.25, surface), np.float32)
    return surface


def _blobs(wall: _Wall) -> Field:
    """Drops that stand out: bright above, dark below, the lines beneath them gone."""
    surface = wall.lines()
    for _ in range(wall.rng.integers(2, 6)):
        x, y = wall.spot()
        radius = wall.rng.uniform(0.6, 1.4) * wall.line_px
        away = np.hypot(wall.x - x, wall.y - y) / radius
        ball = 0.85 - 0.45 * (wall.y - y) / radius
        shadow = 0.3 * np.exp(-np.square(away - 1) * 8)
        surface = np.asarray(np.where(away < 1, ball, surface * (1 - shadow)), np.float32)
    return surface


def _stringing(wall: _Wall) -> Field:
    """Thin bright hairs that sag from one side to the other."""
    surface = wall.lines()
    for _ in range(wall.rng.integers(3, 8)):
        y, slope = wall.rng.uniform(0, wall.side), wall.rng.uniform(-0.6, 0.6)
        sag = wall.rng.uniform(-0.3, 0.3) * wall.side * np.sin(np.pi * wall.x / wall.side)
        away = wall.y - (y + slope * (wall.x - wall.side / 2) + sag)
        surface += np.float32(0.45) * np.exp(-np.square(away / wall.rng.uniform(0.8, 1.4)))
    return surface


def _ringing(wall: _Wall) -> Field:
    """Waves behind a corner on one side, the same on every line, dying away."""
    length = wall.rng.uniform(0.08, 0.15) * wall.side
    from_corner = wall.x if wall.rng.uniform() < 0.5 else wall.side - wall.x  # noqa: PLR2004 - either side
    wave = np.cos(2 * np.pi * from_corner / length) * np.exp(-from_corner / (0.5 * wall.side))
    return np.asarray(wall.lines() + wall.rng.uniform(0.15, 0.3) * wave, np.float32)


def _scratches(wall: _Wall) -> Field:
    """Straight dark cuts with a bright edge, across the lines."""
    surface = wall.lines()
    for _ in range(wall.rng.integers(1, 4)):
        x, y = wall.spot()
        angle, half = wall.rng.uniform(0.3, np.pi - 0.3), wall.rng.uniform(0.2, 0.45) * wall.side
        along = (wall.x - x) * np.cos(angle) + (wall.y - y) * np.sin(angle)
        across = (wall.y - y) * np.cos(angle) - (wall.x - x) * np.sin(angle)
        cut = 0.5 * np.exp(-np.square(across / 1.3)) - 0.3 * np.exp(-np.square((across - 2.5) / 1.0))
        surface = np.asarray(np.where(np.abs(along) < half, surface - cut, surface), np.float32)
    return surface


_FLAWS: Mapping[str, Callable[[_Wall], Field]] = {
    "blobs": _blobs,
    "clean": _clean,
    "gaps": _gaps,
    "ringing": _ringing,
    "scratches": _scratches,
    "stringing": _stringing,
}
KINDS = tuple(_FLAWS)
"""The classes, in the order in which a dataset of them has them."""
