"""The bed: a texture in perspective, with shadows on it and the room mirrored in it."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ingest.simulate.look import Look
from ingest.simulate.render.camera import FAR_MM, NEAR_MM, Area, Camera
from ingest.simulate.render.canvas import Canvas, Scratch
from ingest.simulate.render.footprints import CELLS
from ingest.simulate.render.shading import Gains, Lit, Shader, scaled

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.uint8]

LIGHT_GRID = 24  # places to a side at which the bed's light is worked out
NOWHERE = 2.0  # a depth behind all others
THERE = 24  # light-map values above this are bed
MIRRORS_THINGS = 0.45  # gloss from which on a bed mirrors more than the room's light
MIRRORS_ENOUGH = 0.05  # of the light, in the bed's middle: from above nothing is seen in it
STILL_MATT = 0.12  # what a matt bed mirrors of what a mirror would
BRIGHTEST = 1.6  # linear light of a bed's texture; more is cut off
_DECODED = (np.arange(256, dtype=np.float32) / 255) ** 2 * np.float32(BRIGHTEST / 255)
"""Linear light of a texture's bytes, to one level of the light map."""
_TO_INDEX = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1.0]])  # pixel centres are whole numbers for warps


class Bed:
    """One bed before one camera. ``albedo`` float32 [n, n, 3], row 0 at the back; ``mirrored`` [h, w, 3]:
    what a perfect mirror in the bed's place would show of the room, on a canvas that may be coarser."""

    def __init__(
        self, look: Look, camera: Camera, shader: Shader, albedo: Floats, gloss: float, mirrored: Floats
    ) -> None:
        self._size_mm, self._camera = look.printer.bed_mm, camera
        albedo = self._as_fine_as_seen(albedo)
        self._lit = self._shaded(albedo, shader, gloss)
        fresnel = self._fresnel(gloss)[..., None]
        self.mirrors = gloss >= MIRRORS_THINGS and self._at_middle(fresnel) >= MIRRORS_ENOUGH
        self._room, self._fresnel_share = mirrored, np.repeat(fresnel, 3, axis=2)
        self._sheen = self._fresnel_share * cv2.resize(mirrored, camera.canvas)
        self._gains: Gains | None = None
        self._place: Floats | None = None
        self._memory = Scratch()
        self._seen: tuple[Floats, Floats] = (self._sheen, self._sheen[..., 0])
        self._texture, self._shine, self._mirrored = _coded(albedo), self._sheen, self._room

    def start_mirror(self, mirror: Canvas, gains: Gains) -> None:
        """Fill a canvas with what the bed mirrors of the room; things may then be drawn upside down."""
        self._under(gains)
        np.copyto(mirror.colour, self._mirrored)
        mirror.depth.fill(1.0)

    def draw(
        self, canvas: Canvas, place: Floats, light: Mask, gains: Gains, mirror: Canvas | None = None
    ) -> None:
        """Draw the bed, shifted by ``place`` [4, 4], under a light map (see ``Shadows.light``).

        ``mirror``: what a perfect mirror would show, if that is more than the room; it may be coarser.
        """
        height_mm = float(self._camera.eye[2] - place[2, 3])
        area = self._area(place)
        if height_mm < 1.0 or area is None:
            return
        self._under(gains)
        corner, (wide, high) = _corner_of(area)
        scratch = canvas.scratch
        flipped = np.ascontiguousarray(light[::-1])
        shade = scratch.bytes("shade", high, wide)
        _warp(flipped, corner @ self._to_canvas(CELLS, place), shade)
        texture, depth = self._at(area, place)
        _, there = cv2.threshold(shade, THERE, 255, cv2.THRESH_BINARY)
        seen = cv2.bitwise_and(there, cv2.compare(depth, canvas.depth[area], cv2.CMP_LT))
        lit = scratch.floats("lit", high, wide, 3)
        levels = scratch.floats("levels", high, wide)
        np.copyto(levels, shade)
        cv2.cvtColor(levels, cv2.COLOR_GRAY2BGR, lit)
        cv2.multiply(lit, texture, lit)
        cv2.add(lit, self._shining(area, mirror, scratch), lit)
        cv2.copyTo(lit, seen, canvas.colour[area])
        cv2.copyTo(depth, seen, canvas.depth[area])

    def _at(self, area: Area, place: Floats) -> tuple[Floats, Floats]:
        """The texture's light and its depths in the bed's area; remembered while the bed stands still."""
        if self._place is None or (self._place != place).any():
            corner, (wide, high) = _corner_of(area)
            coded = self._memory.bytes("coded", high, wide, 4)
            _warp(self._texture, corner @ self._to_canvas(len(self._texture), place), coded)
            plain = cv2.cvtColor(coded, cv2.COLOR_BGRA2BGR, self._memory.bytes("plain", high, wide, 3))
            light = self._memory.floats("light", high, wide, 3)
            cv2.LUT(plain, _DECODED, light)
            depths = self._memory.floats("depths", high, wide)
            self._fill_depths(depths, area, float(self._camera.eye[2] - place[2, 3]))
            self._place, self._seen = place, (light, depths)
        return self._seen

    def _shining(self, area: Area, mirror: Canvas | None, scratch: Scratch) -> Floats:
        """Light that the bed mirrors, in a part of the canvas."""
        if mirror is None:
            return self._shine[area]
        shining = scratch.floats("shining", *self._fresnel_share.shape)
        cv2.resize(mirror.colour, self._camera.canvas, shining)
        return np.asarray(cv2.multiply(shining[area], self._fresnel_share[area], shining[area]), np.float32)

    def _to_canvas(self, cells: int, place: Floats) -> Doubles:
        """[3, 3]: column and row of a texture of ``cells`` to a side -> canvas, both as indices."""
        across, deep = self._size_mm[0] / cells, self._size_mm[1] / cells
        origin = place[:3, 3] + np.array([across / 2, self._size_mm[1] - deep / 2, 0.0])
        plane = self._camera.homography(origin, np.array([across, 0, 0]), np.array([0, -deep, 0]))
        return _TO_INDEX @ plane

    def _fill_depths(self, depths: Floats, area: Area, height_mm: float) -> None:
        """Depth buffer values of the bed's plane in an area; above its horizon they are 1 or more."""
        rows, columns = area
        slope = self._slope() / -height_mm
        u = np.arange(columns.start, columns.stop, dtype=np.float32) + 0.5
        v = np.arange(rows.start, rows.stop, dtype=np.float32) + 0.5
        scale = -FAR_MM / (FAR_MM - NEAR_MM) * NEAR_MM
        across = (u * (slope[0] * scale)).astype(np.float32)
        down = (v * (slope[1] * scale) + slope[2] * scale + FAR_MM / (FAR_MM - NEAR_MM)).astype(np.float32)
        np.add(across[None], down[:, None], depths)
        depths[depths <= 0] = NOWHERE  # behind the camera

    def _slope(self) -> Doubles:
        """[3]: how fast a ray through canvas pixel (u, v, 1) rises, to a mm ahead."""
        slope: Doubles = self._camera.axes.T[2] @ np.linalg.inv(self._camera.intrinsics)
        return slope

    def _area(self, place: Floats) -> Area | None:
        """Rows and columns of the canvas that the bed may cover."""
        x, y = self._size_mm
        return self._camera.area(np.array([[0, 0, 0], [x, 0, 0], [x, y, 0], [0, y, 0]]) + place[:3, 3])

    def _under(self, gains: Gains) -> None:
        if self._gains is gains:
            return
        self._gains, self._place = gains, None
        self._texture = _coded(self._lit.under(gains))
        self._shine = scaled(self._sheen, gains.room)
        self._mirrored = scaled(self._room, gains.room)

    def _shaded(self, albedo: Floats, shader: Shader, gloss: float) -> Lit:
        """The texture's light: worked out coarsely for black and for white, which is all it depends on."""
        steps = (np.arange(LIGHT_GRID, dtype=np.float32) + 0.5) / LIGHT_GRID
        x, y = np.meshgrid(steps * self._size_mm[0], (1 - steps) * self._size_mm[1])
        points = np.column_stack([x.ravel(), y.ravel(), np.zeros(x.size)]).astype(np.float32)
        up = np.broadcast_to(np.array([0, 0, 1], np.float32), points.shape)
        black = shader.shade(points, up, np.zeros((1, 3), np.float32), gloss)
        white = shader.shade(points, up, np.ones((1, 3), np.float32), gloss)
        own = np.repeat(albedo.mean(axis=2, keepdims=True), 3, axis=2) if shader.infrared else albedo
        return Lit(*(_spread(dark, full, own) for dark, full in zip(black, white, strict=True)))

    def _fresnel(self, gloss: float) -> Floats:
        """How much of the room is mirrored at each canvas pixel, [h, w]."""
        width, height = self._camera.canvas
        u = np.arange(width, dtype=np.float32)[None] + np.float32(0.5)
        v = np.arange(height, dtype=np.float32)[:, None] + np.float32(0.5)
        slope, focal = self._slope().astype(np.float32), np.float32(self._camera.focal_px)
        rising = slope[0] * u + (slope[1] * v + slope[2])
        far = ((u - width / 2) / focal) ** 2 + (1.0 + ((v - height / 2) / focal) ** 2)
        level = np.clip(1.0 + rising / np.sqrt(far), 0.0, 1.0) ** 2
        fresnel: Floats = np.float32(0.04) + np.float32(0.8) * level * level
        return fresnel * np.float32(STILL_MATT + (1 - STILL_MATT) * gloss)

    def _at_middle(self, values: Floats) -> float:
        """A canvas's value [h, w, 1] where the bed's middle is, or at the nearest border."""
        middle = np.array([[self._size_mm[0] / 2, self._size_mm[1] / 2, 0.0]])
        column, row = self._camera.project(middle)[0][0]
        height, width = values.shape[:2]
        return float(values[int(np.clip(row, 0, height - 1)), int(np.clip(column, 0, width - 1)), 0])

    def _as_fine_as_seen(self, albedo: Floats) -> Floats:
        """Blur what is smaller than a canvas pixel at the bed's middle, along and across by themselves."""
        cells = len(albedo)
        matrix = self._to_canvas(cells, np.eye(4, dtype=np.float32))
        middle = matrix @ np.array([cells / 2, cells / 2, 1.0])
        if middle[2] <= NEAR_MM:
            return albedo
        right, down = (matrix[:2, i] - middle[:2] / middle[2] * matrix[2, i] for i in range(2))
        sizes = [float(np.linalg.norm(step)) / middle[2] for step in (right, down)]
        sigmas = [max(0.45 * (1 / max(size, 0.02) - 1), 0.0) + 0.01 for size in sizes]
        return np.asarray(cv2.GaussianBlur(albedo, (0, 0), sigmas[0], sigmaY=sigmas[1]), np.float32)


def _corner_of(area: Area) -> tuple[Doubles, tuple[int, int]]:
    """What takes canvas pixels to those of an area, [3, 3], and the area's width and height."""
    rows, columns = area
    corner = np.array([[1, 0, -columns.start], [0, 1, -rows.start], [0, 0, 1.0]])
    return corner, (columns.stop - columns.start, rows.stop - rows.start)


def _coded(light: Floats) -> Mask:
    """Linear light [n, n, 3] as bytes of its square root [n, n, 4]: a warp of four bytes is twice as fast as
    one of three, or of floats."""
    root = cv2.sqrt(np.maximum(light, np.float32(0.0)))
    coded = cv2.convertScaleAbs(root, alpha=255 / BRIGHTEST**0.5)
    return np.asarray(cv2.cvtColor(coded, cv2.COLOR_BGR2BGRA), np.uint8)


def _warp(picture: Mask, matrix: Doubles, onto: Mask) -> None:
    """Fill ``onto`` with a picture in perspective."""
    cv2.warpPerspective(picture, matrix, onto.shape[1::-1], onto, flags=cv2.INTER_LINEAR)


def _spread(dark: Floats, full: Floats, albedo: Floats) -> Floats:
    cells = len(albedo)
    low, slope = (
        cv2.resize(part.reshape(LIGHT_GRID, LIGHT_GRID, 3), (cells, cells), interpolation=cv2.INTER_CUBIC)
        for part in (dark, full - dark)
    )
    return np.asarray(low + slope * albedo, np.float32)
