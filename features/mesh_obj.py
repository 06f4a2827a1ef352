"""Wavefront OBJ files: vertices and faces alone, in bounded memory; no file that they refer to is read.

A reader of our own: trimesh takes nine times the text in memory, minutes for polygons of many corners, and a
time that grows with materials times vertices.
"""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np

from features.mesh_edges import Integers
from features.mesh_records import Faces, MeshError, Soup, check_count
from features.mesh_text import plain, read_text

MAX_LINES = 6_000_000
"""Lines of text: two million triangles, their vertices, normals and textures."""

VERTEX = re.compile(rb"^ *v +([^ \n]+ +[^ \n]+ +[^ \n]+)", re.MULTILINE)
ANY_VERTEX = re.compile(rb"^ *v ", re.MULTILINE)
FACE = re.compile(rb"^ *f +(.*)", re.MULTILINE)
BESIDE = re.compile(rb"/[^ \n]*| +(?= |$)", re.MULTILINE)
"""An index's texture and normal, and spaces too many."""

CORNERS = 3


def read_obj(path: Path) -> Soup:
    """Read the vertices and faces of an OBJ file; polygons become fans of triangles. Raises MeshError."""
    text = plain(read_text(path)).replace(b"\\\n", b"")
    if (lines := text.count(b"\n")) > MAX_LINES:
        raise MeshError(f"found {lines:,} lines, expected at most {MAX_LINES:,}: save it as binary STL")
    vertices = VERTEX.findall(text)
    if len(vertices) != len(ANY_VERTEX.findall(text)):
        raise MeshError("found a vertex of fewer than three numbers: export the file anew")
    with warnings.catch_warnings():
        # numpy warns where it stops in the middle of a text, and goes on without the rest.
        warnings.simplefilter("error", DeprecationWarning)
        points = np.fromstring(b" ".join(vertices), np.float64, sep=" ").reshape(-1, CORNERS)
        return Soup(points, _faces(b"\n".join(FACE.findall(text))))


def _faces(text: bytes) -> Faces:
    """Faces [m, 3] of lines of corners."""
    if not text:
        return np.empty((0, CORNERS), np.int64)
    text = BESIDE.sub(b"", text)
    corners = np.array([line.count(b" ") + 1 for line in text.split(b"\n")])
    check_count(int((corners - 2).sum()))
    indices = np.fromstring(text, np.int64, sep=" ")
    if corners.min() < CORNERS or len(indices) != corners.sum():
        raise MeshError("found a face of fewer than three corners: export the file anew")
    if indices.min() < 1:
        raise MeshError("found faces with negative indices, expected positive ones: save it as binary STL")
    return _fans(indices - 1, corners)


def _fans(indices: Integers, corners: Integers) -> Faces:
    """Polygons of so many corners each, in one row of indices, as triangles from their first corners."""
    triangles = corners - 2
    first = np.repeat(np.cumsum(corners) - corners, triangles)
    step = np.arange(triangles.sum()) - np.repeat(np.cumsum(triangles) - triangles, triangles)
    return np.stack([indices[first], indices[first + step + 1], indices[first + step + 2]], axis=1)
