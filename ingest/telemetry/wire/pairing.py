"""Which of the lines that a printer was sent it has taken. Pure."""

from __future__ import annotations

import re
from collections import deque

from ingest.records import NS_PER_S, EventKind
from ingest.telemetry.parsed import Line, Parsed

MOST_AHEAD = 64
"""Lines. Hosts wait for each "ok", or know of a buffer of 4 to 32 lines (Marlin BUFSIZE): one that is
further ahead does not wait at all, and its lines count as taken when they are sent."""
LOST_OK_NS = 6 * NS_PER_S
"""A command that takes longer is announced every 2 s ("echo:busy: processing"): its "ok" was lost."""

_NUMBER = re.compile(r"\s*N(\d{1,9})", re.ASCII)
_ASKED = re.compile(r"(?:Resend:|rs)\s*N?(\d{1,9})", re.ASCII)
_RESENT = ""  # stands for the "ok" that follows a request to send again


class Pairing:
    """Pairs lines with their "ok": firmware says one for each, in order.

    An acknowledged line is in the planner or done. What was damaged on the way is asked for again, and so
    is counted once, when it was understood.
    """

    def __init__(self) -> None:
        self._open: deque[str] = deque()
        self._stirred_ns = 0  # the last sign that somebody works at the open ones

    def unanswered(self, at_ns: int) -> int:
        """How many lines are still to be acknowledged at ``at_ns``."""
        if self._open and at_ns - self._stirred_ns > LOST_OK_NS:
            self._open.clear()
        return len(self._open)

    def sent(self, line: str, at_ns: int) -> list[str]:
        """A line went to the printer; the lines that count as taken by that. Blank ones get no "ok"."""
        if not line.partition(";")[0].strip():
            return []
        self.unanswered(at_ns)
        self._open.append(line)
        self._stirred_ns = at_ns
        return [self._open.popleft()] if len(self._open) > MOST_AHEAD else []

    def replied(self, text: str, parsed: Parsed, at_ns: int) -> list[str]:
        """The printer said something; the lines that count as taken by that."""
        if parsed.line in (Line.BUSY, Line.HEATING):
            self._stirred_ns = at_ns
        elif parsed.line is Line.RESEND:
            self._ask_again(text)
        elif parsed.event is not None and parsed.event[0] is EventKind.START:
            self._open.clear()
        if not parsed.acknowledges or not self._open:
            return []
        self._stirred_ns = at_ns
        taken = self._open.popleft()
        return [taken] if taken != _RESENT else []

    def _ask_again(self, text: str) -> None:
        """Firmware empties its receive buffer, so that all lines from the damaged one on are lost."""
        asked = _ASKED.match(text)
        if asked is None:
            return  # "Error:checksum mismatch": what is asked for comes on the next line
        while self._open and not _is_before(self._open[-1], int(asked[1])):
            self._open.pop()
        self._open.append(_RESENT)


def _is_before(line: str, number: int) -> bool:
    own = _NUMBER.match(line)
    return own is not None and int(own[1]) < number
