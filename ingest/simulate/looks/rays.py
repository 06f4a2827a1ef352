"""Where each pixel of the background looks to: rays through the lens, out to the walls of a box."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ingest.simulate.look import Look, Vector

MARGIN = 1.3  # the background is so much wider and higher than the picture
UNBENDING_STEPS = 12  # steps that undo the lens's distortion
MOST_BENT = 2.5  # normalised radius to which rays are followed outwards, about 68 degrees off the axis
LEVEL = np.float32(1e-6)  # directions are at least so far from a wall's own
LEAST_SHARE = 0.4  # of the picture's focal length that the background has at least

Floats = npt.NDArray[np.float32]


class Side(IntEnum):
    """Sides of a room."""

    LEFT = 0
    RIGHT = 1
    FRONT = 2
    BACK = 3
    FLOOR = 4
    CEILING = 5


class Hits(NamedTuple):
    """Where rays end: ``side`` [h, w] ``Side``, ``points`` [h, w, 3] mm, ``distance_mm`` [h, w]."""

    side: npt.NDArray[np.uint8]
    points: Floats
    distance_mm: Floats


def background_size(look: Look) -> tuple[int, int]:
    """(height, width) of the background, px."""
    return int(MARGIN * look.sensor.height), int(MARGIN * look.sensor.width)


def focal_px(look: Look) -> float:
    """Focal length of the background, px. The background is free of distortion, so it shows wide-angle
    cameras' surroundings smaller: as far out as their corners look."""
    lens = look.lens
    half = np.array([[0.5, 0.5 * look.sensor.height / look.sensor.width]], np.float32) / lens.focal_widths
    outermost = float(_unbent(half.astype(np.float32), lens.k1, lens.k2)[0, 0])
    covered = MARGIN / (2 * outermost * lens.focal_widths)
    return lens.focal_widths * look.sensor.width * min(1.0, max(covered, LEAST_SHARE))


def rays(look: Look, detail: float) -> Floats:
    """Directions [h, w, 3] that the background's pixels look to, in world coordinates; ``detail`` 0..1 of
    them along each side."""
    height, width = (round(side * detail) for side in background_size(look))
    focal = focal_px(look) * width / background_size(look)[1]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    across = np.stack(
        [(x + 0.5 - width / 2) / focal, (y + 0.5 - height / 2) / focal, np.ones_like(x)], axis=-1
    )
    return np.asarray(across @ _camera(look), np.float32)


def _unbent(bent: Floats, k1: float, k2: float) -> Floats:
    """Undo the radial distortion of points [n, 2] by Newton's steps on the radius."""
    radius = np.linalg.norm(bent, axis=-1)
    straight = np.minimum(radius, MOST_BENT)
    for _ in range(UNBENDING_STEPS):
        square = straight**2
        error = straight * (1.0 + k1 * square + k2 * square**2) - radius
        slope = 1.0 + 3.0 * k1 * square + 5.0 * k2 * square**2
        straight = np.clip(straight - error / np.maximum(slope, 0.2), 0.0, MOST_BENT)
    return np.asarray(bent * (straight / np.maximum(radius, 1e-6))[..., None], np.float32)


def _camera(look: Look) -> npt.NDArray[np.float32]:
    """Rows: the camera's right, down and forward in world coordinates."""
    forward = np.subtract(look.lens.looks_at_mm, look.lens.eye_mm)
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    roll = math.radians(look.lens.roll_deg)
    turned = (math.cos(roll) * right + math.sin(roll) * down, math.cos(roll) * down - math.sin(roll) * right)
    return np.stack([*turned, forward]).astype(np.float32)


def cast(look: Look, low: Vector, high: Vector, detail: float) -> Hits:
    """Follow the background's rays from the camera to the box's inside. The camera is inside of the box."""
    directions = rays(look, detail)
    eye = np.array(look.lens.eye_mm, np.float32)
    steep = np.where(np.abs(directions) < LEVEL, LEVEL, directions)
    ends = np.where(steep < 0.0, np.array(low, np.float32), np.array(high, np.float32))
    reach = (ends - eye) / steep
    axis = np.argmin(reach, axis=-1)
    distance = np.take_along_axis(reach, axis[..., None], axis=-1)
    positive = np.take_along_axis(steep, axis[..., None], axis=-1)[..., 0] > 0.0
    side = np.asarray(2 * axis + positive, np.uint8)
    return Hits(
        side, np.asarray(eye + distance * directions, np.float32), np.asarray(distance[..., 0], np.float32)
    )
