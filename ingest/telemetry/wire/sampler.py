"""Tells what changes often at a rate that a watch can use. Pure: time comes in as an argument."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from ingest.records import NS_PER_S

EVERY_NS = NS_PER_S // 4
"""The sensor grid's step (STEPS_PER_WINDOW): what comes oftener would be overwritten there."""
REPEAT_NS = NS_PER_S
"""A value that does not change is told again after so long."""


class Sampler:
    """Keeps the last value of each channel, and sums of counted ones, until they are due."""

    def __init__(self) -> None:
        self._now: dict[str, float] = {}
        self._sums: Counter[str] = Counter()
        self._told: dict[str, tuple[float, int]] = {}
        self._next_ns = 0

    def set(self, channel: str, value: float) -> None:
        """A channel has this value now."""
        self._now[channel] = value

    def add(self, channel: str) -> None:
        """One more of what is counted."""
        self._sums[channel] += 1

    def forget(self) -> None:
        """Nothing that was set holds any more."""
        self._now.clear()
        self._told.clear()

    def is_due(self, at_ns: int) -> bool:
        """Whether something may be told at ``at_ns``."""
        return at_ns >= self._next_ns

    def due(self, at_ns: int) -> Iterator[tuple[str, float]]:
        """Every sum, and each value that has changed or was told long ago."""
        self._next_ns = at_ns + EVERY_NS
        yield from ((channel, float(count)) for channel, count in self._sums.items())
        self._sums.clear()
        for channel, value in self._now.items():
            told = self._told.get(channel)
            if told is None or told[0] != value or at_ns - told[1] >= REPEAT_NS:
                self._told[channel] = (value, at_ns)
                yield channel, value
