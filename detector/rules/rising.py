"""How fast a heater must rise, and since when it has not."""

from __future__ import annotations

import numpy as np

from detector.rules.heaters import AMBIENT_C, BED, FULL_POWER, HOTEND_J_K, HOTEND_W, Heater, Stretch

HOTEND_LOSS_W_K = 0.097
"""Loss to air, upper end of the published 0.068 to 0.097 W/K: the expected rate is a cautious one."""

BED_LEAST_K_S = 2.0 / 60.0
"""The slowest rise that Marlin accepts of a bed: 2 K in 60 s (WATCH_BED_TEMP_INCREASE and _PERIOD)."""


def expected_k_s(heater: Heater, celsius: float, duty: float = 1.0) -> float:
    """How fast the heater must rise at this temperature and duty (at least ``FULL_POWER`` is all), in K/s."""
    if heater is BED:
        return BED_LEAST_K_S
    given = 1.0 if duty >= FULL_POWER else duty
    watts = given * HOTEND_W - HOTEND_LOSS_W_K * (celsius - AMBIENT_C)
    return max(watts, 0.0) / HOTEND_J_K


def went_wrong_s(seen: Stretch, full: Stretch, heater: Heater) -> float:
    """When the readings at full power began to lag behind what physics expects, in s before now.

    The turning point of a cumulative sum: before it the temperature rises faster than half the expected
    rate, after it slower. Where it begins at the target, the moment at which the target was left.
    """
    half = expected_k_s(heater, float(full.celsius.mean()), float(full.power[-1])) / 2.0
    turn = int(np.argmax(full.celsius - half * full.seconds))
    if full.target - full.celsius[turn] < heater.below_k:
        kept = np.flatnonzero(seen.celsius >= seen.target - heater.fall_k / 4.0)
        if len(kept):
            return float(seen.seconds[kept[-1]])
    return float(full.seconds[turn])
