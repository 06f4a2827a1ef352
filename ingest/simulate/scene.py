"""A webcam's picture of a printer: bed, gantry, nozzle, the growing part, and strands where it failed.

A pinhole camera in front of a bed-slinger: the bed moves in y, the nozzle in x and z. Everything is drawn in
flat colours with sensor noise; a picture depends on its arguments and the seed alone. Left out: shadows,
textures, lens distortion, motion blur, lights that change, hands; real pictures differ far more from each
other than these do.
"""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ingest.simulate.toolpath import CENTRE_MM, LAYER_MM, SIDES_MM, Position

Picture: TypeAlias = npt.NDArray[np.uint8]  # [height, width, 3], BGR
Points: TypeAlias = npt.NDArray[np.float64]  # [points, 3], mm
Colour: TypeAlias = tuple[int, int, int]

WIDTH, HEIGHT = 320, 240
JPEG_QUALITY = 80
BED_MM = 220.0
NOZZLE_Y_MM = 110.0  # where the gantry stands over the frame
EYE_MM = np.array([110.0, -120.0, 150.0])  # where the camera sits
LOOKS_AT_MM = np.array([110.0, 110.0, 10.0])
FOCAL_WIDTHS = 1.15  # focal length in widths of the picture

NOISE_LEVELS = 3.0  # standard deviation of the sensor noise, of 255
NOISE_PICTURES = 8  # noise is drawn from so many pictures, shifted at random: fast, and never the same twice
BLACK_LEVEL = 4  # what a covered camera still shows

STRANDS = 160
STRAND_POINTS = 14
STRANDS_PER_S = 2.0  # how fast the mess grows at severity 1
STRAND_STEP_MM = 6.0
STRAND_SPREAD_MM = 26.0
STRAND_TOP_MM = 32.0

ROOM: Colour = (78, 74, 70)
BED: Colour = (58, 52, 48)
BED_EDGE: Colour = (110, 105, 100)
METAL: Colour = (165, 165, 168)
CARRIAGE: Colour = (45, 45, 50)
BRASS: Colour = (70, 150, 190)
PARTS: tuple[Colour, ...] = ((60, 120, 225), (190, 130, 50), (80, 175, 90), (70, 70, 205))


class Scene:
    """One printer as its camera sees it; the seed chooses the filament's colour and the way strands fall."""

    def __init__(self, seed: int, width: int = WIDTH, height: int = HEIGHT) -> None:
        self.size = (width, height)
        self._seed = seed
        rng = np.random.default_rng([seed, 0])
        self._colour = PARTS[int(rng.integers(len(PARTS)))]
        self._strands = _strands(rng)
        noise = rng.normal(0.0, NOISE_LEVELS, (NOISE_PICTURES, height, width, 3))
        self._noise = np.clip(np.rint(noise), -127, 127).astype(np.int8)
        self._axes = _camera_axes()

    def jpeg(self, at: Position, moment: int, mess_s: float = 0.0, black: bool = False) -> bytes:
        """The picture as JPEG bytes; the arguments are those of ``render``."""
        picture = self.render(at, moment, mess_s, black)
        return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()

    def render(self, at: Position, moment: int, mess_s: float = 0.0, black: bool = False) -> Picture:
        """The picture of a nozzle at a position.

        ``moment`` (not negative) chooses the noise, ``mess_s`` is for how long strands have been piling up
        (seconds, weighted by severity), ``black`` covers the lens.
        """
        width, height = self.size
        picture = np.full((height, width, 3), BLACK_LEVEL if black else ROOM, np.uint8)
        if not black:
            self._draw(picture, at, mess_s)
        return self._noisy(picture, moment)

    def _draw(self, picture: Picture, at: Position, mess_s: float) -> None:
        shift = np.array([0.0, NOZZLE_Y_MM - at.y_mm, 0.0])  # the bed brings the point under the nozzle
        self._draw_bed(picture, shift)
        self._draw_part(picture, at, shift)
        self._draw_strands(picture, mess_s, shift)
        self._draw_gantry(picture, at)

    def _draw_bed(self, picture: Picture, shift: Points) -> None:
        corners = self._project(_square(BED_MM / 2, 0.0) + shift)
        cv2.fillConvexPoly(picture, corners, BED, cv2.LINE_AA)
        cv2.polylines(picture, [corners], True, BED_EDGE, 1, cv2.LINE_AA)

    def _draw_part(self, picture: Picture, at: Position, shift: Points) -> None:
        """A block up to the finished layers: front, right and left sides, then the top with its rings."""
        top_mm = max(at.z_mm - LAYER_MM, 0.0)
        half = SIDES_MM[0] / 2
        low, high = _square(half, 0.0) + shift, _square(half, top_mm) + shift
        for (first, second), shade in (((1, 2), 0.75), ((3, 0), 0.75), ((0, 1), 0.9)):
            side = np.array([low[first], low[second], high[second], high[first]])
            cv2.fillConvexPoly(picture, self._project(side), _shade(self._colour, shade), cv2.LINE_AA)
        cv2.fillConvexPoly(picture, self._project(high), self._colour, cv2.LINE_AA)
        for side_mm in SIDES_MM[2:]:
            ring = self._project(_square(side_mm / 2, top_mm) + shift)
            cv2.polylines(picture, [ring], True, _shade(self._colour, 1.15), 1, cv2.LINE_AA)

    def _draw_strands(self, picture: Picture, mess_s: float, shift: Points) -> None:
        count = min(int(mess_s * STRANDS_PER_S), STRANDS)
        if not count:
            return
        points = self._project((self._strands[:count] + shift).reshape(-1, 3))
        lines = list(points.reshape(count, STRAND_POINTS, 2))
        for shade in (0.8, 1.0, 1.2):
            own = lines[round(shade * 5) % 3 :: 3]
            cv2.polylines(picture, own, False, _shade(self._colour, shade), 1, cv2.LINE_AA)

    def _draw_gantry(self, picture: Picture, at: Position) -> None:
        y, z = NOZZLE_Y_MM, at.z_mm
        beam = [
            (-40.0, y + 20, z + 55),
            (260.0, y + 20, z + 55),
            (260.0, y + 20, z + 75),
            (-40.0, y + 20, z + 75),
        ]
        carriage = [(at.x_mm + dx, y, z + dz) for dx, dz in ((-18, 16), (18, 16), (18, 80), (-18, 80))]
        nozzle = [
            (at.x_mm + dx, y, z + dz) for dx, dz in ((-6, 16), (6, 16), (6, 8), (0.8, 0), (-0.8, 0), (-6, 8))
        ]
        for shape, colour in ((beam, METAL), (carriage, CARRIAGE), (nozzle, BRASS)):
            cv2.fillConvexPoly(picture, self._project(np.array(shape)), colour, cv2.LINE_AA)

    def _project(self, points: Points) -> npt.NDArray[np.int32]:
        """Where points are seen, [points, 2] pixels."""
        seen = (points - EYE_MM) @ self._axes.T  # right, down, forward
        width, height = self.size
        scale = FOCAL_WIDTHS * width / np.maximum(seen[:, 2:], 1.0)
        pixels: Points = np.rint(seen[:, :2] * scale + (width / 2, height / 2))
        return pixels.astype(np.int32)

    def _noisy(self, picture: Picture, moment: int) -> Picture:
        rng = np.random.default_rng([self._seed, 1, moment])
        bank = self._noise[int(rng.integers(NOISE_PICTURES))]
        rows, columns = (int(rng.integers(size)) for size in bank.shape[:2])
        noise = np.roll(bank, (rows, columns), axis=(0, 1))
        return np.asarray(cv2.add(picture, noise, dtype=cv2.CV_8U), np.uint8)


def _camera_axes() -> Points:
    """Rows: the camera's right, down and forward directions in the world."""
    forward = (LOOKS_AT_MM - EYE_MM) / np.linalg.norm(LOOKS_AT_MM - EYE_MM)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    return np.array([right, np.cross(forward, right), forward])


def _square(half_mm: float, z_mm: float) -> Points:
    """Corners around the bed's middle: front left, front right, back right, back left."""
    turns = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    return np.array([(CENTRE_MM[0] + half_mm * x, CENTRE_MM[1] + half_mm * y, z_mm) for x, y in turns])


def _strands(rng: np.random.Generator) -> Points:
    """Random walks over the part, [strands, points, 3] mm: they start near the nozzle and pile up."""
    start = np.array([*CENTRE_MM, STRAND_TOP_MM / 2])
    spread = np.array([STRAND_SPREAD_MM, STRAND_SPREAD_MM, STRAND_TOP_MM / 4])
    origins = start + rng.normal(0.0, 0.6, (STRANDS, 1, 3)) * spread
    steps = rng.normal(0.0, STRAND_STEP_MM, (STRANDS, STRAND_POINTS, 3))
    walks = origins + np.cumsum(steps, axis=1)
    walks[..., 2] = np.clip(walks[..., 2], 0.0, STRAND_TOP_MM)
    return np.asarray(walks, np.float64)


def _shade(colour: Colour, factor: float) -> Colour:
    blue, green, red = (min(int(channel * factor), 255) for channel in colour)
    return blue, green, red
