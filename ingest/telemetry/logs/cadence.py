"""How often firmware says what: the only clock of a log that has none."""

from __future__ import annotations

from ingest.records import NS_PER_S
from ingest.telemetry.parsed import Line, Parsed

INTERVALS_S = {
    Line.BUSY: 2.0,  # Marlin DEFAULT_KEEPALIVE_INTERVAL
    Line.HEATING: 1.0,  # Marlin temperature.cpp: every second while M109/M190 wait
    Line.TEMPERATURE: 2.0,  # M155 S2, what OctoPrint asks for
    Line.WAIT: 1.0,  # Marlin NO_TIMEOUTS
}
"""s between two lines of a kind that the firmware sends by itself."""


def interval_s(parsed: Parsed, polled_s: float, *, asked: bool = False) -> float | None:
    """s between two lines of this kind; None for one that comes at no certain time.

    ``polled_s`` holds for answers to M105, which are told by their "ok" or by ``asked``.
    """
    if parsed.line in (Line.TEMPERATURE, Line.HEATING) and (asked or parsed.acknowledges):
        return polled_s
    return INTERVALS_S.get(parsed.line)


class Cadence:
    """Time as told by lines that come at known intervals, ns since the first line.

    Kinds overlap (busy lines every 2 s among waiting reports every 1 s), so each kind keeps its own beat and
    time moves on to the latest of them. Lines of no certain time share the time of the line before.
    """

    def __init__(self) -> None:
        self.now_ns = 0
        self._last_ns: dict[tuple[Line, float], int] = {}

    def beat(self, line: Line, every_s: float | None) -> int:
        """The time of this line, never before that of the last one."""
        if every_s is not None:
            kind = (line, every_s)
            if kind in self._last_ns:
                self.now_ns = max(self.now_ns, self._last_ns[kind] + int(every_s * NS_PER_S))
            self._last_ns[kind] = self.now_ns
        return self.now_ns

    def skip(self, span_ns: int) -> None:
        """Let time pass that no line tells of."""
        self.now_ns += span_ns
