"""The printer's solid parts, shaded once and drawn wherever they have moved to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ingest.simulate.look import Kinematics, Look
from ingest.simulate.mesh import Carrier, Mesh
from ingest.simulate.render.camera import NEAR_MM, Camera
from ingest.simulate.render.canvas import Soup, moved
from ingest.simulate.render.shading import Gains, Lit, Shader
from ingest.simulate.toolpath import Position

Floats: TypeAlias = npt.NDArray[np.float32]

USUAL_Z_MM = 25.0  # where things that move up and down are shaded
MANY_PX = 600  # canvas pixels around a triangle that are worth two triangles instead
LITTLE = 0.22  # of them covered
MOST_HALVINGS = 7
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
    """All triangles of one carrier, each with corners of its own so that edges stay hard."""

    def __init__(self, meshes: Sequence[Mesh], shader: Shader, camera: Camera, usual: Floats) -> None:
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
        self._gains: Gains | None = None
        self._colours: Floats = lit.room

    def soup(self, gains: Gains) -> Soup:
        """The triangles under some light."""
        if self._gains is not gains:
            self._gains, self._colours = gains, self._lit.under(gains)
        return Soup(self.vertices, self.faces, self._colours)

    def _normals(self) -> Floats:
        a, b, c = (self.vertices[corner::3] for corner in range(3))
        normals = np.cross(b - a, c - a)
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        return np.repeat(normals, 3, axis=0).astype(np.float32)


def things_of(meshes: Sequence[Mesh], look: Look, shader: Shader, camera: Camera) -> dict[Carrier, Thing]:
    """What each carrier carries; carriers that carry nothing are left out."""
    width, depth = look.printer.bed_mm
    usual = places_of(look, Position(width / 2, depth / 2, USUAL_Z_MM, 0.0))
    groups = {carrier: [mesh for mesh in meshes if mesh.carrier is carrier] for carrier in Carrier}
    groups[Carrier.BED] = [
        _without(mesh, _below_the_plate(mesh, look.printer.bed_mm)) for mesh in groups[Carrier.BED]
    ]
    return {
        carrier: Thing(group, shader, camera, usual.of(carrier)) for carrier, group in groups.items() if group
    }


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
