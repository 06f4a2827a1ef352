"""What the 3D view of a part draws, as JSON for ``sinks/templates/printability.js``. Pure.

| key | what it is |
|---|---|
| ``vertices``, ``origin``, ``step`` | base64 of uint16 [n, 3]; mm = origin + step * number |
| ``faces``, ``edges`` | base64 of uint32 [m, 3] and [k, 2], indices of vertices; edges have a bend |
| ``color``, ``problems`` | of the part, and of each problem: ``#rrggbb`` |
| ``findings`` | ``problem`` (index), ``where`` (mm), ``faces`` (base64 of uint32), ``text``, and how to see \
it: ``look`` (unit vector from it to the eye) and ``reach`` (mm) |
| ``turns`` | rotations of the part, nine numbers row by row; the first is that of the file |
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from features.mesh import Mesh

Numbers: TypeAlias = npt.NDArray[Any]
Floats: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]
Point: TypeAlias = tuple[float, float, float]

MAX_FACES = 200_000
"""Most faces that are drawn: some 5 MB of page, and what a telephone turns smoothly."""
MAX_EDGES = 150_000
"""Most edges: a part with more is a sculpture, whose edges would cover it."""
STEPS = (65_535, 4095, 2047, 1023, 511, 255, 127, 63, 31)
"""Cells along the longest side of grids that gather vertices: the finest that leaves MAX_FACES is taken."""
SHARP_COS = 0.87
"""Cosine of the bend from which on an edge is drawn, 30 degrees."""
ONE_SIDED, ACROSS = 0.25, 0.4
"""Shares from which on faces look one way in sum, and from which on two of them do not lie in one plane."""
PART_COLOR = "#b9c3d0"


class Spot(NamedTuple):
    """A place to be shown: ``problem`` is the index of its colour, ``faces`` int64 [k] those of the mesh."""

    problem: int
    where_mm: Point
    faces: Integers
    text: str


class Small(NamedTuple):
    """A mesh in steps of ``step`` mm: uint16 [n, 3] and int64 [m, 3]; ``sources`` int64 [m] are its faces."""

    vertices: npt.NDArray[np.uint16]
    faces: Integers
    sources: Integers
    origin: Floats
    step: float


def scene(mesh: Mesh, spots: Sequence[Spot], colors: Sequence[str], turns: Sequence[Floats]) -> bytes:
    """The view as JSON that may stand within a page's ``<script>``.

    ``turns`` float64 [3, 3] each, without the file's own.
    """
    small = on_grid(mesh)
    numbers = np.full(len(mesh.faces), -1, np.int64)
    numbers[small.sources] = np.arange(len(small.sources))
    return for_script(
        {
            "vertices": _packed(small.vertices, "<u2"),
            "faces": _packed(small.faces, "<u4"),
            "edges": _packed(bends(mesh, small), "<u4"),
            "origin": small.origin.tolist(),
            "step": small.step,
            "color": PART_COLOR,
            "problems": list(colors),
            "findings": [_spot(mesh, spot, numbers) for spot in spots],
            "turns": [np.asarray(turn, np.float64).ravel().tolist() for turn in (np.eye(3), *turns)],
        }
    )


def for_script(value: object) -> bytes:
    """JSON in which no text ends the ``<script>`` that it stands in, or begins a comment."""
    return msgspec.json.encode(value).replace(b"<", b"\\u003c").replace(b">", b"\\u003e")


def on_grid(mesh: Mesh, max_faces: int = MAX_FACES) -> Small:
    """The mesh with its vertices gathered by a grid, the finest that leaves ``max_faces`` or fewer.

    Faces that fall into a point or a line are left out, and of those that fall together all but one. Where
    even the coarsest grid leaves more, the largest faces remain.
    """
    used = mesh.vertices[np.unique(mesh.faces)] if len(mesh.faces) else np.zeros((1, 3))
    origin = used.min(0)
    longest = float((used.max(0) - origin).max()) or 1.0
    for steps in STEPS:
        small = _gathered(mesh, origin, longest, steps)
        if len(small.faces) <= max_faces:
            return small
    largest = np.sort(np.argsort(-areas_and_normals(small)[0], kind="stable")[:max_faces])
    return small._replace(faces=small.faces[largest], sources=small.sources[largest])


def bends(mesh: Mesh, small: Small) -> Integers:
    """Edges int64 [k, 2] of the small mesh: bends that the whole mesh has too, and open ones.

    None of a sculpture.
    """
    corners = small.faces[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    keys = corners.min(1) * len(small.vertices) + corners.max(1)
    order = np.argsort(keys, kind="stable")
    ranked, owners = keys[order], order // 3
    normals = areas_and_normals(mesh, small.sources)[1]
    same = ranked[1:] == ranked[:-1]
    bent = same & (np.einsum("ij,ij->i", normals[owners[1:]], normals[owners[:-1]]) < SHARP_COS)
    alone = ~np.append(same, [False]) & ~np.append([False], same)
    found = np.unique(ranked[np.append(bent, [False]) | alone])
    if len(found) > MAX_EDGES:
        return np.zeros((0, 2), np.int64)
    return np.stack([found // len(small.vertices), found % len(small.vertices)], 1)


def areas_and_normals(of: Mesh | Small, faces: Integers | None = None) -> tuple[Floats, Floats]:
    """Of all faces, or of those named: areas [m] (mm², of a Small in its own units), unit normals [m, 3]."""
    chosen = of.faces if faces is None else of.faces[faces]
    a, b, c = (of.vertices[chosen[:, corner]].astype(np.float64) for corner in range(3))
    across = np.cross(b - a, c - a)
    doubled = np.linalg.norm(across, axis=1)
    return doubled / 2, across / np.maximum(doubled, 1e-300)[:, None]


def outward(mesh: Mesh, spot: Spot) -> Floats:
    """From where a spot is seen best: along its faces' normals, or the axis of the hole that they line."""
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    out = np.asarray(spot.where_mm) - (low + high) / 2
    areas, normals = areas_and_normals(mesh, spot.faces)
    total = (areas[:, None] * normals).sum(0)
    if not areas.sum() > 0:
        return _unit(out)
    if np.linalg.norm(total) > ONE_SIDED * areas.sum():
        return _unit(total)
    axes = np.cross(normals[areas.argmax()], normals)
    widest = axes[np.linalg.norm(axes, axis=1).argmax()]
    found = _unit(widest) if np.linalg.norm(widest) > ACROSS else normals[areas.argmax()]
    side = found @ out or found[2]
    return np.asarray(-found if side < 0 else found)


def _gathered(mesh: Mesh, origin: Floats, longest: float, steps: int) -> Small:
    """The vertices of each cell of a grid as one in their middle, which keeps a coarse surface smooth."""
    cells = np.clip(np.rint((mesh.vertices - origin) * (steps / longest)), 0, steps).astype(np.int64)
    places = np.unique((cells[:, 0] << 32) | (cells[:, 1] << 16) | cells[:, 2], return_inverse=True)[1]
    faces = places[mesh.faces]
    a, b, c = faces.T
    sources = np.flatnonzero((a != b) & (b != c) & (c != a))
    sources = sources[_first_of_each(np.sort(faces[sources], 1))]
    counts, step = np.bincount(places), longest / STEPS[0]
    middles = np.stack([np.bincount(places, along) / counts for along in mesh.vertices.T], 1)
    vertices = np.clip(np.rint((middles - origin) / step), 0, STEPS[0]).astype(np.uint16)
    return Small(vertices, faces[sources], sources, origin, step)


def _first_of_each(faces: Integers) -> Integers:
    """The first of the rows [m, 3] that are the same, in order."""
    order = np.lexsort(faces.T)
    ranked = faces[order]
    new = np.append([True], (ranked[1:] != ranked[:-1]).any(1))
    return np.sort(order[new[: len(order)]])


def _spot(mesh: Mesh, spot: Spot, numbers: Integers) -> dict[str, object]:
    drawn = numbers[spot.faces]
    corners = mesh.vertices[mesh.faces[spot.faces]].reshape(-1, 3)
    reach = np.linalg.norm(corners - spot.where_mm, axis=1).max(initial=0.0)
    return {
        "problem": spot.problem,
        "where": list(spot.where_mm),
        "faces": _packed(drawn[drawn >= 0], "<u4"),
        "look": outward(mesh, spot).tolist(),
        "reach": float(reach),
        "text": spot.text,
    }


def _unit(vector: Floats) -> Floats:
    """Its direction; of none, up."""
    length = float(np.linalg.norm(vector))
    return np.asarray(vector / length) if length > 0 else np.array([0.0, 0.0, 1.0])


def _packed(numbers: Numbers, kind: str) -> str:
    return base64.b64encode(np.ascontiguousarray(numbers, kind).tobytes()).decode()
