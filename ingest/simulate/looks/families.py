"""Families of cameras, per split: where they are, what lens and what sensor they have."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from ingest.simulate.splits import Split

Range: TypeAlias = tuple[float, float]


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
            share=0.2,
            azimuth_deg=(-35, 35),
            elevation_deg=(1, 10),
            distance_mm=(110, 300),
            fill=(0.25, 0.7),
            focal_widths=(0.85, 1.45),
            sharpen=(0.3, 1.2),
            quality=(45, 85),
        ),
        "front_webcam": Family(
            share=0.14,
            azimuth_deg=(-30, 30),
            elevation_deg=(10, 32),
            distance_mm=(150, 420),
            fill=(0.2, 0.55),
            focal_widths=(0.8, 1.2),
            noise=(1.5, 3.8),
            saturation=(0.6, 1.1),
        ),
        "corner": Family(
            share=0.14,
            azimuth_deg=(35, 75),
            elevation_deg=(8, 34),
            distance_mm=(130, 400),
            fill=(0.2, 0.55),
            focal_widths=(0.7, 1.1),
            k1=(-0.14, -0.02),
        ),
        "above": Family(
            share=0.06,
            azimuth_deg=(-60, 60),
            elevation_deg=(32, 46),
            distance_mm=(160, 420),
            fill=(0.22, 0.55),
            focal_widths=(0.8, 1.3),
        ),
        "close_up": Family(
            share=0.26,
            azimuth_deg=(-50, 50),
            elevation_deg=(2, 18),
            distance_mm=(95, 230),
            fill=(0.4, 0.95),
            focal_widths=(1.2, 2.1),
            off_centre=(0.0, 0.1),
            quality=(65, 92),
        ),
        "nozzle_cam": Family(
            share=0.2,
            azimuth_deg=(-40, 40),
            elevation_deg=(3, 18),
            distance_mm=(80, 150),
            fill=(0.55, 1.1),
            focal_widths=(0.9, 1.3),
            k1=(-0.16, 0.0),
            off_centre=(0.0, 0.08),
            quality=(45, 80),
            noise=(1.0, 3.4),
        ),
        "chamber_close_up": Family(
            share=0.5,
            azimuth_deg=(-45, 45),
            elevation_deg=(4, 20),
            distance_mm=(95, 220),
            fill=(0.4, 0.95),
            focal_widths=(0.8, 1.3),
            k1=(-0.18, -0.04),
            off_centre=(0.0, 0.1),
            quality=(40, 80),
            saturation=(0.5, 1.05),
            enclosed=True,
        ),
        "chamber": Family(
            share=0.5,
            azimuth_deg=(-50, 50),
            elevation_deg=(4, 26),
            distance_mm=(160, 340),
            fill=(0.2, 0.6),
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
            share=0.3,
            azimuth_deg=(-65, -15),
            elevation_deg=(4, 24),
            distance_mm=(150, 380),
            fill=(0.2, 0.6),
            focal_widths=(0.9, 1.35),
            k1=(-0.1, 0.0),
            quality=(50, 80),
            tint=0.09,
        ),
        "top_bar": Family(
            share=0.18,
            azimuth_deg=(-20, 40),
            elevation_deg=(32, 50),
            distance_mm=(160, 400),
            fill=(0.22, 0.55),
            focal_widths=(0.75, 1.05),
            noise=(1.8, 4.2),
        ),
        "gooseneck": Family(
            share=0.52,
            azimuth_deg=(-85, -52),
            elevation_deg=(4, 22),
            distance_mm=(100, 240),
            fill=(0.4, 1.0),
            focal_widths=(1.0, 1.7),
            k1=(-0.1, 0.0),
            off_centre=(0.0, 0.1),
            quality=(50, 85),
            tint=0.09,
        ),
        "chamber_gooseneck": Family(
            share=0.5,
            azimuth_deg=(46, 75),
            elevation_deg=(4, 22),
            distance_mm=(100, 230),
            fill=(0.4, 1.0),
            focal_widths=(0.8, 1.2),
            k1=(-0.18, -0.1),
            off_centre=(0.0, 0.1),
            quality=(40, 75),
            enclosed=True,
        ),
        "chamber": Family(
            share=0.5,
            azimuth_deg=(15, 60),
            elevation_deg=(8, 28),
            distance_mm=(170, 360),
            fill=(0.2, 0.55),
            focal_widths=(0.65, 0.9),
            k1=(-0.18, -0.1),
            quality=(40, 70),
            vignette=(0.2, 0.5),
            enclosed=True,
        ),
    },
    Split.TEST: {
        "fisheye": Family(
            share=0.2,
            azimuth_deg=(-60, 60),
            elevation_deg=(3, 30),
            distance_mm=(110, 300),
            fill=(0.22, 0.6),
            focal_widths=(0.55, 0.75),
            k1=(-0.35, -0.2),
            quality=(40, 75),
            vignette=(0.2, 0.5),
        ),
        "bed_level": Family(
            share=0.2,
            azimuth_deg=(-65, 45),
            elevation_deg=(0.5, 12),
            distance_mm=(130, 380),
            fill=(0.2, 0.65),
            focal_widths=(0.85, 1.4),
            noise=(1.8, 4.8),
            quality=(35, 75),
            tint=0.1,
        ),
        "telephone": Family(
            share=0.16,
            azimuth_deg=(-70, 70),
            elevation_deg=(10, 44),
            distance_mm=(180, 520),
            fill=(0.18, 0.6),
            focal_widths=(0.95, 1.6),
            quality=(70, 92),
            noise=(0.5, 1.4),
            saturation=(1.0, 1.4),
            sharpen=(0.8, 1.6),
        ),
        "from_the_side": Family(
            share=0.1,
            azimuth_deg=(66, 90),
            elevation_deg=(2, 25),
            distance_mm=(150, 380),
            fill=(0.2, 0.55),
            focal_widths=(0.8, 1.2),
        ),
        "endoscope": Family(
            share=0.2,
            azimuth_deg=(-80, 80),
            elevation_deg=(1, 18),
            distance_mm=(70, 150),
            fill=(0.45, 1.1),
            focal_widths=(0.6, 0.8),
            k1=(-0.34, -0.2),
            off_centre=(0.0, 0.1),
            quality=(35, 70),
            noise=(1.8, 4.8),
            vignette=(0.2, 0.6),
        ),
        "tele": Family(
            share=0.2,
            azimuth_deg=(-70, 70),
            elevation_deg=(0.5, 20),
            distance_mm=(240, 520),
            fill=(0.4, 1.0),
            focal_widths=(2.2, 3.2),
            off_centre=(0.0, 0.1),
            quality=(60, 92),
            blur_px=(0.4, 1.2),
        ),
        "chamber_endoscope": Family(
            share=0.5,
            azimuth_deg=(-78, 40),
            elevation_deg=(3, 20),
            distance_mm=(80, 180),
            fill=(0.4, 1.0),
            focal_widths=(0.55, 0.8),
            k1=(-0.32, -0.12),
            off_centre=(0.0, 0.1),
            quality=(35, 65),
            saturation=(0.3, 0.95),
            vignette=(0.2, 0.55),
            enclosed=True,
        ),
        "chamber": Family(
            share=0.5,
            azimuth_deg=(-75, 30),
            elevation_deg=(5, 26),
            distance_mm=(160, 340),
            fill=(0.2, 0.55),
            focal_widths=(0.55, 0.85),
            k1=(-0.3, -0.12),
            quality=(35, 65),
            saturation=(0.3, 0.9),
            vignette=(0.2, 0.55),
            enclosed=True,
        ),
    },
}
