"""Cuts the pictures out of an endless HTTP answer. Pure: bytes in, pictures out.

What servers put between two pictures (boundaries with and without dashes, part headers, lengths that are
missing or wrong, junk) differs from camera to camera; the pictures themselves do not. So a picture reaches
from its start marker to its end marker (ITU-T T.81, annex B), whatever boundaries and lengths say, and is
there as soon as its last byte is: many servers send the next boundary only with the next picture.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from ingest.cameras.jpeg import MAX_BYTES, Flaw
from ingest.records import NS_PER_S

HEAD_BYTES = 1024
"""What is kept of the bytes before a picture: ustreamer's part headers, the longest known, take 600."""

_START = b"\xff\xd8\xff"
_MARKER_BYTES = 4  # two of the marker, two of its length
_END = b"\xff\xd9"
_SCAN = 0xDA
_SEGMENTS = frozenset({*range(0xC0, 0xD0), *range(0xDA, 0xFF)})  # markers that carry a length
_FILL = re.compile(rb"\xff+")
_SCAN_END = re.compile(rb"\xff[\xd8\xd9]")  # in a scan both are true: the next picture's start, and the end
_STAMPS = tuple(
    re.compile(rb"^" + name + rb":[ \t]*(\d{1,10})\.(\d{1,9})", re.MULTILINE | re.IGNORECASE)
    for name in (rb"X-UStreamer-Grab-(?:Begin-)?Time(?:stamp)?", rb"X-Timestamp")
)


class Part(NamedTuple):
    """One picture, and the last ``HEAD_BYTES`` of what stood between it and the whole one before."""

    head: bytes
    jpeg: bytes


class _Cut(NamedTuple):
    """How far a picture reaches, bytes, and what is wrong with it."""

    length: int
    flaw: Flaw | None = None


class PartSplitter:
    """Takes the bytes of a stream in any slices and gives its pictures back, the same however it is sliced.

    Left out and counted: ``corrupt`` (broken off, or no JPEG), ``too_large`` (beyond MAX_BYTES). Never holds
    more than MAX_BYTES and one slice.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._buffer = bytearray()
        self._before = b""  # the end of what was left out last
        self._head: bytes | None = None  # None between two pictures; else the buffer begins with one
        self._at = 0  # how far the picture was looked through
        self._in_scan = False

    def feed(self, data: bytes) -> list[Part]:
        """The pictures that end in these bytes."""
        self._buffer += data
        parts: list[Part] = []
        while self._begin() and (cut := self._cut()) is not None:
            parts += self._take(cut)
        return parts

    def _begin(self) -> bool:
        """Whether the buffer begins with a picture, once what stands before it is gone."""
        if self._head is not None:
            return True
        start = self._buffer.find(_START)
        if start < 0:
            del self._buffer[: -(HEAD_BYTES + len(_START))]
            return False
        self._head = (self._before + self._buffer[max(0, start - HEAD_BYTES) : start])[-HEAD_BYTES:]
        self._at, self._in_scan = 2, False
        del self._buffer[:start]
        return True

    def _cut(self) -> _Cut | None:
        """Where the picture ends; None: the bytes so far do not tell."""
        known = min(len(self._buffer), MAX_BYTES)
        while not self._in_scan and self._at + _MARKER_BYTES <= known:
            if not (length := _segment_bytes(self._buffer, self._at)):
                return _Cut(2, "corrupt")
            self._in_scan = self._buffer[self._at + 1] == _SCAN
            self._at += length
        if self._in_scan and (end := self._scan_end(known)) is not None:
            return end
        return _Cut(MAX_BYTES, "too_large") if known == MAX_BYTES else None

    def _scan_end(self, known: int) -> _Cut | None:
        """The end marker, or the start of another picture where this one was broken off."""
        found = _SCAN_END.search(self._buffer, self._at, known)
        if found is None:
            self._at = max(self._at, known - 1)
            return None
        return _Cut(found.end()) if found[0] == _END else _Cut(found.start(), "corrupt")

    def _take(self, cut: _Cut) -> list[Part]:
        with memoryview(self._buffer) as buffer:
            picture = bytes(buffer[: cut.length])
        del self._buffer[: cut.length]
        head, self._head = self._head or b"", None
        if cut.flaw is None:
            self._before = b""
            return [Part(head, picture)]
        self.counts[cut.flaw] += 1
        self._before = (head + picture[-HEAD_BYTES:])[-HEAD_BYTES:]
        return []


def device_time_ns(head: bytes) -> int | None:
    """When the camera says that it took a picture, ns of a clock of its own; None where it does not say.

    ``head`` holds the headers of the picture. mjpg-streamer, ESP32-CAM and ustreamer send X-Timestamp (s
    since 1970 or since they were started, 0.000000 where they know none), ustreamer with extra headers also
    when it grabbed the picture.
    """
    for stamp in _STAMPS:
        if told := stamp.findall(head):
            seconds, fraction = told[-1]
            return int(seconds) * NS_PER_S + int(fraction.ljust(9, b"0")) or None
    return None


def _segment_bytes(data: bytearray, at: int) -> int:
    """How far it is to the next marker of a header; 0 where no marker stands that belongs into one."""
    if data[at] == 0xFF and data[at + 1] == 0xFF:  # noqa: PLR2004 - fill bytes
        return len(_FILL.match(data, at)[0]) - 1  # type: ignore[index]
    length = int.from_bytes(data[at + 2 : at + 4])
    whole = data[at] == 0xFF and data[at + 1] in _SEGMENTS and length >= 2  # noqa: PLR2004 - its own bytes
    return 2 + length if whole else 0
