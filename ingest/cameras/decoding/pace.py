"""Which pictures of a video are kept, told by their own stamps. Pure: no clock, nothing decoded."""

from __future__ import annotations

from collections import deque
from fractions import Fraction

from ingest.offsets import OffsetEstimator
from ingest.records import NS_PER_S

DECODE = ("auto", "keyframes", "all")
"""What a user may ask for: the choice itself, or one of its two outcomes."""
GAPS = 3
"""So many gaps between key frames in a row must be short before the frames between them are let go."""
LATE_SHARE = 1.1
"""Key frames this much further apart than asked still give the asked rate, as near as anyone can tell."""

FELL_NS = 20_000_000
SETTLED_NS = NS_PER_S // 4
"""A burst is over when for so long no packet has come earlier, against its stamp, by ``FELL_NS`` …"""
LONGEST_BURST_NS = 3 * NS_PER_S
"""… or after this at the latest: FFmpeg looks into a stream for up to about 2 s before it hands it out."""


class Pace:
    """Keeps one picture per period: the one that lies nearest to its due time."""

    def __init__(self, fps: float) -> None:
        self.period_ns = round(NS_PER_S / fps)
        self._last_ns: int | None = None
        self._due_ns = 0

    def due(self, stamp_ns: int, apart_ns: int | None = None) -> bool:
        """Whether the picture with this stamp is to be kept; every candidate is to be asked for, in order.

        ``apart_ns`` is how far the candidates lie apart; by default as far as this one from the one before.
        """
        gap_ns = stamp_ns - self._last_ns if self._last_ns is not None else -1
        self._last_ns = stamp_ns
        if gap_ns < 0:  # the first one, or the stamps began anew
            self._due_ns = stamp_ns
        elif stamp_ns < self._due_ns - min(apart_ns or gap_ns, self.period_ns) // 2:
            return False
        self._due_ns = max(self._due_ns, stamp_ns) + self.period_ns
        return True


class KeyframeChoice:
    """Whether key frames alone give the asked rate; ``asked`` is one of DECODE.

    ``apart_ns`` is how far the last two key frames lay apart, None before there were two.
    """

    def __init__(self, asked: str, period_ns: int) -> None:
        self.keyframes_only = asked == "keyframes"
        self.apart_ns: int | None = None
        self._auto = asked == "auto"
        self._longest_ns = period_ns * LATE_SHARE
        self._gaps: deque[int] = deque(maxlen=GAPS)
        self._last_ns: int | None = None

    def keyframe(self, stamp_ns: int) -> None:
        """A key frame has come; where the choice changes, it changes with this very frame."""
        if self._last_ns is not None:
            self.apart_ns = stamp_ns - self._last_ns
            self._gaps.append(self.apart_ns)
        self._last_ns = stamp_ns
        if self._auto:
            short = all(0 <= gap_ns <= self._longest_ns for gap_ns in self._gaps)
            self.keyframes_only = len(self._gaps) == GAPS and short


class Stamps:
    """A video's own stamps (``pts``, counted in ``unit`` s) and where they lie on our time axis.

    ``unit`` is None for a video that bears no true stamps: its pictures are as old as their arrival.
    """

    def __init__(self, unit: Fraction | None) -> None:
        self._unit_ns = unit * NS_PER_S if unit is not None else None
        self._offsets = OffsetEstimator()
        self._began_ns: int | None = None
        self._fell_ns = 0  # when a packet last came clearly earlier, against its stamp
        self._given_ns = 0
        self.settled = False

    def arrived(self, pts: int | None, arrival_ns: int) -> None:
        """Note a packet as it arrives.

        ``settled`` becomes True when the burst with which streams begin is over: what comes in a burst is
        older than its arrival, and only what comes after it tells by how much.
        """
        stamp_ns = self.stamp_ns(pts, arrival_ns)
        if stamp_ns is None:
            return
        before_ns = self._offsets.offset_ns
        self._offsets.at_ns(stamp_ns, arrival_ns)
        if self._began_ns is None:
            self._began_ns = self._fell_ns = arrival_ns
        elif self._offsets.offset_ns < before_ns - FELL_NS:
            self._fell_ns = arrival_ns
        self.settled |= arrival_ns - self._fell_ns >= SETTLED_NS
        self.settled |= arrival_ns - self._began_ns >= LONGEST_BURST_NS

    def stamp_ns(self, pts: int | None, arrival_ns: int) -> int | None:
        """The stamp of a picture, ns on the stream's own axis; None where it bears none yet."""
        if self._unit_ns is None:
            return arrival_ns
        return round(pts * self._unit_ns) if pts is not None else None

    def at_ns(self, stamp_ns: int) -> int:
        """The time of a stamp, ns UTC, later than any that was given before."""
        self._given_ns = max(stamp_ns + self._offsets.offset_ns, self._given_ns + 1)
        return self._given_ns
