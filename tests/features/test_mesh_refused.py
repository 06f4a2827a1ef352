"""Mesh files that are refused: in words, soon, and without their memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from features.mesh import MeshError, load_mesh
from ingest.errors import UsageError
from tests.features.meshes import ball, stl_of, write

PLY = "ply\nformat {} 1.0\nelement vertex {}\nproperty float x\nproperty float y\nproperty float z\n"
PLY += "element face {}\nproperty list {} int vertex_indices\nend_header\n"
TRIANGLE = "v 0 0 0\nv 9 0 0\nv 0 9 0\n"
SOLID = (
    "solid a\nfacet normal 0 0 1\nouter loop\nvertex 0 0 0\nvertex 9 0 0\nvertex 0 9 {}\nendloop\nendfacet\n"
)

CONTENTS: dict[str, tuple[str, bytes | str, str]] = {
    "nothing": ("a.stl", b"", "found an empty file"),
    "another suffix": (
        "a.step",
        b"ISO-10303-21;",
        r"ends with \.step, expected one of \.stl, \.obj, \.3mf, \.ply",
    ),
    "no suffix": ("part", b"solid", "ends with no suffix"),
    "binary STL without triangles": ("a.stl", bytes(84), "found no triangles"),
    "half a header": ("a.stl", bytes(50), "found no triangles"),
    "text that is no STL": ("a.stl", "once upon a time " * 100, "the file is cut short or is no STL"),
    "any bytes": ("a.stl", np.random.default_rng(0).bytes(5000), "the file is cut short or is no STL"),
    "an ASCII STL cut short": ("a.stl", SOLID.format(0), "found no endsolid"),
    "an ASCII STL without facets": ("a.stl", "solid a\nendsolid a\n", "found no triangles"),
    "an ASCII STL of words": ("a.stl", SOLID.format("nine") + "endsolid", "damaged file .*ValueError"),
    "an ASCII STL with two numbers": ("a.stl", SOLID.format("\n") + "endsolid", "damaged file .*ValueError"),
    "an ASCII STL with two corners": (
        "a.stl",
        SOLID.replace("vertex 9 0 0\n", "") + "endsolid",
        "three vertices",
    ),
    "an ASCII STL with nan": ("a.stl", SOLID.format("nan") + "endsolid", "1 vertices that are no numbers"),
    "an ASCII STL of one word": ("a.stl", "solid " + "x" * (5 << 20), "found text without facets"),
    "an OBJ without faces": ("a.obj", TRIANGLE, "found no triangles"),
    "an OBJ without vertices": ("a.obj", "f 1 2 3\n", "found no triangles"),
    "an OBJ with vertices too few": ("a.obj", TRIANGLE + "f 1 2 4\n", "vertices are not in the file"),
    "an OBJ of words": ("a.obj", TRIANGLE + "v one two three\nf 1 2 3\n", "damaged file"),
    "an OBJ of half numbers": ("a.obj", TRIANGLE + "f 1 2 3.5\n", "damaged file"),
    "an OBJ with flat vertices": ("a.obj", TRIANGLE + "v 1 2\nf 1 2 3\n", "vertex of fewer than three"),
    "an OBJ with an edge for a face": ("a.obj", TRIANGLE + "f 1 2\n", "face of fewer than three"),
    "an OBJ with relative indices": ("a.obj", TRIANGLE + "f -1 -2 -3\n", "negative indices"),
    "an OBJ with one endless polygon": (
        "a.obj",
        TRIANGLE + "f" + " 1 2 3" * 2_000_000,
        "5,999,998 triangles",
    ),
    "any bytes as OBJ": ("a.obj", np.random.default_rng(0).bytes(5000), "found no triangles"),
    "a PLY of other text": ("a.ply", "hello", "found no header from ply"),
    "a PLY without an end of its header": (
        "a.ply",
        "ply\nformat ascii 1.0\n" + "comment\n" * 9999,
        "no header",
    ),
    "a PLY of points": ("a.ply", PLY.format("ascii", 1, 0, "uchar") + "0 0 0\n", "no vertices or no faces"),
    "a PLY with endless vertices": (
        "a.ply",
        PLY.format("binary_little_endian", 10**17, 1, "uchar"),
        "cut short",
    ),
    "a PLY with endless lines": ("a.ply", PLY.format("ascii", 10**17, 1, "uchar"), "cut short"),
    "a PLY with endless faces": ("a.ply", PLY.format("ascii", 3, 10**17, "uchar"), "at most 5,000,000"),
    "a PLY with an endless list": (
        "a.ply",
        PLY.format("binary_little_endian", 3, 1, "uint").encode()
        + bytes(36)
        + b"\xff\xff\xff\x7f"
        + bytes(99),
        "damaged file",
    ),
    "a PLY of words": (
        "a.ply",
        PLY.format("ascii", 3, 1, "uchar") + "a b c\n" * 3 + "3 0 1 2",
        "damaged file",
    ),
    "no archive": ("a.3mf", b"PK\x03\x04 and no more", "found no whole zip archive"),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_a_file_of_another_kind_is_refused_in_words(name: str, tmp_path: Path) -> None:
    file, content, said = CONTENTS[name]
    (tmp_path / file).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(MeshError, match=said) as refused:
        load_mesh(tmp_path / file)
    assert str(refused.value).startswith(f"{tmp_path / file}: ")
    assert isinstance(refused.value, UsageError)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A pipe that nobody writes to would hang whoever opens it."""
    (tmp_path / "folder.stl").mkdir()
    os.mkfifo(tmp_path / "pipe.stl")
    for name in ("none.stl", "folder.stl", "pipe.stl"):
        with pytest.raises(MeshError, match="found no such file"):
            load_mesh(tmp_path / name)


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
@pytest.mark.parametrize("name", ["a.stl", "a.obj", "a.3mf", "a.ply"])
def test_a_file_that_is_cut_short_is_refused(name: str, kept: float, tmp_path: Path) -> None:
    path = write(tmp_path / name, ball(10))
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(MeshError):
        load_mesh(path)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_counted(number: float, tmp_path: Path) -> None:
    triangles = ball(10).triangles.copy()
    triangles[5, 1, 2] = triangles[9, 0, 0] = number
    with pytest.raises(MeshError, match="found 2 vertices that are no numbers"):
        load_mesh(stl_of(tmp_path / "a.stl", triangles))


def test_numbers_beyond_reason_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MeshError, match="scale the mesh"):
        load_mesh(stl_of(tmp_path / "a.stl", ball(10).triangles * 1e37))


def test_files_beyond_reason_are_refused_unread(tmp_path: Path) -> None:
    """In a process that may take no more than half a gigabyte beyond its imports: some are two gigabytes."""
    million = bytes(80) + (10_000_000).to_bytes(4, "little")
    files = {
        "short.stl": (million, 84, "expected 10,000,000 as the header says"),
        "long.stl": (million, 84 + 50 * 10_000_000, "found 10,000,000 triangles, expected at most 5,000,000"),
        "text.stl": (b"solid a".ljust(84), 2 << 30, "found 2,048 MiB of text"),
        "text.obj": (b"v 0 0 0", 2 << 30, "found 2,048 MiB"),
        "text.ply": (b"ply", 2 << 30, "found 2,048 MiB"),
    }
    for name, (begin, length, _) in files.items():
        (tmp_path / name).write_bytes(begin)
        os.truncate(tmp_path / name, length)
    told = _told_within(512 << 20, [tmp_path / name for name in files])
    assert all(said in line for line, (_, _, said) in zip(told, files.values(), strict=True)), told


def _told_within(spare_bytes: int, paths: list[Path]) -> list[str]:
    """What a process with so much memory to spare says of every file."""
    script = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from features.mesh import MeshError, load_mesh\n"
        "held = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        f"resource.setrlimit(resource.RLIMIT_AS, (held + {spare_bytes},) * 2)\n"
        "for path in sys.argv[1:]:\n"
        "    try:\n        load_mesh(Path(path))\n    except MeshError as error:\n        print(error)\n"
    )
    command = [sys.executable, "-c", script, *map(str, paths)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()
