"""What a command may wait for: a heater (M109, M190) or a time (G4). Marlin reports while it waits."""

from __future__ import annotations

from typing import Protocol

from ingest.simulate.heater import Heater

WINDOW_C = 1.0  # TEMP_WINDOW: this near counts as there
RESIDENCY_S = 10.0  # TEMP_RESIDENCY_TIME: how long it must stay there


class Wait(Protocol):
    """Something that a command waits for."""

    def done(self, now_s: float) -> bool:
        """Whether the wait is over; called with every control step."""
        ...

    def suffix(self, now_s: float) -> str | None:
        """What a temperature report of the wait ends with; None where the wait reports none of its own."""
        ...


class Dwell:
    """G4: until a time."""

    def __init__(self, until_s: float, began_s: float) -> None:
        self.began_s = began_s
        self._until_s = until_s

    def done(self, now_s: float) -> bool:
        return now_s >= self._until_s

    def suffix(self, now_s: float) -> str | None:
        return None


class HeatWait:
    """M109, M190: until the heater has been near its target for some seconds."""

    def __init__(self, heater: Heater, began_s: float) -> None:
        self.began_s = began_s
        self._heater = heater
        self._there_s: float | None = None  # since when

    def done(self, now_s: float) -> bool:
        if abs(self._heater.reading_c - self._heater.target_c) > WINDOW_C:
            self._there_s = None
        elif self._there_s is None:
            self._there_s = now_s
        return self._there_s is not None and now_s - self._there_s >= RESIDENCY_S

    def suffix(self, now_s: float) -> str | None:
        """`` W:?`` until the heater is there, then the seconds that are left."""
        if self._there_s is None:
            return " W:?"
        return f" W:{max(0, round(RESIDENCY_S - (now_s - self._there_s)))}"
