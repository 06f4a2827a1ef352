"""Marlin's heater control (``Temperature::get_pid_output``): all or nothing far off, PID near the target."""

from __future__ import annotations

import msgspec

OUTPUT_MAX = 255.0  # PID_MAX
FUNCTIONAL_RANGE_C = 10.0  # PID_FUNCTIONAL_RANGE
SMOOTHING = 0.95  # PID_K1: share of the old derivative that is kept
POWER_MAX = 127  # what the wire calls "@": the output halved


class Gains(msgspec.Struct, frozen=True):
    """Proportional, integral (per second) and derivative (seconds) gains, output counts of 255 per kelvin."""

    p: float
    i: float
    d: float


HOTEND_GAINS = Gains(22.2, 1.08, 114.0)  # Marlin's example configuration, M301
BED_GAINS = Gains(100.0, 2.0, 300.0)  # of the size that M303 finds on such beds


class Pid:
    """The controller's memory. ``output`` is called once per control step."""

    def __init__(self, gains: Gains) -> None:
        self._gains = gains
        self._sum_ks = 0.0  # kelvin seconds
        self._slope = 0.0
        self._last_c: float | None = None  # None: out of the functional range until now

    def settle(self, at_c: float, duty: float) -> None:
        """Remember what holding ``at_c`` with ``duty`` (0..1) for minutes would have left."""
        self._sum_ks = duty * OUTPUT_MAX / self._gains.i
        self._slope, self._last_c = 0.0, at_c

    def output(self, dt_s: float, reading_c: float, target_c: float) -> int:
        """The power to give now, 0..127."""
        error_c = target_c - reading_c
        if target_c <= 0.0 or abs(error_c) > FUNCTIONAL_RANGE_C:
            self._last_c = None
            return POWER_MAX if target_c > 0.0 and error_c > 0.0 else 0
        return int(self._near(dt_s, reading_c, error_c)) // 2

    def _near(self, dt_s: float, reading_c: float, error_c: float) -> float:
        if self._last_c is None:
            self._sum_ks, self._slope, self._last_c = 0.0, 0.0, reading_c
        gains = self._gains
        self._sum_ks = min(max(self._sum_ks + error_c * dt_s, 0.0), OUTPUT_MAX / gains.i)
        fall = gains.d * (self._last_c - reading_c) / dt_s
        self._slope = SMOOTHING * self._slope + (1.0 - SMOOTHING) * fall
        self._last_c = reading_c
        wanted = gains.p * error_c + gains.i * self._sum_ks + self._slope
        return min(max(wanted, 0.0), OUTPUT_MAX)
