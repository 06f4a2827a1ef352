"""A still picture of a part, for paper and for browsers without WebGL.

Pure. Every face is covered with points, so many that no pixel of it stays empty; they are painted from the
farthest to the nearest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from features.mesh import Mesh
from features.picture import Picture
from features.stills import shrunk
from nozzlewatch.printability.view import PART_COLOR, Floats, Integers, Spot, areas_and_normals

Colors: TypeAlias = npt.NDArray[np.float64]
Places: TypeAlias = npt.NDArray[np.float32]

FROM_ABOVE, FROM_BELOW = (0.45, -0.75, 0.5), (0.45, -0.75, -0.5)
"""Directions from the part to the eye."""
WIDTH_PX, HEIGHT_PX = 480, 360
FINER = 2
"""Pixels that are drawn for each one along each side: averaged, edges are smooth."""
FILLED = 0.92
"""Share of the picture that the part takes."""
PER_PIXEL = 2.0
"""Points for each pixel that a face covers: evenly spread they leave hardly one empty."""
MAX_POINTS = 2_000_000
"""Most points: 100 MB for a moment. Beyond it there are fewer for each pixel."""
_SPREAD = (0.7548776662466927, 0.5698402909980532)
"""Steps of an even spread over a square (Roberts, R2 sequence)."""


def still(
    mesh: Mesh,
    spots: Sequence[Spot],
    colors: Sequence[str],
    towards: Sequence[float] = FROM_ABOVE,
    *,
    closed: bool = False,
) -> Picture:
    """The part from ``towards`` the eye, its spots coloured: BGR uint8 [HEIGHT_PX, WIDTH_PX, 3], on white.

    Of a ``closed`` surface the faces that look away need not be drawn.
    """
    across, over, eye = _axes(np.asarray(towards, np.float64))
    width, height = FINER * WIDTH_PX, FINER * HEIGHT_PX
    flat = mesh.vertices @ np.stack([across, over, eye], 1)
    used = flat[np.unique(mesh.faces)]
    low, high = used.min(0), used.max(0)
    scale = FILLED * float(min(np.array([width, height]) / np.maximum(high - low, 1e-9)[:2]))
    flat = (flat - (low + high) / 2) * scale * (1, -1, 1) + (width / 2, height / 2, 0)
    triangles = flat[mesh.faces]
    faces, places = _points(triangles, np.flatnonzero(_turns_here(triangles) | ~closed))
    painted = _painted(mesh, spots, colors, eye)
    picture = np.full((height * width, 3), 255, np.uint8)
    pixels = places[:, 1].astype(np.int32) * width + places[:, 0].astype(np.int32)
    nearest_last = np.argsort(_in_steps(places[:, 2]), kind="stable")
    picture[pixels[nearest_last]] = painted[faces[nearest_last]]
    return shrunk(picture.reshape(height, width, 3), max(WIDTH_PX, HEIGHT_PX))


def _axes(towards: Floats) -> tuple[Floats, Floats, Floats]:
    eye = towards / np.linalg.norm(towards)
    across = np.cross((0.0, 0.0, 1.0), eye)
    across /= np.linalg.norm(across)
    return across, np.cross(eye, across), eye


def _turns_here(triangles: Floats) -> npt.NDArray[np.bool_]:
    """Which faces show their outside; y grows downwards."""
    return _doubled(triangles) < 0


def _points(triangles: Floats, shown: Integers) -> tuple[Integers, Places]:
    """Points on those of the triangles [m, 3, 3] (pixels) that are shown: whose each is, [n], and where."""
    areas = np.abs(_doubled(triangles[shown])) / 2
    per_pixel = min(PER_PIXEL, max(MAX_POINTS - len(areas), 1) / max(float(areas.sum()), 1.0))
    counts = np.ceil(areas * per_pixel).astype(np.int64)
    faces = np.repeat(shown, counts)
    number = np.arange(len(faces), dtype=np.float64)
    u, v = ((number * step % 1).astype(np.float32) for step in _SPREAD)
    beyond = u + v > 1
    u, v = np.where(beyond, 1 - u, u)[:, None], np.where(beyond, 1 - v, v)[:, None]
    a, b, c = (triangles[:, corner].astype(np.float32) for corner in range(3))
    return faces, a[faces] + u * (b - a)[faces] + v * (c - a)[faces]


def _doubled(triangles: Floats) -> Floats:
    """Twice the area of each triangle [m, 3, 3] as it is seen, with a sign."""
    a, b, c = (triangles[:, corner] for corner in range(3))
    return np.asarray((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0])


def _in_steps(depths: Places) -> npt.NDArray[np.uint16]:
    """Depths [n] by 65 536 steps: numpy sorts these in a tenth of the time."""
    low, high = float(depths.min(initial=0)), float(depths.max(initial=1))
    return ((depths - low) * (65_535 / max(high - low, 1e-9))).astype(np.uint16)


def _painted(mesh: Mesh, spots: Sequence[Spot], colors: Sequence[str], eye: Floats) -> npt.NDArray[np.uint8]:
    """The colour of each face under the light, BGR uint8 [m, 3]. Of several problems the first shows."""
    bare = np.tile(_bgr(PART_COLOR), (len(mesh.faces), 1))
    for spot in sorted(spots, key=lambda one: -one.problem):
        bare[spot.faces] = _bgr(colors[spot.problem])
    normals = areas_and_normals(mesh)[1]
    normals = np.where((normals @ eye < 0)[:, None], -normals, normals)
    light = 0.45 + 0.35 * np.abs(normals @ eye) + 0.25 * np.clip(normals @ (0.2, -0.3, 0.93), 0, 1)
    return np.clip(bare * light[:, None], 0, 255).astype(np.uint8)


def _bgr(color: str) -> Colors:
    return np.array([int(color[at : at + 2], 16) for at in (5, 3, 1)], np.float64)
