"""How long a printer takes for a move: acceleration, limits of the axes and corners.

Each move is a trapezoid of speeds. At the corner before it the printer slows down until no axis jumps by more
than its jerk (Marlin's classic jerk, M205); the corner after it is taken to be like the one before. That
needs no look ahead, and over a print every corner counts for two sides all the same: whole prints come out
within 4 % of what PrusaSlicer's planner says (``python -m bench.gcode``).
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, sqrt

from ingest.telemetry.gcode.words import Words

SLOWEST_MM_S = 0.05
"""Speed at or below which nothing moves (Marlin MINIMUM_PLANNER_SPEED)."""
USUAL_ACCELERATION_MM_S2 = 1000.0
"""Where no M204 tells. Between an Ender-3 (500) and a Prusa MK3 (1250)."""
USUAL_JERK_MM_S = 8.0
"""x and y, where no M205 tells (both of the above)."""
USUAL_Z_JERK_MM_S = 0.4
"""Likewise."""
USUAL_EXTRUDER_JERK_MM_S = 5.0
"""Where no M205 tells (Marlin DEFAULT_EJERK)."""
LEAST_LIMIT = 1e-3
"""mm/s or mm/s²: a smaller limit would stand still, and is not taken."""


class Pace:
    """The times of moves, one after the other. Knows what M201, M203, M204 and M205 told."""

    def __init__(self) -> None:
        self._print_mm_s2 = self._travel_mm_s2 = self._retract_mm_s2 = USUAL_ACCELERATION_MM_S2
        self._jerk_mm_s, self._z_jerk_mm_s = USUAL_JERK_MM_S, USUAL_Z_JERK_MM_S
        self._extruder_jerk_mm_s = USUAL_EXTRUDER_JERK_MM_S
        self._axis_mm_s2 = dict.fromkeys("XYZE", inf)
        self._axis_mm_s = dict.fromkeys("XYZE", inf)
        self._free_mm_s2 = self._free_mm_s = inf  # below these no move in x and y is limited
        self._ux = self._uy = self._uz = 0.0  # direction of the last move, 0 after a standstill
        self._speed_mm_s = inf  # its speed

    def seconds(
        self, mm: float, ux: float, uy: float, uz: float, speed_mm_s: float, *, prints: bool
    ) -> float:
        """Time for ``mm`` > 0 along the unit vector (ux, uy, uz), printing or travelling."""
        speed = speed_mm_s if speed_mm_s > SLOWEST_MM_S else SLOWEST_MM_S
        acceleration = self._print_mm_s2 if prints else self._travel_mm_s2
        if uz or speed > self._free_mm_s or acceleration > self._free_mm_s2:
            speed, acceleration = self._limited(ux, uy, uz, speed, acceleration)
        corner = speed if speed < self._speed_mm_s else self._speed_mm_s
        turn_x, turn_y = abs(ux - self._ux), abs(uy - self._uy)
        jump = corner * (turn_x if turn_x > turn_y else turn_y)
        if jump > self._jerk_mm_s:
            corner *= self._jerk_mm_s / jump
        if uz != self._uz:
            corner = min(corner, self._z_jerk_mm_s / abs(uz - self._uz))
        self._ux, self._uy, self._uz, self._speed_mm_s = ux, uy, uz, speed
        return _trapezoid_s(mm, speed, corner, acceleration)

    def extruder_seconds(self, mm: float, speed_mm_s: float) -> float:
        """Time for ``mm`` > 0 of filament pushed or pulled while the head stands."""
        self.stand()
        speed = max(min(speed_mm_s, self._axis_mm_s["E"]), SLOWEST_MM_S)
        acceleration = min(self._retract_mm_s2, self._axis_mm_s2["E"])
        return _trapezoid_s(mm, speed, min(speed, self._extruder_jerk_mm_s), acceleration)

    def stand(self) -> None:
        """The head stands still: the next move starts from there."""
        self._ux = self._uy = self._uz = 0.0
        self._speed_mm_s = inf

    def head_for(self, ux: float, uy: float) -> None:
        """The last move ended in this direction (an arc, which began in another)."""
        self._ux, self._uy = ux, uy

    def take(self, code: str, words: Words) -> bool:
        """Note what a command says of limits; False for a command that says nothing of them."""
        handler = _HANDLERS.get(code)
        if handler is not None:
            handler(self, {axis: value for axis, value in words.items() if value and value >= LEAST_LIMIT})
        return handler is not None

    def _limited(
        self, ux: float, uy: float, uz: float, speed: float, acceleration: float
    ) -> tuple[float, float]:
        """Speed and acceleration at which no axis is above its own limit."""
        for axis, part in (("X", ux), ("Y", uy), ("Z", uz)):
            if part:
                speed = min(speed, self._axis_mm_s[axis] / abs(part))
                acceleration = min(acceleration, self._axis_mm_s2[axis] / abs(part))
        return max(speed, SLOWEST_MM_S), acceleration

    def _limit_accelerations(self, limits: dict[str, float]) -> None:
        self._axis_mm_s2.update((axis, limits[axis]) for axis in "XYZE" if axis in limits)
        self._free_mm_s2 = min(self._axis_mm_s2["X"], self._axis_mm_s2["Y"])

    def _limit_speeds(self, limits: dict[str, float]) -> None:
        self._axis_mm_s.update((axis, limits[axis]) for axis in "XYZE" if axis in limits)
        self._free_mm_s = min(self._axis_mm_s["X"], self._axis_mm_s["Y"])

    def _accelerate(self, limits: dict[str, float]) -> None:
        """M204. ``S`` is the older word for printing and travelling alike."""
        both = limits.get("S")
        self._print_mm_s2 = limits.get("P", both or self._print_mm_s2)
        self._travel_mm_s2 = limits.get("T", both or self._travel_mm_s2)
        self._retract_mm_s2 = limits.get("R", self._retract_mm_s2)

    def _jerk(self, limits: dict[str, float]) -> None:
        """M205 in its classic form. ``X`` holds for x and y."""
        self._jerk_mm_s = limits.get("X", self._jerk_mm_s)
        self._z_jerk_mm_s = limits.get("Z", self._z_jerk_mm_s)
        self._extruder_jerk_mm_s = limits.get("E", self._extruder_jerk_mm_s)


_HANDLERS: dict[str, Callable[[Pace, dict[str, float]], None]] = {
    "M201": Pace._limit_accelerations,
    "M203": Pace._limit_speeds,
    "M204": Pace._accelerate,
    "M205": Pace._jerk,
}


def _trapezoid_s(mm: float, speed: float, corner: float, acceleration: float) -> float:
    """Time from the speed ``corner`` up to ``speed`` and back, over ``mm``; a triangle where mm is short."""
    if mm * acceleration >= speed * speed - corner * corner:
        return mm / speed + (speed - corner) ** 2 / (acceleration * speed)
    return 2 * (sqrt(corner * corner + acceleration * mm) - corner) / acceleration
