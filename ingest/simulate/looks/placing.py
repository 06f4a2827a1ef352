"""Where the camera stands so that it sees the part, and where in the picture things come to lie."""

from __future__ import annotations

import math
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from ingest.simulate.look import Kinematics, Lens, Sensor, Vector, vector
from ingest.simulate.looks.cameras import draw_distortion
from ingest.simulate.looks.families import Family
from ingest.simulate.toolpath import Feature, Toolpath

LEAST_SIZE_MM = 12.0  # smaller parts are taken for so large
MARGIN = 0.06  # of the picture: so far inside is the part's middle
TRIES = 12
LEAST_HEIGHT_MM = 6.0  # of a camera over the bed, where it is not below the bed's front edge
RAIL_MM = 38.0  # from a CoreXY's bed to the middle of its rails, see ``frames``
FRONT_DEG = (-20.0, 20.0)  # of azimuths: there is no rail before the part
RAIL_HEIGHTS_MM = (4.0, 80.0)  # of what would hide the part there
NEAR_MM = 210.0  # nearer cameras are so placed that the head hides little
CLEAR_MM, HEAD_MM = 9.0, 42.0  # how far a head is above the part, and how far it reaches to the front

Vectors = npt.NDArray[np.float64]


class Extent(NamedTuple):
    """A part in world coordinates, mm, at half of its print: its middle and its sizes."""

    middle: Vector
    width_mm: float  # the larger of both horizontal sizes
    height_mm: float
    sides_mm: tuple[float, float] | None = None  # x of rails left and right that the gantry runs on


def part_extent(path: Toolpath, kinematics: Kinematics) -> Extent:
    """Where the part is when the nozzle is over its middle. ValueError for a path that prints nothing."""
    low, high = _corners(path)
    middle, sizes = (low + high) / 2, high - low
    height = float(high[2])
    y = path.bed_mm[1] / 2 if kinematics is Kinematics.BED_SLINGER else float(middle[1])
    z = -height / 4 if kinematics is Kinematics.CORE_XY else height / 2
    rails = (-RAIL_MM, path.bed_mm[0] + RAIL_MM) if kinematics is Kinematics.CORE_XY else None
    return Extent((float(middle[0]), y, z), float(max(sizes[0], sizes[1])), height, rails)


def _corners(path: Toolpath) -> tuple[Vectors, Vectors]:
    extruding = path.melted_mm_s > 0.0
    walls = extruding & (path.feature == Feature.OUTER_WALL)
    chosen = np.flatnonzero(walls if walls.any() else extruding)
    if not len(chosen):
        raise ValueError("found a toolpath that prints nothing, expected moves with filament")
    points = np.concatenate([path.points[chosen], path.points[chosen + 1]])
    return points.min(axis=0), points.max(axis=0)


def draw_lens(rng: np.random.Generator, family: Family, extent: Extent, sensor: Sensor) -> Lens:
    """A camera of the family before the part; the part's middle is in the picture."""
    focal = float(rng.uniform(*family.focal_widths))
    k1, k2 = draw_distortion(rng, family)
    roll_deg = float(rng.normal(0.0, family.roll_deg))
    distance_mm = _distance(rng, family, extent, focal)
    eye = _clear_eye(rng, family, extent, distance_mm)
    off = _offset(rng, family)
    for attempt in range(TRIES):
        target = _aim(extent, eye, off * (1.0 - attempt / TRIES) / focal)
        lens = Lens(eye_mm=eye, looks_at_mm=target, roll_deg=roll_deg, focal_widths=focal, k1=k1, k2=k2)
        if is_inside(project(lens, sensor, np.array([extent.middle]))[0], sensor):
            return lens
    return lens


def _distance(rng: np.random.Generator, family: Family, extent: Extent, focal: float) -> float:
    size_mm = max(extent.width_mm, extent.height_mm, LEAST_SIZE_MM)
    wanted_mm = size_mm * focal / rng.uniform(*family.fill)
    return float(np.clip(wanted_mm, *family.distance_mm) * rng.uniform(0.95, 1.1))


def _clear_eye(rng: np.random.Generator, family: Family, extent: Extent, distance_mm: float) -> Vector:
    """A place for the camera from which no rail of a CoreXY is before the part: its front, if need be."""
    for _ in range(TRIES):
        eye = _eye(rng, family, extent, distance_mm)
        if not _is_railed_off(eye, extent):
            return eye
    return _eye(rng, msgspec.structs.replace(family, azimuth_deg=FRONT_DEG), extent, distance_mm)


def _is_railed_off(eye: Vector, extent: Extent) -> bool:
    x, _, z = extent.middle
    for side in extent.sides_mm or ():
        share = (side - x) / (eye[0] - x) if abs(eye[0] - x) > 1.0 else math.inf
        if 0.0 < share < 1.0 and RAIL_HEIGHTS_MM[0] < z + share * (eye[2] - z) < RAIL_HEIGHTS_MM[1]:
            return True
    return False


def _eye(rng: np.random.Generator, family: Family, extent: Extent, distance_mm: float) -> Vector:
    azimuth = math.radians(rng.uniform(*family.azimuth_deg))
    elevation = math.radians(rng.uniform(*family.elevation_deg))
    if distance_mm < NEAR_MM:
        elevation = min(elevation, _under_the_head(family, extent))
    x, y, z = extent.middle
    flat_mm = distance_mm * math.cos(elevation)
    base_mm = min(z, extent.height_mm / (8 if distance_mm < NEAR_MM else 4))
    return (
        x + flat_mm * math.sin(azimuth),
        y - flat_mm * math.cos(azimuth),
        max(base_mm + distance_mm * math.sin(elevation), LEAST_HEIGHT_MM),
    )


def _under_the_head(family: Family, extent: Extent) -> float:
    """How steeply, radians, a near camera may look down to see the part below the head over it."""
    steepest = math.atan2(CLEAR_MM + extent.height_mm / 10.0, HEAD_MM)
    return max(steepest, math.radians(family.elevation_deg[0]))


def _offset(rng: np.random.Generator, family: Family) -> Vectors:
    """Where in the picture the part is drawn to, widths right and down of the middle: below it, mostly."""
    away, turn = rng.uniform(*family.off_centre), rng.uniform(0.0, 2 * math.pi)
    return np.array([away * math.cos(turn), 0.7 * away * math.sin(turn) + rng.uniform(0.0, 0.16)])


def _aim(extent: Extent, eye: Vector, off: Vectors) -> Vector:
    """What the camera looks at so that the part lies ``off`` (tangents right and down) of the middle."""
    towards = np.array(extent.middle) - np.array(eye)
    distance_mm = float(np.linalg.norm(towards))
    _, right, down = _axes(towards)
    return vector(np.array(extent.middle) - distance_mm * (off[0] * right + off[1] * down))


def _axes(towards: Vectors) -> tuple[Vectors, Vectors, Vectors]:
    forward = towards / np.linalg.norm(towards)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    return forward, right, np.cross(forward, right)


def project(lens: Lens, sensor: Sensor, points: Vectors) -> Vectors:
    """World points [n, 3] mm as pixels [n, 2] (x right, y down); NaN for those behind the camera."""
    forward, right, down = _axes(np.subtract(lens.looks_at_mm, lens.eye_mm))
    roll = math.radians(lens.roll_deg)
    right, down = (
        math.cos(roll) * right + math.sin(roll) * down,
        math.cos(roll) * down - math.sin(roll) * right,
    )
    local = (points - np.array(lens.eye_mm)) @ np.column_stack([right, down, forward])
    depth = np.where(local[:, 2] > 1.0, local[:, 2], np.nan)
    flat = local[:, :2] / depth[:, None]
    square = (flat**2).sum(axis=1, keepdims=True)
    bent = flat * (1.0 + lens.k1 * square + lens.k2 * square**2)
    return np.asarray(bent * (lens.focal_widths * sensor.width) + np.array([sensor.width, sensor.height]) / 2)


def is_inside(pixel: Vectors, sensor: Sensor, margin: float = MARGIN) -> bool:
    """Whether a pixel is in the picture, and not at its very edge."""
    x, y = pixel[0] / sensor.width, pixel[1] / sensor.height
    return bool(margin <= x <= 1 - margin and margin <= y <= 1 - margin)
