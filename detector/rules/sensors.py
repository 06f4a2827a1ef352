"""Readings that no heater can make: the sensor lies."""

from __future__ import annotations

import numpy as np

from detector.anomaly import Kind, Reason
from detector.rules.heaters import Heater, doubtful, graded, impossible, readings
from features.sequence import History, Series
from ingest.records import Bools, Floats

COLDEST_C = -5.0
"""No printer prints in more frost; an open thermistor reads -15 (Marlin) or below."""

HOTTEST_C = 350.0
"""Above what common hot ends stand; a shorted thermistor reads 380 and more."""

HOT_TARGET_C = 330.0
"""Printers that are asked for so much are high-temperature machines, for which HOTTEST_C means nothing."""

CLOSE_S = 5.0
"""Readings further apart show no step."""

LOOSE_S = 30.0
"""Steps within this time belong together: a loose contact comes and goes."""

SURE_STEPS = 3
"""So many impossible steps or readings are no glitch on the line."""


def out_of_range(heater: Heater, history: History) -> Reason | None:
    """The sensor reads what cannot be."""
    seconds, (celsius, target, _) = readings(history, heater)
    if not len(seconds) or seconds[-1] < -CLOSE_S or _can_be(celsius[-1:], target[-1:])[0]:
        return None
    good = np.flatnonzero(_can_be(celsius, target))
    first = int(good[-1]) + 1 if len(good) else 0
    probability = graded((len(seconds) - first) / SURE_STEPS, least=0.7)
    text = (
        f"{heater.name} sensor reads {celsius[-1]:.1f} °C, which cannot be "
        f"({COLDEST_C:.0f} to {HOTTEST_C:.0f} °C can): the thermistor or its wire is open or shorted"
    )
    since_ns = history.at_ns(float(seconds[first]))
    return Reason(Kind.SENSOR_FAULT, probability, since_ns, text, {heater.celsius: 1.0})


def _can_be(celsius: Floats, target: Floats) -> Bools:
    return (celsius > COLDEST_C) & ((celsius < HOTTEST_C) | (target >= HOT_TARGET_C))


def impossible_step(heater: Heater, history: History) -> Reason | None:
    """The temperature jumped by more than heating or cooling can do."""
    steps = impossible_steps(heater, history).since(LOOSE_S)
    if not len(steps.seconds) or doubtful(history, LOOSE_S):
        return None
    jump = float(steps.values[-1])
    text = (
        f"{heater.name} sensor jumped by {jump:+.1f} K between two readings, as no heater and no fan can "
        f"({len(steps.values)} such in {LOOSE_S:.0f} s): loose thermistor or broken wire"
    )
    probability = graded((len(steps.values) - 1) / (SURE_STEPS - 1), least=0.75)
    since_ns = history.at_ns(float(steps.seconds[0]))
    return Reason(Kind.SENSOR_FAULT, probability, since_ns, text, {heater.celsius: 1.0})


def impossible_steps(heater: Heater, history: History) -> Series:
    """The steps (in K) that cannot be, at the time of the reading that ended each."""
    seconds, (celsius, _, _) = readings(history, heater)
    step, apart = celsius[1:] - celsius[:-1], seconds[1:] - seconds[:-1]
    large = np.abs(step) > heater.jump_k
    if not large.any():
        return Series(seconds[:0], step[:0])
    bad = (apart <= CLOSE_S) & impossible(heater, step, apart)
    return Series(seconds[1:][bad], step[bad])
