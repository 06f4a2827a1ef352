"""Walls that are too thin: where two faces look away from each other with little in between.

A grid of rays along each axis measures what lies between a face and the one behind it, each face along the
axis that it faces most: rays that are that fine find walls far thinner than any voxel. Two faces are a wall
where they are nearly parallel; the tip of a wedge, an edge and a chamfer are none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from detector.printability.physical.finding import Finding, Floats, Integers, Problem, as_point, place
from detector.printability.physical.process import Process
from detector.printability.physical.rays import Spans, points_of
from detector.printability.physical.surface import Surface, connected

LOOSE_DEG = 15.0
"""Two curved walls in facets of their own are this far from parallel in places …"""

STRICT_DEG = 5.0
"""… but this near to it in others: a wedge is not anywhere."""

STRICT_SHARE = 0.2
"""Share of a wall's area where its faces are within STRICT_DEG."""

MIN_AREA_MM2 = 2.0
"""Smaller places are corners, letters and threads: they print badly and nothing depends on them."""

FAILS_SHARE = 0.01
FAILS_MM2 = (2.0, 10.0)
"""A part fails where so much of its surface, between these areas, is too thin; less is a flaw of it."""

MIN_EXTENT = 2.0
"""A wall is this many times as wide and as long as it is thick; else it is an edge or a pin."""

FLAT = 0.9
"""Normals this upright belong to sheets: they are printed in layers, not in lines."""

WORST_SHARE = 0.1
"""A wall is called as thin as this share of it is."""

TOLERANCE_MM = 0.02
"""What rounding in a file and facets on a curve may take from a wall."""


class Thin(NamedTuple):
    """n places where rays met thin material: ``middle`` [n, 3] mm, ``thickness_mm`` and ``area_mm2`` [n].

    ``into`` and ``out_of`` int64 [n] are the faces on both sides, ``apart_deg`` [n] how far they are from
    parallel, ``upright`` [n] how much of their normal is along z.
    """

    middle: Floats
    thickness_mm: Floats
    area_mm2: Floats
    into: Integers
    out_of: Integers
    apart_deg: Floats
    upright: Floats

    def at(self, which: Integers) -> Thin:
        """Some of the places."""
        some: Any = [values[which] for values in self]
        return Thin(*some)


def thin_walls(surface: Surface, cast: tuple[Spans, ...], process: Process) -> Iterator[Finding]:
    """Findings for all walls that are thinner than sound; ``cast`` are rays along x, y and z."""
    parts = [_thin(surface, spans, process.sound_wall_mm - TOLERANCE_MM) for spans in cast]
    thin = _all_of(parts)
    fails_mm2 = float(np.clip(FAILS_SHARE * surface.areas_mm2.sum(), *FAILS_MM2))
    cell = max(2 * cast[0].rays.step_mm, process.sound_wall_mm / 2)
    for sheet in (False, True):
        kind = np.flatnonzero((thin.upright > FLAT) == sheet)
        for members in _clusters(thin.middle[kind], cell):
            wall = thin.at(kind[members])
            if _is_wall(wall):
                yield _finding(wall, process, fails_mm2, sheet=sheet)


def _all_of(parts: list[Thin]) -> Thin:
    whole: Any = [np.concatenate(values) for values in zip(*parts, strict=True)]
    return Thin(*whole)


def thinnest_mm(surface: Surface, cast: tuple[Spans, ...], share: float = 0.02) -> float:
    """Thickness that this share of all walls, by area, does not exceed; inf for a part without any."""
    thin = _all_of([_thin(surface, spans, np.inf) for spans in cast])
    if not len(thin.thickness_mm):
        return float("inf")
    order = np.argsort(thin.thickness_mm)
    summed = np.cumsum(thin.area_mm2[order])
    return float(thin.thickness_mm[order[np.searchsorted(summed, share * summed[-1])]])


def _thin(surface: Surface, spans: Spans, limit_mm: float) -> Thin:
    """Stretches along one axis that are thinner than the limit, of faces that face this axis most."""
    axis, step = spans.rays.axis, spans.rays.step_mm
    near = np.flatnonzero(spans.lengths_mm < limit_mm * np.sqrt(3))
    one, other = surface.normals[spans.into[near]], surface.normals[spans.out_of[near]]
    slant = np.clip((np.abs(one[:, axis]) + np.abs(other[:, axis])) / 2, 1e-3, 1)
    thickness = spans.lengths_mm[near] * slant
    apart = np.degrees(np.arccos(np.clip(-np.einsum("ij,ij->i", one, other), -1, 1)))
    facing = np.abs(one - other).argmax(1) == axis
    # A ray aslant through facets that are not parallel measures by so much too little.
    doubt = 1 + np.tan(np.radians(np.minimum(apart, LOOSE_DEG))) / 2 * np.sqrt(1 / slant**2 - 1)
    kept = np.flatnonzero(facing & (thickness * doubt < limit_mm) & (apart < LOOSE_DEG))
    some = near[kept]
    return Thin(
        points_of(surface, spans, some, (spans.enter_mm[some] + spans.leave_mm[some]) / 2),
        thickness[kept],
        step**2 / slant[kept],
        spans.into[some],
        spans.out_of[some],
        apart[kept],
        np.abs(one[kept, 2] - other[kept, 2]) / 2,
    )


def _clusters(points: Floats, cell_mm: float) -> Iterator[Integers]:
    """Groups of points [n, 3] whose cells touch, as indices."""
    if not len(points):
        return
    cells = np.floor((points - points.min(0)) / cell_mm).astype(np.int64) + 1
    size = cells.max(0) + 2
    unit = np.array([1, size[0], size[0] * size[1]])
    keys, cell_of = np.unique(cells @ unit, return_inverse=True)
    steps = np.stack(np.meshgrid(*[[-1, 0, 1]] * 3), -1).reshape(-1, 3) @ unit
    pairs = []
    for step in steps[steps > 0]:
        at = np.minimum(np.searchsorted(keys, keys + step), len(keys) - 1)
        met = np.flatnonzero(keys[at] == keys + step)
        pairs.append(np.stack([met, at[met]], 1))
    group = connected(len(keys), np.concatenate(pairs))[cell_of]
    order = np.argsort(group, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(group[order])) + 1)


def _is_wall(wall: Thin) -> bool:
    """Large enough, wider than thick, and parallel somewhere."""
    area = wall.area_mm2.sum()
    parallel = wall.area_mm2[wall.apart_deg < STRICT_DEG].sum()
    if area < MIN_AREA_MM2 or parallel < STRICT_SHARE * area:
        return False
    weights = wall.area_mm2 / area
    away = wall.middle - weights @ wall.middle
    # An even strip of width w spreads by w / sqrt(12).
    extents = np.sqrt(12 * np.clip(np.linalg.eigvalsh((away * weights[:, None]).T @ away), 0, None))
    return bool(extents[1] > MIN_EXTENT * np.median(wall.thickness_mm))


def _finding(wall: Thin, process: Process, fails_mm2: float, *, sheet: bool) -> Finding:
    """What is wrong with one wall; the part of it that is too thin to print decides, where there is one."""
    fails_mm = process.layer_mm if sheet else process.nozzle_mm
    gone = np.flatnonzero(wall.thickness_mm < fails_mm - TOLERANCE_MM)
    fails = wall.area_mm2[gone].sum() > fails_mm2 and _is_wall(wall.at(gone))
    concerned = wall.at(gone) if fails else wall
    order = np.argsort(concerned.thickness_mm)
    share = np.cumsum(concerned.area_mm2[order]) / concerned.area_mm2.sum()
    worst = order[np.searchsorted(share, WORST_SHARE)]
    thickness, point = float(concerned.thickness_mm[worst]), concerned.middle[worst]
    return Finding(
        Problem.THIN_WALL,
        "fails" if fails else "risky",
        as_point(point),
        thickness,
        None,
        float(concerned.area_mm2.sum()),
        np.unique(np.concatenate([concerned.into, concerned.out_of])),
        _sheet_text(thickness, point, process) if sheet else _wall_text(thickness, point, process),
    )


def _wall_text(thickness: float, point: Floats, process: Process) -> str:
    nozzle, sound = process.nozzle_mm, process.sound_wall_mm
    if thickness < nozzle - TOLERANCE_MM:
        lays = f"a {nozzle:g} mm nozzle lays no line that thin"
    else:
        lays = f"a {nozzle:g} mm nozzle lays one line of it"
    return f"The wall at {place(point)} is {thickness:.2f} mm thick: {lays}; make it {sound:g} mm or more."


def _sheet_text(thickness: float, point: Floats, process: Process) -> str:
    layers = round(thickness / process.layer_mm)
    if thickness < process.layer_mm - TOLERANCE_MM:
        lays = "less than one layer"
    else:
        lays = "one layer" if layers <= 1 else f"about {layers} layers"
    return (
        f"The flat sheet at {place(point)} is {thickness:.2f} mm thick, {lays} of {process.layer_mm:g} mm; "
        f"make it {process.sound_wall_mm:g} mm or more."
    )
