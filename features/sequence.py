"""The last minutes of one printer, as arrays that rules and models read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from ingest.records import (
    CHANNEL,
    CHANNELS,
    NS_PER_S,
    STEPS_PER_WINDOW,
    Bools,
    EventKind,
    Floats,
    Mark,
    Window,
    WindowEvent,
)

T = TypeVar("T")
Seconds = npt.NDArray[np.float64]


class Series(NamedTuple):
    """Measured values of one channel in the order of time, which is relative to the newest window's end."""

    seconds: Seconds  # float64 [n], ascending, start of the step in which each was measured: all < 0
    values: Floats  # float32 [n]

    def since(self, seconds: float) -> Series:
        """Only what was measured within the last ``seconds``."""
        first = int(np.searchsorted(self.seconds, -seconds))
        return Series(self.seconds[first:], self.values[first:])

    @property
    def span_s(self) -> float:
        """Time from the first to the last value, in s."""
        return float(self.seconds[-1] - self.seconds[0]) if len(self.seconds) else 0.0


class Table(NamedTuple):
    """Several channels at the moments at which the first of them was measured."""

    seconds: Seconds  # float64 [n], as in Series
    values: Floats  # float32 [channels, n]; those of the other channels may be held or NaN


class History:
    """A rolling view of one printer's last ``capacity`` window spans (a missing window leaves a hole).

    ``push`` takes windows in ascending order of index. Everything else reads; what it hands out is true
    until the next ``push`` and is not to be written to.
    """

    def __init__(self, capacity: int) -> None:
        self.windows: deque[Window] = deque()
        self._capacity = capacity
        self._steps = capacity * STEPS_PER_WINDOW
        # Channels lie in rows, twice as long as the view: it slides along them, and only when it reaches
        # their end is it moved back, once in ``capacity`` windows.
        self._values: Floats = np.full((len(CHANNELS), 2 * self._steps), np.nan, np.float32)
        self._measured: Bools = np.zeros(self._values.shape, np.bool_)
        self._end = self._steps  # the view is [_end - _steps, _end)
        self._once: dict[Hashable, Any] = {}

    def push(self, window: Window) -> None:
        """Take the next window in. Raises ValueError for one that is not newer than the last."""
        ahead = window.index - self.windows[-1].index if self.windows else self._capacity
        if ahead <= 0:
            raise ValueError(f"found window {window.index} after {self.newest.index}, expected a newer one")
        self._slide(min(ahead, self._capacity) * STEPS_PER_WINDOW)
        fresh = slice(self._end - STEPS_PER_WINDOW, self._end)
        self._values[:, fresh] = window.values().T
        self._measured[:, fresh] = window.mask().T
        self._once.clear()
        self.windows.append(window)
        while self.windows[0].index <= window.index - self._capacity:
            self.windows.popleft()

    @property
    def newest(self) -> Window:
        return self.windows[-1]

    def series(self, channel: str) -> Series:
        """The measured values of a channel."""
        seconds, values = self.together(channel)
        return Series(seconds, values[0])

    def together(self, measured: str, *others: str) -> Table:
        """The measured values of a channel, and what was known of the others at the same moments."""
        channels = (measured, *others)
        return self.once(channels, lambda: self._gather(channels))

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` returns, made once for all that ask for ``key`` until the next ``push``."""
        if key not in self._once:
            self._once[key] = make()
        made: T = self._once[key]
        return made

    def latest(self, channel: str) -> float:
        """The last known value of a channel, NaN where none was ever known."""
        return float(self._values[CHANNEL[channel], self._end - 1])

    def grid(self, steps: int) -> tuple[Floats, Bools]:
        """The newest ``steps`` of the grid, at most all: values as held (NaN where none was ever known), and
        which of them were measured; float32 and bool [channels, steps]."""
        view = slice(self._end - min(steps, self._steps), self._end)
        return self._values[:, view], self._measured[:, view]

    def events(self, seconds: float, *kinds: EventKind) -> list[WindowEvent]:
        """Events of the given kinds within the last ``seconds``, oldest first."""
        from_ns = self.at_ns(-seconds)
        return [
            event
            for window in self.windows
            if window.events and window.end_ns > from_ns
            for event in window.events
            if event.kind in kinds and event.at_ns >= from_ns
        ]

    def marked(self, seconds: float, marks: Mark) -> bool:
        """Whether any window that reaches into the last ``seconds`` bears one of the marks."""
        from_ns, bits = self.at_ns(-seconds), int(marks)
        for window in reversed(self.windows):
            if window.end_ns <= from_ns:
                return False
            if int(window.marks) & bits:
                return True
        return False

    def at_ns(self, seconds: float) -> int:
        """The moment that ``Series.seconds`` means, in ns UTC."""
        return self.newest.end_ns + round(seconds * NS_PER_S)

    def _gather(self, channels: tuple[str, ...]) -> Table:
        view = slice(self._end - self._steps, self._end)
        steps = np.flatnonzero(self._measured[CHANNEL[channels[0]], view])
        rows = [self._values[CHANNEL[channel], view][steps] for channel in channels]
        step_s = self.newest.span_ns / NS_PER_S / STEPS_PER_WINDOW
        return Table(np.multiply(steps - self._steps, step_s, dtype=np.float64), np.array(rows))

    def _slide(self, steps: int) -> None:
        if self._end + steps > 2 * self._steps:
            view = slice(self._end - self._steps, self._end)
            self._values[:, : self._steps] = self._values[:, view].copy()
            self._measured[:, : self._steps] = self._measured[:, view].copy()
            self._end = self._steps
        self._values[:, self._end : self._end + steps] = np.nan
        self._measured[:, self._end : self._end + steps] = False
        self._end += steps
