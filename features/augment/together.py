"""Changes that belong together: another time, another camera. Pure."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from features.augment.drawing import with_chance
from features.augment.light import blur, noise_some, recolour, relight, tint
from features.augment.places import crop, flip, quarter_turn

SOFT_SHARE, NOISY_SHARE = 0.3, 0.3  # of the pictures, as cameras differ


def for_surfaces(pictures: Tensor, rng: np.random.Generator, *, turned: bool = False) -> Tensor:
    """How the same surface may look another time: mirrored, at another place, in other light.

    ``turned``: by quarter turns too. Most surfaces have a direction, that of rolling or of printed lines.
    """
    laid = flip(pictures, rng)
    return relight(crop(quarter_turn(laid, rng) if turned else laid, rng), rng)


def as_cameras_differ(pictures: Tensor, rng: np.random.Generator, *, widely: bool = False) -> Tensor:
    """The same moment by other cameras and lamps: light, colours, focus, noise. What lies where stays.

    ``widely``: with filament of other colours, too, and in light that is farther off.
    """
    if widely:
        lit = recolour(relight(pictures, rng, brightness=0.2, contrast=0.35, gamma=0.4), rng)
        lit = tint(lit, rng, reach=0.25, grey=0.15)
    else:
        lit = tint(relight(pictures, rng), rng)
    those = with_chance(rng, lit, SOFT_SHARE).flatten().nonzero().flatten()
    if len(those):
        lit[those] = blur(lit[those], rng)
    return noise_some(lit, rng, share=NOISY_SHARE)
