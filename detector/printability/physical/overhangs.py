"""What becomes of each patch over air: a bridge, an overhang, or nothing worth a word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from detector.printability.physical.bridges import Carried, carried
from detector.printability.physical.finding import (
    GRAVITY,
    Finding,
    Floats,
    Integers,
    Problem,
    Severity,
    as_point,
    place,
)
from detector.printability.physical.hanging import MIN_AREA_MM2, TINY, Hanging, hanging
from detector.printability.physical.process import Material, Process
from detector.printability.physical.surface import BED_MM, Surface

BRIDGED = 0.5
"""Share of a patch's lines that are held at both ends from which on it is a bridge."""

WELL_BRIDGED = 0.75
"""Share from which on the other lines are corners, and hold on to their neighbours."""

LEDGE_MM = 1.2
"""What a nozzle lays beyond an edge with nothing below: three lines, each of which holds to the last."""

LONG_LEDGE_MM = 3.0
"""Up to here a ledge droops, and the part is printed."""

STEEP_DEG = 10.0
"""Up to so much beyond the material's angle a surface gets rough and is printed."""

ROUNDING = 1.01
"""What lines across a patch at a slight angle add to its span."""

SAMPLES = 256
"""Points of a patch whose distance from what holds it is worked out."""


class Patch(NamedTuple):
    """One patch over air: its number, whether it is a ``bridge``, and the length that decides, mm."""

    number: int
    bridge: bool
    size_mm: float
    severity: Severity


def hanging_patches(surface: Surface, patches: Hanging, how: Carried, process: Process) -> Iterator[Patch]:
    """Patches that droop or need support, in no order."""
    sides, faces = _by_patch(patches.of, patches), _by_patch(patches.patch, patches)
    for number in map(int, np.flatnonzero(patches.area_mm2 >= MIN_AREA_MM2)):
        reach = _reach_mm(surface, patches, sides[number], faces[number])
        patch = _judged(patches, how, number, reach, process.limits)
        if patch is not None:
            yield patch


def _judged(patches: Hanging, how: Carried, number: int, reach_mm: float, limits: Material) -> Patch | None:
    """The milder of what becomes of a patch as a bridge and as a ledge; None where it is printed well."""
    ledge = ledge_severity(reach_mm, float(patches.angle_deg[number]), limits)
    if how.bridged[number] < BRIDGED:
        return None if ledge is None else Patch(number, False, reach_mm, ledge)
    span = float(how.span_mm[number])
    loose = float(how.loose_mm[number]) if how.bridged[number] < WELL_BRIDGED else 0.0
    bridge = bridge_severity(span, limits)
    hung = ledge_severity(loose, float(patches.angle_deg[number]), limits)
    # Lines that end at a hole in the bridge hang loose, whatever the others do.
    worst = min((bridge, hung), key=lambda one: 9 if one is None else GRAVITY[one])
    if worst is None or ledge is None:
        return None
    if GRAVITY[ledge] > GRAVITY[worst]:
        return Patch(number, False, reach_mm, ledge)
    return Patch(number, True, span, bridge) if worst == bridge else Patch(number, False, loose, worst)


def ledge_severity(reach_mm: float, angle_deg: float, limits: Material) -> Severity | None:
    """What becomes of a surface that reaches out so far, at an angle from the vertical."""
    if reach_mm <= LEDGE_MM:
        return None
    steep = angle_deg > limits.overhang_deg + STEEP_DEG
    return "needs support" if steep and reach_mm > LONG_LEDGE_MM else "risky"


def bridge_severity(span_mm: float, limits: Material) -> Severity | None:
    """What becomes of a bridge."""
    if span_mm <= limits.bridge_mm * ROUNDING:
        return None
    return "risky" if span_mm <= limits.longest_bridge_mm * ROUNDING else "needs support"


def support_mm2(surface: Surface, process: Process) -> float:
    """Area that needs support, from above, where nothing but the surface's own slope is known of it."""
    patches = hanging(surface, process, np.ones(len(surface.normals)))
    judged = hanging_patches(surface, patches, carried(patches), process)
    return sum(float(patches.area_mm2[one.number]) for one in judged if one.severity == "needs support")


def finding(surface: Surface, patches: Hanging, patch: Patch) -> Finding:
    """A patch in words."""
    faces = np.flatnonzero(patches.patch == patch.number)
    point, area = _middle(surface, faces), float(patches.area_mm2[patch.number])
    angle = float(patches.angle_deg[patch.number])
    problem = Problem.BRIDGE if patch.bridge else Problem.OVERHANG
    text = _bridge_text(point, patch) if patch.bridge else _overhang_text(point, angle, patch)
    return Finding(problem, patch.severity, as_point(point), patch.size_mm, angle, area, faces, text)


def _by_patch(of: Integers, patches: Hanging) -> list[Integers]:
    """What belongs to every patch, by the patch that each belongs to."""
    order = np.argsort(of, kind="stable")
    return np.split(order, np.searchsorted(of[order], np.arange(len(patches.area_mm2) + 1)))[1:]


def _reach_mm(surface: Surface, patches: Hanging, sides: Integers, faces: Integers) -> float:
    """Longest way from a point of a patch to what holds it, from above, or else to its lowest corners."""
    heights = surface.mesh.vertices[patches.corners[sides], 2]
    holds = patches.held[sides] | (heights.min(1) < surface.lowest_mm + BED_MM)
    if not holds.any():
        holds = heights.min(1) <= heights.min() + BED_MM
    points = _samples(surface.corners_of(faces)[:, :, :2])
    return float(_distances(points, patches.start[sides[holds]], patches.end[sides[holds]]).min(1).max())


def _samples(triangles: Floats) -> Floats:
    """Corners of triangles [k, 3, 2] and middles of their sides: at most SAMPLES points [n, 2]."""
    points = np.concatenate([triangles, (triangles + np.roll(triangles, 1, 1)) / 2]).reshape(-1, 2)
    some: Floats = points[np.unique(np.linspace(0, len(points) - 1, SAMPLES).astype(int))]
    return some


def _distances(points: Floats, start: Floats, end: Floats) -> Floats:
    """Distances [n, k] of points [n, 2] from segments [k, 2]."""
    along = end - start
    away = points[:, None] - start
    part = (away * along).sum(2) / np.maximum((along**2).sum(1), TINY)
    distances: Floats = np.linalg.norm(away - np.clip(part, 0, 1)[:, :, None] * along, axis=2)
    return distances


def _middle(surface: Surface, faces: Integers) -> Floats:
    """The middle of the face nearest to the middle of all of them, [3] mm."""
    middles, areas = surface.corners_of(faces).mean(1), surface.areas_mm2[faces]
    middle: Floats = middles[np.linalg.norm(middles - areas @ middles / areas.sum(), axis=1).argmin()]
    return middle


def _bridge_text(point: Floats, patch: Patch) -> str:
    becomes = "it sags" if patch.severity == "risky" else "it needs support"
    return f"The bridge at {place(point)} spans {patch.size_mm:.1f} mm: {becomes}; shorten it or arch it."


def _overhang_text(point: Floats, angle_deg: float, patch: Patch) -> str:
    becomes = "it droops" if patch.severity == "risky" else "it needs support"
    return (
        f"The overhang at {place(point)} leans {angle_deg:.0f} degrees from the vertical and reaches "
        f"{patch.size_mm:.1f} mm out over air: {becomes}; turn the part or bring it to 45 degrees."
    )
