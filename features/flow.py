"""Whether the hot end's heater still works as hard as the filament that is asked for needs. Pure.

Filament that comes takes heat; where less comes than is asked, the heater needs less power. It is little, 0.3
to 3 W of 20 beside drafts and a swinging controller, so single beats tell nothing. Each print's own power is
therefore learned as it goes, by recursive least squares with a physical prior (Ljung, System Identification,
11.2), from beats that lie some minutes back; the newest beats are held against that.

    power = loss * (temperature - room) + melt * heat of the filament + fan + storage * rise

What was never told (many hosts do not say what they extrude) leaves the loss alone to explain the power. A
clog that is there from the start is taken for this machine's way.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec import Struct
from msgspec.structs import replace

from features.sequence import History
from ingest.records import CHANNEL, STEPS_PER_WINDOW, Bools, Mark

Floats = npt.NDArray[np.float64]

ROOM_C = 25.0
PRIOR, DOUBT = np.array([0.40, 1 / 40, 0.08, 0.42]), np.array([0.30, 0.008, 0.06, 0.20])
"""Duties before anything is learned, and how far off they may be: at 200 K above the room, per watt that the
filament takes (40 W heaters are usual, 25 to 75 W are sold), of a full fan, per K/s (16.7 J/K are usual)."""
DRIFT = np.array([2e-4, 0.0, 1e-4, 0.0])
"""How far these wander within a beat, standard deviations: a room warms up by 1 K in some minutes."""
FIRST_NOISE, FIRST_LIKENESS, MOST_ALIKE = 0.03, 0.3, 0.8
"""Of a beat's power, a duty; and how much one beat's is like the next one's, the last the bound of it."""
FOLLOWED = 100
"""Beats over which noise is averaged at most."""
ODD = 4.0
"""Standard deviations that one beat may be off at most: what is farther off is taken for that much."""
LAG_S = 8.0
"""How long the controller takes to answer a change of the flow, s."""
WARM_C, AT_TARGET_C, FULL = 150.0, 6.0, 0.98
"""Beats below the first, farther from their target, or at nearly full power tell nothing of a balance."""
HELD_BEATS, LEAST_HELD = 48, 12
"""The newest beats are held back from learning: 4 min, a third of what is known in a young print."""
SPANS = (12, 24, 48)
"""Beats over which power is looked at together."""
LEAST_BEATS, LEAST_LEARNED = 6, 12
"""Fewer usable beats in a span, or fewer learned ones, tell nothing."""
SETTLED_BEATS = 8
"""After a change of the target so many tell nothing: what is stored in the block, and in all around it, moves
for longer than the sensor's own reading does."""
LEFT_OUT = Mark.PAUSED | Mark.FILAMENT_CHANGE | Mark.GAP | Mark.TELEMETRY_SILENT
ROW = 6  # usable, four regressors, power


class Reading(NamedTuple):
    """One beat of a hot end: mean duty and temperature as far as measured, NaN elsewhere, and what was asked
    of it; ``usable`` is False where something else than printing went on."""

    power: float
    celsius: float
    target_c: float
    fan: float
    melt_w: float
    usable: bool


class FlowState(Struct, frozen=True, kw_only=True):
    """What is known of a print's hot end. Arrays are float64 bytes."""

    weights: bytes = PRIOR.tobytes()  # [4], duties as PRIOR has them
    spread: bytes = np.diag(np.square(DOUBT)).tobytes()  # [4, 4], their covariance
    noise: tuple[float, float, float] = (FIRST_NOISE**2, FIRST_LIKENESS, 0.0)  # variance, likeness, last
    learned: int = 0  # usable beats
    lagged: tuple[float, float] | None = None  # fan, melt_w, as the controller has answered them
    celsius: float | None = None  # of the last beat
    target_c: float | None = None  # the last one that was told
    settled: int = 0  # beats since it changed
    held: bytes = b""  # [n, ROW], beats not learned yet, oldest first


class Flow(NamedTuple):
    """What the newest beats say, by span of SPANS; NaN where too little is known.

    ``missing``: power that is missing, in standard deviations of what is expected of a healthy hot end;
    ``missing_w``: the same for 40 W heaters, W; ``full``: how far off a full stop would be, in standard
    deviations: what cannot be seen need not be there.
    """

    missing: Floats
    missing_w: Floats
    full: Floats


def reading(history: History, beat_s: float) -> Reading:
    """The beat that ends with the history's newest window."""
    values, measured = history.grid(round(beat_s * STEPS_PER_WINDOW))

    def mean(channel: str, known: Bools) -> float:
        row, there = values[CHANNEL[channel]], known[CHANNEL[channel]]
        return float(row[there].mean()) if there.any() else float("nan")

    held = ~np.isnan(values)
    return Reading(
        power=mean("hotend_power", measured),
        celsius=mean("hotend_c", measured),
        target_c=mean("hotend_target_c", held),
        fan=mean("fan", held),
        melt_w=mean("melt_w", held),
        usable=not history.marked(beat_s, LEFT_OUT),
    )


def advance(state: FlowState, beat: Reading, beat_s: float) -> FlowState:
    """Take a beat in; the oldest of those that are held back is learned, once there are enough."""
    fan, melt_w = (0.0 if np.isnan(each) else each for each in (beat.fan, beat.melt_w))
    answered = 1.0 - float(np.exp(-beat_s / LAG_S))
    before = state.lagged or (fan, melt_w)
    lagged = (before[0] + answered * (fan - before[0]), before[1] + answered * (melt_w - before[1]))
    known = not np.isnan(beat.celsius)
    rise_k_s = (beat.celsius - state.celsius) / beat_s if known and state.celsius is not None else 0.0
    excess = (beat.celsius - ROOM_C) / 200.0 if known else 0.0
    targeted = state if np.isnan(beat.target_c) else _under(state, beat.target_c)
    tells = _tells(beat) and targeted.settled >= SETTLED_BEATS
    row = np.array([tells, excess, lagged[1], lagged[0], rise_k_s, np.nan_to_num(beat.power)])
    held = np.vstack([_rows(state), row])
    celsius = beat.celsius if known else state.celsius
    ahead = replace(targeted, lagged=lagged, celsius=celsius, held=held.tobytes())
    kept = min(HELD_BEATS, max(LEAST_HELD, (len(held) + state.learned) // 3))
    return _learned(ahead, held, kept) if len(held) > kept else ahead


def _under(state: FlowState, target_c: float) -> FlowState:
    """One beat more under this target; the first one of all has been held for long, as far as is known."""
    if state.target_c is None:
        return replace(state, target_c=target_c, settled=SETTLED_BEATS)
    settled = min(state.settled + 1, SETTLED_BEATS) if target_c == state.target_c else 0
    return replace(state, target_c=target_c, settled=settled)


def flow(state: FlowState) -> Flow:
    """What the beats that are held back say."""
    weights, spread = _array(state.weights), _array(state.spread).reshape(4, 4)
    variance, likeness, _ = state.noise
    said = np.full((3, len(SPANS)), np.nan)
    for at, span in enumerate(SPANS):
        rows = _rows(state)[-span:]
        rows = rows[rows[:, 0] > 0]
        if len(rows) < LEAST_BEATS or state.learned < LEAST_LEARNED:
            continue
        mean = rows[:, 1:5].mean(0)
        off = float((rows[:, 1:5] @ weights - rows[:, 5]).mean())
        alike = variance * (1 + likeness) / (1 - likeness) / len(rows)
        doubt = np.sqrt(alike + mean @ spread @ mean + float(np.square(DRIFT) @ np.square(mean)) * span)
        said[:, at] = off / doubt, off / PRIOR[1], mean[1] * max(weights[1], 0.0) / doubt
    return Flow(*said)


def _tells(beat: Reading) -> bool:
    return bool(
        beat.usable
        and beat.target_c > WARM_C
        and abs(beat.celsius - beat.target_c) < AT_TARGET_C
        and beat.power < FULL
    )  # comparisons with NaN are False


def _learned(state: FlowState, held: Floats, kept: int) -> FlowState:
    """Learn the oldest beats, so that ``kept`` are left."""
    weights, spread = _array(state.weights), _array(state.spread).reshape(4, 4)
    (variance, likeness, last), learned = state.noise, state.learned
    for row in held[:-kept]:
        spread = spread + np.diag(np.square(DRIFT))
        if not row[0]:
            continue
        learned += 1
        given = row[1:5]
        scatter = variance * (1 + likeness) / (1 - likeness)  # neighbours are alike: each tells less
        wide = float(np.sqrt(given @ spread @ given + scatter))
        off = float(np.clip(row[5] - given @ weights, -ODD * wide, ODD * wide))
        gain = spread @ given / wide**2
        weights, spread = weights + gain * off, spread - np.outer(gain, given @ spread)
        share = max(1.0 / (learned + 1), 1.0 / FOLLOWED)
        variance += share * (min(off * off, ODD**2 * variance) - variance)
        alike = float(np.clip(off * last / variance, -2.0, 2.0))
        likeness, last = float(np.clip(likeness + share * (alike - likeness), 0.0, MOST_ALIKE)), off
    return replace(
        state,
        weights=weights.tobytes(),
        spread=spread.tobytes(),
        noise=(variance, likeness, last),
        learned=learned,
        held=held[-kept:].tobytes(),
    )


def _rows(state: FlowState) -> Floats:
    return _array(state.held).reshape(-1, ROW)


def _array(packed: bytes) -> Floats:
    return np.frombuffer(packed, np.float64)
