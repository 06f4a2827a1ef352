"""What a command may wait for: a heater (M109, M190), a time (G4), moves, somebody. Marlin reports on it."""

from __future__ import annotations

from ingest.simulate.heater import Heater
from ingest.simulate.planner import Planner

WINDOW_C = 1.0  # TEMP_WINDOW: this near counts as there
HYSTERESIS_C = 3.0  # TEMP_HYSTERESIS: this far, and the wait begins anew
RESIDENCY_S = 10.0  # TEMP_RESIDENCY_TIME: how long it must stay there

PROCESSING, FOR_USER = "processing", "paused for user"  # what Marlin says that it is busy with


class Wait:
    """Something that a command waits for. ``busy``: what Marlin says that it is busy with."""

    busy = PROCESSING

    def done(self, now_s: float) -> bool:
        """Whether the wait is over; called when it begins and with every control step."""
        raise NotImplementedError

    def suffix(self, now_s: float) -> str | None:
        """What a temperature report of the wait ends with; None where the wait reports none of its own."""
        return None

    def news(self) -> list[str]:
        """The lines that it has to say since it was asked."""
        return []

    def press(self) -> None:
        """Somebody has pressed the button, or a host has sent what stands for it: waits for it end."""


class Room(Wait):
    """G1: until the planner has a place for the move."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner

    def done(self, now_s: float) -> bool:
        return not self._planner.is_full


class Standstill(Wait):
    """M400, G28, …: until the moves that are planned are done."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner

    def done(self, now_s: float) -> bool:
        return self._planner.is_idle


class Dwell(Wait):
    """G4: the moves that are planned, then some seconds."""

    def __init__(self, planner: Planner, seconds: float) -> None:
        self._planner = planner
        self._seconds = seconds
        self._until_s: float | None = None  # None: the head still moves

    def done(self, now_s: float) -> bool:
        if self._until_s is None and self._planner.is_idle:
            self._until_s = now_s + self._seconds
        return self._until_s is not None and now_s >= self._until_s


class UserWait(Dwell):
    """M0, M1: the moves that are planned, then until somebody presses the button after so many seconds."""

    busy = FOR_USER

    def press(self) -> None:
        self._until_s = 0.0


class HeatWait(Wait):
    """M109, M190: until the heater has been near its target for some seconds."""

    def __init__(self, heater: Heater) -> None:
        self._heater = heater
        self._there_s: float | None = None  # since when

    def done(self, now_s: float) -> bool:
        off_c = abs(self._heater.reading_c - self._heater.target_c)
        if self._there_s is None:
            self._there_s = now_s if off_c <= WINDOW_C else None
        elif off_c > HYSTERESIS_C:
            self._there_s = None
        return self._there_s is not None and now_s - self._there_s >= RESIDENCY_S

    def suffix(self, now_s: float) -> str | None:
        """`` W:?`` until the heater is there, then the seconds that are left."""
        if self._there_s is None:
            return " W:?"
        return f" W:{max(0, round(RESIDENCY_S - (now_s - self._there_s)))}"
