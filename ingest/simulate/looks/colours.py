"""Colours as ``look.Colour`` has them: blue, green, red, linear light."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from ingest.simulate.look import Colour

Picture: TypeAlias = npt.NDArray[np.float32]
"""[h, w, 3], linear light, blue green red."""

SRGB_GAMMA = 2.2  # near enough to the standard's curve for a scene that no one measures


def colour(code: str) -> Colour:
    """``#rrggbb`` as a screen shows it, as reflected light."""
    red, green, blue = (int(code[at : at + 2], 16) / 255.0 for at in (1, 3, 5))
    return (blue**SRGB_GAMMA, green**SRGB_GAMMA, red**SRGB_GAMMA)


def as_colour(values: npt.ArrayLike) -> Colour:
    """Three numbers as a colour, kept within 0..1."""
    blue, green, red = np.clip(np.asarray(values, np.float64), 0.0, 1.0).tolist()
    return (float(blue), float(green), float(red))


def scaled(of: Colour, factor: float) -> Colour:
    """The same colour in more or less light."""
    return as_colour(np.multiply(of, factor))


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """``share`` 0: the one, 1: the other."""
    return as_colour((1.0 - share) * np.array(one) + share * np.array(other))


def varied(of: Colour, rng: np.random.Generator, amount: float) -> Colour:
    """A colour near by: brightness and each channel off by about ``amount`` of itself."""
    factors = (1.0 + rng.normal(0.0, amount)) * (1.0 + rng.normal(0.0, amount / 2, 3))
    return as_colour(np.multiply(of, np.clip(factors, 0.2, 3.0)))


def one_of(rng: np.random.Generator, codes: tuple[str, ...], amount: float = 0.1) -> Colour:
    """One of some screen colours, varied."""
    return varied(colour(codes[int(rng.integers(len(codes)))]), rng, amount)
