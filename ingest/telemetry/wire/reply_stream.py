"""What a host gets of what its printer says: every byte, but for lines put in and answers taken out. Pure."""

from __future__ import annotations

import re

_PIECES = re.compile(rb"[^\n]*\n|[^\n]+")
_BARE_OK = re.compile(rb"ok(?: [NPB]\d+)*\s*", re.ASCII)
"""An "ok" that answers nothing but "done", ADVANCED_OK included."""
_LONGEST_OK = 64
"""Bytes; "ok N12345678 P15 B3" and its line end have some 24. A longer line is no such ok."""


class ReplyStream:
    """The bytes from the printer to its host, in order. Nothing is changed within a line.

    ``insert`` puts a line of our own between two of the printer's; ``swallow`` takes the next bare "ok" out:
    the answer to a command that the host knows nothing of.
    """

    def __init__(self) -> None:
        self.swallowing = False
        self._between = True  # what was passed on ends with a whole line
        self._held = b""  # the beginning of a line that may become the "ok" to be taken out
        self._inserts: list[bytes] = []

    def pass_on(self, data: bytes) -> bytes:
        """What of these bytes goes to the host now."""
        if self.swallowing or self._inserts:
            return b"".join(self._edited(piece) for piece in _PIECES.findall(data))
        self._between = data.endswith(b"\n")
        return data

    def insert(self, line: bytes) -> bytes:
        """Put in a line, with its line end; what goes to the host now: it, or nothing amid another line."""
        if self._between:
            return line
        self._inserts.append(line)
        return b""

    def swallow(self) -> None:
        """Take the next bare "ok" out."""
        self.swallowing = True

    def restarted(self) -> bytes:
        """The printer has restarted, there is no answer to come any more; what was held goes to the host."""
        self.swallowing = False
        held, self._held = self._held, b""
        self._between = self._between and not held
        return held

    def _edited(self, piece: bytes) -> bytes:
        """What goes to the host of a piece that ends a line, or begins or goes on with one."""
        line, self._held = self._held + piece, b""
        is_whole = line.endswith(b"\n")
        if self.swallowing and self._between:
            if is_whole and _BARE_OK.fullmatch(line):
                self.swallowing = False
                return b""
            if not is_whole and _may_become_ok(line):
                self._held = line
                return b""
        self._between = is_whole
        put_in, self._inserts = (self._inserts, []) if is_whole else ([], self._inserts)
        return b"".join([line, *put_in])


def _may_become_ok(begun: bytes) -> bool:
    return len(begun) < _LONGEST_OK and begun[:2] in (b"o", b"ok")
