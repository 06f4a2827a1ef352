"""Marlin's print timer: M75, M76, M77, M31. Time comes in."""

from __future__ import annotations

S_PER_MINUTE, S_PER_HOUR, S_PER_DAY = 60, 3_600, 86_400


class Stopwatch:
    """Seconds of a print, without its pauses."""

    def __init__(self) -> None:
        self._spent_s = 0.0
        self._since_s: float | None = None  # None: it stands
        self._is_over = True

    def start(self, now_s: float) -> None:
        """Begin at 0, or go on after a pause."""
        if self._is_over:
            self._spent_s, self._is_over = 0.0, False
        if self._since_s is None:
            self._since_s = now_s

    def pause(self, now_s: float) -> None:
        """Stand until it is started again."""
        self._spent_s, self._since_s = self.seconds(now_s), None

    def stop(self, now_s: float) -> None:
        """The print is over; its time stays until the next one."""
        self.pause(now_s)
        self._is_over = True

    def seconds(self, now_s: float) -> float:
        """How long the print has lasted."""
        return self._spent_s + (0.0 if self._since_s is None else now_s - self._since_s)


def in_words(seconds: float) -> str:
    """As Marlin writes a duration: ``1h 2m 3s``, ``2m 3s``, ``3s``."""
    parts: list[str] = []
    rest = int(seconds)
    for unit_s, letter in ((S_PER_DAY, "d"), (S_PER_HOUR, "h"), (S_PER_MINUTE, "m")):
        count, rest = divmod(rest, unit_s)
        if count or parts:
            parts.append(f"{count}{letter}")
    return " ".join([*parts, f"{rest}s"])
