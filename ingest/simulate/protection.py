"""Marlin's thermal protection with its defaults: what makes a real printer halt itself, and when.

After ``Temperature::tr_state_machine_t`` and ``heater_watch_t`` of Marlin 2.1. Pure: time comes in. Left out:
the variance monitor (off by default) and the fan that Marlin slows before it gives up.
"""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The protection of one heater, as in Marlin's Configuration_adv.h."""

    hold_s: float  # THERMAL_PROTECTION_PERIOD
    hold_c: float  # THERMAL_PROTECTION_HYSTERESIS
    watch_s: float  # WATCH_TEMP_PERIOD
    watch_c: float  # WATCH_TEMP_INCREASE
    near_c: float  # TEMP_HYSTERESIS: this near to the target nothing is watched
    min_c: float
    max_c: float


HOTEND_LIMITS = Limits(hold_s=40.0, hold_c=4.0, watch_s=20.0, watch_c=2.0, near_c=3.0, min_c=5.0, max_c=275.0)
BED_LIMITS = Limits(hold_s=20.0, hold_c=2.0, watch_s=60.0, watch_c=2.0, near_c=3.0, min_c=5.0, max_c=150.0)

RUNAWAY = "Thermal Runaway"
NOT_HEATING = "Heating failed"
TOO_COLD = "MINTEMP triggered"
TOO_HOT = "MAXTEMP triggered"


class Protection:
    """Watches one heater. ``retarget`` when a target is set, ``check`` with every reading."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._target_c = 0.0
        self._reached = False  # the target was reached once: it must be held from then on
        self._hold_until_s = 0.0
        self._rise_to_c = 0.0
        self._rise_until_s: float | None = None  # None: nothing is watched

    def retarget(self, now_s: float, reading_c: float, target_c: float) -> None:
        """A target was set: from here the heater must get warmer, where it is far off."""
        watched = target_c > 0.0 and reading_c + self.limits.watch_c < target_c - self.limits.near_c - 1.0
        self._rise_to_c = reading_c + self.limits.watch_c
        self._rise_until_s = now_s + self.limits.watch_s if watched else None

    def check(self, now_s: float, reading_c: float, target_c: float) -> str | None:
        """What is wrong, None where nothing is. The reason is the first word of Marlin's error."""
        if reading_c > self.limits.max_c:
            return TOO_HOT
        if target_c > 0.0 and reading_c < self.limits.min_c:
            return TOO_COLD
        if self._not_rising(now_s, reading_c, target_c):
            return NOT_HEATING
        return RUNAWAY if self._not_held(now_s, reading_c, target_c) else None

    def _not_rising(self, now_s: float, reading_c: float, target_c: float) -> bool:
        if self._rise_until_s is None or now_s < self._rise_until_s:
            return False
        if reading_c < self._rise_to_c:
            return True
        self.retarget(now_s, reading_c, target_c)
        return False

    def _not_held(self, now_s: float, reading_c: float, target_c: float) -> bool:
        if target_c != self._target_c:
            self._target_c, self._reached = target_c, False
        self._reached = target_c > 0.0 and (self._reached or reading_c >= target_c)
        if not self._reached or reading_c >= target_c - self.limits.hold_c:
            self._hold_until_s = now_s + self.limits.hold_s
        return now_s > self._hold_until_s
