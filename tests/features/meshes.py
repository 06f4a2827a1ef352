"""Meshes for tests, and files of them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import trimesh

from features.mesh import Mesh

TETRA_POINTS = ((0, 0, 0), (10, 0, 0), (0, 10, 0), (0, 0, 10))
TETRA_FACES = ((0, 2, 1), (0, 1, 3), (1, 2, 3), (0, 3, 2))
TETRA_VOLUME = 1000 / 6

TETRA = (
    "<mesh><vertices>"
    + "".join(f'<vertex x="{x}" y="{y}" z="{z}"/>' for x, y, z in TETRA_POINTS)
    + "</vertices><triangles>"
    + "".join(f'<triangle v1="{a}" v2="{b}" v3="{c}"/>' for a, b, c in TETRA_FACES)
    + "</triangles></mesh>"
)


def box(*sides: float, at: tuple[float, float, float] = (0, 0, 0)) -> trimesh.Trimesh:
    """A box with its lowest corner ``at``, sides in mm."""
    made = trimesh.creation.box(sides)
    made.apply_translation(np.array(sides) / 2 + at)
    return made


def ball(radius: float, subdivisions: int = 3) -> trimesh.Trimesh:
    return trimesh.creation.icosphere(subdivisions=subdivisions, radius=radius)


def inverted(body: trimesh.Trimesh) -> trimesh.Trimesh:
    """Inside out: a cavity."""
    return trimesh.Trimesh(body.vertices, body.faces[:, ::-1], process=False)


def together(*bodies: trimesh.Trimesh) -> trimesh.Trimesh:
    return trimesh.util.concatenate(list(bodies))


def mesh_of(body: trimesh.Trimesh) -> Mesh:
    return Mesh(np.asarray(body.vertices, np.float64), np.asarray(body.faces, np.int64))


def volume(mesh: Mesh) -> float:
    return float(trimesh.Trimesh(*mesh, process=False).volume)


def write(path: Path, body: trimesh.Trimesh, kind: str | None = None, **options: object) -> Path:
    """Export a body as trimesh does: to the suffix, or to the kind."""
    body.export(path, file_type=kind or path.suffix[1:], **options)
    return path


def stl_of(path: Path, triangles: np.ndarray) -> Path:
    """Any triangles [n, 3, 3] as binary STL, numbers that are none among them."""
    record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    rows = np.zeros(len(triangles), record)
    rows["corners"] = triangles
    path.write_bytes(b" " * 80 + len(rows).to_bytes(4, "little") + rows.tobytes())
    return path


def model(resources: str, build: str, unit: str = "millimeter") -> str:
    """The XML of a 3MF file's main part."""
    return (
        f'<model unit="{unit}" xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02" '
        'xmlns:p="http://schemas.microsoft.com/3dmanufacturing/production/2015/06">'
        f"<resources>{resources}</resources><build>{build}</build></model>"
    )


def write_3mf(path: Path, main: str | bytes, **others: str) -> Path:
    """An archive with its main part, and others in the folder 3D/Objects by name."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("3D/3dmodel.model", main)
        for name, text in others.items():
            archive.writestr(f"3D/Objects/{name}.model", text)
    return path
