"""The clock of a source against ours: its offset and jitter, estimated from when its items arrive.

A camera or a printer that stamps its items with a clock of its own (never set, set wrong, drifting) tells
how they lie to each other; when they arrive tells where they lie on our axis. What the network adds is
never negative, so the least of (arrival - stamp) over the last minute is the offset, up to the shortest way
that an item ever took (that rest is the source's ``delay`` in the farm file). Pure: no clock is read here.
"""

from __future__ import annotations

from collections import deque

from ingest.records import NS_PER_S

MEMORY_NS = 60 * NS_PER_S
"""How long a fast item counts: 100 ppm of drift make 6 ms in it, and every network is quick once a minute."""

SLICE_NS = NS_PER_S
"""The least of each slice is kept, so that memory does not grow with the rate."""

JUMP_NS = NS_PER_S
"""Further behind the estimate than this is a clock that was set back, or a network that stood still …"""

AGREE_NS = NS_PER_S // 2
AGREED_NS = 2 * NS_PER_S
"""… and a clock it is when all items of ``AGREED_NS`` are late by the same, within ``AGREE_NS``: after a
standstill they come in a burst, each less late than the one before it."""

SMOOTHING = 1 / 32
"""Weight of the newest item in the jitter."""


class OffsetEstimator:
    """Turns a source's own stamps into times on our axis.

    ``offset_ns`` is our clock minus the source's; ``jitter_ns`` the mean time that items spend on the way
    beyond the shortest. ``jumps`` counts how often the source's clock was set.
    """

    def __init__(self) -> None:
        self.jumps = 0
        self.jitter_ns = 0.0
        self._least: deque[tuple[int, int]] = deque()  # (slice of arrival, least arrival - stamp), ascending
        self._late: tuple[int, int, int] | None = None  # since when, least and most, while all are late
        self._last_ns = 0

    @property
    def offset_ns(self) -> int:
        return self._least[0][1] if self._least else 0

    def at_ns(self, stamp_ns: int, arrival_ns: int) -> int:
        """The time of an item, ns, on the axis of ``arrival_ns``: never after its arrival, never backwards.

        Items are to be given in the order of their arrival.
        """
        apart_ns = arrival_ns - stamp_ns
        if self._was_set(apart_ns, arrival_ns):
            self._least.clear()
        self._remember(arrival_ns, apart_ns)
        late_ns = apart_ns - self.offset_ns
        self.jitter_ns += SMOOTHING * (min(late_ns, JUMP_NS) - self.jitter_ns)
        self._last_ns = max(self._last_ns, arrival_ns - late_ns)
        return self._last_ns

    def _was_set(self, apart_ns: int, arrival_ns: int) -> bool:
        """Whether the source's clock was set since the items before: forward at once, back after a while."""
        late_ns = apart_ns - self.offset_ns
        if not self._least or abs(late_ns) <= JUMP_NS:
            self._late = None
            return False
        if late_ns > 0 and not self._agreed(apart_ns, arrival_ns):
            return False
        self._late = None
        self.jumps += 1
        return True

    def _agreed(self, apart_ns: int, arrival_ns: int) -> bool:
        """Whether all items for some time were late by the same."""
        since_ns, least_ns, most_ns = self._late or (arrival_ns, apart_ns, apart_ns)
        self._late = since_ns, min(least_ns, apart_ns), max(most_ns, apart_ns)
        if self._late[2] - self._late[1] > AGREE_NS:
            self._late = arrival_ns, apart_ns, apart_ns
        return arrival_ns - self._late[0] >= AGREED_NS

    def _remember(self, arrival_ns: int, apart_ns: int) -> None:
        """A sliding minimum: what is larger than a newer one can never be the least again."""
        number = arrival_ns // SLICE_NS
        while self._least and self._least[-1][1] >= apart_ns:
            self._least.pop()
        if not self._least or self._least[-1][0] != number:
            self._least.append((number, apart_ns))
        while self._least[0][0] < number - MEMORY_NS // SLICE_NS:
            self._least.popleft()
