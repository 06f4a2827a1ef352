"""PLY files, ASCII and binary, read by trimesh once their header has been checked against what they hold.

trimesh takes fourteen times an ASCII file in memory: so that is limited. No texture is read.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from trimesh.exchange.ply import load_ply
from trimesh.geometry import triangulate_quads

from features.mesh_records import MeshError, Soup, check_count
from features.mesh_text import plain, read_text

MAX_LINES, MAX_WORDS, MAX_ASCII_BYTES = 1_500_000, 10_000_000, 96 << 20
"""Of an ASCII file: a million triangles and their vertices, in less than 15 s and 1 GB."""

MAX_BINARY_BYTES = 400 << 20
MAX_HEADER_BYTES = 1 << 14
MAX_OTHERS = 10_000
"""Elements that are neither vertices nor faces."""

ELEMENT = re.compile(rb"^element +([^ \n]+) +(\d{1,18}) *$", re.MULTILINE)


def read_ply(path: Path) -> Soup:
    """Read the vertices and faces of a PLY file. Raises MeshError."""
    data = read_text(path, MAX_BINARY_BYTES)
    header, end, _ = data[:MAX_HEADER_BYTES].partition(b"end_header")
    if not header.startswith(b"ply") or not end:
        raise MeshError("found no header from ply to end_header, expected a PLY file: export it anew")
    header = plain(header)
    counts = {name.decode(): int(count) for name, count in ELEMENT.findall(header)}
    _check_counts(counts)
    if b"ascii" in header.partition(b"element")[0]:
        data = plain(data)
        _check_text(data, header.count(b"\n") + sum(counts.values()))
    elif sum(counts.values()) > len(data):
        raise MeshError("found less bytes than the header says: the file is cut short, copy it anew")
    return _soup(data)


def _check_counts(counts: Mapping[str, int]) -> None:
    """What the header says of elements, before any is read."""
    check_count(counts.get("face", 0))
    if not counts.get("face") or not counts.get("vertex"):
        raise MeshError("found no vertices or no faces, expected a PLY file with both: export it anew")
    others = sum(counts.values()) - counts["vertex"] - counts["face"]
    if others > MAX_OTHERS:
        raise MeshError(f"found {others:,} elements beside vertices and faces: save it as binary STL")


def _check_text(text: bytes, lines_said: int) -> None:
    lines, words = text.count(b"\n"), text.count(b" ")
    if len(text) > MAX_ASCII_BYTES or lines > MAX_LINES or words > MAX_WORDS:
        raise MeshError(
            f"found {lines:,} lines of {words:,} words in {len(text) >> 20} MiB, expected at most "
            f"{MAX_LINES:,} of {MAX_WORDS:,} in {MAX_ASCII_BYTES >> 20}: save it as binary STL"
        )
    if lines + 1 < lines_said:
        raise MeshError(
            f"found {lines:,} lines, expected {lines_said:,} as the header says: the file is cut short, copy "
            "it anew"
        )


def _soup(data: bytes) -> Soup:
    with warnings.catch_warnings():
        # numpy warns where it stops in the middle of a text, and trimesh goes on without the rest.
        warnings.simplefilter("error", DeprecationWarning)
        read = load_ply(io.BytesIO(data), resolver=None, skip_materials=True)
    if read.get("faces") is None:
        raise MeshError("found no faces, expected a surface of triangles: export the file anew")
    faces = triangulate_quads(read["faces"]).reshape(-1, 3)
    check_count(len(faces))
    return Soup(np.asarray(read["vertices"], np.float64), np.asarray(faces, np.int64))
