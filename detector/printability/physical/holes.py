"""Holes that are too small: round, and in general what bends inwards all the way round an axis.

A hole's wall is a patch of faces that meet smoothly or in concave edges, whose normals lie in one plane,
point to one axis and leave no side open. A round hole is measured by its corners, as it was drawn; any other
by the largest circle that fits into it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.optimize import linprog

from detector.printability.physical.finding import (
    Finding,
    Floats,
    Integers,
    Problem,
    Severity,
    as_point,
    place,
)
from detector.printability.physical.process import SOUND_HOLE_MM, Process
from detector.printability.physical.surface import Surface, connected

MAX_TURN_DEG = 75.0
"""Facets of a round hole turn by less: 72 degrees for one of five sides. A floor turns by 90."""

FLAT_DEG = 0.5
"""Convex edges that turn by less are rounding."""

PARALLEL = 0.05
"""Share of a wall's normals (mean square) that may lie along the axis: of a countersink or a drill's tip."""

CLOSED = 0.2
"""Largest sum of a patch's normals, as a share of its area, at which it goes all the way round."""

FEWEST_FACES = 6
"""Three sides of two triangles."""

WIDEST_GAP_DEG = 100.0
"""Widest gap between the normals of a hole that is closed: 90 for a square, 120 for a triangle."""

ROUND = 0.04
"""Corners of a round hole are this near to one radius, as a share of it."""

SLACK = 2.0
"""A hole's wall reaches less than this many diameters to its narrower side."""

ROUNDING_MM = 0.02
"""What a file's rounding may take from a diameter."""

UPRIGHT = 0.9
"""Axes this near to z are those of vertical holes."""

CLOSING_NOZZLES = 1.5
"""A hole less than this many nozzles wide is gone: the lines around it meet."""


class Hole(NamedTuple):
    """A hole's ``middle`` [3] mm, unit ``axis`` [3], diameter and depth in mm, and its faces int64 [k]."""

    middle: Floats
    axis: Floats
    diameter_mm: float
    depth_mm: float
    faces: Integers


def small_holes(surface: Surface, process: Process) -> Iterator[Finding]:
    """Findings for all holes that are smaller than sound."""
    for hole in holes(surface, SOUND_HOLE_MM - ROUNDING_MM):
        if hole.depth_mm > process.layer_mm / 2:
            yield _finding(hole, process)


def holes(surface: Surface, widest_mm: float = np.inf) -> Iterator[Hole]:
    """All holes up to a diameter."""
    group = _patches(surface)
    for faces in _round_patches(surface, group, widest_mm):
        hole = _fit(surface, faces, widest_mm)
        if hole is not None and hole.diameter_mm < widest_mm:
            yield hole


def _patches(surface: Surface) -> Integers:
    """The patch of every face, int64 [m]."""
    edges = surface.edges
    smooth = (edges.turn_deg < FLAT_DEG) & (edges.turn_deg > -MAX_TURN_DEG)
    return connected(len(surface.normals), edges.faces[smooth])


def _round_patches(surface: Surface, group: Integers, widest_mm: float) -> Iterator[Integers]:
    """Faces of every patch that could be a hole: normals in a plane that add up to nothing."""
    area = np.bincount(group, surface.areas_mm2)
    weighted = surface.normals * surface.areas_mm2[:, None]
    total = np.stack([np.bincount(group, weighted[:, axis]) for axis in range(3)], 1)
    closed = np.linalg.norm(total, axis=1) < CLOSED * area
    closed &= np.bincount(group) >= FEWEST_FACES
    faces = np.flatnonzero(closed[group])
    faces = faces[np.argsort(group[faces], kind="stable")]
    for patch in np.split(faces, np.flatnonzero(np.diff(group[faces])) + 1):
        if len(patch):
            yield patch


def _fit(surface: Surface, faces: Integers, widest_mm: float) -> Hole | None:
    """The hole that a patch is the wall of; None where it is none."""
    normals, areas = surface.normals[faces], surface.areas_mm2[faces]
    spread, axes = np.linalg.eigh((normals * areas[:, None]).T @ normals / areas.sum())
    along, across = axes[:, 0], axes[:, 1:]
    if spread[0] > PARALLEL or _gap_deg(normals @ across) > WIDEST_GAP_DEG:
        return None
    wall = np.abs(normals @ along) < np.sqrt(PARALLEL)
    corners = surface.mesh.vertices[np.unique(surface.mesh.faces[faces[wall]])]
    flat = corners @ across
    if np.ptp(flat, axis=0).min() > SLACK * widest_mm:
        return None
    centre = _centre(flat)
    middles = surface.corners_of(faces[wall]).mean(1) @ across - centre
    inwards = -np.einsum("ij,ij->i", middles, normals[wall] @ across)
    if np.median(inwards) <= 0:
        return None
    radii = np.linalg.norm(flat - centre, axis=1)
    radius = np.median(radii)
    if np.abs(radii - radius).max() > ROUND * radius:
        centre, radius = _largest_circle(flat, normals[wall] @ across, middles + centre)
    depth = corners @ along
    middle = across @ centre + along * (depth.min() + depth.max()) / 2
    if radius <= 0:
        return None
    return Hole(middle, along, 2 * float(radius), float(np.ptp(depth)), faces[wall])


def _gap_deg(directions: Floats) -> float:
    """Widest angle between neighbouring directions [n, 2], degrees."""
    angles = np.sort(np.arctan2(directions[:, 1], directions[:, 0]))
    return float(np.degrees(np.diff(angles, append=angles[0] + 2 * np.pi).max()))


def _centre(points: Floats) -> Floats:
    """Centre [2] of the circle through points [n, 2], by least squares (Kasa)."""
    middle: Floats = points.mean(0)
    away = points - middle
    solved = np.linalg.lstsq(np.c_[2 * away, np.ones(len(away))], (away**2).sum(1), rcond=None)[0]
    centre: Floats = middle + solved[:2]
    return centre


def _largest_circle(corners: Floats, normals: Floats, points: Floats) -> tuple[Floats, float]:
    """Centre [2] and radius of the largest circle between lines through points [n, 2] with inward normals."""
    unit = normals / np.linalg.norm(normals, axis=1)[:, None]
    limit = linprog(
        [0, 0, -1], np.c_[-unit, np.ones(len(unit))], -(unit * points).sum(1), bounds=(None, None)
    )
    if limit.status != 0:
        return corners.mean(0), 0.0
    return limit.x[:2], float(limit.x[2])


def _finding(hole: Hole, process: Process) -> Finding:
    """What becomes of a small hole."""
    closes = hole.diameter_mm < CLOSING_NOZZLES * process.nozzle_mm
    severity: Severity = "fails" if closes else "risky"
    upright = abs(hole.axis[2]) > UPRIGHT
    becomes = "closes" if closes else "comes out narrow" if upright else "comes out narrow, with a rough top"
    return Finding(
        Problem.SMALL_HOLE,
        severity,
        as_point(hole.middle),
        hole.diameter_mm,
        None,
        float(np.pi * hole.diameter_mm * hole.depth_mm),
        np.sort(hole.faces),
        f"The {'vertical' if upright else 'horizontal'} hole at {place(hole.middle)} is "
        f"{hole.diameter_mm:.2f} mm wide and {becomes}: make it {SOUND_HOLE_MM:g} mm or more, "
        "or drill it after printing.",
    )
