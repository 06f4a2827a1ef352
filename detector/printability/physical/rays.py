"""Parallel rays through a mesh on a fine grid: where each of them is inside the part.

Rays run along x, y or z, so that casting is drawing triangles: a row of rays crosses a triangle between two
of its edges, and every ray between them meets it. An edge crosses a row at the same place for both of its
faces, to the last bit, so no ray slips through. Where bodies overlap, what counts is the winding: the walls
within are no walls.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detector.printability.physical.finding import Flags, Floats, Integers
from detector.printability.physical.surface import Surface

JITTER = (0.4142, 0.7321)
"""Where the grid begins, in steps: away from the planes that drawings have at round numbers."""

TOUCHING_MM = 0.01
"""Bodies closer than this are one: below what any slicer keeps apart."""


class Rays(NamedTuple):
    """A grid of rays along ``axis``, ``step_mm`` apart; ``columns`` of them in a row.

    ``across`` are the axis along a row and that from row to row.
    """

    axis: int
    across: tuple[int, int]
    step_mm: float
    columns: int


class Spans(NamedTuple):
    """n stretches of rays inside the part, in the order of the rays and along them.

    ``ray`` int64 [n]; ``enter_mm`` and ``leave_mm`` [n] along the axis; ``into`` and ``out_of`` int64 [n] are
    the faces there. ``seen`` and ``hidden`` int64 [faces] count the rays that meet a face at the part's
    surface and within the part (or on another body).
    """

    rays: Rays
    ray: Integers
    enter_mm: Floats
    leave_mm: Floats
    into: Integers
    out_of: Integers
    seen: Integers
    hidden: Integers

    @property
    def lengths_mm(self) -> Floats:
        """How long each stretch is."""
        return self.leave_mm - self.enter_mm


class _Crossings(NamedTuple):
    """Rays that meet faces: ``ray``, ``face`` int64 [n] and ``depth`` [n] along the axis, mm."""

    ray: Integers
    face: Integers
    depth: Floats


def cast(surface: Surface, axis: int, step_mm: float, *, apart_mm: float = TOUCHING_MM) -> Spans:
    """Send rays ``step_mm`` apart along an axis (0, 1, 2). Stretches less than ``apart_mm`` apart are one."""
    rays = _grid(surface, axis, step_mm)
    points = surface.triangles[:, :, [*rays.across, axis]]
    points[:, :, :2] = (points[:, :, :2] - surface.low[list(rays.across)]) / step_mm + JITTER
    return _spans(surface, rays, _cross(points, rays.columns), apart_mm)


def extents_mm(surface: Surface) -> Floats:
    """How far all faces together reach along x, y and z, [3] mm: what rows of rays have to cross."""
    corners = [surface.mesh.vertices[surface.mesh.faces[:, corner]] for corner in range(3)]
    return np.asarray((np.maximum.reduce(corners) - np.minimum.reduce(corners)).sum(0))


def points_of(surface: Surface, spans: Spans, some: Integers, depth_mm: Floats) -> Floats:
    """Points [n, 3] mm on the rays of ``some`` stretches, at a depth each."""
    axis, (along, over), step, columns = spans.rays
    points = np.empty((len(some), 3))
    points[:, along] = (spans.ray[some] % columns - JITTER[0]) * step + surface.low[along]
    points[:, over] = (spans.ray[some] // columns - JITTER[1]) * step + surface.low[over]
    points[:, axis] = depth_mm
    return points


def repeated(first: Integers, stop: Integers) -> tuple[Integers, Integers]:
    """Every whole number of the ranges first..stop [n], and the index of its range: int64 [total] each."""
    counts = np.maximum(stop - first, 0)
    which = np.repeat(np.arange(len(counts)), counts)
    begun = np.cumsum(counts) - counts
    return which, np.arange(len(which)) - np.repeat(begun - first, counts)


def _grid(surface: Surface, axis: int, step_mm: float) -> Rays:
    """The grid whose rows cross the fewest faces: slender faces lie along them."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    reach = extents_mm(surface)
    across = (first, second) if reach[second] <= reach[first] else (second, first)
    size = float(np.ptp(surface.mesh.vertices[:, across[0]]))
    return Rays(axis, across, step_mm, int(size / step_mm + JITTER[0]) + 2)


def _cross(points: Floats, columns: int) -> _Crossings:
    """All crossings of rays at whole (u, v) with faces [m, 3, 3] of (u, v, depth)."""
    every = np.arange(len(points))[:, None]
    low, mid, high = np.moveaxis(points[every, np.argsort(points[:, :, 1], 1)], 1, 0)
    face, row = repeated(np.ceil(low[:, 1]).astype(np.int64), np.ceil(high[:, 1]).astype(np.int64))
    below = row < mid[face, 1]
    bent = _meet(
        np.where(below[:, None], low[face], mid[face]), np.where(below[:, None], mid[face], high[face]), row
    )
    straight = _meet(low[face], high[face], row)
    left, right = np.minimum(bent[:, 0], straight[:, 0]), np.maximum(bent[:, 0], straight[:, 0])
    line, column = repeated(np.ceil(left).astype(np.int64), np.ceil(right).astype(np.int64))
    slope = (bent[:, 1] - straight[:, 1]) / np.where(left < right, bent[:, 0] - straight[:, 0], 1.0)
    depth = straight[line, 1] + slope[line] * (column - straight[line, 0])
    return _Crossings(row[line] * columns + column, face[line], depth)


def _meet(low: Floats, high: Floats, row: Integers) -> Floats:
    """Where edges [n, 3] meet their rows, from their lower end: (u, depth) [n, 2]."""
    part = (row - low[:, 1]) / (high[:, 1] - low[:, 1])
    met: Floats = low[:, ::2] + part[:, None] * (high[:, ::2] - low[:, ::2])
    return met


def _spans(surface: Surface, rays: Rays, found: _Crossings, apart_mm: float) -> Spans:
    """Sort the crossings along their rays and keep those where the winding leaves or reaches nought."""
    into = surface.normals[found.face, rays.axis] < 0
    low, high = found.depth.min(initial=0.0), found.depth.max(initial=0.0)
    order = np.argsort(found.ray * (high - low + 1.0) + (found.depth - low))
    ray, face, depth, into = found.ray[order], found.face[order], found.depth[order], into[order]
    winding = _winding(ray, into)
    enter, leave = np.flatnonzero(into & (winding == 1)), np.flatnonzero(~into & (winding == 0))
    gap = (ray[enter[1:]] != ray[leave[:-1]]) | (depth[enter[1:]] - depth[leave[:-1]] > apart_mm)
    enter, leave = enter[np.r_[True, gap][: len(enter)]], leave[np.r_[gap, True][: len(leave)]]
    met = np.bincount(face, minlength=len(surface.normals))
    seen = np.bincount(face[np.r_[enter, leave]], minlength=len(surface.normals))
    return Spans(rays, ray[enter], depth[enter], depth[leave], face[enter], face[leave], seen, met - seen)


def _winding(ray: Integers, into: Flags) -> Integers:
    """How many bodies a ray is in after each crossing; -1 all along a ray that does not end outside."""
    turn = np.where(into, 1, -1)
    winding = np.cumsum(turn)
    begins = np.flatnonzero(np.diff(ray, prepend=-1))
    counts = np.diff(begins, append=len(ray))
    before = (winding - turn)[begins]
    after = winding[begins + counts - 1]
    inside = winding - np.repeat(before, counts)
    return np.where(np.repeat(before == after, counts), inside, -1)
