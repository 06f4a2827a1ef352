"""Islands: material that begins in mid-air, with nothing right below.

Every piece of a part begins at a low point of its surface that has material above it. Where that is not the
bed, and no other body lies right below, the first line of it falls down.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import coo_array, csr_array

from detector.printability.physical.finding import Finding, Floats, Integers, Problem, as_point, place
from detector.printability.physical.hanging import FUSED_LAYERS, Hanging
from detector.printability.physical.process import Process
from detector.printability.physical.rays import JITTER, Spans
from detector.printability.physical.surface import Surface, connected, sides_of

LEVEL_MM = 0.005
"""Corners at one height are this near to each other: above the rounding of float32 files."""

LAYERS = 2.0
"""A low point that joins something lower within so many layers is a bump."""

LOOKED_AT = 2000
"""Corners around a low point that are looked at for something lower."""

SMALL_MM2 = 2.0
"""Islands that begin smaller are carried by a few drooping lines."""


def islands(surface: Surface, patches: Hanging, upwards: Spans, process: Process) -> Iterator[Finding]:
    """Findings for all islands; ``upwards`` are rays along z."""
    touching, joined = _touching(surface), _joined(surface)
    for low in _lows(surface, process.layer_mm):
        if _joins(surface, joined, low, LAYERS * process.layer_mm):
            continue
        faces = np.unique(touching[low].indices).astype(np.int64)
        point = _point(surface, low, faces)
        air = _air_mm(surface, upwards, point)
        if air > FUSED_LAYERS * process.layer_mm:
            yield _finding(patches, point, air, faces)


def _lows(surface: Surface, layer_mm: float) -> Iterator[Integers]:
    """Vertices of every level stretch that is above the bed, has nothing lower around and material above."""
    heights, faces = surface.mesh.vertices[:, 2], surface.mesh.faces
    sides = sides_of(faces)
    fall = heights[sides[:, 0]] - heights[sides[:, 1]]
    stretch = connected(len(heights), sides[np.abs(fall) < LEVEL_MM])
    count = int(stretch.max()) + 1
    # Faces around a low point of the part look down, those around a pit's look up.
    upwards = np.bincount(
        stretch[faces.ravel()], np.repeat(surface.areas_mm2 * surface.normals[:, 2], 3), count
    )
    lowest = np.full(count, np.inf)
    np.minimum.at(lowest, stretch, heights)
    is_low = (upwards < 0) & (lowest > surface.lowest_mm + layer_mm)
    is_low[stretch[sides[fall >= LEVEL_MM, 0]]] = False
    is_low[stretch[sides[fall <= -LEVEL_MM, 1]]] = False
    chosen = np.flatnonzero(is_low[stretch])
    chosen = chosen[np.argsort(stretch[chosen], kind="stable")]
    if len(chosen):
        yield from np.split(chosen, np.flatnonzero(np.diff(stretch[chosen])) + 1)


def _touching(surface: Surface) -> csr_array:
    """Which faces every vertex is a corner of: [vertices, faces]."""
    faces = surface.mesh.faces
    places = (faces.ravel(), np.repeat(np.arange(len(faces)), 3))
    return coo_array((np.ones(faces.size, np.int8), places), (len(surface.mesh.vertices), len(faces))).tocsr()


def _joined(surface: Surface) -> csr_array:
    """Which vertices every vertex shares a side with: [vertices, vertices]."""
    sides, count = sides_of(surface.mesh.faces), len(surface.mesh.vertices)
    both = np.concatenate([sides, sides[:, ::-1]])
    return coo_array((np.ones(len(both), np.int8), (both[:, 0], both[:, 1])), (count, count)).tocsr()


def _joins(surface: Surface, joined: csr_array, low: Integers, rise_mm: float) -> bool:
    """Whether the surface comes from a low stretch to something lower without rising more than that."""
    heights = surface.mesh.vertices[:, 2]
    height = heights[low].min()
    known = np.zeros(len(heights), np.bool_)
    known[low] = True
    front, looked = low, 0
    while len(front) and looked < LOOKED_AT:
        around = np.unique(joined[front].indices)
        front = around[~known[around] & (heights[around] <= height + rise_mm)]
        known[front] = True
        looked += len(front)
        if (heights[front] < height - LEVEL_MM).any():
            return True
    return False


def _point(surface: Surface, low: Integers, faces: Integers) -> Floats:
    """A point of a low stretch: the middle of its largest level face, or else its lowest corner, [3] mm."""
    triangles, areas = surface.corners_of(faces), surface.areas_mm2[faces]
    level = np.ptp(triangles[:, :, 2], axis=1) < LEVEL_MM
    if level.any():
        middle: Floats = triangles[np.where(level, areas, -1).argmax()].mean(0)
        return middle
    corners = surface.mesh.vertices[low]
    corner: Floats = corners[corners[:, 2].argmin()]
    return corner


def _air_mm(surface: Surface, upwards: Spans, point: Floats) -> float:
    """Height of the air right below a point, by the ray nearest to it; 0 within another body."""
    along, over = upwards.rays.across
    at = (point - surface.low) / upwards.rays.step_mm
    column, row = round(float(at[along] + JITTER[0])), round(float(at[over] + JITTER[1]))
    first, last = np.searchsorted(upwards.ray, row * upwards.rays.columns + column + np.array([0, 1]))
    enter, leave = upwards.enter_mm[first:last], upwards.leave_mm[first:last]
    below = enter < point[2] - 2 * LEVEL_MM
    return float(np.maximum(point[2] - leave[below].max(initial=surface.lowest_mm), 0.0))


def _finding(patches: Hanging, point: Floats, air_mm: float, touching: Integers) -> Finding:
    """An island with all that hangs from it."""
    hung = np.unique(patches.patch[touching])
    hung = hung[hung >= 0]
    area = float(patches.area_mm2[hung].sum())
    faces = np.union1d(np.flatnonzero(np.isin(patches.patch, hung)), touching)
    return Finding(
        Problem.ISLAND,
        "risky" if area < SMALL_MM2 else "needs support",
        as_point(point),
        air_mm,
        None,
        area,
        faces,
        f"At {place(point)} material begins in mid-air, {air_mm:.1f} mm above what is below it: "
        "it needs support; join it to the part, or turn the part.",
    )
