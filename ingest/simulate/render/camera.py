"""Where things are seen: a pinhole camera, its larger canvas, and the lens that bends the canvas's lines."""

from __future__ import annotations

import copy
import math
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ingest.simulate.look import Lens

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]
Area: TypeAlias = tuple[slice, slice]
"""Rows and columns."""

SUPERSAMPLING = 1.1  # canvas pixels to a pixel of the picture: what is thinner than a pixel still shows
MOST_CANVAS = 2.0  # widths of the picture: a fisheye's canvas is drawn coarser rather than larger
NEAR_MM = 12.0
FAR_MM = 6_000.0
NOTHING = 1e-6
_RADII = 400  # steps of the table that undoes the radial distortion


class Nudge(NamedTuple):
    """By how much a camera is turned from how it was mounted, degrees."""

    pan_deg: float = 0.0
    tilt_deg: float = 0.0
    roll_deg: float = 0.0


MOUNTED = Nudge()


class Camera:
    """One lens in one pose. Pixels are continuous: pixel ``i`` reaches from ``i`` to ``i + 1``.

    ``canvas`` (width, height): where triangles are drawn, free of distortion; ``focal_px`` is in its pixels.
    ``axes`` [3, 3]: rows are the camera's right, down and forward directions in the world.
    ``world_to_camera`` [4, 4] is OpenGL's (y up, looking along -z), as ``cv2.triangleRasterize`` wants it.
    """

    def __init__(self, lens: Lens, size: tuple[int, int], nudge: Nudge = MOUNTED) -> None:
        self.size, self.lens = size, lens
        self.mounted = _axes(lens)
        self.axes = _turn(nudge) @ self.mounted
        self.eye = np.array(lens.eye_mm, np.float64)
        self.picture_focal_px = lens.focal_widths * size[0]
        seen = _straight(_grid(size, self.picture_focal_px), lens)
        extent = np.maximum(np.abs(seen).reshape(-1, 2).max(axis=0), 0.05)
        scale = min(SUPERSAMPLING, MOST_CANVAS * size[0] / (2 * extent[0] * self.picture_focal_px))
        self.focal_px = self.picture_focal_px * scale
        wide, high = (math.ceil(2 * float(side) * self.focal_px) + 4 for side in extent)
        self.canvas = (wide, high)
        self.fov_y = 2 * math.atan(self.canvas[1] / 2 / self.focal_px)
        self.world_to_camera = self._matrix()
        self.maps = self._maps(seen)

    def coarse(self, shrink: int) -> Camera:
        """The same view on a canvas ``shrink`` times as coarse. Its ``maps`` are the finer one's."""
        other = copy.copy(self)
        wide, high = (-(-side // shrink) for side in self.canvas)
        other.canvas, other.focal_px = (wide, high), self.focal_px * high / self.canvas[1]
        return other

    def project(self, points: npt.NDArray[np.floating]) -> tuple[Doubles, Doubles]:
        """World points [n, 3] mm -> canvas pixels [n, 2] and distances ahead [n] mm, negative behind."""
        seen = (np.asarray(points, np.float64) - self.eye) @ self.axes.T
        ahead = seen[:, 2]
        flat = seen[:, :2] / np.where(np.abs(ahead) < NOTHING, NOTHING, ahead)[:, None]
        return flat * self.focal_px + np.array(self.canvas) / 2, ahead

    def in_picture(self, points: npt.NDArray[np.floating]) -> tuple[Doubles, Doubles]:
        """World points [n, 3] mm -> pixels of the picture [n, 2], lens included, and distances [n] mm."""
        pixels, ahead = self.project(points)
        flat = (pixels - np.array(self.canvas) / 2) / self.focal_px
        return _bent(flat, self.lens) * self.picture_focal_px + np.array(self.size) / 2, ahead

    def area(self, points: npt.NDArray[np.floating]) -> Area | None:
        """Rows and columns of the canvas that what lies between world points [n, 3] may cover, if any."""
        pixels, ahead = self.project(points)
        if ahead.min() < NEAR_MM:
            return slice(0, self.canvas[1]), slice(0, self.canvas[0])
        low = np.clip(np.floor(pixels.min(axis=0)).astype(int), 0, self.canvas)
        high = np.clip(np.ceil(pixels.max(axis=0)).astype(int), 0, self.canvas)
        if (high - low).min() < 1:
            return None
        return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))

    def homography(self, origin: Doubles, right: Doubles, up: Doubles) -> Doubles:
        """[3, 3]: takes (s, t, 1) of the plane ``origin + s * right + t * up`` (mm) to canvas pixels."""
        plane = np.column_stack([right, up, origin - self.eye])
        return self.intrinsics @ self.axes @ plane

    @property
    def intrinsics(self) -> Doubles:
        """[3, 3]: camera directions -> canvas pixels."""
        width, height = self.canvas
        return np.array([[self.focal_px, 0, width / 2], [0, self.focal_px, height / 2], [0, 0, 1.0]])

    def px_per_mm(self, point: Doubles) -> float:
        """How large a millimetre at a world point is on the canvas."""
        ahead = float((point - self.eye) @ self.axes[2])
        return float(self.focal_px / max(ahead, NEAR_MM))

    def _matrix(self) -> Floats:
        matrix = np.eye(4)
        matrix[:3, :3] = self.axes * np.array([[1.0], [-1.0], [-1.0]])
        matrix[:3, 3] = -matrix[:3, :3] @ self.eye
        return matrix.astype(np.float32)

    def _maps(self, seen: Doubles) -> tuple[Floats, Floats]:
        """Where on the canvas each pixel of the picture looks, as ``cv2.remap`` wants it."""
        pixels = seen * self.focal_px + np.array(self.canvas) / 2 - 0.5
        return pixels[..., 0].astype(np.float32), pixels[..., 1].astype(np.float32)


def box_of(low: npt.NDArray[np.floating], high: npt.NDArray[np.floating]) -> Floats:
    """[8, 3]: the corners of a box."""
    return (
        np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float32) * (high - low) + low
    )


def _axes(lens: Lens) -> Doubles:
    forward = np.array(lens.looks_at_mm, np.float64) - np.array(lens.eye_mm, np.float64)
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    if np.linalg.norm(right) < NOTHING:  # straight down: the picture's top is the printer's back
        right = np.array([1.0, 0.0, 0.0])
    right /= np.linalg.norm(right)
    axes: Doubles = _turn(Nudge(roll_deg=lens.roll_deg)) @ np.array(
        [right, np.cross(forward, right), forward]
    )
    return axes


def _turn(nudge: Nudge) -> Doubles:
    """[3, 3]: how camera coordinates change when the camera is turned right, up and clockwise."""
    pan, tilt, roll = (math.radians(angle) for angle in nudge)
    about_y = np.array([[math.cos(pan), 0, -math.sin(pan)], [0, 1, 0], [math.sin(pan), 0, math.cos(pan)]])
    about_x = np.array([[1, 0, 0], [0, math.cos(tilt), math.sin(tilt)], [0, -math.sin(tilt), math.cos(tilt)]])
    about_z = np.array([[math.cos(roll), math.sin(roll), 0], [-math.sin(roll), math.cos(roll), 0], [0, 0, 1]])
    turned: Doubles = about_z @ about_x @ about_y
    return turned


def _grid(size: tuple[int, int], focal_px: float) -> Doubles:
    """Normalised coordinates of the picture's pixel centres, [height, width, 2]."""
    width, height = size
    across = (np.arange(width) + 0.5 - width / 2) / focal_px
    down = (np.arange(height) + 0.5 - height / 2) / focal_px
    return np.dstack(np.meshgrid(across, down))


def _bent(flat: Doubles, lens: Lens) -> Doubles:
    square = (flat**2).sum(axis=-1, keepdims=True)
    bent: Doubles = flat * (1.0 + lens.k1 * square + lens.k2 * square**2)
    return bent


def _straight(bent: Doubles, lens: Lens) -> Doubles:
    """Undo the distortion. Radii that a strong barrel never reaches stay at the largest that it does."""
    if not lens.k1 and not lens.k2:
        return bent
    radius = np.linspace(0.0, 2.5, _RADII)
    reached = radius * (1.0 + lens.k1 * radius**2 + lens.k2 * radius**4)
    rising = int(np.argmax(np.diff(reached, append=-1.0) <= 0.0)) + 1
    own = np.linalg.norm(bent, axis=-1)
    wanted = np.interp(own, reached[:rising], radius[:rising])
    straight: Doubles = bent * (wanted / np.maximum(own, 1e-9))[..., None]
    return straight
