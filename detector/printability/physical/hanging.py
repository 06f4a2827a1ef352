"""Faces that are printed over air: gathered into patches, with what holds their edges.

A patch ends in sides. Where the surface goes on downwards, steeper, or on the bed, material is below and the
side is held; where it goes up, or comes round, the side is free.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detector.printability.physical.finding import Flags, Floats, Integers
from detector.printability.physical.process import Process
from detector.printability.physical.rays import Spans
from detector.printability.physical.surface import Surface, connected, on_bed, sides_of

TESSELLATION_DEG = 1.0
"""Facets of a surface drawn at exactly the limit are this far over it."""

MIN_AREA_MM2 = 2.0
"""Smaller patches droop unseen."""

DOWNWARDS = 0.05
"""Part of a face's slope, as a sine, from which on it goes up or down."""

TINY = 1e-12
"""Keeps quotients of nothing by nothing at nought."""

COVERED = 0.5
"""A face of which more than this share lies on, or in, other material hangs over none."""


FUSED_LAYERS = 1.5
"""Air less than this many layers high is closed by the layer above it."""


class Hanging(NamedTuple):
    """p patches of faces over air.

    ``patch`` int64 [faces] is the patch of each face, -1 for those that carry themselves. ``start`` and
    ``end`` [s, 2] are the sides around patches of MIN_AREA_MM2 and more, from above, mm; ``of`` int64 [s]
    their patches, ``held`` bool [s] whether material is below, ``corners`` int64 [s, 2] their vertices.
    ``area_mm2`` [p] is what a patch covers from above, ``angle_deg`` [p] its mean angle from the vertical.
    """

    patch: Integers
    start: Floats
    end: Floats
    of: Integers
    held: Flags
    corners: Integers
    area_mm2: Floats
    angle_deg: Floats


def hanging(surface: Surface, process: Process, bare: Floats) -> Hanging:
    """All patches over air; ``bare`` [faces] is the share of each face that has no material right below."""
    angle = np.degrees(np.arcsin(np.clip(-surface.normals[:, 2], -1, 1)))
    over = (angle > process.limits.overhang_deg + TESSELLATION_DEG) & (surface.areas_mm2 > 0)
    high = surface.triangles[:, :, 2].max(1) > surface.lowest_mm + FUSED_LAYERS * process.layer_mm
    hangs = over & high & (bare > COVERED) & ~on_bed(surface)
    patch = _patches(surface, hangs)
    return _gathered(surface, patch, angle, over & ~hangs)


def bare_shares(surface: Surface, upwards: Spans, process: Process) -> Floats:
    """Share of each face [m] that has no material right below it, by rays along z; 1 where none met it."""
    before = np.r_[-np.inf, upwards.leave_mm[:-1]]
    before[np.r_[True, np.diff(upwards.ray) > 0][: len(before)]] = -np.inf
    open_below = upwards.enter_mm - before > FUSED_LAYERS * process.layer_mm
    bare = np.bincount(upwards.into[open_below], minlength=len(surface.normals))
    met = upwards.seen + upwards.hidden
    return np.where(met > 0, bare / np.maximum(met, 1), 1.0)


def _patches(surface: Surface, hangs: Flags) -> Integers:
    """Number the patches of faces that hang and share an edge: int64 [faces], -1 for the others."""
    faces = surface.edges.faces
    group = connected(len(hangs), faces[hangs[faces].all(1)])
    patch = np.full(len(hangs), -1)
    patch[hangs] = np.unique(group[hangs], return_inverse=True)[1]
    return patch


def _gathered(surface: Surface, patch: Integers, angle_deg: Floats, lies: Flags) -> Hanging:
    """The patches with their sizes, and the sides of those that are large enough."""
    count, hangs = int(patch.max(initial=-1)) + 1, patch >= 0
    weight = (surface.areas_mm2 * -surface.normals[:, 2])[hangs]
    area = np.bincount(patch[hangs], weight, count).astype(np.float64)
    angle = np.bincount(patch[hangs], weight * angle_deg[hangs], count) / np.maximum(area, TINY)
    side, held = _outline(surface, hangs, lies)
    large = area[patch[side % len(patch)]] >= MIN_AREA_MM2
    side, held = side[large], held[large]
    of, corners = patch[side % len(patch)], sides_of(surface.mesh.faces)[side]
    above = surface.mesh.vertices[corners, :2]
    return Hanging(patch, above[:, 0], above[:, 1], of, held, corners, area, angle)


def _outline(surface: Surface, hangs: Flags, lies: Flags) -> tuple[Integers, Flags]:
    """Sides of hanging faces that lead out of them, int64 [s], and which of them are held, bool [s]."""
    edges = surface.edges
    outer = np.tile(hangs, 3)
    outer[edges.sides[hangs[edges.faces].all(1)]] = False
    held = np.zeros(len(outer), np.bool_)
    for one, other in ((0, 1), (1, 0)):
        leads_out = np.flatnonzero(hangs[edges.faces[:, one]] & ~hangs[edges.faces[:, other]])
        neighbour = edges.faces[leads_out, other]
        below = _goes_down(surface, edges.sides[leads_out, other], edges.opposite[leads_out, other])
        held[edges.sides[leads_out, one]] = below | lies[neighbour]
    side = np.flatnonzero(outer)
    return side, held[side]


def _goes_down(surface: Surface, side: Integers, opposite: Integers) -> Flags:
    """Whether faces lead downwards from their sides [n] to the vertex opposite."""
    vertices = surface.mesh.vertices
    start, end = np.moveaxis(vertices[sides_of(surface.mesh.faces)[side]], 1, 0)
    along = end - start
    across = vertices[opposite] - start
    part = np.einsum("ij,ij->i", across, along) / np.maximum(np.einsum("ij,ij->i", along, along), TINY)
    away = across - part[:, None] * along
    return np.asarray(away[:, 2] < -DOWNWARDS * np.linalg.norm(away, axis=1))
