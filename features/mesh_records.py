"""A triangle mesh in millimetres, what a mesh file holds before that, and the one error it can raise."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from ingest.errors import UsageError

Vertices = npt.NDArray[np.float64]
Faces = npt.NDArray[np.int64]
Points = npt.NDArray[np.floating[Any]]
"""float32 where a file has no more: half the memory for millions of them."""

MAX_TRIANGLES = 5_000_000
"""Triangles that are read at most: 250 MB as binary STL. What they take stays below 1.5 GB and 20 s."""

Unit = Literal["mm", "cm", "m", "inch", "foot", "micron"]
"""Units that 3MF knows; no other format says which one it is written in."""


class MeshError(UsageError):
    """A mesh file that cannot be used: what was found, what was expected and what to do."""


class Mesh(NamedTuple):
    """A surface of triangles.

    ``vertices`` is float64 [n, 3] in mm; ``faces`` is int64 [m, 3], indices of vertices, counter-clockwise
    seen from outside.
    """

    vertices: Vertices
    faces: Faces


class Soup(NamedTuple):
    """Triangles as a file holds them: ``points`` [n, 3] in the file's unit, ``faces`` int64 [m, 3].

    ``unit`` is None where the format does not say it; ``notes`` are sentences on what was assumed.
    """

    points: Points
    faces: Faces
    unit: Unit | None = None
    notes: tuple[str, ...] = ()


def check_count(triangles: int, most: int = MAX_TRIANGLES) -> None:
    """Raise MeshError for more triangles than are read."""
    if triangles > most:
        raise MeshError(
            f"found {triangles:,} triangles, expected at most {most:,}: simplify the mesh"
            + ("" if most == MAX_TRIANGLES else " or save it as binary STL")
        )
