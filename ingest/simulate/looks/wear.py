"""What use leaves on a bed: glue, grease, scratches, dust, the ghosts of earlier prints."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ingest.simulate.looks.colours import Picture, colour, one_of
from ingest.simulate.looks.ink import SIZE, Ink, paint
from ingest.simulate.looks.noise import Field, chance, cloud, clouds, soft, streaks
from ingest.simulate.looks.styles import Bed

GLUED = (Bed.BLACK_GLASS, Bed.CLEAR_GLASS, Bed.RULER, Bed.GAROLITE, Bed.CARBON)
SPECKS = 400
SMEARED, HAIRY, LEFT_OVER, SIGNED = 0.25, 0.35, 0.2, 0.08  # shares of the beds
GLUE, DUST, GHOST = colour("#b8bab4"), colour("#c8c6c0"), colour("#9c9ea0")
RESIDUE = ("#e8e8e4", "#c8b01c", "#c83020", "#2058b8", "#28803c", "#141416")


def wear(picture: Picture, style: Bed, rng: np.random.Generator) -> Picture:
    """A used bed, [SIZE, SIZE, 3]; how much it was used is drawn too."""
    use = float(rng.uniform(0.2, 1.0))
    if style in GLUED and chance(rng, 0.6):
        paint(picture, _glue(rng), GLUE, 0.25 * use)
    paint(picture, _marks(rng, lambda ink: ink.scratch(rng, 20, 160), int(40 * use)), GHOST, 0.3 * use)
    paint(picture, soft(_marks(rng, lambda ink: ink.loop(rng), int(6 * use)), 0.8), GHOST, 0.3 * use)
    paint(picture, _grease(rng), (0.0, 0.0, 0.0), 0.2 * use)
    paint(picture, _dust(rng), DUST, 0.5 * use)
    _leave_threads(picture, rng)
    if chance(rng, 0.5):
        paint(
            picture,
            _marks(rng, lambda ink: ink.disc(rng, 1, 4), int(rng.integers(2, 9))),
            one_of(rng, RESIDUE),
            0.8,
        )
    return picture


def _leave_threads(picture: Picture, rng: np.random.Generator) -> None:
    """On some beds: wiped glue, hairs, curls that were left over from another print, a drawn sign."""
    if chance(rng, SMEARED):
        paint(picture, soft(_marks(rng, lambda ink: ink.curl(rng, 130, 9), 5), 3.0), GLUE, 0.3)
    if chance(rng, HAIRY):
        paint(picture, _marks(rng, lambda ink: ink.curl(rng, 170), int(rng.integers(2, 12))), DUST, 0.6)
    if chance(rng, LEFT_OVER):
        scraps = _marks(rng, lambda ink: ink.curl(rng, 255, 2), int(rng.integers(1, 5)))
        paint(picture, scraps, one_of(rng, RESIDUE), 0.9)
    if chance(rng, SIGNED):
        sign = _marks(rng, lambda ink: ink.curl(rng, 255, int(rng.integers(2, 5))), int(rng.integers(3, 8)))
        paint(picture, sign, one_of(rng, RESIDUE), float(rng.uniform(0.3, 0.8)))


def _marks(rng: np.random.Generator, mark: Callable[[Ink], None], count: int) -> Field:
    ink = Ink()
    for _ in range(count):
        mark(ink)
    return ink.mask


def _glue(rng: np.random.Generator) -> Field:
    """Strokes of a glue stick across a part of the bed."""
    strokes = streaks(rng, SIZE, SIZE, 4, int(rng.integers(18, 40)))
    if chance(rng, 0.5):
        strokes = np.ascontiguousarray(strokes.T)
    where = np.clip(0.6 + clouds(rng, SIZE, SIZE, (3, 6)), 0.0, 1.0)
    return np.asarray(np.clip(0.5 + 0.6 * strokes, 0.0, 1.0) * where, np.float32)


def _grease(rng: np.random.Generator) -> Field:
    """Fingerprints and patches."""
    return np.asarray(np.clip(cloud(rng, SIZE, SIZE, 7) - 0.6, 0.0, 1.0), np.float32)


def _dust(rng: np.random.Generator) -> Field:
    """Specks."""
    specks = np.zeros((SIZE, SIZE), np.float32)
    rows, columns = rng.integers(0, SIZE, (2, SPECKS))
    specks[rows, columns] = 1.0
    return np.asarray(np.clip(2.0 * soft(specks, 0.7), 0.0, 1.0), np.float32)
