"""What an automatic tuning finds for a heater: the relay experiment of Klipper's PID_CALIBRATE in still air.

The heater is switched fully on below the target and off above it, with 5 K between (TUNE_PID_DELTA); how far
and how slowly the temperature swings gives the gains by the classic rule of Ziegler and Nichols. M303 of
Marlin does much the same. What noise and drafts do to a real tuning is for the caller to draw.
"""

from __future__ import annotations

import math

from ingest.simulate.heater import KLIPPER_STEP_S
from ingest.simulate.pid import OUTPUT_MAX, Gains
from ingest.simulate.thermal import Air, ThermalBody, ThermalMass

DELTA_K = 5.0
PEAKS = 5  # after so many the swing is even: the air is still


def autotuned(mass: ThermalMass, target_c: float, ambient_c: float, max_power: float = 1.0) -> Gains:
    """The gains that tuning at a target finds. Raises ValueError for one that the heater does not reach."""
    if (mass.loss_w_k * (target_c - ambient_c)) >= max_power * mass.full_w:
        raise ValueError(f"{target_c:.0f} °C takes more than {max_power * mass.full_w:.0f} W: tune lower")
    peaks = _swing(mass, target_c, ambient_c, max_power)
    swing_k = abs(peaks[-1][1] - peaks[-2][1])
    period_s = peaks[-1][0] - peaks[-3][0]
    p = 0.6 * 4.0 * max_power * OUTPUT_MAX / (math.pi * 0.5 * swing_k)
    return Gains(p, 2.0 * p / period_s, p * period_s / 8.0)


def _swing(
    mass: ThermalMass, target_c: float, ambient_c: float, max_power: float
) -> list[tuple[float, float]]:
    """Highest and lowest readings in turn, each (s, °C)."""
    body = ThermalBody(mass, air=Air(ambient_c))
    body.settle(target_c)
    peaks: list[tuple[float, float]] = []
    is_on, at_s, extreme = False, 0.0, (0.0, target_c)
    while len(peaks) < PEAKS:
        body.advance(KLIPPER_STEP_S, is_on * max_power * mass.full_w)
        at_s += KLIPPER_STEP_S
        sensed_c = body.sensed_c
        is_further = sensed_c < extreme[1] if is_on else sensed_c > extreme[1]
        if is_further:
            extreme = (at_s, sensed_c)
        if sensed_c < target_c - DELTA_K if not is_on else sensed_c > target_c:
            peaks.append(extreme)
            is_on, extreme = not is_on, (at_s, sensed_c)
    return peaks
