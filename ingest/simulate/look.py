"""How a printer and its camera look: everything of a picture that does not change during a print."""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

Vector: TypeAlias = tuple[float, float, float]
Colour: TypeAlias = tuple[float, float, float]
"""Blue, green, red, 0..1, as light that is reflected (linear, before the camera's tone curve)."""


def vector(point: npt.NDArray[np.float64]) -> Vector:
    """A point [3] as plain numbers."""
    x, y, z = point.tolist()
    return (x, y, z)


class Kinematics(StrEnum):
    """What moves. World coordinates are those of the frame, in mm; the nozzle's y counts along the bed."""

    BED_SLINGER = "bed_slinger"  # the bed moves in y, the gantry in z, the head in x
    CORE_XY = "core_xy"  # the bed sinks, the gantry moves in y, the head in x
    DELTA = "delta"  # the bed stands, the head moves in all three


class Shading(StrEnum):
    """Ways to shade; SOFT and HARSH are the test split's own."""

    PLAIN = "plain"  # one lamp and the room
    SOFT = "soft"  # wrapped light, no hard edge between lit and unlit
    HARSH = "harsh"  # a point lamp near by, strong gloss


class Lens(msgspec.Struct, frozen=True, kw_only=True):
    """Where the camera is and how it projects. Its x goes right, y down, z into the picture."""

    eye_mm: Vector
    looks_at_mm: Vector
    roll_deg: float = 0.0
    focal_widths: float = 1.0  # focal length in widths of the picture
    k1: float = 0.0  # radial distortion (OpenCV's), at normalised coordinates
    k2: float = 0.0


class Sensor(msgspec.Struct, frozen=True, kw_only=True):
    """What the camera makes of the light."""

    width: int = 320
    height: int = 240
    exposure: float = 1.0
    auto_exposure: float = 0.5  # 0: fixed, 1: the picture's mean is always the same
    white_balance: Colour = (1.0, 1.0, 1.0)
    saturation: float = 1.0
    contrast: float = 1.0
    gamma: float = 2.2
    vignette: float = 0.2  # loss of light in the corners, 0..1
    blur_px: float = 0.6  # of the lens, standard deviation at 320 pixels of width
    sharpen: float = 0.5  # the halo of a cheap camera's sharpening
    noise: float = 3.0  # levels of 255 in middle grey
    colour_noise: float = 2.0
    shutter_s: float = 0.03  # how long moving things smear
    jpeg_quality: int = 75


class Lamp(msgspec.Struct, frozen=True, kw_only=True):
    """The light in the scene."""

    towards: Vector = (-0.4, -0.5, 0.8)  # direction to the lamp
    colour: Colour = (0.9, 0.95, 1.0)
    strength: float = 0.8
    ambient: Colour = (0.35, 0.35, 0.35)
    shadow: float = 0.5  # how dark shadows are, 0..1
    shading: Shading = Shading.PLAIN


class Filament(msgspec.Struct, frozen=True, kw_only=True):
    """The material as it looks."""

    colour: Colour
    gloss: float = 0.3  # 0 matt .. 1 silk
    unevenness: float = 0.04  # how much layers differ in brightness
    clear: float = 0.0  # 0 opaque .. 1 glass


class Printer(msgspec.Struct, frozen=True, kw_only=True):
    """The machine as it looks. Styles are numbers that the builders of ``looks`` understand."""

    kinematics: Kinematics
    bed_mm: tuple[float, float] = (220.0, 220.0)
    round_bed: bool = False
    head_style: int = 0
    frame_style: int = 0
    frame_colour: Colour = (0.05, 0.05, 0.05)
    head_colour: Colour = (0.04, 0.04, 0.04)
    accent: Colour = (0.1, 0.1, 0.6)


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """A camera before a printer in a room. ``seed`` draws whatever has no field of its own."""

    seed: int
    lens: Lens
    sensor: Sensor
    lamp: Lamp
    filaments: tuple[Filament, ...]  # the first, then those of filament changes
    printer: Printer
    bed_style: int = 0
    room_style: int = 0
    props: tuple[int, ...] = ()  # styles of spools, clips, cables, logos, purge lines, tools near by
