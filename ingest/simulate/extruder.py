"""From the filament that the moves ask for to what comes out of the nozzle: the extruder and what ails it.

Each fault of it is one class in ``MECHANISMS``; the shares that faults and cold leave multiply. A fault's own
way is drawn from its seed, so that it goes the same however healthy the rest is. Left out: pressure in the
nozzle (what is asked comes at once), oozing, and the gear that slips without a fault at high speeds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

import numpy as np

from ingest.simulate.faults import Fault, FaultKind, FaultPlan
from ingest.simulate.ranges import between

SOFT_C, SOLID_C = 150.0, 130.0  # PLA: softer than the first it flows, below the second not at all

DIAMETER_SHARE = 0.012  # standard deviation of the filament's cross section: 1.75 mm +- 0.01 mm
DIAMETER_MM = 400.0  # length of filament over which its diameter changes

USUAL_MM_S = 3.0  # filament at 50 mm/s in lines of 0.45 x 0.3 mm
CLOG_LEAVES = 0.25  # share that the worst clog lets through at the usual flow
CLOG_SWING = 0.45  # by how much of itself a clog opens and closes
CLOG_PERIODS_S = (1.0, 20.0)
HARDEST = 2.0  # exponent of a clog's share at the highest flow: the gear can push no harder

CREEP_PERIODS_S = (20.0, 90.0)
CREEP_TAKES = (0.40, 0.75)  # mean share that the worst heat creep takes: at first, and after it has settled
CREEP_SWING = 0.45
CREEP_SETTLES_S = 300.0

BLOCKED_LEAVES = (0.0, 0.03)  # range of what a blocked nozzle lets through
BLOCKING_S = (0.5, 3.0)  # range of the time constant

TUBE_MM = (0.0, 400.0)  # range of the filament behind the end: a Bowden tube holds 400 mm

GRINDING_S = (60.0, 240.0)  # range: seconds of extruding until the gear has eaten itself free, at severity 1
GRIP_S = (3.0, 15.0)  # range of the spans in which a fresh bite holds
SLIP_S = (0.2, 2.0)  # how long a slip lasts: at first, at last
SLIP_LEAVES = 0.15

WAVES = 6  # sines that make a slow wandering


class Wander:
    """Wanders about 0, mostly within -1..1: sines of drawn periods, a function of time alone."""

    def __init__(self, rng: np.random.Generator, periods_s: tuple[float, float]) -> None:
        periods = np.exp(rng.uniform(math.log(periods_s[0]), math.log(periods_s[1]), WAVES))
        phases = rng.uniform(0.0, 2.0 * math.pi, WAVES)
        self._waves = tuple(zip((2.0 * math.pi / periods).tolist(), phases.tolist(), strict=True))

    def at(self, now_s: float) -> float:
        """Where it is at a time."""
        return sum(math.sin(turn * now_s + phase) for turn, phase in self._waves) / math.sqrt(WAVES / 2.0)


class Mechanism(Protocol):
    """What one fault does to the flow. Made when it begins, asked once per control step while it lasts."""

    def share(self, dt_s: float, asked_mm_s: float, now_s: float) -> float:
        """What is left of the flow in this step, 0..1."""
        ...


class Clog:
    """The nozzle narrows: less comes, the less the more is asked, now better and now worse."""

    def __init__(self, fault: Fault, rng: np.random.Generator) -> None:
        self._fault = fault
        self._wander = Wander(rng, CLOG_PERIODS_S)

    def share(self, dt_s: float, asked_mm_s: float, now_s: float) -> float:
        """What goes through against the pressure that the asked flow needs."""
        severity = self._fault.severity_at(now_s)
        swing = CLOG_SWING * severity * self._wander.at(now_s)
        opening = (1.0 - severity * (1.0 - CLOG_LEAVES)) * (1.0 + swing)
        hardness = min(0.5 + 0.5 * asked_mm_s / USUAL_MM_S, HARDEST)
        return math.pow(_share(opening), hardness)


class HeatCreep:
    """Filament swells above the hot end: it sticks and slides, and dwindles."""

    def __init__(self, fault: Fault, rng: np.random.Generator) -> None:
        self._fault = fault
        self._wander = Wander(rng, CREEP_PERIODS_S)

    def share(self, dt_s: float, asked_mm_s: float, now_s: float) -> float:
        """What slides through."""
        settled = 1.0 - math.exp(-(now_s - self._fault.at_s) / CREEP_SETTLES_S)
        takes = between(CREEP_TAKES, settled) + CREEP_SWING * self._wander.at(now_s)
        return 1.0 - self._fault.severity_at(now_s) * _share(takes)


class FullClog:
    """The nozzle closes within seconds; its severity is how fast."""

    def __init__(self, fault: Fault, rng: np.random.Generator) -> None:
        self._fault = fault
        self._leaves = float(rng.uniform(*BLOCKED_LEAVES))
        self._blocks_s = float(rng.uniform(*BLOCKING_S))
        self._closed = 0.0  # time constants that have passed

    def share(self, dt_s: float, asked_mm_s: float, now_s: float) -> float:
        """What still comes."""
        self._closed += dt_s * self._fault.severity_at(now_s) / self._blocks_s
        return self._leaves + (1.0 - self._leaves) * math.exp(-self._closed)


class RunOut:
    """The end of the filament has left the spool: what is in the tube still comes, then nothing."""

    def __init__(self, fault: Fault, rng: np.random.Generator) -> None:
        self._left_mm = float(rng.uniform(*TUBE_MM))

    def share(self, dt_s: float, asked_mm_s: float, now_s: float) -> float:
        """1 until the tube is empty."""
        asked_mm = asked_mm_s * dt_s
        given_mm = min(asked_mm, self._left_mm)
        self._left_mm -= given_mm
        return given_mm / asked_mm if asked_mm > 0.0 else float(self._left_mm > 0.0)


class Grinding:
    """The gear bites, slips, bites again; each slip is longer, until it turns in a hollow."""

    def __init__(self, fault: Fault, rng: np.random.Generator) -> None:
        self._fault, self._rng = fault, rng
        self._wears_s = float(rng.uniform(*GRINDING_S))
        self._worn = 0.0  # 0..1
        self._slips = False
        self._left_s = float(rng.uniform(*SLIP_S))  # of this grip or slip

    def share(self, dt_s: float, asked_mm_s: float, now_s: float) -> float:
        """1 while it grips."""
        if self._worn >= 1.0:
            return 0.0
        if asked_mm_s > 0.0:
            self._turn(dt_s, now_s)
        return SLIP_LEAVES if self._slips else 1.0

    def _turn(self, dt_s: float, now_s: float) -> None:
        self._worn += dt_s * self._fault.severity_at(now_s) / self._wears_s
        self._left_s -= dt_s
        if self._left_s <= 0.0:
            self._slips = not self._slips
            self._left_s = self._span_s()

    def _span_s(self) -> float:
        """How long the next grip or slip lasts, s of extruding."""
        vary = float(self._rng.uniform(0.6, 1.4))
        if self._slips:
            return vary * between(SLIP_S, self._worn) / 1.4
        return vary * between(GRIP_S, 1.0 - self._worn) / 1.4


MECHANISMS: dict[FaultKind, Callable[[Fault, np.random.Generator], Mechanism]] = {
    FaultKind.CLOG: Clog,
    FaultKind.HEAT_CREEP: HeatCreep,
    FaultKind.FULL_CLOG: FullClog,
    FaultKind.RUN_OUT: RunOut,
    FaultKind.GRINDING: Grinding,
}
"""The faults of the flow."""


class Extruder:
    """An extruder, nozzle and spool. ``share``: what came out in the last step, of what was asked."""

    def __init__(self, soft_c: float = SOFT_C, solid_c: float = SOLID_C) -> None:
        self.share = 1.0
        self._soft_c, self._solid_c = soft_c, solid_c
        self._thickness = 0.0  # of the filament, in standard deviations
        self._ails: dict[Fault, Mechanism] = {}

    def step(
        self,
        dt_s: float,
        asked_mm_s: float,
        hotend_c: float,
        plan: FaultPlan,
        now_s: float,
        rng: np.random.Generator,
    ) -> float:
        """Filament that comes out of the nozzle in the step that ends ``now_s``, mm/s.

        ``asked_mm_s`` is what the moves melt, at least 0; ``hotend_c`` the block's own temperature, not the
        reading. Called once per control step, whether filament is asked or not: one draw from ``rng`` each.
        """
        self.share = self._warmth(hotend_c) * self._ailing(dt_s, asked_mm_s, plan, now_s)
        return asked_mm_s * self.share * self._cross_section(asked_mm_s * dt_s, rng)

    def _warmth(self, hotend_c: float) -> float:
        return _share((hotend_c - self._solid_c) / (self._soft_c - self._solid_c))

    def _ailing(self, dt_s: float, asked_mm_s: float, plan: FaultPlan, now_s: float) -> float:
        share = 1.0
        for fault in plan.faults:
            if fault.kind in MECHANISMS and fault.at_s <= now_s < fault.until_s:
                share *= self._mechanism(fault).share(dt_s, asked_mm_s * share, now_s)
        return share

    def _mechanism(self, fault: Fault) -> Mechanism:
        if fault not in self._ails:
            self._ails[fault] = MECHANISMS[fault.kind](fault, fault.rng())
        return self._ails[fault]

    def _cross_section(self, pushed_mm: float, rng: np.random.Generator) -> float:
        """Of the filament, against the usual: it changes with every so many mm."""
        keeps = math.exp(-pushed_mm / DIAMETER_MM)
        self._thickness = keeps * self._thickness + math.sqrt(1.0 - keeps * keeps) * rng.standard_normal()
        return 1.0 + DIAMETER_SHARE * self._thickness


def _share(value: float) -> float:
    return min(max(value, 0.0), 1.0)
