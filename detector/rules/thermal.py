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
    graded,
    stretch,
)
from detector.rules.rising import expected_k_s, went_wrong_s
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

TURN_S, TURNS_SHARE = 6.0, 0.5
"""Over so long it shows that a temperature turns upwards. A heater that is switched on and off turns late: it
has to fall by this share of what a fall is."""

FAN_S = 20.0
"""A part fan that went up within this time explains some of a fall."""

FAN_STEP = 0.1
"""A fan change (duty) that counts as one."""

OVERSHOOT_S = 2.0
"""Heat under way may raise a reading for this much longer than the lag: 10 s is the longest on record."""

HELD_S = 12.0
"""So long the target was held before the power went off: no heat of a warm-up is under way."""

UNHEATED_S = 20.0
UNHEATED_LAG_S = 5.0
"""So long a bed falls; the power of the last seconds has not arrived yet."""

UNHEATED_FALL_K = 0.5
UNHEATED_BELOW_K = 0.7
"""By so much it falls in ``UNHEATED_S``, and so far below its target it lies: open beds lose 0.025 K/s and
more."""

UNHEATED_TIMES, UNHEATED_MORE = 1.4, 0.08
"""Given so many times the duty that held it, and this much more: no draft takes so much at once."""

HELD_BEFORE_S, HELD_WITHIN_K, HELD_K_S = 30.0, 1.5, 0.015
"""It was held for so long, within so much of its target, and steadily."""

EXHAUSTED_S = 60.0
EXHAUSTED_BELOW_K = 0.5
EXHAUSTED_K_S = 0.03
"""Full power for so long, with no more of a rise than this: heaters have power to spare at any target that
they are used for, or they could not get there."""

WARM_C = 45.0
"""Without a target a heater may be as warm as this from its neighbours (a nozzle parked over a hot bed)."""

FORGIVEN = Mark.PAUSED | Mark.FILAMENT_CHANGE | Mark.OVERRIDE
"""What a person or a changed flow does to a temperature: more must show before it counts as a fall."""


def heating_failed(heater: Heater, history: History) -> Reason | None:
    """At full power, well below the target, and rising far slower than physics allows."""
    seen = stretch(history, heater)
    full = seen.at_full_power() if seen else None
    if seen is None or full is None or full.span_s < heater.full_s or full.below_k <= heater.below_k:
        return None
    tail = full.after(heater.lag_s).last(heater.full_s)
    if tail.span_s < heater.trend_s or len(tail.seconds) < LEAST_READINGS or stands_halted(history):
        return None
    expected = expected_k_s(heater, float(tail.celsius.mean()), float(full.power[-1]))
    if expected <= 0.0:
        return None
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
    full = settled.at_full_power() if settled else None
    if seen is None or full is None or full.target <= 0.0 or full.span_s < heater.fall_s:
        return None
    fall = full.part(int(np.argmax(full.celsius)))
    over = full.below_k - heater.fall_below_k - _forgiven_k(heater, history)
    too_little = fall.span_s < heater.fall_s or _drop_k(fall) < heater.fall_k
    least_k = heater.fall_k * TURNS_SHARE if _is_switched(seen) else 0.0
    turns = -fall.last(TURN_S).rate_k_s * TURN_S <= least_k
    if over < 0.0 or too_little or turns or stands_halted(history):
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


def risen_from_hold(heater: Heater, history: History) -> Reason | None:
    """A hot end that held its target rises from it without power: sooner told than by ``runaway``.

    What is stored in a heater that only held its block is little: no sound one rises by more than 3 K then.
    """
    seen = stretch(history, heater)
    idle = seen.while_power(0.0, IDLE_POWER) if seen else None
    if seen is None or idle is None or idle.span_s < heater.idle_s or seen.target <= 0.0:
        return None
    held = len(seen.seconds) - len(idle.seconds)
    before = seen.part(0, max(held, 1)).last(HELD_S)
    if before.span_s < HELD_S or (np.abs(before.celsius - seen.target) > heater.held_k).any():
        return None
    over = idle.now_c - seen.target - heater.risen_k
    if over < 0.0 or -_drop_k(idle) < heater.risen_k or idle.last(heater.idle_s).rate_k_s <= 0.0:
        return None
    text = f"{heater.name} {_motion(idle.rate_k_s)} without power ({described(seen)}): the heater is stuck on"
    began_s = float(idle.seconds[0])
    return _reason(heater, history, graded(over / heater.risen_k, least=0.75), began_s, text)


def unheated(heater: Heater, history: History) -> Reason | None:
    """The temperature falls steadily although the heater is given far more than what held it before."""
    seen = stretch(history, heater)
    if seen is None or seen.below_k < UNHEATED_BELOW_K or seen.span_s < HELD_BEFORE_S + 2.0 * UNHEATED_S:
        return None
    lately = seen.last(UNHEATED_S)
    if lately.rate_k_s * UNHEATED_S > -UNHEATED_FALL_K or stands_halted(history):
        return None
    held = seen.part(0, int(np.searchsorted(seen.seconds, -2.0 * UNHEATED_S)))
    if held.span_s < HELD_BEFORE_S or abs(held.rate_k_s) > HELD_K_S or abs(held.below_k) > HELD_WITHIN_K:
        return None
    arrived = lately.power[lately.seconds < -UNHEATED_LAG_S]
    before, given = float(held.power.mean()), float(arrived.mean())
    if not given >= UNHEATED_TIMES * before + UNHEATED_MORE or _forgiven_k(heater, history):
        return None
    if _is_switched(held) and not (arrived >= FULL_POWER).all():
        return None
    text = (
        f"{heater.name} {_motion(lately.rate_k_s)} at {100 * given:.0f} % power where {100 * before:.0f} % "
        f"held it before ({described(seen)}): the heater gives no heat"
    )
    return _reason(heater, history, graded(seen.below_k - UNHEATED_BELOW_K, least=0.75), _left_s(seen), text)


def _is_switched(seen: Stretch) -> bool:
    """Whether it was wholly on or off (bang-bang control): it falls while it is off, and turns late."""
    return bool(((seen.power <= IDLE_POWER) | (seen.power >= FULL_POWER)).all())


def _left_s(seen: Stretch) -> float:
    """When the target was left, in s before now."""
    kept = np.flatnonzero(seen.celsius >= seen.target)
    return float(seen.seconds[kept[-1] if len(kept) else 0])


def exhausted(heater: Heater, history: History) -> Reason | None:
    """Full power for a minute, and the target is not reached: nothing is left to hold it with."""
    seen = stretch(history, heater)
    full = seen.at_full_power() if seen else None
    if seen is None or full is None or full.span_s < EXHAUSTED_S or stands_halted(history):
        return None
    tail = full.last(EXHAUSTED_S)
    if (
        (tail.celsius >= tail.target - EXHAUSTED_BELOW_K).any()
        or tail.rate_k_s > EXHAUSTED_K_S
        or _forgiven_k(heater, history)
    ):
        return None
    text = (
        f"{heater.name} at full power for {full.span_s:.0f} s and {_motion(tail.rate_k_s)} below its target "
        f"({described(full)}): the heater gives too little heat"
    )
    clearness = full.span_s / EXHAUSTED_S - 1.0
    return _reason(heater, history, graded(clearness, least=0.7), float(full.seconds[0]), text)


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
