"""What physics says for certain of a heater and its temperature."""

from __future__ import annotations

import numpy as np

from detector.anomaly import Kind, Reason
from detector.rules.halts import stands_halted
from detector.rules.heaters import (
    FULL_POWER,
    IDLE_POWER,
    Heater,
    Stretch,
    described,
    expected_k_s,
    graded,
    stretch,
    went_wrong_s,
)
from features.sequence import History
from ingest.records import Mark

FAR_SLOWER = 1 / 3
"""Below this share of the expected rate a heater has failed. Healthy ones on record reach 0.67 and more once
the lag is over (1,422 windows of 8 Klipper printers), a very slow one about 0.4 at first."""

SURE_AFTER = 1.5
"""A rise that is missing is certain after this many times the least time: lags differ between hot ends."""

LEAST_READINGS = 3
"""Fewer readings make no trend."""

SETTLE_S = 12.0
"""After a change of the target the temperature may fall on under full power: 7 s and 4.4 K on record."""

FAN_S = 20.0
"""A part fan that went up within this time explains some of a fall."""

FAN_STEP = 0.1
"""A fan change (duty) that counts as one."""

OVERSHOOT_S = 2.0
"""Heat under way may raise a reading for this much longer than the lag: 10 s is the longest on record."""

WARM_C = 45.0
"""Without a target a heater may be as warm as this from its neighbours (a nozzle parked over a hot bed)."""

FORGIVEN = Mark.PAUSED | Mark.FILAMENT_CHANGE | Mark.OVERRIDE
"""What a person or a changed flow does to a temperature: more must show before it counts as a fall."""


def heating_failed(heater: Heater, history: History) -> Reason | None:
    """At full power, well below the target, and rising far slower than physics allows."""
    seen = stretch(history, heater)
    full = seen.while_power(FULL_POWER) if seen else None
    if seen is None or full is None or full.span_s < heater.full_s or full.below_k <= heater.below_k:
        return None
    tail = full.after(heater.lag_s).last(heater.full_s)
    if tail.span_s < heater.trend_s or len(tail.seconds) < LEAST_READINGS or stands_halted(history):
        return None
    expected = expected_k_s(heater, float(tail.celsius.mean()))
    share = tail.rate_k_s / expected
    if share >= FAR_SLOWER:
        return None
    clearness = min(1.0 - share / FAR_SLOWER, full.span_s / (heater.full_s * SURE_AFTER) - 0.2)
    text = (
        f"{heater.name} {_motion(tail.rate_k_s)} at full power where {expected:.2f} K/s is expected "
        f"({described(full)}): the heater gives too little heat"
    )
    return _reason(heater, history, graded(clearness), went_wrong_s(seen, full, heater), text)


def falling(heater: Heater, history: History) -> Reason | None:
    """The temperature falls under full power while the target is unchanged."""
    seen = stretch(history, heater)
    settled = seen.after(SETTLE_S) if seen and seen.retargeted else seen
    full = settled.while_power(FULL_POWER) if settled else None
    if seen is None or full is None or full.target <= 0.0 or full.span_s < heater.fall_s:
        return None
    fall = full.part(int(np.argmax(full.celsius)))
    over = full.below_k - heater.fall_below_k - _forgiven_k(heater, history)
    too_little = fall.span_s < heater.fall_s or _drop_k(fall) < heater.fall_k
    recovers = fall.last(heater.fall_s).rate_k_s >= 0.0
    if over < 0.0 or too_little or recovers or stands_halted(history):
        return None
    text = (
        f"{heater.name} {_motion(fall.rate_k_s)} at full power ({described(full)}): the heater gives no heat"
    )
    clearness = over / (heater.fall_sure_k - heater.fall_below_k)
    return _reason(heater, history, graded(clearness), went_wrong_s(seen, full, heater), text)


def runaway(heater: Heater, history: History) -> Reason | None:
    """Well above the target and still rising without power: the heater is stuck on."""
    seen = stretch(history, heater)
    idle = seen.while_power(0.0, IDLE_POWER) if seen else None
    if seen is None or idle is None:
        return None
    above = seen.now_c - max(seen.target, WARM_C) - heater.above_k
    tail = idle.after(heater.lag_s + OVERSHOOT_S).last(heater.rise_s)
    if above < 0.0 or tail.span_s < heater.rise_s or len(tail.seconds) < LEAST_READINGS:
        return None
    if -_drop_k(tail) < heater.rise_k or tail.rate_k_s * tail.span_s < heater.rise_k:
        return None
    text = f"{heater.name} {_motion(tail.rate_k_s)} without power ({described(seen)}): the heater is stuck on"
    began_s = float(idle.seconds[np.argmin(idle.celsius)])
    clearness = above / (heater.above_sure_k - heater.above_k)
    return _reason(heater, history, graded(clearness, least=0.7), began_s, text)


def _drop_k(stretch: Stretch) -> float:
    return float(stretch.celsius[0] - stretch.celsius[-1])


def _motion(rate_k_s: float) -> str:
    return f"{'falls' if rate_k_s < 0.0 else 'rises'} {abs(rate_k_s):.2f} K/s"


def _forgiven_k(heater: Heater, history: History) -> float:
    """What a fan that went up of late, a pause or an override may explain of a fall, in K."""
    explained = bool(history.newest.marks & FORGIVEN) or _fan_went_up(history)
    return heater.forgiven_k if explained else 0.0


def _fan_went_up(history: History) -> bool:
    _, speeds = history.series("fan").since(FAN_S)
    return bool(len(speeds)) and float(speeds[-1] - speeds.min()) >= FAN_STEP


def _reason(heater: Heater, history: History, probability: float, since_s: float, text: str) -> Reason:
    weights = {heater.celsius: 0.5, heater.power: 0.3, heater.target: 0.2}
    return Reason(Kind.HEATER_FAULT, probability, history.at_ns(since_s), text, weights)
