"""How far a print's picture has left its own past: pure logic on embeddings, no network, no clock."""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from ingest.records import NS_PER_S

Embedding: TypeAlias = npt.NDArray[np.float16]
Vector: TypeAlias = npt.NDArray[np.float32]

SAFE_FRAMES = 30
"""The first frames of a print only teach what is normal for it: nothing is judged."""
SETTLED_FRAMES = 12
"""Before this many the spread is not known well enough for distances to mean anything: none is learned."""
RECENT_FRAMES = 9
"""Frames whose median is the picture of now: up to three odd ones (a hand) hardly move it."""
MEMORY_S = 300.0
"""How fast the past is forgotten, s: a lasting change is normal again after some of these."""
GAP_NS = 1800 * NS_PER_S
"""After a longer silence the print's past is begun anew: light and part may be any others."""
SPREAD_FLOOR = 2e-4
"""Least standard deviation of one dimension: float16 and JPEG noise in an embedding of length 1."""
DEVIATION_FLOOR = 0.1
"""Least standard deviation of the distance, in its own unit (1 = as far as a single normal frame)."""
CLIP = 3.0
"""A frame further out than this many standard deviations teaches no more than one that is just there."""
WARY = 0.25
"""Share of the usual rate at which a picture beyond CLIP teaches: a failure must not soon be normal."""
Z_HALF = 8.0
"""Standard deviations at which the probability is 1/2; chosen in docs/findings-novelty.md."""
Z_SCALE = 1.0
"""Standard deviations by which the odds change by e."""


class Novelty(NamedTuple):
    """How unusual the picture is now; ``z`` is None while the print's past is still too short."""

    z: float | None  # standard deviations from what is normal for this print
    probability: float  # 0..1


class NoveltyState(msgspec.Struct, frozen=True, kw_only=True):
    """A print's own past, as it is saved between frames (MessagePack).

    ``mean`` and ``variance`` are float32 [dim], ``recent`` float16 [up to RECENT_FRAMES, dim], oldest first.
    """

    last_ns: int
    count: int  # frames since the beginning or the last gap
    mean: bytes
    variance: bytes
    recent: bytes
    distance_mean: float = 0.0
    distance_variance: float = 0.0


def advance(state: NoveltyState | None, embedding: Embedding, now_ns: int) -> tuple[NoveltyState, Novelty]:
    """Fold one frame's embedding, float16 [dim], into the print's past and judge the picture against it.

    ``now_ns`` is the frame's time. None, a gap of more than GAP_NS or another ``dim`` begin anew.
    """
    frame = embedding.astype(np.float32)
    if state is None or now_ns - state.last_ns > GAP_NS or len(state.mean) != frame.nbytes:
        return _begin(frame, embedding, now_ns), Novelty(None, 0.0)
    recent = np.frombuffer(state.recent + embedding.tobytes(), np.float16).reshape(-1, len(frame))
    recent = recent[-RECENT_FRAMES:]
    distance = _distance(state, recent)
    z = (distance - state.distance_mean) / _deviation(state)
    learned = _learn(state, frame, distance, now_ns)
    return msgspec.structs.replace(learned, recent=recent.tobytes()), _judge(state.count, z)


def _judge(count: int, z: float) -> Novelty:
    if count < SAFE_FRAMES:
        return Novelty(None, 0.0)
    return Novelty(z, 1 / (1 + math.exp(min((Z_HALF - z) / Z_SCALE, 700.0))))


def _begin(frame: Vector, embedding: Embedding, now_ns: int) -> NoveltyState:
    return NoveltyState(
        last_ns=now_ns,
        count=1,
        mean=frame.tobytes(),
        variance=np.zeros_like(frame).tobytes(),
        recent=embedding.tobytes(),
    )


def _distance(state: NoveltyState, recent: npt.NDArray[np.float16]) -> float:
    """Root mean square over the dimensions, in standard deviations of a single normal frame."""
    now = np.median(recent.astype(np.float32), axis=0)
    mean, variance = np.frombuffer(state.mean, np.float32), np.frombuffer(state.variance, np.float32)
    return math.sqrt(float(np.mean((now - mean) ** 2 / (variance + SPREAD_FLOOR**2), dtype=np.float64)))


def _deviation(state: NoveltyState) -> float:
    return max(math.sqrt(state.distance_variance), DEVIATION_FLOOR)


def _learn(state: NoveltyState, frame: Vector, distance: float, now_ns: int) -> NoveltyState:
    furthest = state.distance_mean + CLIP * _deviation(state)
    wary = state.count >= SAFE_FRAMES and distance > furthest
    share = WARY if wary else 1.0
    rate = _rate(state, now_ns)
    mean, variance = _learn_picture(state, frame, np.float32(rate * share))
    state = msgspec.structs.replace(
        state, last_ns=max(now_ns, state.last_ns), count=state.count + 1, mean=mean, variance=variance
    )
    if state.count <= SETTLED_FRAMES:
        return state
    if state.count <= SAFE_FRAMES:
        rate = 1 / (state.count - SETTLED_FRAMES)
    return _learn_distance(state, furthest if wary else distance, rate * share)


def _learn_picture(state: NoveltyState, frame: Vector, rate: np.float32) -> tuple[bytes, bytes]:
    """Mean and variance of each dimension with one more frame."""
    mean, variance = np.frombuffer(state.mean, np.float32), np.frombuffer(state.variance, np.float32)
    off = frame - mean
    if state.count >= SAFE_FRAMES:
        furthest = np.float32(CLIP) * np.sqrt(variance + np.float32(SPREAD_FLOOR**2))
        off = np.clip(off, -furthest, furthest)
    variance = (1 - rate) * (variance + rate * off**2)
    return (mean + rate * off).tobytes(), variance.tobytes()


def _learn_distance(state: NoveltyState, distance: float, rate: float) -> NoveltyState:
    surprise = distance - state.distance_mean
    return msgspec.structs.replace(
        state,
        distance_mean=state.distance_mean + rate * surprise,
        distance_variance=(1 - rate) * (state.distance_variance + rate * surprise**2),
    )


def _rate(state: NoveltyState, now_ns: int) -> float:
    """Weight of the newest frame: a plain average at first, then by time, at most 1 / SAFE_FRAMES."""
    since_s = max(now_ns - state.last_ns, 0) / NS_PER_S
    return max(1 / (state.count + 1), min(since_s / (MEMORY_S + since_s), 1 / SAFE_FRAMES))
