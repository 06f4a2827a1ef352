"""A camera's picture of a printer at a moment: as the look's webcam would send it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ingest.simulate.look import Kinematics, Look
from ingest.simulate.looks.bed import bed_gloss, bed_texture
from ingest.simulate.looks.room import room_of
from ingest.simulate.looks.solids import solids_of
from ingest.simulate.looks.visitors import draw_visitor
from ingest.simulate.mesh import Carrier, Mesh
from ingest.simulate.moment import Light, Moment, View, Visitor
from ingest.simulate.render.backdrop import Backdrop
from ingest.simulate.render.blurring import LEAST_LARGE_PX, LEAST_PX, shows, smear, softened, widened
from ingest.simulate.render.camera import Area, Camera, Nudge
from ingest.simulate.render.canvas import Canvas
from ingest.simulate.render.sensor import Picture, WebCamera
from ingest.simulate.render.shading import Gains, gains_of
from ingest.simulate.render.solids import Places, places_of
from ingest.simulate.render.stage import Stage
from ingest.simulate.render.strands import VISIBLE

Floats: TypeAlias = npt.NDArray[np.float32]
Way: TypeAlias = tuple[float, float, float]

STEPS_PER_DEGREE = 20  # poses are told apart by a twentieth of a degree
MOST_POSES = 6  # backdrops that are kept
BRIGHTEST = 1.25  # linear light: edges of much brighter things could not be smoothed
STAIRS_PX = 0.5  # blur that takes the stairs off edges, standard deviation in pixels of the picture
INSTANTS_PER_S = 1_000  # of the clock that chooses the noise
USUAL_VIEW = View()
_SAME_DEPTH = 2e-6


class Surroundings(NamedTuple):
    """What a look is furnished with: see ``ingest.simulate.looks``."""

    meshes: list[Mesh]
    bed: Floats
    bed_gloss: float
    room: Floats
    draw_visitor: Callable[[Floats, Visitor, Look], None]


def surroundings_of(look: Look) -> Surroundings:
    """Build everything that a look needs; takes a tenth of a second or so."""
    return Surroundings(solids_of(look), bed_texture(look), bed_gloss(look), room_of(look), draw_visitor)


class Scene:
    """One printer before one camera. What it shows depends on the look and the moment alone.

    ``size`` is (width, height) of its pictures. It keeps what it made of a deposit and of strands, so that
    the next moment of the same print is cheap.
    """

    def __init__(self, look: Look, surroundings: Surroundings | None = None) -> None:
        self.look, self.size = look, (look.sensor.width, look.sensor.height)
        self._around = surroundings or surroundings_of(look)
        self._web_camera = WebCamera(look)
        self._stages: dict[bool, Stage] = {}
        self._backdrops: dict[tuple[Nudge, bool], Backdrop] = {}
        self._light, self._gains = Light(), gains_of(Light())
        self._canvases: dict[str, Canvas] = {}  # kept, since making large ones takes time
        self._light_seen: Floats = np.empty((self.size[1], self.size[0], 3), np.float32)

    def render(self, moment: Moment) -> Picture:
        """The picture, uint8 [height, width, 3] BGR."""
        if moment.view.covered:
            light = np.full((self.size[1], self.size[0], 3), 0.2, np.float32)
        else:
            light = self._seen(moment)
        instant = int(abs(moment.at_s) * INSTANTS_PER_S)
        return self._web_camera.picture(light, moment.view, moment.light.infrared, instant)

    def jpeg(self, moment: Moment) -> bytes:
        """The picture as the camera sends it."""
        return self._web_camera.jpeg(self.render(moment))

    def part_mask(self, moment: Moment) -> npt.NDArray[np.uint8]:
        """What each pixel shows, uint8 [height, width]: 0 other, 1 the part, 2 loose filament."""
        backdrop, stage = self._prepared(moment)
        gains, places = self._gains_of(moment.light), places_of(self.look, moment.nozzle)
        whole = self._drawn(moment, still=True)
        kinds = np.zeros(whole.depth.shape, np.uint8)
        for kind in (1, 2):
            own = Canvas(backdrop.camera)
            if kind == 1:
                stage.draw_part(own, moment, places, gains)
            else:
                stage.draw_strands(own, moment, places, gains, VISIBLE)
                stage.draw_hanging(own, moment, places, gains, VISIBLE)
            kinds[(own.depth < 1.0) & (own.depth <= whole.depth + _SAME_DEPTH)] = kind
        return np.asarray(cv2.remap(kinds, *backdrop.camera.maps, cv2.INTER_NEAREST), np.uint8)

    def camera(self, view: View = USUAL_VIEW) -> Camera:
        """The camera as it looks in a view: tells where world points are in the picture."""
        return Camera(self.look.lens, self.size, _nudge(view))

    def _seen(self, moment: Moment) -> Floats:
        """Linear light behind the lens, [height, width, 3]."""
        canvas = self._drawn(moment)
        camera = canvas.camera
        scale = camera.focal_px / camera.picture_focal_px
        sigma = float(np.hypot(self._web_camera.lens_blur_px * scale, STAIRS_PX * scale))
        cv2.threshold(canvas.colour, BRIGHTEST, 0.0, cv2.THRESH_TRUNC, canvas.colour)
        soft = softened(canvas.colour, sigma, canvas.scratch.floats("soft", *canvas.colour.shape))
        light = self._light_seen
        cv2.remap(soft, *camera.maps, cv2.INTER_LINEAR, light, borderMode=cv2.BORDER_REPLICATE)
        for visitor in moment.visitors:
            self._around.draw_visitor(light, visitor, self.look)
        return light

    def _drawn(self, moment: Moment, still: bool = False) -> Canvas:
        """The whole scene on the canvas; ``still``: as if nothing moved."""
        backdrop, stage = self._prepared(moment)
        gains, places = self._gains_of(moment.light), places_of(self.look, moment.nozzle)
        canvas = self._canvas_of(backdrop.camera, "picture")
        middle = np.array([stage.shader.middle], np.float64)
        tip = places.head[None, :3, 3].astype(np.float64)
        head_px, gantry_px, bed_px = (
            self._way_px(canvas.camera, *moved)
            for moved in zip((tip, tip, middle), self._ways(moment, still), strict=True)
        )
        slinger = self.look.printer.kinematics is Kinematics.BED_SLINGER
        smears = shows(gantry_px, LEAST_LARGE_PX) or shows(bed_px, LEAST_LARGE_PX)
        resting = Carrier.GANTRY if slinger else Carrier.BED
        backdrop.start(canvas, stage, places, gains, None if slinger and smears else resting)
        if slinger:
            stage.draw_thing(Carrier.BED, canvas, places, gains)

        def bed() -> None:
            mirror = self._mirror(moment, places, gains)
            backdrop.bed.draw(canvas, places.bed, stage.light(moment), gains, mirror)
            stage.draw_part(canvas, moment, places, gains)
            stage.draw_strands(canvas, moment, places, gains)

        def gantry() -> None:
            if smears or not slinger:
                stage.draw_thing(Carrier.GANTRY, canvas, places, gains)
            if self.look.printer.kinematics is Kinematics.DELTA:
                stage.draw_arms(canvas, moment.nozzle, gains)

        def head() -> None:
            stage.draw_thing(Carrier.HEAD, canvas, places, gains)
            stage.draw_hanging(canvas, moment, places, gains)

        self._smeared(canvas, bed, bed_px, LEAST_LARGE_PX)
        self._smeared(canvas, gantry, gantry_px, LEAST_LARGE_PX)
        area = stage.head_area(moment, places, canvas.camera) if shows(head_px) else None
        self._smeared(canvas, head, head_px, area=area)
        return canvas

    def _mirror(self, moment: Moment, places: Places, gains: Gains) -> Canvas | None:
        """What a glossy bed mirrors, on a canvas of its own; None for a matt one."""
        backdrop, stage = self._prepared(moment)
        if not backdrop.bed.mirrors:
            return None
        mirror = self._canvas_of(backdrop.mirror_camera, "mirror")
        backdrop.bed.start_mirror(mirror, gains)
        stage.draw_mirrored(mirror, moment, places, gains)
        return mirror

    def _smeared(
        self,
        canvas: Canvas,
        paint: Callable[[], None],
        way_px: tuple[float, float],
        least_px: float = LEAST_PX,
        area: Area | None = None,
    ) -> None:
        """Paint something that moves a way while the shutter is open; ``area``: nowhere else, if known."""
        if not shows(way_px, least_px):
            paint()
            return
        before = self._canvas_of(canvas.camera, "before")
        area = widened(area, canvas)
        before.become(canvas, area)
        paint()
        smear(canvas, before, way_px, area)

    def _way_px(self, camera: Camera, place: npt.NDArray[np.float64], way: Way) -> tuple[float, float]:
        """How far (right, down) on the canvas something at a place [1, 3] goes on a way, mm."""
        (begin, end), _ = camera.project(np.concatenate([place, place + np.array(way)]))
        return float(end[0] - begin[0]), float(end[1] - begin[1])

    def _ways(self, moment: Moment, still: bool) -> tuple[Way, Way, Way]:
        """How far head, gantry and bed move while the shutter is open, mm in the world."""
        nothing = (0.0, 0.0, 0.0)
        if still:
            return nothing, nothing, nothing
        x, y, z = (speed * self.look.sensor.shutter_s for speed in moment.velocity_mm_s)
        kinematics = self.look.printer.kinematics
        if kinematics is Kinematics.BED_SLINGER:
            return (x, 0.0, z), (0.0, 0.0, z), (0.0, -y, 0.0)
        if kinematics is Kinematics.CORE_XY:
            return (x, y, 0.0), (0.0, y, 0.0), (0.0, 0.0, -z)
        return (x, y, z), (x, y, z), nothing

    def _prepared(self, moment: Moment) -> tuple[Backdrop, Stage]:
        infrared = moment.light.infrared
        if infrared not in self._stages:
            self._stages[infrared] = Stage(self.look, self._around.meshes, self.camera(), infrared)
        stage = self._stages[infrared]
        key = (_nudge(moment.view), infrared)
        if key not in self._backdrops:
            while len(self._backdrops) >= MOST_POSES:
                self._backdrops.pop(next(iter(self._backdrops)))
            around = self._around
            camera = self.camera(moment.view)
            self._backdrops[key] = Backdrop(camera, stage, around.room, around.bed, around.bed_gloss)
        return self._backdrops[key], stage

    def _canvas_of(self, camera: Camera, use: str) -> Canvas:
        """A canvas to draw on; what it holds is left from the last time."""
        if use not in self._canvases or self._canvases[use].camera is not camera:
            self._canvases[use] = Canvas(camera)
        return self._canvases[use]

    def _gains_of(self, light: Light) -> Gains:
        """Gains of a light, the same object as long as it does not change: others remember by it."""
        if light != self._light:
            self._light, self._gains = light, gains_of(light)
        return self._gains


def _nudge(view: View) -> Nudge:
    """How a view's camera is turned, in steps."""
    angles = (view.pan_deg, view.tilt_deg, view.roll_deg)
    return Nudge(*(round(angle * STEPS_PER_DEGREE) / STEPS_PER_DEGREE for angle in angles))
