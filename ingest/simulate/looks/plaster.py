"""A plain wall as the others begin: reflectance seen from the front, [HIGH, WIDE, 3]."""

from __future__ import annotations

import numpy as np

from ingest.simulate.looks.colours import Picture, one_of
from ingest.simulate.looks.noise import clouds, grain

WIDE, HIGH = 640, 320  # px; the table meets the wall at the lower edge
PAINTS = ("#d8d6d0", "#e2e0da", "#c8ccd0", "#d8ccb4", "#b8c4c8", "#cfd4c4")
GLARE = 1.6  # a window's light, over what paper reflects


def plaster(rng: np.random.Generator, codes: tuple[str, ...] = PAINTS) -> Picture:
    """A painted wall: nearly even, with a roller's grain and a drift."""
    light = 1.0 + 0.04 * clouds(rng, HIGH, WIDE, (3, 9)) + 0.012 * grain(rng, HIGH, WIDE)
    return np.asarray(light[..., None] * np.array(one_of(rng, codes, 0.08), np.float32), np.float32)
