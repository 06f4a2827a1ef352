"""Cameras as they are drawn from a family: sensor and distortion."""

from __future__ import annotations

import numpy as np

from ingest.simulate.look import Colour, Sensor
from ingest.simulate.looks.families import FAMILIES, Family, Range
from ingest.simulate.splits import Split

# Radial distortion stays monotonic everywhere where k2 is at least this times k1 squared.
LEAST_K2_PER_K1 = 0.6


def draw_family(rng: np.random.Generator, split: Split, enclosed: bool) -> tuple[str, Family]:
    """One of the split's families that such a printer may have, with its name."""
    fitting = {name: family for name, family in FAMILIES[split].items() if family.enclosed == enclosed}
    shares = np.array([family.share for family in fitting.values()])
    name = str(rng.choice(list(fitting), p=shares / shares.sum()))
    return name, fitting[name]


def draw_sensor(rng: np.random.Generator, family: Family, size: tuple[int, int]) -> Sensor:
    """A camera's sensor; ``size`` is (width, height) in pixels."""
    noise = _within(rng, family.noise)
    return Sensor(
        width=size[0],
        height=size[1],
        exposure=_within(rng, family.exposure),
        auto_exposure=float(rng.choice([0.15, 0.5, 0.9])),
        white_balance=_tint(rng, family.tint),
        saturation=_within(rng, family.saturation),
        contrast=_within(rng, family.contrast),
        gamma=float(rng.uniform(1.9, 2.4)),
        vignette=_within(rng, family.vignette),
        blur_px=_within(rng, family.blur_px),
        sharpen=_within(rng, family.sharpen),
        noise=noise,
        colour_noise=noise * float(rng.uniform(0.4, 0.9)),
        shutter_s=float(rng.choice([0.008, 0.02, 0.033, 0.06])),
        jpeg_quality=int(rng.integers(family.quality[0], family.quality[1] + 1)),
    )


def draw_distortion(rng: np.random.Generator, family: Family) -> tuple[float, float]:
    """Radial distortion (k1, k2) that never folds the picture over."""
    k1 = _within(rng, family.k1)
    return k1, LEAST_K2_PER_K1 * k1 * k1 * float(rng.uniform(1.0, 1.3)) if k1 < 0.0 else 0.0


def _tint(rng: np.random.Generator, spread: float) -> Colour:
    """Warmer or colder, and a little greener or not, with green near 1: factors, not reflectances."""
    warmth, green = rng.normal(0.0, spread), rng.normal(0.0, spread / 3)
    blue, mid, red = np.clip((1.0 - warmth, 1.0 + green, 1.0 + warmth), 0.7, 1.3).tolist()
    return (float(blue), float(mid), float(red))


def _within(rng: np.random.Generator, span: Range) -> float:
    return float(rng.uniform(*span))
