"""STL files, binary and ASCII, read in bounded memory.

trimesh refuses a binary file with bytes after its triangles, and takes seven times an ASCII file in memory
and a time that grows with the square of its solids; hence readers of our own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from features.mesh_records import MeshError, Points, Soup, check_count

HEADER_BYTES, COUNT_BYTES = 80, 4
RECORD = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
UNCOUNTED = (0, 2**32 - 1)
"""What programs leave in the header that write triangles as they come."""

MAX_ASCII_BYTES = 600 << 20
"""About 2.4 million triangles."""

BLOCK_BYTES = 1 << 20
VERTEX = re.compile(rb"\bvertex\s+(\S{1,40})\s+(\S{1,40})\s+(\S{1,40})\s", re.IGNORECASE)
ANY_VERTEX = re.compile(rb"\bvertex\b", re.IGNORECASE)
NAME = re.compile(rb"^[ \t]*(?:end)?solid\b.*", re.IGNORECASE | re.MULTILINE)
"""A line that may say anything, of vertices as well."""

LONGEST_FACET_BYTES = 4096


def read_stl(path: Path) -> Soup:
    """Read a binary or ASCII STL file. Raises MeshError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        begin = file.read(HEADER_BYTES + COUNT_BYTES)
        body = size - len(begin)
        count = int.from_bytes(begin[HEADER_BYTES:], "little")
        exact = len(begin) == HEADER_BYTES + COUNT_BYTES and count * RECORD.itemsize == body
        if not exact and begin.lstrip()[:5].lower() == b"solid" and b"\0" not in begin:
            return _ascii(file, size)
        return _binary(file, count, body)


def _binary(file: IO[bytes], count: int, body: int) -> Soup:
    """The header's number of triangles, whatever follows them. ``body`` is what follows the header, bytes."""
    notes: tuple[str, ...] = ()
    if count in UNCOUNTED and body and body % RECORD.itemsize == 0:
        notes = (f"The header says {count:,} triangles; those that follow it were read.",)
        count = body // RECORD.itemsize
    check_count(min(count, body // RECORD.itemsize))
    if body < 0 or count * RECORD.itemsize > body:
        raise MeshError(
            f"found room for {max(body, 0) // RECORD.itemsize:,} triangles, expected {count:,} as the header "
            "says: the file is cut short or is no STL, copy or export it anew"
        )
    records = np.fromfile(file, RECORD, count)
    if left := body - count * RECORD.itemsize:
        notes = (f"The file holds {left:,} bytes after its last triangle, which were left out.",)
    return _soup(np.ascontiguousarray(records["corners"]).reshape(-1, 3), notes)


def _ascii(file: IO[bytes], size: int) -> Soup:
    """Every vertex of every solid."""
    if size > MAX_ASCII_BYTES:
        raise MeshError(
            f"found {size >> 20:,} MiB of text, expected at most {MAX_ASCII_BYTES >> 20}: save it as "
            "binary STL"
        )
    file.seek(0)
    points, last = [], b""
    for last in _facets(file):
        block = NAME.sub(b"", last)
        found = VERTEX.findall(block)
        if len(found) != len(ANY_VERTEX.findall(block)) or len(found) % 3:
            raise MeshError("found a facet without three vertices of three numbers: export the file anew")
        if found:
            points.append(np.array(found).astype(np.float64))
    if b"endsolid" not in last.lower():
        raise MeshError("found no endsolid at the end of the text: the file is cut short, copy it anew")
    return _soup(np.concatenate(points) if points else np.empty((0, 3)))


def _facets(file: IO[bytes]) -> Iterator[bytes]:
    """The text in blocks that end between two facets; the last one ends with the file."""
    rest = b""
    while block := file.read(BLOCK_BYTES):
        block = rest + block
        end = block.lower().rfind(b"endfacet")
        if end < len(block) - LONGEST_FACET_BYTES - len(b"endsolid") and len(block) > 2 * BLOCK_BYTES:
            raise MeshError("found text without facets, expected an ASCII STL: export the file anew")
        cut = max(end, 0)
        rest = block[cut:]
        if cut:
            yield block[:cut]
    yield rest


def _soup(points: Points, notes: tuple[str, ...] = ()) -> Soup:
    return Soup(points, np.arange(len(points), dtype=np.int64).reshape(-1, 3), notes=notes)
