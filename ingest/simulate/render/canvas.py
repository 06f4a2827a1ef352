"""A picture and its depth buffer, drawn by triangles."""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ingest.simulate.render.camera import FAR_MM, NEAR_MM, Area, Camera

Floats: TypeAlias = npt.NDArray[np.float32]
Faces: TypeAlias = npt.NDArray[np.int32]


def _settings(culling: int) -> cv2.TriangleRasterizeSettings:
    """Colours run from corner to corner; the depth buffer is OpenGL's, which spares a pass over it."""
    settings = cv2.TriangleRasterizeSettings()
    settings.setShadingType(cv2.RASTERIZE_SHADING_SHADED)
    settings.setGlCompatibleMode(cv2.RASTERIZE_COMPAT_INVDEPTH)
    return settings.setCullingMode(culling)


ONE_SIDED = _settings(cv2.RASTERIZE_CULLING_CW)
TURNED = _settings(cv2.RASTERIZE_CULLING_CCW)  # upside down, what looked away looks here
BOTH_SIDED = _settings(cv2.RASTERIZE_CULLING_NONE)


class Soup(NamedTuple):
    """Triangles as they are drawn: ``vertices`` and their ``colours`` [n, 3], ``faces`` [m, 3].

    ``bounds`` [2, 3]: least and most of the vertices' coordinates, where somebody knows them.
    """

    vertices: Floats
    faces: Faces
    colours: Floats
    bounds: Floats | None = None


class Scratch:
    """Arrays that are used again and again: making large ones anew takes longer than filling them."""

    def __init__(self) -> None:
        self._known: dict[str, npt.NDArray[np.uint8]] = {}

    def floats(self, use: str, *shape: int) -> Floats:
        """An array of a shape for a use; what it holds is left from the last time."""
        return self._bytes(use, 4 * math.prod(shape)).view(np.float32).reshape(shape)

    def bytes(self, use: str, *shape: int) -> npt.NDArray[np.uint8]:
        """The same of bytes."""
        return self._bytes(use, math.prod(shape)).reshape(shape)

    def _bytes(self, use: str, size: int) -> npt.NDArray[np.uint8]:
        if use not in self._known or len(self._known[use]) < size:
            self._known[use] = np.empty(size, np.uint8)
        return self._known[use][:size]


class Canvas:
    """``colour`` float32 [h, w, 3] linear light and ``depth`` float32 [h, w], 0 near .. 1 far or empty.

    ``scratch``: arrays for whoever works on the canvas, each for as long as it works.
    """

    def __init__(self, camera: Camera) -> None:
        self.camera, self.scratch = camera, Scratch()
        width, height = camera.canvas
        self.colour: Floats = np.zeros((height, width, 3), np.float32)
        self.depth: Floats = np.ones((height, width), np.float32)
        self._companion: Canvas | None = None

    def companion(self) -> Canvas:
        """Another canvas for the same camera, kept for whoever needs one for a while."""
        if self._companion is None:
            self._companion = Canvas(self.camera)
        return self._companion

    def become(self, other: Canvas, area: Area | None = None) -> None:
        """Take another canvas's content, all or that of an area."""
        here = area or (slice(None), slice(None))
        np.copyto(self.colour[here], other.colour[here])
        np.copyto(self.depth[here], other.depth[here])

    def draw(self, soup: Soup, place: Floats, both_sides: bool = False) -> None:
        """Draw triangles whose coordinates ``place`` [4, 4] takes to the world."""
        if not len(soup.faces):
            return
        soup, matrix = _before_the_lens(soup, self.camera.world_to_camera @ place)
        cv2.triangleRasterize(
            soup.vertices,
            soup.faces,
            soup.colours,
            self.colour,
            self.depth,
            matrix,
            self.camera.fov_y,
            NEAR_MM,
            FAR_MM,
            BOTH_SIDED if both_sides else (TURNED if place[2, 2] < 0 else ONE_SIDED),
        )


def moved(x_mm: float, y_mm: float, z_mm: float) -> Floats:
    """[4, 4]: a shift."""
    matrix: Floats = np.eye(4, dtype=np.float32)
    matrix[:3, 3] = x_mm, y_mm, z_mm
    return matrix


def _reaches_the_lens(soup: Soup, row: Floats) -> bool:
    """Whether anything lies before the near plane; ``row`` is the third of the matrix to the camera."""
    if soup.bounds is not None:
        furthest = np.where(row[:3] > 0, soup.bounds[1], soup.bounds[0])
        if -float(furthest @ row[:3] + row[3]) > NEAR_MM:
            return False
    return -float((soup.vertices @ row[:3]).max() + row[3]) <= NEAR_MM


def _before_the_lens(soup: Soup, matrix: Floats) -> tuple[Soup, Floats]:
    """Cut off what reaches behind the lens: the rasterizer cannot."""
    if not _reaches_the_lens(soup, matrix[2]):
        return soup, matrix
    near = (-(soup.vertices @ matrix[2, :3] + matrix[2, 3]) <= NEAR_MM)[soup.faces]
    whole = soup.faces[~near.any(axis=1)]
    cut = soup.faces[near.any(axis=1) & ~near.all(axis=1)]
    if not len(cut):
        return soup._replace(faces=np.ascontiguousarray(whole)), matrix
    seen = (soup.vertices @ matrix[:3, :3].T + matrix[:3, 3]).astype(np.float32)
    pieces = _clipped(np.concatenate([seen, soup.colours], axis=1)[cut]).reshape(-1, 6)
    faces = np.arange(len(seen), len(seen) + len(pieces), dtype=np.int32).reshape(-1, 3)
    vertices, colours = np.concatenate([seen, pieces[:, :3]]), np.concatenate([soup.colours, pieces[:, 3:]])
    return Soup(vertices, np.concatenate([whole, faces]), colours), np.eye(4, dtype=np.float32)


def _clipped(triangles: Floats) -> Floats:
    """What of triangles [n, 3, 6] (places before the camera, colours) is not too near: [m, 3, 6]."""
    ahead = -triangles[..., 2] - NEAR_MM * 1.001
    seen = ahead > 0
    alone = np.where(seen.sum(axis=1) == 1, seen.argmax(axis=1), seen.argmin(axis=1))
    order = (alone[:, None] + np.arange(3)) % 3
    triangles = np.take_along_axis(triangles, order[..., None], axis=1)
    ahead = np.take_along_axis(ahead, order, axis=1)
    share = ahead[:, :1] / (ahead[:, :1] - ahead[:, 1:])
    borders = triangles[:, :1] + share[..., None] * (triangles[:, 1:] - triangles[:, :1])
    one, two = seen.sum(axis=1) == 1, seen.sum(axis=1) == 2  # noqa: PLR2004
    tips = np.concatenate([triangles[one, :1], borders[one]], axis=1)
    left = np.stack([borders[two, 0], triangles[two, 1], triangles[two, 2]], axis=1)
    right = np.stack([borders[two, 0], triangles[two, 2], borders[two, 1]], axis=1)
    return np.concatenate([tips, left, right]).astype(np.float32)
