"""Text of mesh files, made safe before it is read."""

from __future__ import annotations

import string
from pathlib import Path

from features.mesh_records import MeshError

MAX_TEXT_BYTES = 128 << 20

PRINTED = {*string.ascii_letters, *string.digits, *string.punctuation, "\n"}
PLAIN = bytes(byte if chr(byte) in PRINTED else ord(" ") for byte in range(256))
"""Whatever ends a line or a word elsewhere is a space here."""


def read_text(path: Path, most: int = MAX_TEXT_BYTES) -> bytes:
    """A file's bytes. Raises MeshError for more of them than are read."""
    size = path.stat().st_size
    if size > most:
        raise MeshError(
            f"found {size >> 20:,} MiB, expected at most {most >> 20}: simplify it or save it as binary STL"
        )
    return path.read_bytes()


def plain(text: bytes) -> bytes:
    """Lines that end with a line feed, of printable ASCII: what names hold besides is not needed."""
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").translate(PLAIN)
