"""The heat balance of a hot end against the print's own past: heaters that give less, sensors that slip.

What a heater needs at a temperature follows from what takes heat away: still air, the part fan, the filament.
A print teaches in minutes how much that is on its machine. A heater that has lost a fifth of its power then
needs a fifth more of the time for the same temperature, long before the temperature tells; and a sensor that
comes out of its hole reads too low, so the block gets hotter and loses more. Nothing else takes more heat for
minutes while fan, filament and target stay. The evidence is summed up (CUSUM): no single reading decides.

Pure: ``advance`` folds the newest window into a ``Balance``, whose size is fixed.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace

from detector.anomaly import Reason
from detector.rules.evidence import gives_less, summed, sure
from detector.rules.halts import stands_halted
from detector.rules.heaters import AMBIENT_C, HOTEND, HOTEND_J_K, HOTEND_W, MELTING_C, readings
from features.sequence import History, Series
from ingest.records import Mark, Record

BLOCK_S = 20
"""Readings are taken together over so long: gusts last some seconds, and a controller that swings gives about
the same power over it (blocks of half as much were of its peaks alone)."""

LEAST_READINGS = 2
SETTLED_S = 40.0
"""After a change of the target nothing is learned or judged for so long."""

STEADY_K_S = 0.12
"""While the temperature changes faster, the block's own heat is too much of the balance."""

FAR_K = 12.0
"""So far from its target a heater holds nothing."""

LEARN_BLOCKS = 6
"""So many blocks are learned from before any is judged."""

KEPT_BLOCKS = 90.0
"""Half an hour of blocks is remembered; older ones fade."""

PER_MILLE = 1000.0
USUAL = np.array([2.3, 0.3, 22.0])
"""Duty in per mille per kelvin above the room: in still air, what a part fan at full speed adds, and what a
watt into the filament takes (1000 / heater power). What is not known yet of a machine lies near these."""

SPREAD = np.array([3.0, 0.3, 8.0])
"""Standard deviations of these over machines."""

BLOCK_NOISE = 0.025
"""Standard deviation of a block's balance, as a share, on a common machine; a machine's own is learned."""

DEPENDENT = 1.4
"""Twenty seconds are not independent of the next ones: noise makes what is learned so much less certain."""

QUIETEST, NOISIEST = 0.02, 0.12
SLACK = 0.07
"""So much more than expected, as a share, says nothing: supplies sag, rooms cool."""

SLACK_SIGMAS, LIMIT_SIGMAS = 1.0, 6.0
LIMIT = 0.25
"""Excess summed over blocks from which the heater is failing; both grow with the machine's own noise. A lower
one tells no more of the weak heaters of ``train``; its 600 sound prints reach half of this."""

LEARNS_BELOW = 0.5
"""Up to this share of the limit a print goes on learning: a temperature that swings has blocks of more and of
less, and both are its own."""

MOST_EXCESS = 0.5
"""What one block counts at most."""

DOUBTS = 2.0
"""So many standard errors of what is expected say nothing: a fan that never ran before is not known yet."""

FAN_BLOCKS = 5.0
"""A fan that is this fast is known once so many blocks were learned from with one (faded, by its square)."""

FAN_SETTLED_S = 30.0
FAN_STEP = 0.05
"""A fan that changed (duty) is felt within this time: until then nothing is learned or judged."""

SKIPPED = Mark.PAUSED | Mark.FILAMENT_CHANGE | Mark.TELEMETRY_SILENT | Mark.CLOCK_JUMP


class Balance(Record, frozen=True, kw_only=True):
    """What is known of a hot end's heat balance in one print: the sums of a regression, and the evidence."""

    job: str
    blocks: float = 0.0  # learned from, faded
    gram: tuple[float, ...] = (0.0,) * 9
    moment: tuple[float, ...] = (0.0,) * 3
    squares: float = BLOCK_NOISE**2  # variance of a block's excess
    judged: int = 0  # index of the last window that ended a block
    excess: float = 0.0  # the sum of the evidence
    limit: float = LIMIT
    since_ns: int = 0  # when it began to grow
    found: float = 0.0  # the last blocks' duty ...
    expected: float = 0.0  # ... and what was expected


FAN = 1
"""Of the causes."""


class Block(NamedTuple):
    """One block: what takes heat (``causes`` float64 [3]: air, fan, filament), duty and temperature."""

    causes: npt.NDArray[np.float64]
    duty: float
    warmer_k: float  # than the room

    @property
    def load(self) -> float:
        """Duty in per mille per kelvin above the room."""
        return PER_MILLE * self.duty / self.warmer_k


def advance(balance: Balance | None, history: History) -> tuple[Balance, Reason | None]:
    """Fold the newest window in; a reason while the evidence is enough. Another job begins anew."""
    window = history.newest
    if balance is None or balance.job != window.job or window.index < balance.judged:
        balance = Balance(job=window.job, judged=window.index)
    if window.marks & Mark.IDLE or stands_halted(history):
        return Balance(job=window.job, judged=window.index), None
    if window.index - balance.judged >= BLOCK_S:
        block = _block(history)
        if block is not None:
            balance = _weighed(balance, block, window.start_ns)
        balance = replace(balance, judged=window.index)
    return balance, _reason(balance)


def _weighed(balance: Balance, block: Block, at_ns: int) -> Balance:
    """The block judged by what was learned, and learned from where it is no evidence."""
    load, doubt = _expected(balance, block)
    excess = math.log(max(block.load, 1.0 / PER_MILLE) / max(load, 1.0 / PER_MILLE))
    if balance.blocks < LEARN_BLOCKS or _fan_is_new(balance, block):
        return _learned(balance, block, excess)
    sigma = _sigma(balance)
    slack = max(SLACK, SLACK_SIGMAS * sigma) + DOUBTS * doubt
    limit = max(LIMIT, LIMIT_SIGMAS * sigma)
    total = summed(balance.excess, min(excess, MOST_EXCESS) - slack, limit)
    since_ns = balance.since_ns if balance.excess > 0.0 else at_ns
    judged = replace(
        balance,
        excess=total,
        limit=limit,
        since_ns=since_ns,
        found=block.duty,
        expected=load * block.warmer_k / PER_MILLE,
    )
    return _learned(judged, block, excess) if total < LEARNS_BELOW * limit else judged


def _expected(balance: Balance, block: Block) -> tuple[float, float]:
    """The load that was learned for these causes, and how uncertain it is, as a share of it."""
    noise = (DEPENDENT * _sigma(balance) * USUAL[0]) ** 2
    prior = np.diag(noise / SPREAD**2)
    inverse = np.linalg.inv(np.reshape(balance.gram, (3, 3)) + prior)
    coefficients = inverse @ (np.array(balance.moment) + prior @ USUAL)
    load = float(block.causes @ coefficients)
    variance = noise * float(block.causes @ inverse @ block.causes)
    return load, math.sqrt(variance) / max(load, 1.0 / PER_MILLE)


def _fan_is_new(balance: Balance, block: Block) -> bool:
    """Whether too little was learned of such a fan: its first minutes are not told from a gust's."""
    fan = float(block.causes[FAN])
    return fan > FAN_STEP and balance.gram[FAN * (len(block.causes) + 1)] < FAN_BLOCKS * fan**2


def _sigma(balance: Balance) -> float:
    """Standard deviation of a block's excess on this machine."""
    return min(max(math.sqrt(balance.squares), QUIETEST), NOISIEST)


def _learned(balance: Balance, block: Block, excess: float) -> Balance:
    kept = 1.0 - 1.0 / KEPT_BLOCKS
    gram = kept * np.array(balance.gram) + np.outer(block.causes, block.causes).ravel()
    moment = kept * np.array(balance.moment) + block.load * block.causes
    squares = balance.squares
    if balance.blocks >= 2.0 and excess < 0.0:  # noqa: PLR2004 - the first are judged by the prior; a fault adds
        off = min(abs(excess), 3.0 * math.sqrt(squares))
        squares += (off**2 - squares) / min(balance.blocks + 5.0, KEPT_BLOCKS)
    return replace(
        balance,
        blocks=kept * balance.blocks + 1.0,
        gram=tuple(gram.tolist()),
        moment=tuple(moment.tolist()),
        squares=squares,
    )


def _block(history: History) -> Block | None:
    """The last ``BLOCK_S`` of readings; None where the hot end holds no temperature in them."""
    seconds, (celsius, target, power) = readings(history, HOTEND)
    settled = target[np.searchsorted(seconds, -SETTLED_S) :]
    first = int(np.searchsorted(seconds, -float(BLOCK_S)))
    at, celsius, power = seconds[first:], celsius[first:], power[first:]
    if len(at) < LEAST_READINGS or at[-1] - at[0] < BLOCK_S / 2 or not np.isfinite(power).all():
        return None
    if target[-1] <= 0.0 or (settled != target[-1]).any() or history.marked(BLOCK_S, SKIPPED):
        return None
    t = at - at.mean()
    slope_k_s = float(t @ celsius / (t @ t))
    mean_c = float(celsius.mean())
    if mean_c < MELTING_C or abs(slope_k_s) > STEADY_K_S or abs(mean_c - float(target[-1])) > FAR_K:
        return None
    fan, melt_w = history.latest("fan"), _mean(history, "melt_w")
    if math.isnan(fan) or math.isnan(melt_w) or _varies(history.series("fan").since(FAN_SETTLED_S)):
        return None
    warmer_k = mean_c - AMBIENT_C
    causes = np.array([1.0, fan, melt_w / warmer_k])
    duty = float(power.mean()) - slope_k_s * HOTEND_J_K / HOTEND_W
    return Block(causes, duty, warmer_k)


def _varies(told: Series) -> bool:
    return len(told.values) > 0 and float(told.values.max() - told.values.min()) > FAN_STEP


def _mean(history: History, channel: str) -> float:
    values = history.series(channel).since(BLOCK_S).values
    return float(values.mean()) if len(values) else history.latest(channel)


def _reason(balance: Balance) -> Reason | None:
    if balance.excess < balance.limit:
        return None
    told = (
        f"{balance.found:.0%} power where this print took {balance.expected:.0%} before, with the same fan, "
        "filament and temperature"
    )
    return gives_less(told, sure(balance.excess, balance.limit), balance.since_ns)
