"""What a heater is to the rules: its channels, its physics, and its recent readings as stretches."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from features.sequence import History, Seconds, Table
from ingest.records import Bools, Floats, Mark

FULL_POWER = 0.95
"""Duty from which a heater counts as fully on: Marlin tops out at 127/127, some profiles a little below."""

LEAST_LIMIT = 0.4
"""Configurations that allow less than full power allow at least so much: half or more in use."""

SAME_POWER = 0.01
"""A control that still decides never gives just the same duty while the temperature leaves the target."""

LIMIT_BELOW_K = 1.0
"""So far below its target any control gives more and more, if it can."""

IDLE_POWER = 0.02
"""Duty up to which a heater counts as off: 2 of Marlin's 127 counts."""

TIMING_S = 0.5
"""Readings may reach us this much closer together than they were taken (a host that hung)."""

NOISY_S = 30.0
"""So near to a garbled line another one may have lost digits unnoticed."""

MAX_GAP_S = 8.0
"""Readings further apart are not one stretch: hosts ask every 1 to 5 s, and one answer may be missed."""

AMBIENT_C = 22.0
"""Room temperature that the heat loss is counted from."""

MELTING_C = 100.0
"""No filament is printed with a colder hot end: what holds one there says nothing of a print."""

HOTEND_W = 40.0
"""Heater cartridge of a common hot end (domain figures)."""

HOTEND_J_K = 16.7
"""Heat capacity of block, nozzle and cartridge (domain figures)."""


class Heater(NamedTuple):
    """A heater's channels and the limits by which it is judged."""

    name: str
    celsius: str
    target: str
    power: str
    below_k: float  # this far below the target, full power must show; Marlin's PID goes full at 10 K
    full_s: float  # full power for so long must show; below Marlin's watch (hotend 20 s, bed 60 s)
    lag_s: float  # from power to reading: block and thermistor in between; 8 to 10 s at the slowest on record
    trend_s: float  # the least time over which a rate is told
    fall_k: float  # a fall under full power that no fan and no noise makes
    fall_below_k: float  # and so far below the target: a part fan makes 3 to 5 K at a hotend
    fall_sure_k: float  # so far below the target a fall is certain
    forgiven_k: float  # further below while a fan, a pause or an override explains some of it
    fall_s: float  # for at least so long; below Marlin's hold (hotend 40 s, bed 20 s)
    above_k: float  # further above the target than overshoot after heating goes
    above_sure_k: float
    rise_k: float  # rising by so much without power ...
    rise_s: float  # ... over so long, once the heat under way has arrived (``lag_s`` and a little more)
    idle_s: float  # without power for so long and still rising from a target that was held ...
    held_k: float  # ... within so much ...
    risen_k: float  # ... by this much: more than what a heater that holds has stored
    heats_k_s: float  # no heater is faster: 7.8 K/s over 12 s is the fastest on record
    cools_k_s: float  # no fan is faster: 0.7 to 1.1 K/s without one (domain figures)
    jump_k: float  # what a single noisy reading may add to either


HOTEND = Heater(
    name="hotend",
    celsius="hotend_c",
    target="hotend_target_c",
    power="hotend_power",
    below_k=10.0,
    full_s=12.0,
    lag_s=8.0,
    trend_s=6.0,
    fall_k=4.0,
    fall_below_k=6.0,
    fall_sure_k=12.0,
    forgiven_k=4.0,
    fall_s=6.0,
    above_k=15.0,
    above_sure_k=30.0,
    rise_k=3.0,
    rise_s=8.0,
    idle_s=3.0,
    held_k=4.0,
    risen_k=6.0,
    heats_k_s=12.0,
    cools_k_s=4.0,
    jump_k=8.0,
)

BED = Heater(
    name="bed",
    celsius="bed_c",
    target="bed_target_c",
    power="bed_power",
    below_k=5.0,
    full_s=45.0,
    lag_s=10.0,
    trend_s=20.0,
    fall_k=0.6,
    fall_below_k=1.0,
    fall_sure_k=2.5,
    forgiven_k=1.0,
    fall_s=12.0,
    above_k=8.0,
    above_sure_k=15.0,
    rise_k=2.0,
    rise_s=25.0,
    idle_s=10.0,
    held_k=2.0,
    risen_k=4.0,
    heats_k_s=3.0,
    cools_k_s=2.0,
    jump_k=6.0,
)

HEATERS = (HOTEND, BED)


class Stretch(NamedTuple):
    """Unbroken readings up to the newest, all under one target. At least one reading."""

    seconds: Seconds  # float64 [n], relative to the newest window's end
    celsius: Floats  # float32 [n]
    power: Floats  # float32 [n], duty 0..1, NaN where the printer does not tell it
    target: float  # °C, 0 = off
    retargeted: bool = False  # it begins with a change of the target

    @property
    def span_s(self) -> float:
        return float(self.seconds[-1] - self.seconds[0])

    @property
    def now_c(self) -> float:
        return float(self.celsius[-1])

    @property
    def below_k(self) -> float:
        """How far the newest reading lies below the target, in K."""
        return self.target - self.now_c

    @property
    def rate_k_s(self) -> float:
        """Slope of the readings by least squares, in K/s; 0 for fewer than two."""
        if len(self.seconds) < 2:  # noqa: PLR2004 - a line takes two points
            return 0.0
        t = self.seconds - self.seconds.mean()
        return float(t @ self.celsius / (t @ t))

    def part(self, first: int, end: int | None = None) -> Stretch:
        span = slice(first, end)
        return self._replace(seconds=self.seconds[span], celsius=self.celsius[span], power=self.power[span])

    def last(self, seconds: float) -> Stretch:
        """The shortest tail that spans at least ``seconds`` (or all there is)."""
        first = int(np.searchsorted(self.seconds, self.seconds[-1] - seconds, side="right")) - 1
        return self.part(max(first, 0))

    def after(self, seconds: float) -> Stretch:
        """Without its first ``seconds``; the newest reading always stays."""
        first = int(np.searchsorted(self.seconds, self.seconds[0] + seconds))
        return self.part(min(first, len(self.seconds) - 1))

    def while_power(self, at_least: float, at_most: float = 1.0) -> Stretch | None:
        """The tail in which every reading had its duty within the bounds, None where the newest has not."""
        within = (self.power >= at_least) & (self.power <= at_most + 1e-3)
        outside = (~within).nonzero()[0]
        first = int(outside[-1]) + 1 if len(outside) else 0
        return self.part(first) if first < len(within) else None

    def at_full_power(self) -> Stretch | None:
        """The tail at the most power that there is: all of it, or a limit that the duty rests at below the
        target. None where the newest reading has less."""
        newest = float(self.power[-1])
        if newest >= FULL_POWER:
            return self.while_power(FULL_POWER)
        if not newest >= LEAST_LIMIT:
            return None
        resting = self.while_power(newest - SAME_POWER, newest + SAME_POWER)
        missed = resting is not None and bool((resting.celsius < self.target - LIMIT_BELOW_K).all())
        return resting if missed else None


def readings(history: History, heater: Heater) -> Table:
    """All readings of a heater: celsius, target, power.

    Within ``NOISY_S`` of a garbled line, a reading counts once one beside it bears it out: a lost digit makes
    16 or 440 °C of what reads as a whole line.
    """
    return history.once(("readings", heater.name), lambda: _told(history, heater))


def doubtful(history: History, seconds: float) -> bool:
    """Whether steps between readings of late may be none: times were guessed, or digits lost on the line."""
    if history.marked(seconds, Mark.TIME_ESTIMATED | Mark.CLOCK_JUMP):
        return True
    return bool(history.series("garbled").since(seconds).values.any())


def stretch(history: History, heater: Heater, fresh_s: float = MAX_GAP_S) -> Stretch | None:
    """The newest unbroken readings under one target; None where none is younger than ``fresh_s``."""
    newest = history.once(("stretch", heater.name), lambda: _unbroken(readings(history, heater)))
    return newest if newest is not None and newest.seconds[-1] >= -fresh_s else None


def _told(history: History, heater: Heater) -> Table:
    table = history.together(heater.celsius, heater.target, heater.power)
    celsius, target, _ = table.values
    if not celsius.all():
        table = _kept(table, (celsius != 0.0) | (target != 0.0))  # Klipper says 0.0 before its first reading
    garbled = history.series("garbled")
    if garbled.values.any():
        noisy = _near(table.seconds, garbled.seconds[garbled.values > 0.0])
        table = _kept(table, ~noisy | _borne_out(heater, table.seconds, table.values[0]))
    return table


def _kept(table: Table, kept: Bools) -> Table:
    return Table(table.seconds[kept], table.values[:, kept])


def _near(seconds: Seconds, others: Seconds) -> Bools:
    """Which of these moments [n] have one of the others, which ascend, within ``NOISY_S``."""
    first = np.searchsorted(others, seconds - NOISY_S)
    return np.asarray(np.searchsorted(others, seconds + NOISY_S, side="right") > first, np.bool_)


def _borne_out(heater: Heater, seconds: Seconds, celsius: Floats) -> Bools:
    """Which readings [n] could be followed, or were, by the one beside them."""
    fits = ~impossible(heater, celsius[1:] - celsius[:-1], seconds[1:] - seconds[:-1])
    borne_out = np.zeros(len(celsius), np.bool_)
    borne_out[1:] |= fits
    borne_out[:-1] |= fits
    return borne_out


def impossible(heater: Heater, step_k: Floats, apart_s: Seconds) -> Bools:
    """Which steps between readings no heating and no cooling can make."""
    fastest_k_s = np.where(step_k > 0.0, heater.heats_k_s, heater.cools_k_s)
    most = heater.jump_k + (apart_s + TIMING_S) * fastest_k_s
    return np.asarray(np.abs(step_k) > most, np.bool_)


def _unbroken(table: Table) -> Stretch | None:
    seconds, (celsius, target, power) = table
    if not len(seconds):
        return None
    changed = target[1:] != target[:-1]
    breaks = (changed | (seconds[1:] - seconds[:-1] > MAX_GAP_S)).nonzero()[0]
    first = int(breaks[-1]) + 1 if len(breaks) else 0
    retargeted = first > 0 and bool(changed[first - 1])
    return Stretch(seconds[first:], celsius[first:], power[first:], float(target[-1]), retargeted)


def graded(clearness: float, least: float = 0.6) -> float:
    """A probability from ``least`` (just over the limit) to 1.0 (clear), for a clearness of 0..1."""
    return least + (1.0 - least) * min(max(clearness, 0.0), 1.0)


def described(stretch: Stretch | None) -> str:
    """The newest readings in words, e.g. "target 210 °C, now 196.4 °C, power 100 %"."""
    if stretch is None:
        return "no reading of late"
    power = f", power {stretch.power[-1]:.0%}".replace("%", " %") if stretch.power[-1] >= 0.0 else ""
    return f"target {stretch.target:.0f} °C, now {stretch.now_c:.1f} °C{power}"
