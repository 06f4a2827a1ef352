"""3MF files: a zip archive of XML parts, whose objects the build places (3MF Core Specification 1.3).

A reader of our own: trimesh holds the whole XML tree and every other part of the archive in memory, and gives
each object of a part in another file all of that file's meshes, as slicers write them. This one holds numbers
alone, refuses document types (the specification forbids them, and entities can grow without bound), and
counts before it unfolds: objects within objects can multiply without bound as well.
"""

from __future__ import annotations

import posixpath
import zipfile
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple
from xml.parsers import expat

import numpy as np

from features.mesh_records import Faces, MeshError, Soup, Unit, Vertices, check_count

MAX_ARCHIVE_BYTES, MAX_PART_BYTES = 400 << 20, 512 << 20
MAX_ENTRIES = 10_000
MAX_RATIO, SMALL_BYTES = 200, 1 << 20
"""Times that a part may be larger than in its archive, beyond a size that harms nobody; meshes reach 20."""

MAX_ELEMENTS = 6_000_000
MAX_XML_TRIANGLES = 3_000_000
MAX_PLACED = 10_000
MAX_DEPTH = 32
BLOCK_BYTES = 1 << 18

MAIN_PART = "3d/3dmodel.model"
NOT_PRINTED = ("support", "other")
"""Types of objects that are no part of the model."""

UNITS: Mapping[str, Unit] = {
    "micron": "micron",
    "millimeter": "mm",
    "centimeter": "cm",
    "inch": "inch",
    "foot": "foot",
    "meter": "m",
}

Matrix = Vertices
Attributes = dict[str, str]


class _Use(NamedTuple):
    """An object that is placed somewhere: in this part, or in the one that ``part`` names; matrix [4, 3]."""

    part: str | None
    name: str
    matrix: Matrix


class _Object:
    """A mesh, or other objects; or both, of which the specification knows nothing."""

    def __init__(self, printed: bool) -> None:
        self.printed = printed
        self.points = array("d")
        self.corners = array("q")
        self.uses: list[_Use] = []

    def mesh(self) -> tuple[Vertices, Faces]:
        return np.array(self.points).reshape(-1, 3), np.array(self.corners, np.int64).reshape(-1, 3)


class _Part:
    """One XML part while it is read, and what it held: objects by name, what is built, the unit."""

    def __init__(self) -> None:
        self.unit = "millimeter"
        self.objects: dict[str, _Object] = {}
        self.items: list[_Use] = []
        self._object = _Object(False)
        self._left = MAX_ELEMENTS

    def read(self, file: IO[bytes]) -> None:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._begin
        parser.StartDoctypeDeclHandler = _refuse_doctype
        while block := file.read(BLOCK_BYTES):
            parser.Parse(block, False)
        parser.Parse(b"", True)

    def _begin(self, name: str, said: Attributes) -> None:
        """Hot: called for every vertex and triangle."""
        self._left -= 1
        name = name.rpartition(":")[2]
        if name == "triangle":
            self._object.corners.extend((int(said["v1"]), int(said["v2"]), int(said["v3"])))
        elif name == "vertex":
            self._object.points.extend((float(said["x"]), float(said["y"]), float(said["z"])))
        else:
            self._outline(name, said)
        if self._left < 0:
            raise MeshError(f"found more than {MAX_ELEMENTS:,} elements of XML: save it as binary STL")

    def _outline(self, name: str, said: Attributes) -> None:
        if name == "model":
            self.unit = said.get("unit", self.unit)
        elif name == "object":
            self._object = self.objects[said["id"]] = _Object(said.get("type") not in NOT_PRINTED)
        elif name == "component":
            self._object.uses.append(_use(said))
        elif name == "item":
            self.items.append(_use(said))


def read_3mf(path: Path) -> Soup:
    """Read everything that a 3MF file builds, as one surface. Raises MeshError."""
    try:
        with zipfile.ZipFile(path) as archive:
            _check_archive(archive)
            return _Reader(archive).soup()
    except zipfile.BadZipFile as error:
        raise MeshError(
            f"found no whole zip archive ({error}), expected a 3MF file: export it anew"
        ) from None
    except expat.ExpatError as error:
        raise MeshError(f"found damaged XML ({error}), expected a 3MF file: export it anew") from None


class _Reader:
    """Parts of an archive, each read once, and what is unfolded of them so far."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._names = {name.lower().lstrip("/"): name for name in archive.namelist()}
        self._parts: dict[str, _Part] = {}
        self._placed, self._triangles = 0, 0

    def soup(self) -> Soup:
        main = self._part(self._main())
        if main.unit not in UNITS:
            raise MeshError(
                f"found the unit {main.unit!r}, expected one of {', '.join(UNITS)}: export it anew"
            )
        placed = [mesh for item in main.items for mesh in self._unfolded(item, main, 0)]
        if not placed:
            raise MeshError("found nothing that is built, expected a part: export the file anew")
        starts = np.cumsum([0, *(len(points) for points, _ in placed)])
        faces = [mesh[1] + start for mesh, start in zip(placed, starts, strict=False)]
        notes = (f"The file places {len(placed)} bodies, read as one part.",) if len(placed) > 1 else ()
        points = np.concatenate([points for points, _ in placed])
        return Soup(points, np.concatenate(faces), UNITS[main.unit], notes)

    def _main(self) -> str:
        models = [name for name in self._names if name.endswith(".model")]
        if MAIN_PART in models:
            return MAIN_PART
        if len(models) != 1:
            raise MeshError(f"found {len(models)} models, expected {MAIN_PART}: export the file anew")
        return models[0]

    def _part(self, name: str) -> _Part:
        if name not in self._parts:
            if name not in self._names:
                raise MeshError(f"found no {name} in the archive, to which it refers: export the file anew")
            part = self._parts[name] = _Part()
            with self._archive.open(self._names[name]) as file:
                part.read(file)
            check_count(self._read_triangles(), MAX_XML_TRIANGLES)
        return self._parts[name]

    def _read_triangles(self) -> int:
        return sum(len(one.corners) // 3 for part in self._parts.values() for one in part.objects.values())

    def _unfolded(self, use: _Use, part: _Part, depth: int) -> Iterator[tuple[Vertices, Faces]]:
        """The meshes of an object and of the objects within it, each where it is placed."""
        self._placed += 1
        if depth > MAX_DEPTH or self._placed > MAX_PLACED:
            raise MeshError(
                f"found objects within objects more than {MAX_DEPTH} deep, or more than {MAX_PLACED:,} of "
                "them: save it as binary STL"
            )
        part = self._part(use.part) if use.part else part
        if use.name not in part.objects:
            raise MeshError(f"found no object {use.name!r}, to which the file refers: export the file anew")
        found = part.objects[use.name]
        if found.printed and found.corners:
            self._triangles += len(found.corners) // 3
            check_count(self._triangles, MAX_XML_TRIANGLES)
            yield _moved(*found.mesh(), use.matrix)
        for inner in found.uses:
            yield from self._unfolded(
                inner._replace(matrix=_after(inner.matrix, use.matrix)), part, depth + 1
            )


def _check_archive(archive: zipfile.ZipFile) -> None:
    """Before anything is unpacked: a zip's directory says how large it becomes, and no reader goes beyond."""
    entries = archive.infolist()
    models = [entry for entry in entries if entry.filename.lower().endswith(".model")]
    size = sum(entry.file_size for entry in models)
    if len(entries) > MAX_ENTRIES or size > MAX_PART_BYTES:
        raise MeshError(
            f"found {len(entries):,} parts, of which models take {size >> 20:,} MiB, expected at most "
            f"{MAX_ENTRIES:,} and {MAX_PART_BYTES >> 20} MiB: save it as binary STL"
        )
    for entry in models:
        if entry.file_size > max(SMALL_BYTES, MAX_RATIO * entry.compress_size):
            raise MeshError(
                f"found {entry.filename}, which unpacks to {entry.file_size / entry.compress_size:.0f} times "
                f"its size, expected at most {MAX_RATIO} times: it is no mesh, do not trust the file"
            )
        if entry.flag_bits & 1:
            raise MeshError(f"found {entry.filename} encrypted, expected it open: export the file anew")


def _refuse_doctype(*_: object) -> None:
    raise MeshError("found a document type in the XML, which 3MF forbids: do not trust the file")


def _use(said: Attributes) -> _Use:
    """A component or an item; another part is named by the production extension's ``path``."""
    part = next((value for key, value in said.items() if key.rpartition(":")[2] == "path"), None)
    matrix = np.eye(4, 3)
    if "transform" in said:
        matrix = np.array(said["transform"].split(), np.float64).reshape(4, 3)
    return _Use(part and posixpath.normpath(part).lower().lstrip("/"), said["objectid"], matrix)


def _after(inner: Matrix, outer: Matrix) -> Matrix:
    """Both moves in one: first ``inner``, then ``outer``."""
    both = inner @ outer[:3]
    both[3] += outer[3]
    return both


def _moved(points: Vertices, faces: Faces, matrix: Matrix) -> tuple[Vertices, Faces]:
    """A mesh where it is placed; one that is mirrored is turned right side out."""
    mirrored = np.linalg.det(matrix[:3]) < 0
    return points @ matrix[:3] + matrix[3], faces[:, ::-1] if mirrored else faces
