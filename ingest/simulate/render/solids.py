"""The printer's solid parts, shaded once and drawn wherever they have moved to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ingest.simulate.look import Kinematics, Look, Printer
from ingest.simulate.mesh import Carrier, Mesh
from ingest.simulate.render.camera import NEAR_MM, Camera, box_of
from ingest.simulate.render.canvas import Soup, moved
from ingest.simulate.render.shading import Gains, Lit, Shader
from ingest.simulate.render.vectors import unit
from ingest.simulate.toolpath import Position

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]

USUAL_Z_MM = 25.0  # where things that move up and down are shaded
MANY_PX = 600  # canvas pixels around a triangle that are worth two triangles instead
LITTLE = 0.22  # of them covered
MOST_HALVINGS = 7
BEYOND_MM = 30.0  # beside the bed where the nozzle goes at times
HIGHEST_MM = 350.0
LEAST_FACING_MM = 0.01
PLATE_EDGE_MM = 2.0  # nearer to it nothing counts as hidden
OCCLUDED = 0.22  # how much darker the low end of a thing is than its top: light comes from above


class Places(NamedTuple):
    """Where each carrier is in the world, [4, 4]."""

    frame: Floats
    bed: Floats
    gantry: Floats
    head: Floats

    def of(self, carrier: Carrier) -> Floats:
        """One carrier's place."""
        return {
            Carrier.FRAME: self.frame,
            Carrier.BED: self.bed,
            Carrier.GANTRY: self.gantry,
            Carrier.HEAD: self.head,
        }[carrier]


def upside_down(places: Places) -> Places:
    """Where things seem to be in the bed as a mirror."""
    flip = np.diag(np.array([1, 1, -1, 1], np.float32))
    flip[2, 3] = 2 * places.bed[2, 3]
    return Places(*(flip @ place for place in places))


def places_of(look: Look, nozzle: Position) -> Places:
    """Where everything is when the nozzle is somewhere over the bed."""
    x, y, z, _ = nozzle
    still = moved(0.0, 0.0, 0.0)
    if look.printer.kinematics is Kinematics.BED_SLINGER:
        row = look.printer.bed_mm[1] / 2
        return Places(still, moved(0.0, row - y, 0.0), moved(0.0, row, z), moved(x, row, z))
    if look.printer.kinematics is Kinematics.CORE_XY:
        return Places(still, moved(0.0, 0.0, -z), moved(0.0, y, 0.0), moved(x, y, 0.0))
    return Places(still, still, moved(x, y, z), moved(x, y, z))


class Thing:
    """All triangles of one carrier, each with corners of its own so that edges stay hard.

    ``usual`` [4, 4]: where it is shaded; ``reach`` [n, 3]: corners of the region where it usually goes.
    Triangles that look away or are under the ``plate`` from all over there are not drawn.
    """

    def __init__(
        self,
        meshes: Sequence[Mesh],
        shader: Shader,
        camera: Camera,
        usual: Floats,
        reach: Floats,
        plate: Printer | None = None,
    ) -> None:
        corners = np.concatenate([mesh.vertices[mesh.faces] for mesh in meshes])
        occlusion = np.concatenate([_occlusion(mesh) for mesh in meshes])
        colours = np.concatenate([mesh.colours for mesh in meshes])
        gloss = np.concatenate([mesh.gloss for mesh in meshes])
        corners, which, occlusion = _shortened(corners, occlusion, usual, camera)
        self.vertices: Floats = np.ascontiguousarray(corners.reshape(-1, 3), np.float32)
        self.faces = np.arange(len(self.vertices), dtype=np.int32).reshape(-1, 3)
        albedo = np.repeat(colours[which], 3, axis=0).astype(np.float32)
        world = (self.vertices + usual[:3, 3]).astype(np.float32)
        lit = shader.shade(world, self._normals(), albedo, np.repeat(gloss[which], 3))
        shade = occlusion.reshape(-1, 1)
        self._lit = Lit(lit.room * shade, lit.lamp * (0.5 + 0.5 * shade))
        self._bounds = np.stack([self.vertices.min(axis=0), self.vertices.max(axis=0)])
        self.corners = box_of(*self._bounds)
        self._reach = (reach.min(axis=0), reach.max(axis=0))
        seen = self._may_be_seen(camera.eye - reach)
        if plate is not None:
            seen &= ~_under(plate, self.vertices, camera.eye - reach).reshape(-1, 3).all(axis=1)
        self._seen = np.flatnonzero(np.repeat(seen, 3))
        self._gains: Gains | None = None
        self._whole = self._front = Soup(self.vertices, self.faces, lit.room, self._bounds)

    def soup(self, gains: Gains, place: Floats) -> Soup:
        """The triangles under some light; without those that nobody can see where the thing usually goes."""
        if self._gains is not gains:
            self._gains, colours = gains, self._lit.under(gains)
            self._whole = Soup(self.vertices, self.faces, colours, self._bounds)
            faces, seen = self.faces[: len(self._seen) // 3], self._seen
            self._front = Soup(self.vertices[seen], faces, colours[seen], self._bounds)
        low, high = self._reach
        usual = place[2, 2] > 0 and (place[:3, 3] >= low).all() and (place[:3, 3] <= high).all()
        return self._front if usual else self._whole

    def _may_be_seen(self, eyes: Doubles) -> npt.NDArray[np.bool_]:
        """[m]: which triangles look towards any of the eyes [n, 3], or to a place between them."""
        normals = self._normals()[::3].astype(np.float64)
        offsets = np.einsum("ij,ij->i", normals, self.vertices[::3])
        seen: npt.NDArray[np.bool_] = (normals @ eyes.T > offsets[:, None] - LEAST_FACING_MM).any(axis=1)
        return seen

    def _normals(self) -> Floats:
        a, b, c = (self.vertices[corner::3] for corner in range(3))
        return np.repeat(unit(np.cross(b - a, c - a)), 3, axis=0)


def things_of(meshes: Sequence[Mesh], look: Look, shader: Shader, camera: Camera) -> dict[Carrier, Thing]:
    """What each carrier carries; carriers that carry nothing are left out."""
    width, depth = look.printer.bed_mm
    usual = places_of(look, Position(width / 2, depth / 2, USUAL_Z_MM, 0.0))
    nozzles = box_of(
        np.array([-BEYOND_MM, -BEYOND_MM, 0.0]), np.array([width, depth, HIGHEST_MM]) + BEYOND_MM
    )
    reached = [places_of(look, Position(x, y, z, 0.0)) for x, y, z in nozzles.tolist()]
    groups = {carrier: [mesh for mesh in meshes if mesh.carrier is carrier] for carrier in Carrier}
    groups[Carrier.BED] = [
        _without(mesh, _below_the_plate(mesh, look.printer.bed_mm)) for mesh in groups[Carrier.BED]
    ]
    things = {}
    for carrier, group in groups.items():
        if group:
            reach = np.array([places.of(carrier)[:3, 3] for places in reached], np.float32)
            plate = look.printer if carrier is Carrier.BED else None
            things[carrier] = Thing(group, shader, camera, usual.of(carrier), reach, plate)
    return things


def _under(plate: Printer, vertices: Floats, eyes: Doubles) -> npt.NDArray[np.bool_]:
    """Which vertices [n, 3] the plate hides from all eyes [m, 3]; all in the bed's coordinates."""
    hidden: npt.NDArray[np.bool_] = vertices[:, 2] < -PLATE_EDGE_MM
    size = np.array(plate.bed_mm)
    for eye in eyes:
        above = max(float(eye[2]), PLATE_EDGE_MM)
        share = vertices[:, 2:] / (vertices[:, 2:] - above)
        through = np.abs(vertices[:, :2] + (eye[:2] - vertices[:, :2]) * share - size / 2)
        inside = (through < size / 2 - PLATE_EDGE_MM).all(axis=1)
        if plate.round_bed:
            inside = np.linalg.norm(through, axis=1) < size[0] / 2 - 2 * PLATE_EDGE_MM
        hidden = hidden & inside & bool(eye[2] > PLATE_EDGE_MM)
    return hidden


def _occlusion(mesh: Mesh) -> Floats:
    """[m, 3]: large faces are never evenly bright; each mesh gets darker towards its low end."""
    z = mesh.vertices[mesh.faces][..., 2]
    height = max(float(np.ptp(z)), 1.0)
    shade: Floats = (1.0 - OCCLUDED * (z.max() - z) / height).astype(np.float32)
    return shade


def _shortened(
    corners: Floats, shade: Floats, place: Floats, camera: Camera
) -> tuple[Floats, npt.NDArray[np.int64], Floats]:
    """Halve triangles that are long and slanted: the rasterizer visits every pixel around one.

    ``corners`` [m, 3, 3], ``shade`` [m, 3] -> the same of all pieces, and which triangle each is a piece of.
    """
    both = np.concatenate([corners, shade[..., None]], axis=2)
    which = np.arange(len(both))
    for _ in range(MOST_HALVINGS):
        split = np.flatnonzero(_wasteful(both[..., :3] + place[:3, 3], camera))
        if not len(split):
            break
        sides = np.linalg.norm((np.roll(both[split], -1, axis=1) - both[split])[..., :3], axis=2)
        longest = sides.argmax(axis=1)
        turned = np.stack([both[split, (longest + i) % 3] for i in range(3)], axis=1)
        middle = (turned[:, 0] + turned[:, 1]) / 2
        halves = [np.stack([turned[:, 0], middle, turned[:, 2]], axis=1)]
        halves += [np.stack([middle, turned[:, 1], turned[:, 2]], axis=1)]
        keep = np.setdiff1d(np.arange(len(both)), split)
        both = np.concatenate([both[keep], *halves])
        which = np.concatenate([which[keep], which[split], which[split]])
    return both[..., :3], which, both[..., 3]


def _wasteful(corners: npt.NDArray[np.floating], camera: Camera) -> npt.NDArray[np.bool_]:
    """Which triangles [m, 3, 3] cover little of the many pixels around them, or reach behind the lens."""
    pixels, ahead = camera.project(corners.reshape(-1, 3))
    triangles, near = pixels.reshape(-1, 3, 2), (ahead < NEAR_MM).reshape(-1, 3)
    low, high = (np.clip(ends, 0, camera.canvas) for ends in (triangles.min(axis=1), triangles.max(axis=1)))
    around = np.prod(high - low, axis=1)
    one, two = triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
    own = np.abs(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0]) / 2
    wasteful: npt.NDArray[np.bool_] = (around > MANY_PX) & (own < LITTLE * around) & ~near.any(axis=1)
    return wasteful | (near.any(axis=1) & ~near.all(axis=1))


def _without(mesh: Mesh, hidden: npt.NDArray[np.bool_]) -> Mesh:
    return mesh._replace(faces=mesh.faces[~hidden], colours=mesh.colours[~hidden], gloss=mesh.gloss[~hidden])


def _below_the_plate(mesh: Mesh, bed_mm: tuple[float, float]) -> npt.NDArray[np.bool_]:
    """[m]: which faces look up from under the bed's plate, where nobody sees them."""
    corners = mesh.vertices[mesh.faces]
    inside = ((corners[..., :2] > -1.0) & (corners[..., :2] < np.array(bed_mm) + 1.0)).all(axis=(1, 2))
    up = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] > 0
    hidden: npt.NDArray[np.bool_] = inside & up & (corners[..., 2] <= 0.0).all(axis=1)
    return hidden
