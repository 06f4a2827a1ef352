"""What stands, lies and moves before the camera, shaded for one kind of light."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ingest.simulate.deposit import Deposit
from ingest.simulate.look import Look
from ingest.simulate.mesh import Carrier, Mesh
from ingest.simulate.moment import Moment
from ingest.simulate.render.arms import arms
from ingest.simulate.render.body import Body
from ingest.simulate.render.camera import Area, Camera, box_of
from ingest.simulate.render.canvas import Canvas, Soup, moved
from ingest.simulate.render.footprints import Footprints
from ingest.simulate.render.ribbons import Ribbons
from ingest.simulate.render.shading import Gains, Shader
from ingest.simulate.render.shadows import Mask, Shadows
from ingest.simulate.render.solids import Places, things_of, upside_down
from ingest.simulate.render.strands import SOLID, Strands, draw, lump
from ingest.simulate.toolpath import Position

LEAST_LAYER_PX = 1.5  # canvas pixels: lower layers are drawn several as one
MOST_GROUP = 12
SEGMENT_PX = 7.0  # canvas pixels: the shortest piece of a wall
USUAL_LAYER_MM = 0.2
HANGING_MM = 2.0  # more than a hanging strand is thick
MOST_LUMP = 2.0  # radii that an uneven lump reaches out


class Stage:
    """Everything of a look but the room and the bed's plate; remembers what it made of a deposit."""

    def __init__(self, look: Look, meshes: Sequence[Mesh], camera: Camera, infrared: bool) -> None:
        self.look, self.shader = look, Shader(look, camera.eye, infrared)
        self.things = things_of(meshes, look, self.shader, camera)
        self.shadows = Shadows(look, self.things, self.shader.towards)
        middle = self.shader.middle.astype(np.float64)
        self._px_mm = camera.px_per_mm(middle)
        self._group = _group(camera, middle, self._px_mm)
        self._ribbons = Ribbons(look, self.shader, self._px_mm, camera.eye)
        self._strands = Strands(look, self.shader, self._px_mm, camera.eye)
        self._body: Body | None = None

    def body(self, moment: Moment) -> Body:
        """What was printed up to a moment."""
        if self._body is None or not self._body.fits(moment.deposit, moment.colours):
            self._body = self._new_body(moment.deposit)
        self._body.update(moment.colours)
        return self._body

    def light(self, moment: Moment) -> Mask:
        """The bed's light map."""
        prints = self.body(moment).prints
        return self.shadows.light(prints, moment.nozzle, moment.poses, self.shader.infrared)

    def draw_part(
        self, canvas: Canvas, moment: Moment, places: Places, gains: Gains, tops: bool = True
    ) -> None:
        """Draw what was printed; ``tops``: those of old layers too."""
        body = self.body(moment)
        for block in body.blocks(tops):
            vertices = body.placed(block, moment.poses, moment.warps_mm)
            canvas.draw(block.soup(gains, vertices), places.bed, both_sides=True)

    def draw_strands(
        self, canvas: Canvas, moment: Moment, places: Places, gains: Gains, solid_from: float = SOLID
    ) -> None:
        """Draw loose filament that lies about; ``solid_from`` as ``strands.draw`` takes it."""
        tubes = self._strands.tubes(moment.strands)
        draw(canvas, tubes, places.bed, gains, solid_from)

    def draw_arms(self, canvas: Canvas, nozzle: Position, gains: Gains) -> None:
        """Draw a delta's arms."""
        canvas.draw(arms(self.look, nozzle, self.shader, gains), moved(0.0, 0.0, 0.0))

    def draw_thing(self, carrier: Carrier, canvas: Canvas, places: Places, gains: Gains) -> None:
        """Draw all that one carrier carries."""
        if carrier in self.things:
            place = places.of(carrier)
            canvas.draw(self.things[carrier].soup(gains, place), place)

    def head_area(self, moment: Moment, places: Places, camera: Camera) -> Area | None:
        """Where on the canvas the head is with what hangs on it."""
        points = [np.zeros((1, 3), np.float32)]
        if Carrier.HEAD in self.things:
            points.append(self.things[Carrier.HEAD].corners)
        points += [strand.points for strand in moment.strands if strand.on_nozzle]
        low, high = (end(np.concatenate(points), axis=0) for end in (np.min, np.max))
        margin = max(moment.nozzle_blob_mm * MOST_LUMP, HANGING_MM)
        return camera.area(box_of(low - margin, high + margin) + places.head[:3, 3])

    def draw_mirrored(self, mirror: Canvas, moment: Moment, places: Places, gains: Gains) -> None:
        """Draw what a glossy bed mirrors: the part and the head."""
        below = upside_down(places)
        self.draw_part(mirror, moment, below, gains, tops=False)  # they look the other way
        self.draw_thing(Carrier.HEAD, mirror, below, gains)

    def draw_hanging(
        self, canvas: Canvas, moment: Moment, places: Places, gains: Gains, solid_from: float = SOLID
    ) -> None:
        """Draw the lump and the strands that hang on the nozzle."""
        filament = self._filament(moment)
        if moment.nozzle_blob_mm > 0:
            canvas.draw(self._lump(moment.nozzle_blob_mm, filament, gains), places.head)
        hanging = [strand for strand in moment.strands if strand.on_nozzle and len(strand.points) > 1]
        if hanging:
            eye = self._strands.eye - places.head[:3, 3]
            draw(canvas, [self._strands.made(hanging, 0, eye)], places.head, gains, solid_from)

    def _new_body(self, deposit: Deposit) -> Body:
        prints = Footprints(self.look.printer.bed_mm, self.shader.towards)
        return Body(deposit, self._ribbons, prints, self._group, SEGMENT_PX / self._px_mm)

    def _filament(self, moment: Moment) -> int:
        return min(len(moment.colours), len(self.look.filaments) - 1)

    def _lump(self, radius_mm: float, filament: int, gains: Gains) -> Soup:
        vertices, normals, faces = lump(radius_mm, self.look.seed)
        vertices[:, 2] += 0.35 * radius_mm  # it wraps the nozzle rather than hangs below it
        material = self.look.filaments[filament]
        albedo = np.array([material.colour], np.float32)
        world = (vertices + self.shader.middle).astype(np.float32)
        lit = self.shader.shade(world, normals, albedo, material.gloss)
        return Soup(vertices, faces, lit.under(gains))


def _group(camera: Camera, middle: npt.NDArray[np.float64], px_mm: float) -> int:
    """How many layers are drawn as one: as many as it takes to be about a canvas pixel high."""
    along = camera.eye - middle
    level = float(np.hypot(along[0], along[1]) / max(float(np.linalg.norm(along)), 1.0))
    layer_px = USUAL_LAYER_MM * px_mm * max(level, 0.25)
    return int(min(max(np.ceil(LEAST_LAYER_PX / layer_px), 1), MOST_GROUP))
