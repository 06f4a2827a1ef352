"""The last minutes of one printer, as arrays that rules and models read."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

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
    Window,
    WindowEvent,
)

Seconds = npt.NDArray[np.float64]


class Series(NamedTuple):
    """Measured values of one channel in the order of time; ``seconds`` is relative to the newest step's end."""

    seconds: Seconds  # float64 [n], ascending, all <= 0
    values: Floats  # float32 [n]

    def since(self, seconds: float) -> Series:
        """Only what was measured within the last ``seconds``."""
        first = int(np.searchsorted(self.seconds, -seconds))
        return Series(self.seconds[first:], self.values[first:])

    @property
    def span_s(self) -> float:
        """Time from the first to the last value, in s."""
        return float(self.seconds[-1] - self.seconds[0]) if len(self.seconds) else 0.0


class History:
    """A rolling view of one printer's last ``capacity`` window spans (a missing window leaves a hole).

    ``push`` takes windows in ascending order of index. Everything else reads.
    """

    def __init__(self, capacity: int) -> None:
        self.windows: deque[Window] = deque()
        self._capacity = capacity
        self._values: Floats = np.full((capacity * STEPS_PER_WINDOW, len(CHANNELS)), np.nan, np.float32)
        self._measured: Bools = np.zeros(self._values.shape, np.bool_)

    def push(self, window: Window) -> None:
        """Take the next window in. Raises ValueError for one that is not newer than the last."""
        ahead = window.index - self.windows[-1].index if self.windows else self._capacity
        if ahead <= 0:
            raise ValueError(f"found window {window.index} after {self.windows[-1].index}, expected a newer one")
        self._scroll(min(ahead, self._capacity) * STEPS_PER_WINDOW)
        self._values[-STEPS_PER_WINDOW:] = window.values()
        self._measured[-STEPS_PER_WINDOW:] = window.mask()
        self.windows.append(window)
        while self.windows[0].index <= window.index - self._capacity:
            self.windows.popleft()

    @property
    def newest(self) -> Window:
        return self.windows[-1]

    def series(self, channel: str) -> Series:
        """The measured values of a channel."""
        column = CHANNEL[channel]
        steps = np.flatnonzero(self._measured[:, column])
        step_s = self.newest.span_ns / NS_PER_S / STEPS_PER_WINDOW
        return Series((steps - len(self._values)) * step_s, self._values[steps, column])

    def latest(self, channel: str) -> float:
        """The last known value of a channel, NaN where none was ever known."""
        return float(self._values[-1, CHANNEL[channel]])

    def events(self, seconds: float, *kinds: EventKind) -> list[WindowEvent]:
        """Events of the given kinds within the last ``seconds``, oldest first."""
        from_ns = self.newest.end_ns - int(seconds * NS_PER_S)
        return [
            event
            for window in self.windows
            if window.end_ns > from_ns
            for event in window.events
            if event.kind in kinds and event.at_ns >= from_ns
        ]

    def _scroll(self, steps: int) -> None:
        self._values = np.roll(self._values, -steps, axis=0)
        self._measured = np.roll(self._measured, -steps, axis=0)
        self._values[-steps:] = np.nan
        self._measured[-steps:] = False
