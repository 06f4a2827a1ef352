"""How boards decide a heater's power: Marlin's and Klipper's PID, and the switching that simple beds have.

Marlin's is ``Temperature::get_pid_output``: all or nothing far off, PID near the target. Klipper's is
``ControlPID`` of ``klippy/extras/heaters.py``: PID everywhere, the slope smoothed over a second, and a change
of power below 5 % put off for some seconds. Switching is ``ControlBangBang`` there, and in Marlin a bed
without ``PIDTEMPBED``.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

OUTPUT_MAX = 255.0  # PID_MAX of Marlin, PID_PARAM_BASE of Klipper
FUNCTIONAL_RANGE_C = 10.0  # PID_FUNCTIONAL_RANGE
SMOOTHING = 0.95  # PID_K1: share of the old derivative that is kept
POWER_MAX = 127  # what the wire calls "@": the output halved
SMOOTH_S = 1.0  # smooth_time of Klipper: over this the slope and what is told are smoothed
SMALL_CHANGE = 0.05  # Klipper: a smaller change of duty is put off …
PUT_OFF_S = 3.75  # … for so long at most: 0.75 MAX_HEAT_TIME


class Gains(msgspec.Struct, frozen=True):
    """Proportional, integral (per second) and derivative (seconds) gains, output counts of 255 per kelvin."""

    p: float
    i: float
    d: float


HOTEND_GAINS = Gains(22.2, 1.08, 114.0)  # Marlin's example configuration, M301
BED_GAINS = Gains(100.0, 2.0, 300.0)  # of the size that M303 finds on such beds


class Control(Protocol):
    """What decides a heater's power: asked once per control step, it remembers what it needs."""

    def settle(self, at_c: float, duty: float) -> None:
        """Remember what holding ``at_c`` with ``duty`` (0..1) for minutes would have left."""

    def output(self, dt_s: float, reading_c: float, target_c: float) -> float:
        """The duty to give now, 0..1. A target of 0 means off."""


class Pid:
    """Marlin's PID. Its output comes in whole counts of 127."""

    def __init__(self, gains: Gains, max_power: float = 1.0) -> None:
        self._gains = gains
        self._most = max_power * OUTPUT_MAX  # PID_MAX, MAX_BED_POWER
        self._sum_ks = 0.0  # kelvin seconds
        self._slope = 0.0
        self._last_c: float | None = None  # None: out of the functional range until now

    def settle(self, at_c: float, duty: float) -> None:
        """Remember what holding ``at_c`` with ``duty`` (0..1) for minutes would have left."""
        self._sum_ks = duty * OUTPUT_MAX / self._gains.i
        self._slope, self._last_c = 0.0, at_c

    def output(self, dt_s: float, reading_c: float, target_c: float) -> float:
        """The duty to give now, 0..1 in steps of 1/127."""
        error_c = target_c - reading_c
        if target_c <= 0.0 or abs(error_c) > FUNCTIONAL_RANGE_C:
            self._last_c = None
            return int(self._most) // 2 / POWER_MAX if target_c > 0.0 and error_c > 0.0 else 0.0
        return int(self._near(dt_s, reading_c, error_c)) // 2 / POWER_MAX

    def _near(self, dt_s: float, reading_c: float, error_c: float) -> float:
        if self._last_c is None:
            self._sum_ks, self._slope, self._last_c = 0.0, 0.0, reading_c
        gains = self._gains
        self._sum_ks = min(max(self._sum_ks + error_c * dt_s, 0.0), self._most / gains.i)
        fall = gains.d * (self._last_c - reading_c) / dt_s
        self._slope = SMOOTHING * self._slope + (1.0 - SMOOTHING) * fall
        self._last_c = reading_c
        wanted = gains.p * error_c + gains.i * self._sum_ks + self._slope
        return min(max(wanted, 0.0), self._most)


class KlipperPid:
    """Klipper's PID: ``max_power`` bounds it, and the sum only moves while the output is within bounds."""

    def __init__(self, gains: Gains, max_power: float = 1.0) -> None:
        self._gains, self._max_power = gains, max_power
        self._sum_ks = 0.0
        self._slope_k_s = 0.0
        self._last_c: float | None = None
        self._duty = 0.0  # last_pwm_value
        self._since_s = 0.0  # since it was set

    def settle(self, at_c: float, duty: float) -> None:
        """Remember what holding ``at_c`` with ``duty`` (0..1) for minutes would have left."""
        self._sum_ks = duty * OUTPUT_MAX / self._gains.i
        self._slope_k_s, self._last_c, self._duty = 0.0, at_c, duty

    def output(self, dt_s: float, reading_c: float, target_c: float) -> float:
        """The duty to give now, 0..``max_power``."""
        change_k = reading_c - (reading_c if self._last_c is None else self._last_c)
        slope_k_s = (self._slope_k_s * max(SMOOTH_S - dt_s, 0.0) + change_k) / max(SMOOTH_S, dt_s)
        gains, error_k = self._gains, target_c - reading_c
        sum_ks = min(max(self._sum_ks + error_k * dt_s, 0.0), self._max_power * OUTPUT_MAX / gains.i)
        wanted = (gains.p * error_k + gains.i * sum_ks - gains.d * slope_k_s) / OUTPUT_MAX
        bounded = min(max(wanted, 0.0), self._max_power)
        self._last_c, self._slope_k_s = reading_c, slope_k_s
        if wanted == bounded:
            self._sum_ks = sum_ks
        return self._set(dt_s, bounded if target_c > 0.0 else 0.0)

    def _set(self, dt_s: float, duty: float) -> float:
        self._since_s += dt_s
        can_wait = self._since_s < PUT_OFF_S or self._duty == 0.0
        if not can_wait or abs(duty - self._duty) >= SMALL_CHANGE:
            self._duty, self._since_s = duty, 0.0
        return self._duty


class Switching:
    """On below the target less ``delta_k``, off above the target and ``delta_k``; asked every ``every_s``.

    Marlin's BED_CHECK_INTERVAL is 5 s and its delta 0; Klipper looks with every reading and has a
    ``max_delta`` of 2 K.
    """

    def __init__(self, every_s: float, delta_k: float, max_power: float = 1.0) -> None:
        self._every_s, self._delta_k, self._max_power = every_s, delta_k, max_power
        self._since_s = every_s
        self._is_on = False

    def settle(self, at_c: float, duty: float) -> None:
        """Nothing to remember: where in its swing it is does not show in its memory."""

    def output(self, dt_s: float, reading_c: float, target_c: float) -> float:
        """The duty to give now: 0 or ``max_power``."""
        self._since_s += dt_s
        if self._since_s >= self._every_s:
            self._since_s = 0.0
            edge_c = target_c + self._delta_k if self._is_on else target_c - self._delta_k
            self._is_on = reading_c < edge_c
        return self._max_power if self._is_on and target_c > 0.0 else 0.0
