"""Segments of filament as quads: a bead's side that the camera sees, and its top."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from ingest.simulate.look import Filament, Look
from ingest.simulate.render.canvas import Soup
from ingest.simulate.render.segments import Segments, joined
from ingest.simulate.render.shading import Gains, Lit, Shader
from ingest.simulate.render.vectors import unit

Floats: TypeAlias = npt.NDArray[np.float32]

OVERLAP = 0.35  # widths by which ribbons reach over their ends, to close corners
SEAM_PX = 0.6  # canvas pixels that a side reaches below its bead: between thin triangles holes would show
CREVICE = 0.5  # brightness between two beads that are large in the picture, of their middle's
SMALL_CREVICE = 0.86  # … that are no higher than a pixel of the canvas
FLANK = 0.74  # brightness of a top's darker edge
_LAYERS = 4_096  # unevenness repeats after so many layers
_QUAD = np.array([[0, 1, 2], [0, 2, 3]], np.int32)


class Block:
    """Quads: ``vertices`` float32 [n, 4, 3] mm in bed coordinates, ``part`` [n], and their light."""

    def __init__(self, vertices: Floats, part: npt.NDArray[np.int32], lit: Lit) -> None:
        self.vertices, self.part, self.lit = vertices, part, lit
        self._faces = (np.arange(len(part), dtype=np.int32)[:, None, None] * 4 + _QUAD).reshape(-1, 3)
        self._bounds: Floats | None = None
        self._gains: Gains | None = None
        self._colours: Floats = np.zeros((0, 3), np.float32)

    def soup(self, gains: Gains, vertices: Floats | None = None) -> Soup:
        """The quads under some light, at other places if ``vertices`` [n, 4, 3] are given."""
        if self._gains is not gains:
            self._gains, self._colours = gains, self.lit.under(gains)
        if vertices is not None:
            return Soup(vertices.reshape(-1, 3), self._faces, self._colours)
        if self._bounds is None and len(self.part):
            ends = (end(self.vertices, axis=(0, 1)) for end in (np.min, np.max))
            self._bounds = np.stack(list(ends))
        return Soup(self.vertices.reshape(-1, 3), self._faces, self._colours, self._bounds)

    def only(self, which: npt.NDArray[np.bool_]) -> Block:
        """Some of the quads, ``which`` [n]."""
        corners = np.repeat(which, 4)
        return Block(self.vertices[which], self.part[which], Lit(*(light[corners] for light in self.lit)))


def together(blocks: list[Block]) -> Block:
    """Several blocks as one, which is drawn faster."""
    if len(blocks) == 1:
        return blocks[0]
    lit = Lit(*(np.concatenate(parts) for parts in zip(*(block.lit for block in blocks), strict=True)))
    vertices = np.concatenate([block.vertices for block in blocks])
    return Block(vertices, np.concatenate([block.part for block in blocks]), lit)


class _Shapes(NamedTuple):
    """Quads: ``corners`` [n, 4, 3] mm, ``normals`` [n, 3] of any length, each corner's brightness [n, 4]."""

    corners: Floats
    normals: Floats
    shades: Floats


class Ribbons:
    """Makes blocks of segments for one look. ``canvas_px_mm``: canvas pixels to a mm where the part is."""

    def __init__(self, look: Look, shader: Shader, canvas_px_mm: float, eye: npt.NDArray[np.float64]) -> None:
        self._shader, self._px_mm = shader, canvas_px_mm
        self._eye = eye[:2].astype(np.float32)
        self.filaments = len(look.filaments)
        rng = np.random.default_rng([look.seed, 71])
        noise = rng.normal(0.0, 1.0, _LAYERS).astype(np.float32)
        slow = np.convolve(noise, np.ones(12, np.float32) / 12**0.5, "same")
        self._uneven = 0.75 * noise + 0.6 * slow
        self._albedo = np.array([_body(filament) for filament in look.filaments], np.float32)
        self._gloss = np.array([filament.gloss for filament in look.filaments], np.float32)
        self._unevenness = np.array([filament.unevenness for filament in look.filaments], np.float32)
        self._clear = np.array([filament.clear for filament in look.filaments], np.float32)

    def sides(self, segments: Segments, heights_mm: Floats) -> Block:
        """The side of each segment that faces the camera, ``heights_mm`` [n] high."""
        return self._block(segments, self._sides(segments, heights_mm))

    def tops(self, segments: Segments, depths_mm: Floats) -> Block:
        """Each segment from above; ``depths_mm`` [n]: by how much its surroundings rise above it."""
        return self._block(segments, self._tops(segments, depths_mm))

    def both(self, segments: Segments, walls: npt.NDArray[np.bool_]) -> Block:
        """The sides of those that are ``walls`` [n], then the tops of all."""
        upright = segments.only(walls)
        sides = self._sides(upright, upright.height_mm)
        tops = self._tops(segments, np.zeros(len(segments.part), np.float32))
        shapes = _Shapes._make(np.concatenate(parts) for parts in zip(sides, tops, strict=True))
        return self._block(joined([upright, segments]), shapes)

    def _sides(self, segments: Segments, heights_mm: Floats) -> _Shapes:
        begin, end, normal = self._laid_out(segments)
        facing = np.einsum("ij,ij->i", self._eye - (begin + end)[:, :2] / 2, normal)
        normal *= np.where(facing < 0, -1.0, 1.0)[:, None].astype(np.float32)
        out = _flat(normal * segments.width_mm[:, None] / 2)
        down = np.zeros_like(begin)
        down[:, 2] = heights_mm + SEAM_PX / self._px_mm
        corners = np.stack([begin + out - down, end + out - down, end + out, begin + out], axis=1)
        normals = _flat(normal)
        normals[:, 2] = 0.25
        low = self._crevice(heights_mm)
        shades = np.stack([low, low, np.ones_like(low), np.ones_like(low)], axis=1)
        return _Shapes(corners, normals, shades)

    def _tops(self, segments: Segments, depths_mm: Floats) -> _Shapes:
        begin, end, normal = self._laid_out(segments)
        half = _flat(normal * segments.width_mm[:, None] / 2)
        corners = np.stack([begin - half, end - half, end + half, begin + half], axis=1)
        normals = _flat(normal * 0.22)
        normals[:, 2] = 1.0
        light = (1.0 / (1.0 + depths_mm / 3.0)).astype(np.float32)
        shades = np.stack([light, light, light * FLANK, light * FLANK], axis=1)
        return _Shapes(corners, normals, shades)

    def _laid_out(self, segments: Segments) -> tuple[Floats, Floats, Floats]:
        """Ends with some overlap [n, 3], and the horizontal normal [n, 2]."""
        along = segments.end - segments.begin
        length = np.maximum(np.linalg.norm(along[:, :2], axis=1, keepdims=True), 1e-4)
        along = along / length
        over = along * np.minimum(segments.width_mm[:, None] * OVERLAP, 1.0)
        normal = np.column_stack([-along[:, 1], along[:, 0]]).astype(np.float32)
        return segments.begin - over, segments.end + over, normal

    def _crevice(self, heights_mm: Floats) -> Floats:
        large = np.clip((heights_mm * self._px_mm - 0.8) / 2.5, 0.0, 1.0)
        crevice: Floats = (SMALL_CREVICE + (CREVICE - SMALL_CREVICE) * large).astype(np.float32)
        return crevice

    def _block(self, segments: Segments, shapes: _Shapes) -> Block:
        """Shade quads, one for each segment."""
        corners, normals, shades = shapes
        uneven = self._uneven[segments.layer % _LAYERS] * self._unevenness[segments.filament]
        bright = np.clip(1.0 + uneven, 0.5, 1.5)[:, None]
        albedo = (self._albedo[segments.filament] * bright).astype(np.float32)
        middles = corners.mean(axis=1)
        lit = self._shader.shade(middles, unit(normals), albedo, self._gloss[segments.filament])
        glow = (0.45 * self._clear[segments.filament])[:, None]  # light goes through: flat, soft
        room = lit.room * (1 + glow)
        lamp = lit.lamp * (1 - glow) + glow * 0.5 * albedo * (not self._shader.infrared)
        spread = shades[..., None]
        lit = Lit(_corners(room[:, None] * spread), _corners(lamp[:, None] * spread))
        return Block(np.ascontiguousarray(corners, np.float32), segments.part, lit)


def _body(filament: Filament) -> Floats:
    """What a wall of the material reflects; clear ones look pale."""
    colour = np.array(filament.colour, np.float32)
    return colour * (1 - 0.35 * filament.clear) + 0.35 * filament.clear * 0.6


def _flat(vectors: npt.NDArray[np.floating]) -> Floats:
    """[n, 2] -> [n, 3], level."""
    return np.column_stack([vectors, np.zeros(len(vectors), np.float32)]).astype(np.float32)


def _corners(light: npt.NDArray[np.floating]) -> Floats:
    return np.ascontiguousarray(light.reshape(-1, 3), np.float32)
