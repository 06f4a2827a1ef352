"""What stands still behind everything, drawn once for each pose of the camera."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ingest.simulate.look import Look
from ingest.simulate.looks.rays import background_size, focal_px
from ingest.simulate.mesh import Carrier
from ingest.simulate.render.bed import Bed
from ingest.simulate.render.camera import Camera
from ingest.simulate.render.canvas import Canvas, moved
from ingest.simulate.render.shading import Gains, scaled
from ingest.simulate.render.solids import Places
from ingest.simulate.render.stage import Stage

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]

INFRARED_ROOM = 0.10  # what the camera's own lamp makes of the room behind
MIRROR_COARSE = 2  # canvas pixels to one of what is mirrored, which no bed shows sharp
ROOM_SHRINK = 4  # pixels of the room's picture to one of what is mirrored of it: it is blurred far more
MIRROR_BLUR = 0.02  # of the picture's width, for a bed of full gloss; a matt one blurs five times as much


class Backdrop:
    """The room and the printer's frame as one pose of the camera sees them, and the bed for that pose."""

    def __init__(self, camera: Camera, stage: Stage, room: Floats, bed: Floats, gloss: float) -> None:
        self.camera = camera
        if stage.shader.infrared:
            room = np.repeat(room.mean(axis=2, keepdims=True), 3, axis=2) * np.float32(INFRARED_ROOM)
        self.mirror_camera = camera.coarse(MIRROR_COARSE)
        mirrored = _mirrored(camera, stage.look, room, gloss, self.mirror_camera.canvas)
        self.bed = Bed(stage.look, camera, stage.shader, bed, gloss, mirrored)
        self._room, self._lamp = Canvas(camera), Canvas(camera)
        self._room.colour = _room(camera, stage.look, room)
        self._draw_frame(stage)
        self._sum, self._with_resting = Canvas(camera), Canvas(camera)
        self._gains: Gains | None = None
        self._rests_at: Floats | None = None

    def start(
        self, canvas: Canvas, stage: Stage, places: Places, gains: Gains, resting: Carrier | None
    ) -> None:
        """Fill a canvas with the backdrop under some light, and with what a carrier that rests carries."""
        if self._gains is not gains:
            self._gains, self._rests_at = gains, None
            room, lamp = scaled(self._room.colour, gains.room), scaled(self._lamp.colour, gains.lamp)
            cv2.add(room, lamp, self._sum.colour)
            self._sum.depth = self._room.depth
        if resting is None:
            canvas.become(self._sum)
            return
        place = places.of(resting)
        if self._rests_at is None or (self._rests_at != place).any():
            self._rests_at = place
            self._with_resting.become(self._sum)
            stage.draw_thing(resting, self._with_resting, places, gains)
        canvas.become(self._with_resting)

    def _draw_frame(self, stage: Stage) -> None:
        """The frame twice: once in the room's light, once in the lamp's."""
        still = moved(0.0, 0.0, 0.0)
        if Carrier.FRAME not in stage.things:
            return
        on, off = np.ones(3, np.float32), np.zeros(3, np.float32)
        thing = stage.things[Carrier.FRAME]
        self._room.draw(thing.soup(Gains(on, off), still), still)
        self._lamp.draw(thing.soup(Gains(off, on), still), still)


def _room(camera: Camera, look: Look, room: Floats) -> Floats:
    """The room's picture on the canvas; it is far away, so only the camera's direction counts."""
    matrix = _room_to_canvas(camera, look, room, camera.axes)
    return _warped(room, matrix, camera.canvas)


def _mirrored(camera: Camera, look: Look, room: Floats, gloss: float, size: tuple[int, int]) -> Floats:
    """What a level mirror shows of the room, as large as ``size`` (width, height) says."""
    small = (room.shape[1] // ROOM_SHRINK, room.shape[0] // ROOM_SHRINK)
    sigma = MIRROR_BLUR * small[0] * (1 + 4 * (1 - gloss))
    shrunk = cv2.resize(room, small, interpolation=cv2.INTER_AREA)
    soft = np.asarray(cv2.GaussianBlur(shrunk, (0, 0), sigma), np.float32)
    enlarged = np.diag([room.shape[1] / small[0], room.shape[0] / small[1], 1.0])
    matrix = _room_to_canvas(camera, look, room, camera.axes @ np.diag([1.0, 1.0, -1.0]))
    coarse = np.diag([size[0] / camera.canvas[0], size[1] / camera.canvas[1], 1.0])
    return _warped(soft, coarse @ matrix @ enlarged, size)


def _room_to_canvas(camera: Camera, look: Look, room: Floats, axes: Doubles) -> Doubles:
    """[3, 3]: pixels of the room's picture, which the mounted camera sees in its middle, -> canvas pixels."""
    height, width = room.shape[:2]
    focal = focal_px(look) * width / background_size(look)[1]
    flat = np.linalg.inv(np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1.0]]))
    return camera.intrinsics @ axes @ camera.mounted.T @ flat


def _warped(picture: Floats, matrix: Doubles, size: tuple[int, int]) -> Floats:
    # Reflected at its borders: what a mirror shows from beside the picture must be something.
    warped = cv2.warpPerspective(picture, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(warped, np.float32)
