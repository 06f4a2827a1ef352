"""A loose contact of a temperature sensor: readings that fall within moments and come back, often.

Heat cannot: a block cools by 1 or 2 K/s at the most, and its sensor follows it late. A single fall is noise
or a glitch on the line, and one that stays is for other rules.
"""

from __future__ import annotations

import numpy as np

from detector.anomaly import Kind, Reason
from detector.rules.heaters import Heater, doubtful, graded, readings
from features.sequence import History, Series
from ingest.records import Floats

COMING_AND_GOING_S = 60.0
"""Falls within this time belong together."""

NEAR_S = 2.5
"""Readings further apart show no fall of a moment: hosts that ask every 5 s see too little."""

BACK_S = 3.0
"""A reading that fell comes back so soon: Klipper's smoothing takes a second, a report another."""

BACK_SHARE = 0.5
"""Of the fall, what must have come back by then."""

LEAST_FALL_K = 2.0
"""No sound sensor falls so far and comes back so soon and so often, but for one that is noisy or swings."""

NOISES = 3.5
"""So many standard deviations of its own changes a fall exceeds where a sensor is noisy."""

USUAL_CHANGES = 3.0
"""Likewise so many of its usual (median) changes: light hot ends swing by themselves within 3 s ..."""

ANY_FALL_K = 5.0
"""... but from here on no noise excuses it."""

QUIET_SHARE = 0.25
QUIET_SIGMAS = 0.3186
"""This share of the changes lies within so many standard deviations: the falls themselves hardly move it."""

LEAST_FALLS = 4
SURE_FALLS = 8
"""Falls within ``COMING_AND_GOING_S`` from which a contact is loose, and from which there is no doubt."""


def loose_contact(heater: Heater, history: History) -> Reason | None:
    """The readings fall for a moment, again and again."""
    falls = history.once(("falls", heater.name), lambda: _falls(heater, history))
    if len(falls.seconds) < LEAST_FALLS or doubtful(history, COMING_AND_GOING_S):
        return None
    text = (
        f"{heater.name} sensor fell by {falls.values.min():.1f} to {falls.values.max():.1f} K for a moment, "
        f"{len(falls.seconds)} times in {COMING_AND_GOING_S:.0f} s, as no heater and no fan can: "
        "loose contact"
    )
    probability = graded((len(falls.seconds) - LEAST_FALLS) / (SURE_FALLS - LEAST_FALLS), least=0.75)
    since_ns = history.at_ns(float(falls.seconds[0]))
    return Reason(Kind.SENSOR_FAULT, probability, since_ns, text, {heater.celsius: 1.0})


def _falls(heater: Heater, history: History) -> Series:
    """The falls (in K, above 0) that came back, at the time of the reading that ended each."""
    seconds, (celsius, _, _) = readings(history, heater)
    first = int(np.searchsorted(seconds, -COMING_AND_GOING_S))
    seconds, celsius = seconds[first:], celsius[first:]
    fall = celsius[:-1] - celsius[1:]
    near = seconds[1:] - seconds[:-1] <= NEAR_S
    if not (near & (fall >= LEAST_FALL_K)).any():
        return Series(seconds[:0], fall[:0])
    found = np.flatnonzero(near & (fall >= _limit_k(fall)))
    back = [at for at in found if _comes_back(Series(seconds, celsius), int(at) + 1, float(fall[at]))]
    return Series(seconds[1:][back], fall[back])


def _limit_k(fall: Floats) -> float:
    """From where on a fall is none of the sensor's noise, in K."""
    quiet_k, usual_k = np.quantile(np.abs(fall), (QUIET_SHARE, 0.5))
    own_k = max(NOISES * float(quiet_k) / QUIET_SIGMAS, USUAL_CHANGES * float(usual_k))
    return min(max(LEAST_FALL_K, own_k), ANY_FALL_K)


def _comes_back(told: Series, at: int, fall_k: float) -> bool:
    after = np.searchsorted(told.seconds, told.seconds[at] + BACK_S, side="right")
    return bool(told.values[at:after].max() - told.values[at] >= BACK_SHARE * fall_k)
