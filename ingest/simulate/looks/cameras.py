"""Families of cameras, per split: where they are, what lens and what sensor they have."""

from __future__ import annotations

from typing import TypeAlias

import msgspec
import numpy as np

from ingest.simulate.look import Colour, Sensor
from ingest.simulate.splits import Split

Range: TypeAlias = tuple[float, float]

# Radial distortion stays monotonic everywhere where k2 is at least this times k1 squared.
LEAST_K2_PER_K1 = 0.6


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """Cameras of one kind. Each pair is a range that a camera's value is drawn from."""

    share: float  # how often, among the split's families
    azimuth_deg: Range  # 0: before the printer, 90: on its right
    elevation_deg: Range
    distance_mm: Range
    fill: Range  # size of the part in widths of the picture, as far as the distance allows
    focal_widths: Range
    k1: Range = (-0.06, 0.02)
    off_centre: Range = (0.0, 0.18)  # of the part, in widths of the picture
    roll_deg: float = 1.5  # standard deviation
    quality: tuple[int, int] = (55, 88)
    noise: Range = (0.7, 2.6)
    saturation: Range = (0.8, 1.2)
    contrast: Range = (0.9, 1.2)
    blur_px: Range = (0.4, 0.9)
    sharpen: Range = (0.2, 1.0)
    vignette: Range = (0.05, 0.3)
    exposure: Range = (0.8, 1.3)
    tint: float = 0.06  # spread of the white balance
    enclosed: bool = False  # only inside closed printers


FAMILIES: dict[Split, dict[str, Family]] = {
    Split.TRAIN: {
        "bed_level": Family(
            share=0.32,
            azimuth_deg=(-35, 35),
            elevation_deg=(1, 10),
            distance_mm=(150, 340),
            fill=(0.15, 0.6),
            focal_widths=(0.85, 1.45),
            sharpen=(0.3, 1.2),
            quality=(45, 85),
        ),
        "front_webcam": Family(
            share=0.24,
            azimuth_deg=(-30, 30),
            elevation_deg=(10, 35),
            distance_mm=(220, 520),
            fill=(0.12, 0.45),
            focal_widths=(0.8, 1.2),
            noise=(1.5, 3.8),
            saturation=(0.6, 1.1),
        ),
        "corner": Family(
            share=0.2,
            azimuth_deg=(35, 75),
            elevation_deg=(8, 40),
            distance_mm=(180, 480),
            fill=(0.12, 0.45),
            focal_widths=(0.7, 1.1),
            k1=(-0.14, -0.02),
        ),
        "above": Family(
            share=0.1,
            azimuth_deg=(-60, 60),
            elevation_deg=(32, 48),
            distance_mm=(240, 480),
            fill=(0.15, 0.45),
            focal_widths=(0.8, 1.3),
        ),
        "close_up": Family(
            share=0.14,
            azimuth_deg=(-50, 50),
            elevation_deg=(2, 20),
            distance_mm=(150, 260),
            fill=(0.45, 0.9),
            focal_widths=(1.2, 2.1),
            off_centre=(0.0, 0.1),
            quality=(65, 92),
        ),
        "chamber": Family(
            share=1.0,
            azimuth_deg=(-50, 50),
            elevation_deg=(4, 28),
            distance_mm=(220, 380),
            fill=(0.12, 0.5),
            focal_widths=(0.6, 0.95),
            k1=(-0.22, -0.08),
            quality=(35, 75),
            saturation=(0.5, 1.0),
            vignette=(0.15, 0.45),
            enclosed=True,
        ),
    },
    Split.VAL: {
        "stick_mount": Family(
            share=0.6,
            azimuth_deg=(-65, -15),
            elevation_deg=(4, 24),
            distance_mm=(200, 420),
            fill=(0.12, 0.5),
            focal_widths=(0.9, 1.35),
            k1=(-0.1, 0.0),
            quality=(50, 80),
            tint=0.09,
        ),
        "top_bar": Family(
            share=0.4,
            azimuth_deg=(-20, 40),
            elevation_deg=(32, 56),
            distance_mm=(230, 440),
            fill=(0.15, 0.45),
            focal_widths=(0.75, 1.05),
            noise=(1.8, 4.2),
        ),
        "chamber": Family(
            share=1.0,
            azimuth_deg=(15, 60),
            elevation_deg=(8, 30),
            distance_mm=(220, 400),
            fill=(0.12, 0.45),
            focal_widths=(0.65, 0.9),
            k1=(-0.18, -0.1),
            quality=(40, 70),
            vignette=(0.2, 0.5),
            enclosed=True,
        ),
    },
    Split.TEST: {
        "fisheye": Family(
            share=0.3,
            azimuth_deg=(-60, 60),
            elevation_deg=(4, 38),
            distance_mm=(150, 330),
            fill=(0.15, 0.5),
            focal_widths=(0.55, 0.75),
            k1=(-0.35, -0.2),
            quality=(40, 75),
            vignette=(0.2, 0.5),
        ),
        "bed_level": Family(
            share=0.3,
            azimuth_deg=(-65, 45),
            elevation_deg=(0.5, 12),
            distance_mm=(170, 420),
            fill=(0.12, 0.55),
            focal_widths=(0.85, 1.4),
            noise=(1.8, 4.8),
            quality=(35, 75),
            tint=0.1,
        ),
        "telephone": Family(
            share=0.25,
            azimuth_deg=(-70, 70),
            elevation_deg=(12, 50),
            distance_mm=(260, 600),
            fill=(0.1, 0.5),
            focal_widths=(0.95, 1.6),
            quality=(70, 92),
            noise=(0.5, 1.4),
            saturation=(1.0, 1.4),
            sharpen=(0.8, 1.6),
        ),
        "from_the_side": Family(
            share=0.15,
            azimuth_deg=(66, 90),
            elevation_deg=(2, 25),
            distance_mm=(200, 420),
            fill=(0.12, 0.4),
            focal_widths=(0.8, 1.2),
        ),
        "chamber": Family(
            share=1.0,
            azimuth_deg=(-75, 30),
            elevation_deg=(6, 30),
            distance_mm=(210, 380),
            fill=(0.12, 0.5),
            focal_widths=(0.55, 0.85),
            k1=(-0.3, -0.12),
            quality=(35, 65),
            saturation=(0.3, 0.9),
            vignette=(0.2, 0.55),
            enclosed=True,
        ),
    },
}


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
