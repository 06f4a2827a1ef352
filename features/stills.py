"""Picture files of any common kind as BGR pictures, bounded before anything is decoded.

JPEG (also CMYK), PNG, BMP and TIFF (its first page); grey, 8 or 16 bits, with or without alpha (left out).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np

from features.picture import Picture
from ingest.cameras.jpeg import jpeg_size
from ingest.errors import SourceError, SourceNotFound

Size: TypeAlias = tuple[int, int]  # width, height, pixels

MAX_PIXELS = 64_000_000
"""Largest picture that is decoded: 192 MB as BGR; cameras of telephones have up to 50 megapixels."""
MAX_BYTES = 8 * MAX_PIXELS + 2**20
"""Longest file that is read, bytes: four channels of 16 bits, uncompressed, and a header."""
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})
"""Endings of the files that are taken for pictures in a folder; what a file is, its first bytes say."""
QUALITY = 85
"""Of a JPEG to be looked at, not judged: its loss is hard to see, and it has half the bytes of quality 95."""

_KINDS = "JPEG, PNG, BMP or TIFF"
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257
_TIFF_SHORT = 3
_TIFF_ENTRY_BYTES = 12


def read_still(path: Path, max_pixels: int = MAX_PIXELS) -> Picture:
    """The picture of a file as BGR uint8 [height, width, 3], turned upright as its EXIF orientation says.

    16 bits are cut to their upper 8. Raises SourceNotFound where there is no file, SourceError for one that
    cannot be read, is empty, cut off, corrupt, no picture, or larger than ``max_pixels``.
    """
    return decode_still(_bytes(path), str(path), max_pixels)


def decode_still(data: bytes, name: str, max_pixels: int = MAX_PIXELS) -> Picture:
    """The same of a picture's bytes, a camera's for instance; ``name`` is for the message."""
    width, height = still_size(data, name)
    if width * height > max_pixels:
        raise SourceError(
            f"{name}: found {width} x {height} pixels, expected at most {max_pixels / 1e6:g} megapixels: "
            "make the picture smaller or cut it into parts"
        )
    picture = _decoded(data)
    if picture is None:
        raise SourceError(
            f"{name}: found a picture that is corrupt, cut off or of an unusual kind, "
            f"expected a whole {_KINDS} of 8 or 16 bits: copy or save it again"
        )
    return picture


def still_size(data: bytes, name: str) -> Size:
    """Width and height by the header, before any turn; nothing is decoded. ``name`` is for the message.

    Raises SourceError for what is none of the known kinds and for headers that make no sense.
    """
    try:
        size = _size(data)
    except SourceError as error:
        raise SourceError(f"{name}: {error}") from error
    except struct.error:
        size = (0, 0)
    if size is None:
        raise SourceError(
            f"{name}: found a file that begins with {data[:8]!r}, expected {_KINDS}: "
            "it is no picture, or one to be saved in another format"
        )
    if min(size) <= 0:
        raise SourceError(f"{name}: found a header that is cut off or corrupt, expected a whole {_KINDS}")
    return size


def write_png(path: Path, picture: Picture) -> None:
    """Write BGR uint8 [height, width, 3], lossless. Raises SourceError where the file cannot be written."""
    png = cv2.imencode(".png", picture)[1].tobytes()
    try:
        path.write_bytes(png)
    except OSError as error:
        raise SourceError(f"{path}: found {error.strerror}, expected a place to write a picture") from error


def as_jpeg(picture: Picture, quality: int = QUALITY) -> bytes:
    """BGR uint8 [height, width, 3] as the bytes of a JPEG."""
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def shrunk(picture: Picture, longest_px: int) -> Picture:
    """The picture with its longer side at most so long, its shape kept; a smaller one as it is."""
    height, width = picture.shape[:2]
    share = longest_px / max(height, width)
    if share >= 1:
        return picture
    size = (max(round(width * share), 1), max(round(height * share), 1))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def to_square(picture: Picture, side: int) -> Picture:
    """The whole picture stretched to [side, side, 3]: averaged where it shrinks, bilinear where it grows."""
    if picture.shape[:2] == (side, side):
        return picture
    shrinks = min(picture.shape[:2]) >= side
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (side, side), interpolation=how), np.uint8)


def _bytes(path: Path) -> bytes:
    """The whole file, if it is one (a pipe would be waited for) of a bounded length."""
    try:
        length = path.stat().st_size if path.is_file() else None
        data = path.read_bytes() if length is not None and length <= MAX_BYTES else b""
    except OSError as error:
        raise SourceError(f"{path}: found {error.strerror}, expected a readable picture") from error
    if length is None:
        found = "no file" if path.exists() else "nothing"
        raise SourceNotFound(f"{path}: found {found}, expected a picture: check the path")
    if length > MAX_BYTES:
        raise SourceError(f"{path}: found {length} bytes, expected a picture of at most {MAX_BYTES}")
    if not data:
        raise SourceError(f"{path}: found an empty file, expected a picture: copy or save it again")
    return data


def _decoded(data: bytes) -> Picture | None:
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return None
    return None if picture is None else np.asarray(picture, np.uint8)


def _size(data: bytes) -> Size | None:
    """None for an unknown kind. Raises SourceError for a JPEG that is none, struct.error beyond the data."""
    if data.startswith(b"\xff\xd8"):
        return jpeg_size(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        width, height = struct.unpack_from(">II", data, 16)
        return width, height
    if data.startswith(b"BM"):
        width, height = struct.unpack_from("<ii", data, 18)
        return width, abs(height)  # a negative height means rows from top to bottom
    if data.startswith((b"II*\0", b"MM\0*")):
        return _tiff_size(data, "<" if data.startswith(b"II") else ">")
    return None


def _tiff_size(data: bytes, order: str) -> Size:
    """From the first directory (TIFF 6.0, section 2). Raises struct.error where it lies beyond the data."""
    (directory,) = struct.unpack_from(f"{order}I", data, 4)
    (entries,) = struct.unpack_from(f"{order}H", data, directory)
    found = {_TIFF_WIDTH: 0, _TIFF_HEIGHT: 0}
    for at in range(directory + 2, directory + 2 + entries * _TIFF_ENTRY_BYTES, _TIFF_ENTRY_BYTES):
        tag, kind = struct.unpack_from(f"{order}HH", data, at)
        if tag in found:
            (found[tag],) = struct.unpack_from(order + ("H" if kind == _TIFF_SHORT else "I"), data, at + 8)
    return found[_TIFF_WIDTH], found[_TIFF_HEIGHT]
