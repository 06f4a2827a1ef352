"""A picture and its depth buffer, drawn by triangles."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ingest.simulate.render.camera import FAR_MM, NEAR_MM, Camera

Floats: TypeAlias = npt.NDArray[np.float32]
Faces: TypeAlias = npt.NDArray[np.int32]


def _settings(culling: int) -> cv2.TriangleRasterizeSettings:
    """Colours run from corner to corner; the depth buffer is OpenGL's, which spares a pass over it."""
    settings = cv2.TriangleRasterizeSettings()
    settings.setShadingType(cv2.RASTERIZE_SHADING_SHADED)
    settings.setGlCompatibleMode(cv2.RASTERIZE_COMPAT_INVDEPTH)
    return settings.setCullingMode(culling)


ONE_SIDED = _settings(cv2.RASTERIZE_CULLING_CW)
BOTH_SIDED = _settings(cv2.RASTERIZE_CULLING_NONE)


class Soup(NamedTuple):
    """Triangles as they are drawn: ``vertices`` and their ``colours`` [n, 3], ``faces`` [m, 3]."""

    vertices: Floats
    faces: Faces
    colours: Floats


class Canvas:
    """``colour`` float32 [h, w, 3] linear light and ``depth`` float32 [h, w], 0 near .. 1 far or empty."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        width, height = camera.canvas
        self.colour: Floats = np.zeros((height, width, 3), np.float32)
        self.depth: Floats = np.ones((height, width), np.float32)
        self._companion: Canvas | None = None

    def companion(self) -> Canvas:
        """Another canvas for the same camera, kept for whoever needs one for a while."""
        if self._companion is None:
            self._companion = Canvas(self.camera)
        return self._companion

    def become(self, other: Canvas) -> None:
        """Take another canvas's content."""
        np.copyto(self.colour, other.colour)
        np.copyto(self.depth, other.depth)

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
            BOTH_SIDED if both_sides else ONE_SIDED,
        )


def moved(x_mm: float, y_mm: float, z_mm: float) -> Floats:
    """[4, 4]: a shift."""
    matrix: Floats = np.eye(4, dtype=np.float32)
    matrix[:3, 3] = x_mm, y_mm, z_mm
    return matrix


def _before_the_lens(soup: Soup, matrix: Floats) -> tuple[Soup, Floats]:
    """Cut off what reaches behind the lens: the rasterizer cannot."""
    ahead = -(soup.vertices @ matrix[2, :3] + matrix[2, 3])
    if ahead.min() > NEAR_MM:
        return soup, matrix
    near = ahead[soup.faces] <= NEAR_MM
    whole = soup.faces[~near.any(axis=1)]
    cut = soup.faces[near.any(axis=1) & ~near.all(axis=1)]
    seen = (soup.vertices @ matrix[:3, :3].T + matrix[:3, 3]).astype(np.float32)
    vertices, colours, faces = [seen], [soup.colours], [whole]
    count = len(seen)
    for face in cut:
        places, shades = _clipped(seen[face], soup.colours[face])
        if len(places) < 3:  # noqa: PLR2004
            continue
        vertices.append(places)
        colours.append(shades)
        faces.append(
            np.array([[count, count + i, count + i + 1] for i in range(1, len(places) - 1)], np.int32)
        )
        count += len(places)
    clipped = Soup(np.concatenate(vertices), np.concatenate(faces), np.concatenate(colours))
    return clipped, np.eye(4, dtype=np.float32)


def _clipped(corners: Floats, colours: Floats) -> tuple[Floats, Floats]:
    """The part of one triangle before the near plane: three or four corners in order, and their colours."""
    both = np.hstack([corners, colours])
    ahead = -corners[:, 2] - NEAR_MM * 1.001
    kept: list[Floats] = []
    for i, j in ((0, 1), (1, 2), (2, 0)):
        if ahead[i] > 0:
            kept.append(both[i])
        if (ahead[i] > 0) != (ahead[j] > 0):
            share = ahead[i] / (ahead[i] - ahead[j])
            kept.append(both[i] + share * (both[j] - both[i]))
    polygon = np.array(kept, np.float32).reshape(-1, 6)
    return np.ascontiguousarray(polygon[:, :3]), np.ascontiguousarray(polygon[:, 3:])
