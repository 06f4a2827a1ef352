"""Mesh files, read into millimetres, made whole where that is sure, refused in words where it is not.

No file, whatever it holds, takes more than about 1.5 GB and 20 s, and none leads to another one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from features.mesh_3mf import read_3mf
from features.mesh_edges import used
from features.mesh_obj import read_obj
from features.mesh_ply import read_ply
from features.mesh_records import MAX_TRIANGLES, Mesh, MeshError, Points, Soup, Unit
from features.mesh_repair import repaired
from features.mesh_stl import read_stl
from features.mesh_units import in_mm

__all__ = ["MAX_TRIANGLES", "SUFFIXES", "Loaded", "Mesh", "MeshError", "Unit", "load_mesh"]

READERS: Mapping[str, Callable[[Path], Soup]] = {
    ".stl": read_stl,
    ".obj": read_obj,
    ".3mf": read_3mf,
    ".ply": read_ply,
}
SUFFIXES = tuple(READERS)
"""Mesh files by the ends of their names."""


class Loaded(NamedTuple):
    """A mesh, sentences on what was repaired or assumed, and whether its surface is closed."""

    mesh: Mesh
    notes: tuple[str, ...]
    watertight: bool


def load_mesh(path: Path, *, unit: Unit | None = None, closed: bool = True) -> Loaded:
    """Read an STL, OBJ, 3MF or PLY file.

    ``unit`` is the file's, over what it says itself; without either it is taken to be in mm. A surface that
    stays open after repair is refused, or with ``closed`` off given as it is, with a note. Raises MeshError,
    whose message begins with the path.
    """
    try:
        mesh, notes, left = repaired(_in_mm(path, unit))
    except MeshError as error:
        raise MeshError(f"{path}: {error}") from None
    if len(left) and closed:
        raise MeshError(f"{path}: {_hole(mesh, len(left))}")
    said = (f"The surface stays open: {_hole(mesh, len(left))}.",) if len(left) else ()
    return Loaded(mesh, (*notes, *said), not len(left))


def _in_mm(path: Path, unit: Unit | None) -> Soup:
    soup = _read(path)
    _check_corners(soup)
    points, faces = used(soup.points, soup.faces)
    _check_finite(points)
    return in_mm(soup._replace(points=points, faces=faces), unit)


def _read(path: Path) -> Soup:
    """The file as it is; whatever its reader stumbles over is said in words."""
    suffix = path.suffix.lower()
    if suffix not in READERS:
        raise MeshError(
            f"found a name that ends with {suffix or 'no suffix'}, expected one of {', '.join(SUFFIXES)}: "
            "export the part as one of these"
        )
    if not path.is_file():
        raise MeshError("found no such file, expected a mesh: give the path of one")
    if not path.stat().st_size:
        raise MeshError("found an empty file, expected a mesh: copy or export it anew")
    try:
        return READERS[suffix](path)
    except MeshError:
        raise
    except OSError as error:
        raise MeshError(f"cannot be read ({error.strerror or error}): give a readable file") from None
    except Exception as error:  # trimesh raises whatever its readers of text stumble over
        raise MeshError(
            f"found a damaged file ({type(error).__name__}: {error}), expected {suffix[1:].upper()}: "
            "export it anew"
        ) from None


def _check_corners(soup: Soup) -> None:
    if not len(soup.faces) or not len(soup.points):
        raise MeshError("found no triangles, expected a part: export it anew")
    if soup.faces.min() < 0 or soup.faces.max() >= len(soup.points):
        raise MeshError("found triangles whose vertices are not in the file: copy or export it anew")


def _check_finite(points: Points) -> None:
    finite = np.isfinite(points)
    if not finite.all():
        wrong = len(finite) - int(finite.all(1).sum())
        raise MeshError(f"found {wrong:,} vertices that are no numbers, expected a part: export it anew")


def _hole(mesh: Mesh, edges: int) -> str:
    return (
        f"found {edges:,} open edges in {len(mesh.faces):,} triangles after repair, expected a closed "
        "surface: close the mesh where it has holes or lone sheets (a slicer's or CAD program's repair "
        "does it) and export it anew"
    )
