"""Cuts a stream of bytes into lines, in bounded memory whatever the bytes are."""

from __future__ import annotations

from ingest.telemetry.marlin import LONGEST_LINE


class LineCutter:
    """Collects bytes and gives back whole lines, without their line feed.

    A line that reaches ``LONGEST_LINE`` bytes is cut there, which the parser takes for garbled; the rest of
    it is dropped up to its end.
    """

    def __init__(self) -> None:
        self._begun = b""
        self._dropping = False

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that these bytes complete, in order."""
        *ended, rest = data.split(b"\n")
        lines = [line for end in ended if (line := self._end(end)) is not None]
        if not self._dropping:
            self._begun += rest
        if len(self._begun) >= LONGEST_LINE:
            lines.append(self._begun[:LONGEST_LINE])
            self._begun, self._dropping = b"", True
        return lines

    def rest(self) -> list[bytes]:
        """The last line where the stream ended without a line feed, else nothing."""
        begun, self._begun = self._begun, b""
        return [begun] if begun else []

    def _end(self, end: bytes) -> bytes | None:
        dropping, self._dropping = self._dropping, False
        line, self._begun = self._begun + end, b""
        return None if dropping else line[:LONGEST_LINE]
