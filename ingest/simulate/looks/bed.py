"""The surface that is printed on, as a picture from above, and how much it shines."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from ingest.simulate.look import Look
from ingest.simulate.looks.colours import Picture, colour, one_of, varied
from ingest.simulate.looks.ink import SIZE, Ink, letters, paint, plain, shaded
from ingest.simulate.looks.noise import chance, cloud, clouds, grain, soft, streaks
from ingest.simulate.looks.styles import Bed
from ingest.simulate.looks.wear import wear

Painter: TypeAlias = Callable[[np.random.Generator], Picture]

WHITE, BLACK = colour("#e8e8e4"), colour("#0d0e10")
GLOSS: dict[Bed, tuple[float, float]] = {
    Bed.BLACK_GLASS: (0.45, 0.9),
    Bed.PRINTED_MAT: (0.1, 0.3),
    Bed.GOLD_SHEET: (0.15, 0.35),
    Bed.BLACK_SHEET: (0.1, 0.3),
    Bed.CLEAR_GLASS: (0.5, 0.9),
    Bed.TAPE: (0.05, 0.15),
    Bed.SCRATCHED: (0.1, 0.25),
    Bed.RULER: (0.35, 0.7),
    Bed.CARBON: (0.3, 0.6),
    Bed.AMBER_SHEET: (0.4, 0.7),
    Bed.GAROLITE: (0.2, 0.5),
    Bed.STARRY: (0.1, 0.3),
}


def bed_texture(look: Look) -> Picture:
    """What the bed reflects, [512, 512, 3] 0..1 over the whole of ``bed_mm``: row 0 is the back edge,
    column 0 the left one. The same look gives the same picture."""
    style = Bed(look.bed_style)
    picture = PAINTERS[style](np.random.default_rng([look.seed, 10]))
    worn = wear(picture, style, np.random.default_rng([look.seed, 11]))
    return np.clip(worn, 0.0, 1.0).astype(np.float32)


def bed_gloss(look: Look) -> float:
    """How much the bed mirrors, 0 matt .. 1 like a mirror."""
    low, high = GLOSS[Bed(look.bed_style)]
    return float(np.random.default_rng([look.seed, 12]).uniform(low, high))


def black_glass(rng: np.random.Generator) -> Picture:
    """Coated glass: near black, a lattice of fine dots, a name at the front."""
    picture = shaded(varied(colour("#2c2e31"), rng, 0.2), 1.0 + 0.06 * clouds(rng, SIZE, SIZE, (4, 16)))
    ink = Ink()
    step = int(rng.integers(9, 17))
    ink.dots(range(step, SIZE, step), range(step, SIZE, step), 1)
    paint(picture, ink.mask, colour("#4c4e52"), float(rng.uniform(0.15, 0.5)))
    return _named(picture, rng, one_of(rng, ("#8a8d90", "#c8cacc")))


def printed_mat(rng: np.random.Generator) -> Picture:
    """A coloured mat with a large name, a sign and lines of small print."""
    skin = one_of(rng, ("#1c86c8", "#2a9ad8", "#1a5cb0", "#3a3f46", "#b82824"), 0.1)
    picture = shaded(skin, 1.0 + 0.05 * clouds(rng, SIZE, SIZE, (3, 12, 60)) + 0.03 * grain(rng, SIZE, SIZE))
    ink = Ink()
    ink.text(letters(rng, 6, 8), (90, int(rng.integers(200, 330))), float(rng.uniform(2.2, 3.2)), 7)
    left, top = int(rng.integers(20, 60)), int(rng.integers(400, 440))
    ink.frame((left, top), (left + 190, top + 80), 2)
    for row in range(4):
        ink.text(letters(rng, 12, 18), (left + 60, top + 20 + 16 * row), 0.42, 1)
    ink.triangle((left + 30, top + 40), 22)
    paint(picture, ink.mask, varied(WHITE, rng, 0.08), float(rng.uniform(0.6, 0.95)))
    return picture


def _sheet(rng: np.random.Generator, skin: tuple[float, float, float], depth: float) -> Picture:
    """Spring steel with a powder coat: grain at two scales, unevenly worn."""
    rough = 1.0 + depth * (grain(rng, SIZE, SIZE) + 0.6 * cloud(rng, SIZE, SIZE, 220))
    return shaded(skin, rough + 0.05 * clouds(rng, SIZE, SIZE, (3, 9)))


def gold_sheet(rng: np.random.Generator) -> Picture:
    """Textured gold."""
    picture = _sheet(rng, one_of(rng, ("#8a6c34", "#9a7c40", "#74602c"), 0.1), 0.16)
    return _named(picture, rng, colour("#1c1a16"), 0.5)


def black_sheet(rng: np.random.Generator) -> Picture:
    """Textured black or grey."""
    picture = _sheet(rng, one_of(rng, ("#303134", "#2a2b2d", "#404145"), 0.15), 0.2)
    if chance(rng, 0.4):
        ink = Ink()
        for at in range(64, SIZE, 64):
            ink.line((at, 0), (at, SIZE), 1)
            ink.line((0, at), (SIZE, at), 1)
        paint(picture, ink.mask, colour("#9a9c9e"), 0.35)
    return _named(picture, rng, WHITE, 0.5)


def clear_glass(rng: np.random.Generator) -> Picture:
    """Glass on a heater of aluminium or red board: brushed, a greenish cast, the cable's spot."""
    under = one_of(rng, ("#8f9492", "#a4a8a6", "#6e3028", "#2a2c2d"), 0.1)
    return shaded(
        under, 1.0 + 0.07 * streaks(rng, SIZE, SIZE, 6, 300) + 0.08 * clouds(rng, SIZE, SIZE, (2, 6))
    )


def tape(rng: np.random.Generator) -> Picture:
    """Strips of painter's tape side by side, not quite true."""
    picture = plain(varied(colour("#2c64a8"), rng, 0.15))
    edges = np.linspace(0, SIZE, 6).astype(int) + np.array([0, *rng.integers(-3, 4, 4), 0])
    for left, right in pairwise(edges.tolist()):
        picture[:, left:right] *= np.float32(rng.uniform(0.88, 1.1))
        picture[:, left : left + 2] *= np.float32(rng.uniform(0.4, 0.7))
    crinkle = 1.0 + 0.08 * streaks(rng, SIZE, SIZE, 400, 40) + 0.06 * clouds(rng, SIZE, SIZE, (4, 20))
    return np.asarray(picture * crinkle[..., None], np.float32)


def scratched(rng: np.random.Generator) -> Picture:
    """A matt black sticker, grey from use and scratched by scrapers."""
    use = np.clip(clouds(rng, SIZE, SIZE, (3, 8)), -1, 2)
    picture = shaded(varied(colour("#343537"), rng, 0.15), 1.0 + 0.35 * use + 0.1 * grain(rng, SIZE, SIZE))
    ink = Ink()
    for _ in range(int(rng.integers(25, 60))):
        ink.scratch(rng, 40, 260)
    paint(picture, soft(ink.mask, 0.7), colour("#8c8e90"), 0.5)
    return picture


def ruler(rng: np.random.Generator) -> Picture:
    """Glass with a printed ruler along two edges, a cross and a name."""
    picture = shaded(
        one_of(rng, ("#3c4042", "#1e2022", "#c8ccca"), 0.1), 1.0 + 0.05 * clouds(rng, SIZE, SIZE, (4, 14))
    )
    ink = Ink()
    for tick in range(12, SIZE - 8, 23):
        ink.line((tick, SIZE - 1), (tick, SIZE - (22 if tick % 2 else 12)), 2)
        ink.line((0, tick), (22 if tick % 2 else 12, tick), 2)
    ink.line((SIZE // 2 - 20, SIZE // 2), (SIZE // 2 + 20, SIZE // 2), 2)
    ink.line((SIZE // 2, SIZE // 2 - 20), (SIZE // 2, SIZE // 2 + 20), 2)
    paint(picture, ink.mask, one_of(rng, ("#e8e8e4", "#d8a020")), 0.8)
    return _named(picture, rng, WHITE)


def carbon(rng: np.random.Generator) -> Picture:
    """A woven pattern under a clear coat."""
    y, x = np.mgrid[0:SIZE, 0:SIZE] // int(rng.integers(5, 9))
    weave = np.where((x + y) // 2 % 2, 1.25, 0.75) + 0.15 * np.where((x - y) // 2 % 2, 1.0, -1.0)
    even = soft(weave.astype(np.float32), 1.0) + 0.05 * clouds(rng, SIZE, SIZE, (3, 10))
    return shaded(varied(colour("#2e3033"), rng, 0.15), even)


def amber_sheet(rng: np.random.Generator) -> Picture:
    """Smooth amber film with bubbles."""
    picture = shaded(
        one_of(rng, ("#8a5014", "#a86a1c", "#744010"), 0.1), 1.0 + 0.1 * clouds(rng, SIZE, SIZE, (3, 9))
    )
    ink = Ink()
    for _ in range(int(rng.integers(4, 14))):
        ink.disc(rng, 3, 14)
    paint(picture, soft(ink.mask, 1.5), colour("#c8903c"), 0.4)
    return picture


def garolite(rng: np.random.Generator) -> Picture:
    """Glass fibre board: yellow, green or black, with the cloth's threads showing."""
    cloth = 0.04 * (streaks(rng, SIZE, SIZE, 12, 256) + streaks(rng, SIZE, SIZE, 12, 256).T)
    skin = one_of(rng, ("#a08c3c", "#4c6c38", "#2a2c2c"), 0.1)
    return shaded(skin, 1.0 + cloth + 0.08 * clouds(rng, SIZE, SIZE, (3, 9)))


def starry(rng: np.random.Generator) -> Picture:
    """A dark sheet with a pattern of small stars and plus signs."""
    picture = _sheet(rng, one_of(rng, ("#2a2c34", "#2c3038", "#382c3c"), 0.15), 0.12)
    ink = Ink()
    for x in range(20, SIZE, 36):
        for y in range(20, SIZE, 36):
            ink.plus((x + (y // 36) % 2 * 18, y), int(rng.integers(2, 6)))
    paint(picture, ink.mask, one_of(rng, ("#c8ccd8", "#d8b0c8", "#a8d8d0")), 0.8)
    return picture


def _named(
    picture: Picture, rng: np.random.Generator, ink_colour: tuple[float, float, float], share: float = 0.85
) -> Picture:
    """With a name at the front edge, on some."""
    if chance(rng, share):
        ink = Ink()
        at = (int(rng.integers(20, 300)), int(rng.integers(470, 500)))
        ink.text(letters(rng, 4, 8), at, float(rng.uniform(0.7, 1.4)), 2)
        paint(picture, ink.mask, ink_colour, float(rng.uniform(0.4, 0.9)))
    return picture


PAINTERS: dict[Bed, Painter] = {
    Bed.BLACK_GLASS: black_glass,
    Bed.PRINTED_MAT: printed_mat,
    Bed.GOLD_SHEET: gold_sheet,
    Bed.BLACK_SHEET: black_sheet,
    Bed.CLEAR_GLASS: clear_glass,
    Bed.TAPE: tape,
    Bed.SCRATCHED: scratched,
    Bed.RULER: ruler,
    Bed.CARBON: carbon,
    Bed.AMBER_SHEET: amber_sheet,
    Bed.GAROLITE: garolite,
    Bed.STARRY: starry,
}
