"""Loose filament: ribbons turned to the camera, thick ones solid, hairs as thin veils of colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ingest.simulate.look import Look
from ingest.simulate.moment import Strand
from ingest.simulate.render.camera import box_of
from ingest.simulate.render.canvas import Canvas, Soup
from ingest.simulate.render.shading import Gains, Lit, Shader
from ingest.simulate.render.vectors import unit

Floats: TypeAlias = npt.NDArray[np.float32]
Light: TypeAlias = npt.NDArray[np.int64]
"""Of hairs: sums of blue, green and red in ``LIGHT_STEPS``, and how many were summed up."""

LEAST_PX = 1.25  # drawn width on the canvas: below, triangles would have holes
SOLID = 0.75  # coverage from which on a strand hides what is behind it
STEP_PX = 2.5  # canvas pixels between the points that are drawn
HAIRS_SHINE = 0.8  # power of the coverage: threads glitter, they show more than their width would
VISIBLE = 0.2  # … and from which on it counts as seen
DARK_EDGE = 0.62  # brightness of a strand's lower edge
STRAND_SPREAD = 0.16  # how much strands differ in brightness
DEEP_LIGHT = 0.6  # light that reaches the bottom of a heap of strands
DEEP_MM = 4.0
LIGHT_STEPS = 2**20  # to linear light 1
_SHADES = 1_024


LUMP_TURNS, LUMP_RINGS = 22, 12
LUMP_BUMPS = ((0.16, 2.2), (0.07, 0.8))  # how deep, of the radius, and how wide, in vertices
LUMP_ROUGH = 0.25  # by how much its shading differs from vertex to vertex


class Tubes:
    """Strands ready to draw: ``vertices`` [n, 3], ``faces`` [m, 3], their light, and how much of the drawn
    width they really fill, ``cover`` [n]. Remembers what follows from the light for as long as it stays."""

    def __init__(self, vertices: Floats, faces: npt.NDArray[np.int32], lit: Lit, cover: Floats) -> None:
        self._vertices, self._faces, self._lit, self._cover = vertices, faces, lit, cover
        self._bounds = np.stack([vertices.min(axis=0), vertices.max(axis=0)])
        self.corners = box_of(*self._bounds)
        self._solid, self._hairs = self._covering(SOLID), faces[cover[faces[:, 0]] < SOLID]
        self._gains: Gains | None = None
        self._colours: Floats = vertices
        self._light: Light = np.zeros(4, np.int64)
        self._veil: tuple[Floats, Floats] | None = None  # for a mean colour, the colours that are drawn

    @property
    def has_hairs(self) -> bool:
        """Whether some are thinner than what hides all behind it."""
        return len(self._hairs) > 0

    def solid(self, gains: Gains, solid_from: float) -> Soup:
        """Those that cover at least so much, as they are."""
        self._under(gains)
        faces = self._solid if solid_from == SOLID else self._covering(solid_from)
        return Soup(self._vertices, faces, self._colours, self._bounds)

    def light(self, gains: Gains) -> Light:
        """The hairs' colours summed up, and how many there are."""
        self._under(gains)
        return self._light

    def veil(self, gains: Gains, usual: Floats) -> Soup:
        """The hairs: how bright they are beside the ``usual`` colour [3], and how much they cover."""
        self._under(gains)
        if self._veil is None or (self._veil[0] != usual).any():
            bright = self._colours @ usual / max(float(usual @ usual), 1e-9)
            drawn = np.column_stack([bright, self._cover, np.zeros_like(bright)]).astype(np.float32)
            self._veil = usual, drawn
        return Soup(self._vertices, self._hairs, self._veil[1], self._bounds)

    def _covering(self, least: float) -> npt.NDArray[np.int32]:
        return self._faces[self._cover[self._faces[:, 0]] >= least]

    def _under(self, gains: Gains) -> None:
        if self._gains is gains:
            return
        self._gains, self._colours, self._veil = gains, self._lit.under(gains), None
        # In whole steps: a sum that is the same however strands are put together into tubes.
        steps = np.rint(self._colours[self._cover < SOLID] * LIGHT_STEPS).astype(np.int64)
        self._light = np.append(steps.sum(axis=0), len(steps))


class Strands:
    """Makes tubes of strands for one look; remembers those that it has made."""

    def __init__(self, look: Look, shader: Shader, canvas_px_mm: float, eye: npt.NDArray[np.float64]) -> None:
        self._shader, self._px_mm = shader, canvas_px_mm
        self.eye = eye.astype(np.float32)
        rng = np.random.default_rng([look.seed, 72])
        self._shades = 1.0 + STRAND_SPREAD * rng.normal(0.0, 1.0, _SHADES).astype(np.float32)
        self._colours = np.array([filament.colour for filament in look.filaments], np.float32)
        self._known: list[Strand] = []
        self._tubes: list[Tubes] = []
        self._sizes: list[int] = []
        self._last: tuple[Strand, int, Tubes] | None = None  # with its number

    def tubes(self, strands: Sequence[Strand]) -> list[Tubes]:
        """Tubes of the strands on the bed; made anew are the last and new ones alone."""
        lying = [strand for strand in strands if not strand.on_nozzle and len(strand.points) > 1]
        keep = self._same(lying)
        self._known = lying[:-1]
        self._keep(keep)
        self._add(lying[:-1], keep)
        return self._tubes + ([self._last_of(lying)] if lying else [])

    def made(self, strands: Sequence[Strand], first: int, eye: Floats | None = None) -> Tubes:
        """Tubes of some strands, the ``first``, the next …; ``eye`` in their coordinates."""
        points, which = self._thinned(strands)
        radius = np.array([strand.radius_mm for strand in strands], np.float32)[which]
        half = np.maximum(radius, LEAST_PX / 2 / self._px_mm)
        ends = np.append(which[1:] != which[:-1], True)
        tangents = _tangents(points, which)
        aside = unit(np.cross(tangents, (self.eye if eye is None else eye) - points)) * half[:, None]
        aside *= np.where(aside[:, 2] < 0, -1.0, 1.0)[:, None]  # the brighter edge is the upper one
        deep = DEEP_LIGHT + (1 - DEEP_LIGHT) * (1 - np.exp(-np.maximum(points[:, 2:], 0.0) / DEEP_MM))
        shade = np.clip(self._shades[(which + first) % _SHADES], 0.5, 1.5)[:, None] * deep
        filaments = np.array([strand.filament for strand in strands]).clip(max=len(self._colours) - 1)
        lit = self._shader.strands(points, tangents, self._colours[filaments[which]] * shade)
        vertices = np.stack([points - aside, points + aside], axis=1).reshape(-1, 3).astype(np.float32)
        both = np.tile(np.array([[DARK_EDGE], [1.0]], np.float32), (len(points), 1))
        light = Lit(*(np.repeat(part, 2, axis=0) * both for part in lit))
        cover = np.repeat(np.minimum(radius / half, 1.0) ** HAIRS_SHINE, 2).astype(np.float32)
        return Tubes(vertices, _strip(~ends), light, cover)

    def _last_of(self, strands: Sequence[Strand]) -> Tubes:
        """The last one's tube, in a block of its own: another may come in its place."""
        strand, number = strands[-1], len(strands) - 1
        if self._last is None or self._last[0] is not strand or self._last[1] != number:
            self._last = strand, number, self.made([strand], number)
        return self._last[2]

    def _same(self, strands: Sequence[Strand]) -> int:
        for i, (known, strand) in enumerate(zip(self._known, strands[:-1], strict=False)):
            if known is not strand:
                return i
        return min(len(self._known), max(len(strands) - 1, 0))

    def _keep(self, count: int) -> None:
        """Forget tubes that hold strands from ``count`` on."""
        while sum(self._sizes) > count:
            self._sizes.pop()
            self._tubes.pop()

    def _add(self, strands: Sequence[Strand], keep: int) -> None:
        """Make tubes of what is not yet in one, in blocks that double in size as they fill up."""
        begin = sum(self._sizes)
        if begin >= len(strands):
            return
        while self._sizes and self._sizes[-1] <= 2 * (len(strands) - begin):
            begin -= self._sizes.pop()
            self._tubes.pop()
        self._sizes.append(len(strands) - begin)
        self._tubes.append(self.made(strands[begin:], begin))

    def _thinned(self, strands: Sequence[Strand]) -> tuple[Floats, npt.NDArray[np.int64]]:
        """Points [n, 3] about ``STEP_PX`` apart, and which strand each belongs to."""
        which = np.repeat(np.arange(len(strands)), [len(strand.points) for strand in strands])
        points = np.concatenate([strand.points for strand in strands]).astype(np.float32)
        steps = np.linalg.norm(np.diff(points, axis=0, prepend=points[:1]), axis=1)
        border = np.append(True, which[1:] != which[:-1])
        steps[border] = 0.0
        along = np.cumsum(steps, dtype=np.float64)
        along -= along[np.flatnonzero(border)][
            which
        ]  # from each strand's begin: who shares a block is no matter
        reached = np.floor(along * self._px_mm / STEP_PX)
        keep = border | np.append(border[1:], True) | np.append(True, reached[1:] != reached[:-1])
        return points[keep], which[keep]


def draw(
    canvas: Canvas, tubes: Sequence[Tubes], place: Floats, gains: Gains, solid_from: float = SOLID
) -> None:
    """Draw strands at a place: thick ones as they are, thin ones blended by how much they cover."""
    for tube in tubes:
        canvas.draw(tube.solid(gains, solid_from), place, both_sides=True)
    hairs = [tube for tube in tubes if tube.has_hairs]
    if hairs and solid_from == SOLID:
        _veil(canvas, hairs, place, gains)


def _veil(canvas: Canvas, hairs: Sequence[Tubes], place: Floats, gains: Gains) -> None:
    """Hairs: how bright they are and how much they cover goes into a buffer with the scene's depths."""
    corners = np.concatenate([tube.corners for tube in hairs])
    area = canvas.camera.area(corners @ place[:3, :3].T + place[:3, 3])
    if area is None:
        return
    veil = canvas.companion()
    *light, count = np.sum([tube.light(gains) for tube in hairs], axis=0)
    usual = (np.array(light) / (max(int(count), 1) * LIGHT_STEPS)).astype(np.float32)
    np.copyto(veil.depth[area], canvas.depth[area])
    veil.colour[area] = 0.0
    for tube in hairs:
        veil.draw(tube.veil(gains, usual), place, both_sides=True)
    _blend(canvas.colour[area], veil.colour[area], usual, veil.depth[area] < canvas.depth[area])


def _blend(colour: Floats, veil: Floats, usual: Floats, there: npt.NDArray[np.bool_]) -> None:
    """Lay a veil of the usual colour over a picture [h, w, 3] where it is ``there`` [h, w]."""
    rows, columns = np.nonzero(there)
    seen, behind = veil[rows, columns], colour[rows, columns]
    colour[rows, columns] = behind + seen[:, 1:2] * (seen[:, :1] * usual - behind)


def lump(radius_mm: float, seed: int) -> tuple[Floats, Floats, npt.NDArray[np.int32]]:
    """An uneven ball of filament round the origin: vertices, normals [n, 3] and faces."""
    rng = np.random.default_rng([seed, 73])
    turns, rings = LUMP_TURNS, LUMP_RINGS
    polar = np.linspace(0.0, np.pi, rings)[:, None]
    round_ = np.linspace(0.0, 2 * np.pi, turns, endpoint=False)[None]
    level = np.sin(polar) + 0 * round_
    normals = np.dstack([level * np.cos(round_), level * np.sin(round_), np.cos(polar) + 0 * round_])
    bumps = sum(_bumps(rng, rings, turns, deep, sigma) for deep, sigma in LUMP_BUMPS)
    vertices = normals * (radius_mm * np.clip(1.0 + bumps, 0.5, 1.5))[..., None]
    rough = unit((normals + rng.normal(0.0, LUMP_ROUGH, normals.shape)).reshape(-1, 3))
    index = np.arange(rings * turns).reshape(rings, turns)
    a, b = index[:-1], np.roll(index, -1, axis=1)[:-1]
    c, d = index[1:], np.roll(index, -1, axis=1)[1:]
    faces = np.concatenate([np.dstack([a, c, b]).reshape(-1, 3), np.dstack([b, c, d]).reshape(-1, 3)])
    return vertices.reshape(-1, 3).astype(np.float32), rough, faces.astype(np.int32)


def _bumps(rng: np.random.Generator, rings: int, turns: int, deep: float, sigma: float) -> Floats:
    """Bumps of one size all around, [rings, turns]; each pole is a single place."""
    drawn = np.tile(rng.normal(0.0, 1.0, (rings, turns)), (1, 3))
    smooth = np.asarray(cv2.GaussianBlur(drawn, (0, 0), sigma), np.float32)[:, turns : 2 * turns]
    smooth[0], smooth[-1] = smooth[0].mean(), smooth[-1].mean()
    bumps: Floats = deep * smooth / max(float(smooth.std()), 1e-6)
    return bumps


def _strip(goes_on: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    here = np.flatnonzero(goes_on).astype(np.int32) * 2
    quads = np.stack([here, here + 1, here + 3, here + 2], axis=1)
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]) if len(here) else quads[:, :3]


def _tangents(points: Floats, which: npt.NDArray[np.int64]) -> Floats:
    steps = np.diff(points, axis=0)
    steps[which[1:] != which[:-1]] = 0.0
    both = np.zeros_like(points)
    both[:-1] += steps
    both[1:] += steps
    return unit(both)
