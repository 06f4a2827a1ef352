"""JPEG bytes: how large the picture is and what is wrong with it, read from its markers, nothing decoded.

Markers as in ITU-T T.81 (1992), annex B. Other still formats are made into JPEG here, once.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import cv2
import numpy as np

from ingest.errors import SourceError

Flaw: TypeAlias = Literal["corrupt", "too_large"]
Size: TypeAlias = tuple[int, int]

MAX_BYTES = 16 * 2**20
"""Longest picture that is read, bytes: a 12-megapixel photo at JPEG quality 95 takes about 8 MiB."""
MAX_PIXELS = 50_000_000
"""Largest picture that is decoded: 150 MB as BGR; printer cameras have 0.3 to 12 megapixels."""
QUALITY_STILL = 95
"""JPEG quality for pictures that came in another format: their loss must not be seen."""

_START = b"\xff\xd8"
_END = b"\xff\xd9"
_SCAN = 0xDA
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # SOF0…15 without DHT, JPG, DAC
_ALONE = frozenset({0x01, *range(0xD0, 0xD8)})  # TEM and RSTn carry no length


def jpeg_size(data: bytes) -> Size:
    """Width and height in pixels, from the frame header (SOFn).

    Raises SourceError for what is no JPEG and for a JPEG that was cut off: its end marker is missing.
    """
    size, scan = _headers(data)
    _check_end(data, scan)
    return size


def jpeg_flaw(data: bytes) -> Flaw | None:
    """Why a JPEG must not be decoded (beyond MAX_BYTES or MAX_PIXELS, no JPEG, cut off); None: it may be."""
    if len(data) > MAX_BYTES:
        return "too_large"
    try:
        (width, height), scan = _headers(data)
        if width * height > MAX_PIXELS:
            return "too_large"
        _check_end(data, scan)
    except SourceError:
        return "corrupt"
    return None


def _check_end(data: bytes, scan: int) -> None:
    """Raise SourceError for a JPEG whose end marker is missing after its first scan."""
    # In scan data a zero or RSTn follows every 0xFF: an end marker there is a true one. It stands last.
    if data.rfind(_END, scan) < 0:
        raise SourceError(
            f"found a JPEG of {len(data)} bytes without its end, expected the marker FF D9: "
            "the picture was cut off; copy or take it again"
        )


def to_jpeg(data: bytes) -> bytes | Flaw:
    """A still picture as JPEG: a JPEG's own bytes untouched, PNG, BMP and WebP encoded at QUALITY_STILL.

    The bounds hold before anything is decoded. Gives the flaw where there is one.
    """
    if data.startswith(_START):
        return jpeg_flaw(data) or data
    size = _other_size(data)
    if size is None:
        return "corrupt"
    if len(data) > MAX_BYTES or size[0] * size[1] > MAX_PIXELS:
        return "too_large"
    return _encoded(data)


def _encoded(data: bytes) -> bytes | Flaw:
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:
        return "corrupt"
    if picture is None:
        return "corrupt"
    jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY_STILL])[1].tobytes()
    return jpeg if len(jpeg) <= MAX_BYTES else "too_large"


def _headers(data: bytes) -> tuple[Size, int]:
    """Size of the picture and where its first scan begins. Raises SourceError for what is no JPEG."""
    size: Size | None = None
    at = len(_START) if data.startswith(_START) else len(data)
    while at + 4 <= len(data) and data[at] == 0xFF:  # noqa: PLR2004 - every marker begins with it
        marker = data[at + 1]
        if marker == _SCAN:
            break
        if marker in _FRAMES:
            size = _frame_size(data, at)
        at += _marker_bytes(data, at)
    else:
        raise SourceError(_no_jpeg(data))
    if not size or not all(size):
        raise SourceError(_no_jpeg(data))
    return size, at


def _marker_bytes(data: bytes, at: int) -> int:
    """How far it is to the next marker; a further 0xFF is a fill byte."""
    marker = data[at + 1]
    if marker == 0xFF:  # noqa: PLR2004
        return 1
    return 2 if marker in _ALONE else 2 + int.from_bytes(data[at + 2 : at + 4])


def _frame_size(data: bytes, at: int) -> Size:
    """SOFn: marker (2 bytes), length (2), precision (1), height (2), width (2)."""
    return int.from_bytes(data[at + 7 : at + 9]), int.from_bytes(data[at + 5 : at + 7])


def _no_jpeg(data: bytes) -> str:
    return (
        f"found {len(data)} bytes that begin with {data[:4].hex(' ') or 'nothing'}, expected a JPEG (FF D8, "
        "a frame header and a scan): check what writes these pictures"
    )


def _other_size(data: bytes) -> Size | None:
    """Width and height from the header of a PNG, BMP or WebP; None for anything else."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and data[12:16] == b"IHDR":
        return int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    if data.startswith(b"BM"):
        width, height = (int.from_bytes(data[at : at + 4], "little", signed=True) for at in (18, 22))
        return abs(width), abs(height)  # a negative height means rows from top to bottom
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _webp_size(data)
    return None


def _webp_size(data: bytes) -> Size | None:
    """The three kinds of WebP (RFC 9649): extended, lossless and lossy."""
    kind, bits = data[12:16], int.from_bytes(data[21:25], "little")
    if kind == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if kind == b"VP8L":
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        return tuple(int.from_bytes(data[at : at + 2], "little") & 0x3FFF for at in (26, 28))  # type: ignore[return-value]
    return None
