"""A hot end that takes more power than it ever took in this print, where nobody tells why it might.

Some hosts do not tell what they extrude, most of these no fan either, so what filament and fan take cannot be
reckoned with (``balance``). But they take only so much: what takes more than a fan could, and more than the
print ever took, is a heater that gives less or a sensor that has slipped. The newest readings are held
against the print's past as it stood some minutes ago: a fault that grows must not become its own past.

Pure: ``advance`` folds the newest window into a ``Power``, whose size is fixed.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace

from detector.anomaly import Reason
from detector.rules.evidence import gives_less, summed, sure
from detector.rules.halts import stands_halted
from detector.rules.heaters import AMBIENT_C, HOTEND, MELTING_C, readings
from features.sequence import History
from ingest.records import Mark, Record

BLOCK_S = 30
"""Readings are taken together over so long: a controller that swings gives the same power over it."""

LEAST_READINGS = 5
SETTLED_S = 60.0
"""After a change of the target nothing is learned or judged for so long."""

STEADY_K = 2.0
"""While the readings differ by more, the block's own heat is too much of the power."""

RECENT_BLOCKS = 5
"""So many blocks pass before one counts as the print's past: in two minutes and a half slow faults show."""

LEARN_BLOCKS = 4
"""So many blocks are past before any is judged: a print begins with a still head and no fan."""

FAN_TIMES = 1.43
"""What still air takes, a part fan takes so many times: 0.097 W/K are lost after 0.068 (domain figures)."""

NO_FAN = -1.0
"""For a fan that is not told."""

SAME_TARGET_K, FAN_STEP = 12.0, 0.05
"""Targets further apart, or a fan faster than ever, are another state: nothing that was learned holds."""

SLACK = 0.12
"""So much more, as a logarithm, says nothing: filament that begins to flow takes a ninth."""

LIMIT = 0.15
"""Excess summed over blocks from which the heater is failing."""

MOST_EXCESS = 0.28
"""What one block counts at most: two are needed."""

LEARNS_BELOW = 0.5
"""Up to this share of the limit a print goes on learning: fan and filament may begin together."""

LEAST = 1e-6
"""A load of nothing."""

SKIPPED = Mark.PAUSED | Mark.FILAMENT_CHANGE | Mark.OVERRIDE | Mark.TELEMETRY_SILENT | Mark.CLOCK_JUMP


class Power(Record, frozen=True, kw_only=True):
    """What is known of a print's power, as shares of full power per kelvin above the room."""

    job: str
    target_c: float = 0.0
    fan: float = NO_FAN  # the most that was told
    judged: int = 0  # index of the last window that ended a block
    past: int = 0  # blocks that are past
    least: float = 0.0  # that any of them took ...
    most: float = 0.0  # ... and the most
    recent: tuple[float, ...] = ()  # blocks that are not past yet, the oldest first
    excess: float = 0.0  # the sum of the evidence
    since_ns: int = 0  # when it began to grow
    taken: float = 0.0  # the last block's power ...
    allowed: float = 0.0  # ... and what the most would have been


class Block(NamedTuple):
    """One block: power, temperature and target; the fan's duty, NO_FAN where it is not told."""

    power: float
    celsius: float
    target_c: float
    fan: float

    @property
    def load(self) -> float:
        """Share of full power per kelvin above the room."""
        return self.power / (self.celsius - AMBIENT_C)


def advance(power: Power | None, history: History) -> tuple[Power | None, Reason | None]:
    """Fold the newest window in; a reason while the evidence is enough. Another job begins anew.

    Nothing is remembered where no print runs, and where the filament is told: ``balance`` judges there.
    """
    window = history.newest
    if window.marks & Mark.IDLE or stands_halted(history) or not math.isnan(history.latest("melt_w")):
        return None, None
    if power is None or power.job != window.job or window.index < power.judged:
        power = Power(job=window.job, judged=window.index)
    if window.index - power.judged >= BLOCK_S:
        block = _block(history)
        if block is not None:
            power = follow(power, block, window.end_ns - BLOCK_S * window.span_ns)
        power = replace(power, judged=window.index)
    return power, _reason(power)


def follow(power: Power, block: Block, begin_ns: int) -> Power:
    """Fold in a block that began at ``begin_ns``."""
    if abs(block.target_c - power.target_c) > SAME_TARGET_K or block.fan > power.fan + FAN_STEP:
        power = Power(job=power.job, judged=power.judged, target_c=block.target_c, fan=block.fan)
    if power.past >= LEARN_BLOCKS:
        most = _possible(power)
        excess = min(math.log(max(block.load, LEAST) / max(most, LEAST)), MOST_EXCESS) - SLACK
        power = replace(
            power,
            excess=summed(power.excess, excess, LIMIT),
            since_ns=power.since_ns if power.excess > 0.0 else begin_ns,
            taken=block.power,
            allowed=most * (block.celsius - AMBIENT_C),
        )
    return _learned(power, block.load)


def _learned(power: Power, load: float) -> Power:
    """The block is recent; the oldest one is past, but not while far more is taken than ever."""
    recent = (*power.recent, load)
    if len(recent) <= RECENT_BLOCKS:
        return replace(power, recent=recent)
    if power.excess > LEARNS_BELOW * LIMIT:
        return replace(power, recent=recent[1:])
    least = min(power.least, recent[0]) if power.past else recent[0]
    return replace(
        power, recent=recent[1:], past=power.past + 1, least=least, most=max(power.most, recent[0])
    )


def _possible(power: Power) -> float:
    """What fan and filament may take: as much as they did, or a fan that comes on and is not told."""
    return max(power.most, FAN_TIMES * power.least) if power.fan == NO_FAN else power.most


def _block(history: History) -> Block | None:
    """The last ``BLOCK_S`` of readings; None where the hot end holds no temperature in them."""
    seconds, (celsius, target, power) = readings(history, HOTEND)
    settled = target[seconds.searchsorted(-SETTLED_S) :]
    first = int(seconds.searchsorted(-float(BLOCK_S)))
    celsius, power = celsius[first:], power[first:]
    if len(power) < LEAST_READINGS or target[-1] <= 0.0 or (settled != target[-1]).any():
        return None
    if history.marked(SETTLED_S, SKIPPED) or not np.isfinite(power).all():
        return None
    if celsius.min() < MELTING_C or np.ptp(celsius) > STEADY_K:
        return None
    fan = float(np.nan_to_num(history.latest("fan"), nan=NO_FAN))
    return Block(float(power.mean()), float(celsius.mean()), float(target[-1]), fan)


def _reason(power: Power) -> Reason | None:
    if power.excess < LIMIT:
        return None
    or_with_fan = ", or would have with a fan" if power.fan == NO_FAN else ""
    told = f"{power.taken:.0%} power; so far this print took {power.allowed:.0%} at the most{or_with_fan}"
    return gives_less(told, sure(power.excess, LIMIT), power.since_ns)
