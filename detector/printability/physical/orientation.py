"""Which way a part is best laid on the bed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from detector.printability.physical.finding import Floats
from detector.printability.physical.overhangs import support_mm2
from detector.printability.physical.process import Process
from detector.printability.physical.surface import BED_MM, Surface, on_bed, surface_of
from features.mesh_records import Mesh

AXES: dict[str, tuple[float, float, float]] = {
    "-z": (0, 0, -1),
    "+z": (0, 0, 1),
    "-x": (-1, 0, 0),
    "+x": (1, 0, 0),
    "-y": (0, -1, 0),
    "+y": (0, 1, 0),
}
"""Directions that are turned to the bed. The first is how the part lies: it wins where none is better."""

FACETS = 8
"""Flat sides of the convex hull that are tried beside the axes, the largest ones."""

ALIGNED = 0.9998
"""Directions whose cosine is higher are one: 1 degree."""

NORMAL_STEP = 0.01
"""Normals that round to the same step belong to one flat side."""

DIRECTIONS = 400
"""Directions in which a part's farthest points are looked for."""

LOOKED_AT = 24
"""Flat sides, the largest ones, that are looked at."""

FACES = 160_000
"""Faces of all orientations together whose support is worked out: what half a second allows."""

FOOTHOLD = 0.2
"""Share of the largest bed contact that a part needs to stand: what is missing counts as support."""

BRIEF_MM2 = 5.0
"""Differences in support below this are not worth a turn."""

CM2 = 100.0
"""Square millimetres in a square centimetre."""


class Orientation(NamedTuple):
    """One way to lay a part: ``rotation`` float64 [3, 3] turns its points (rotation @ point), z up.

    ``support_area_mm2`` is what needs support, from above; ``bed_area_mm2`` what lies on the bed.
    """

    rotation: Floats
    support_area_mm2: float
    bed_area_mm2: float
    height_mm: float
    text: str


class _Laid(NamedTuple):
    """A part turned so that ``side`` [3] of it points to the bed."""

    side: Floats
    rotation: Floats
    surface: Surface
    bed_mm2: float
    rough_mm2: float


def orientations(mesh: Mesh, process: Process) -> tuple[Orientation, ...]:
    """Ways to lay a part, best first: least support, then firm on the bed and low.

    Tries the six axes and the large flat sides of the convex hull. For a mesh of many faces the least
    promising are left out.
    """
    surface = surface_of(mesh)
    laid = [_laid(surface, side, process) for side in _sides(surface)]
    own, others = laid[0], sorted(laid[1:], key=lambda one: one.rough_mm2)
    tried = [own, *others][: max(2, FACES // len(mesh.faces))]
    found = [_orientation(one, process) for one in tried]
    foothold = FOOTHOLD * max(one.bed_mm2 for one in laid)
    order = sorted(range(len(found)), key=lambda at: _cost(found[at], foothold, own=at == 0))
    return tuple(found[at]._replace(text=_text(tried[at], found[at], found[0])) for at in order)


def _sides(surface: Surface) -> list[Floats]:
    """Directions to turn to the bed: the axes, then the normals of the hull's largest sides."""
    sides = [np.array(axis, np.float64) for axis in AXES.values()]
    for normal in (*_flat_sides(surface), *_hull_sides(surface.mesh.vertices)):
        if len(sides) == len(AXES) + FACETS:
            break
        if all(normal @ side < ALIGNED for side in sides):
            sides.append(normal)
    return sides


def _flat_sides(surface: Surface) -> Iterator[Floats]:
    """Normals of the part's own flat sides that the whole of it lies behind, the largest first."""
    steps = (surface.normals / NORMAL_STEP).round().astype(np.int64)
    side = np.unique(steps @ [1, 1 << 16, 1 << 32], return_inverse=True)[1]
    area = np.bincount(side, surface.areas_mm2)
    for largest in np.argsort(-area)[:LOOKED_AT]:
        faces = np.flatnonzero(side == largest)
        normal = surface.normals[faces[surface.areas_mm2[faces].argmax()]]
        if np.linalg.norm(normal) > 0:
            heights = surface.mesh.vertices @ normal
            if heights.max() - heights[surface.mesh.faces[faces]].max() < BED_MM:
                yield normal


def _hull_sides(points: Floats) -> Iterator[Floats]:
    """Normals of the convex hull's flat sides, the largest first: of feet that share a plane.

    It is the hull of the points that lie farthest in some hundred directions: the exact one takes minutes for
    a finely drawn disc.
    """
    far = np.unique(
        np.concatenate([(points @ some.T).argmax(0) for some in np.array_split(_directions(), 10)])
    )
    try:
        hull = ConvexHull(points[far])
    except QhullError:  # a flat part has none
        return
    a, b, c = np.moveaxis(points[far][hull.simplices], 1, 0)
    areas = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    side = np.unique((hull.equations[:, :3] / NORMAL_STEP).round(), axis=0, return_inverse=True)[1]
    total = np.bincount(side, areas)
    for largest in np.argsort(-total)[:LOOKED_AT]:
        yield hull.equations[np.where(side == largest, areas, -1).argmax(), :3]


def _directions() -> Floats:
    """DIRECTIONS unit vectors spread evenly over the sphere, by the golden angle, [n, 3]."""
    nth = np.arange(DIRECTIONS)
    z = 1 - (2 * nth + 1) / DIRECTIONS
    around, angle = np.sqrt(1 - z**2), nth * np.pi * (3 - np.sqrt(5))
    return np.stack([around * np.cos(angle), around * np.sin(angle), z], 1)


def _laid(surface: Surface, side: Floats, process: Process) -> _Laid:
    """Turn a part; its support is first taken for everything that leans too far."""
    rotation = _turn_down(side)
    turned = surface.turned(rotation)
    lies = on_bed(turned)
    leans = turned.normals[:, 2] < -np.sin(np.radians(process.limits.overhang_deg + 1.0))
    flat = turned.areas_mm2 * -turned.normals[:, 2]
    return _Laid(side, rotation, turned, float(flat[lies].sum()), float(flat[leans & ~lies].sum()))


def _turn_down(side: Floats) -> Floats:
    """The smallest rotation [3, 3] that turns a unit direction to -z."""
    x, y, z = side
    if z > ALIGNED:  # over the x axis: no turn is the smallest
        return np.diag([1.0, -1.0, -1.0])
    # Rodrigues' formula for the turn about side x (-z).
    part = 1.0 / (1.0 - z)
    return np.array(
        [[1 - x * x * part, -x * y * part, x], [-x * y * part, 1 - y * y * part, y], [-x, -y, -z]]
    )


def _orientation(laid: _Laid, process: Process) -> Orientation:
    height = float(np.ptp(laid.surface.mesh.vertices[:, 2]))
    return Orientation(laid.rotation, support_mm2(laid.surface, process), laid.bed_mm2, height, "")


def _cost(one: Orientation, foothold_mm2: float, *, own: bool) -> tuple[float, bool, float]:
    """What decides first and, where that is equal, next: a part stays as it lies unless support is saved."""
    support = one.support_area_mm2 + max(0.0, foothold_mm2 - one.bed_area_mm2)
    return (round(support / BRIEF_MM2), not own, one.height_mm - np.sqrt(one.bed_area_mm2))


def _text(laid: _Laid, found: Orientation, own: Orientation) -> str:
    needs = _support(found.support_area_mm2)
    if found is own:
        return f"Print it as it lies: {needs}."
    names = [name for name, axis in AXES.items() if laid.side @ axis > ALIGNED]
    side = names[0] if names else "({:.2f}, {:.2f}, {:.2f})".format(*(laid.side + 0.0))
    if own.support_area_mm2 < BRIEF_MM2:
        gain = f"it stands on {_area(found.bed_area_mm2)} instead of {_area(own.bed_area_mm2)}, with {needs}"
    else:
        gain = f"{needs} instead of {_area(own.support_area_mm2)}"
    return f"Lay it on the face that points to {side}: {gain}."


def _support(area_mm2: float) -> str:
    return "no support" if area_mm2 < 1 else f"{_area(area_mm2)} of support"


def _area(area_mm2: float) -> str:
    return f"{area_mm2:.0f} mm2" if area_mm2 < CM2 / 2 else f"{area_mm2 / CM2:.1f} cm2"
