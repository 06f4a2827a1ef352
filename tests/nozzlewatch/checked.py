"""Parts to be checked, made by hand, and what was said of them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

from detector.printability.advice import headline_for, reasons_for
from detector.printability.check import Verdict
from detector.printability.physical.finding import Finding, Point, Problem
from detector.printability.physical.orientation import Orientation
from detector.printability.physical.process import Process
from features.mesh import Mesh

UPSIDE_DOWN = np.diag([1.0, -1.0, -1.0])
_CORNERS = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float64)
_SIDES = ((0, 2, 6, 4), (1, 5, 7, 3), (0, 4, 5, 1), (2, 3, 7, 6), (0, 1, 3, 2), (4, 6, 7, 5))
BELOW, ABOVE = (0, 1), (2, 3)
"""The faces of a box's lower and of its upper side."""


def box(size: Point, at: Point = (0.0, 0.0, 0.0)) -> Mesh:
    """A closed box of twelve triangles, its lowest corner ``at``, mm."""
    faces = [[a, b, c] for a, b, c, _ in _SIDES] + [[a, c, d] for a, _, c, d in _SIDES]
    order = [0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11]
    return Mesh(_CORNERS * size + at, np.array(faces, np.int64)[order])


def together(*parts: Mesh) -> Mesh:
    """Several bodies as one mesh."""
    starts = np.cumsum([0, *(len(part.vertices) for part in parts)])
    faces = [part.faces + start for part, start in zip(parts, starts, strict=False)]
    return Mesh(np.concatenate([part.vertices for part in parts]), np.concatenate(faces))


def write_stl(path: Path, mesh: Mesh) -> Path:
    """A binary STL of it."""
    record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    rows = np.zeros(len(mesh.faces), record)
    rows["corners"] = mesh.vertices[mesh.faces]
    path.write_bytes(bytes(80) + np.uint32(len(rows)).tobytes() + rows.tobytes())
    return path


def table() -> Mesh:
    """A leg of 10 x 10 x 20 mm and a plate of 40 x 40 x 5 mm above it, which touch."""
    return together(box((10, 10, 20), (15, 15, 0)), box((40, 40, 5), (0, 0, 20)))


def overhang(mesh: Mesh) -> Finding:
    """The lower side of the table's plate."""
    faces = np.array(BELOW, np.int64) + 12
    return Finding(
        Problem.OVERHANG, "needs support", (5.0, 5.0, 20.0), 15.0, 90.0, 1500.0, faces, "it reaches out 15 mm"
    )


def thin_wall(faces: tuple[int, ...] = (8, 9), text: str = "a wall of 0.31 mm, expected 0.8 mm") -> Finding:
    """Faces of the table's leg."""
    return Finding(
        Problem.THIN_WALL, "fails", (15.0, 20.0, 10.0), 0.31, None, 40.0, np.array(faces, np.int64), text
    )


def verdict(mesh: Mesh, *findings: Finding, **changed: object) -> Verdict:
    """What is said of a part with these findings, without a network."""
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    length, width, height = (high - low).tolist()
    fails = any(one.severity == "fails" for one in findings)
    told = Verdict(
        file="folder/part.stl",
        size_mm=(length, width, height),
        triangles=len(mesh.faces),
        watertight=True,
        process=Process(),
        printable=not fails,
        needs_support=any(one.severity == "needs support" for one in findings),
        headline=headline_for(findings, None),
        probability=None,
        threshold=None,
        network_where_mm=None,
        findings=findings,
        orientations=(
            Orientation(
                UPSIDE_DOWN,
                0.0,
                1600.0,
                height,
                "turn it upside down, onto the face that points to +z: no support",
            ),
            Orientation(np.eye(3), 1500.0, 100.0, height, "as it is: 1500 mm² need support"),
        ),
        reasons=reasons_for(findings, None, closed=True),
        advice=("turn it upside down: no support",),
        notes=("taken to be in mm",),
        seconds={"read": 0.1, "geometry": 0.5},
    )
    return msgspec.structs.replace(told, **changed)


def triangles(count: int) -> Mesh:
    """A closed, bumpy ball of 40 mm with at least so many triangles."""
    rings = int(np.ceil(np.sqrt(count / 2))) + 2
    up, round_ = np.meshgrid(
        np.linspace(0, np.pi, rings)[1:-1], np.linspace(0, 2 * np.pi, rings, endpoint=False), indexing="ij"
    )
    far = 20 + np.sin(9 * up) * np.cos(7 * round_)
    shell = np.stack(
        [far * np.sin(up) * np.cos(round_), far * np.sin(up) * np.sin(round_), far * np.cos(up)], -1
    )
    vertices = np.concatenate([shell.reshape(-1, 3), [[0, 0, 20], [0, 0, -20]]])
    return Mesh(vertices, _shell_faces(rings - 2, rings))


def _shell_faces(rows: int, columns: int) -> npt.NDArray[np.int64]:
    at = np.arange(rows * columns).reshape(rows, columns)
    right = np.roll(at, -1, 1)
    a, b, c, d = at[:-1].ravel(), at[1:].ravel(), right[1:].ravel(), right[:-1].ravel()
    top, bottom = rows * columns, rows * columns + 1
    caps = [
        np.stack([np.full(columns, top), at[0], right[0]], 1),
        np.stack([np.full(columns, bottom), right[-1], at[-1]], 1),
    ]
    return np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1), *caps]).astype(np.int64)
