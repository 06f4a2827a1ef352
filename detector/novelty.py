"""How far a print's picture has left its own past: pure logic on embeddings, no network, no clock.

A print is never still: the bed, the gantry and the part's height move the embedding far, but along few
directions. So a frame is explained as a mixture of the past's frames (ridge regression on at most PAST_FRAMES
of them), and only what is left over counts. What the leftovers of the last frames have in common is lasting;
its length is measured in what the past's own frames leave over when each is explained by the others.
"""

from __future__ import annotations

import math
from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from ingest.records import NS_PER_S

Embedding: TypeAlias = npt.NDArray[np.float16]
Frames: TypeAlias = npt.NDArray[np.float16]  # [frames, dim], oldest first
Times: TypeAlias = npt.NDArray[np.int64]  # [frames], ns

SAFE_FRAMES = 30
"""The first frames of a print only teach what is normal for it: nothing is judged."""
RECENT_FRAMES = 9
"""Frames whose median is the picture of now: up to three odd ones (a hand) hardly move it.

They are not yet part of the past, so that a change cannot explain itself.
"""
PAST_FRAMES = 36
"""Frames of the past that are kept: a small layer's phases twice over, in a state below 20 KB."""
MEMORY_S = 300.0
"""How far back the kept frames reach, s, and how long a lasting change stays unusual before it is learned."""
GAP_NS = 1800 * NS_PER_S
"""After a longer silence the print's past is begun anew: light and part may be any others."""
RIDGE = 0.1
"""How hard mixing is held back, of the past's mean square: 0.01 and 0.03 let normal prints reach higher z."""
NOISE_FLOOR = 1e-3
"""Least length that a normal frame leaves over: float16 and JPEG noise in an embedding of length 1."""
WARY_Z = 2.0
"""A picture beyond this teaches nothing: a failure that grows must not become normal while it grows.

Just above what normal prints reach (1.9); with 2.5 the weakest mess was told some 6 s later.
"""
DOUBT_S = 20.0
"""How long a picture beyond WARY_Z that is never told goes untaught, s: else growth would get it told."""
ODD_Z = 5.0
"""A single frame beyond this teaches nothing: a hand is no part of the past."""
SPARSE_NS = 10 * NS_PER_S
"""Frames further apart are not judged: a part grows so much in between that normal time-lapses were told."""
Z_HALF = 3.0
"""z at which the probability is 1/2: normal prints and hands reach 1.9, a mess of 25 s 4.5 (simulated)."""
Z_SCALE = 0.25
"""z by which the odds change by e: 0.02 at the highest normal z."""


class Novelty(NamedTuple):
    """How unusual the picture is now; ``z`` is None while the print's past is still too short."""

    z: float | None  # in standard deviations of a single normal frame from what its print's past explains
    probability: float  # 0..1


class NoveltyState(msgspec.Struct, frozen=True, kw_only=True):
    """A print's own past, as it is saved between frames (MessagePack).

    ``past`` (at most PAST_FRAMES) and ``recent`` (at most RECENT_FRAMES) are float16 [frames, dim], oldest
    first; ``past_ns`` is int64 [frames of the past], when each was taken into it.
    """

    last_ns: int
    count: int  # frames since the beginning or the last gap
    dim: int
    past: bytes = b""
    past_ns: bytes = b""
    recent: bytes = b""


def advance(state: NoveltyState | None, embedding: Embedding, now_ns: int) -> tuple[NoveltyState, Novelty]:
    """Fold one frame's embedding, float16 [dim], into the print's past and judge the picture against it.

    ``now_ns`` is the frame's time. None, a gap of more than GAP_NS or another ``dim`` begin anew.
    """
    dim = len(embedding)
    if state is None or now_ns - state.last_ns > GAP_NS or state.dim != dim:
        state = NoveltyState(last_ns=now_ns, count=0, dim=dim)
    now_ns = max(now_ns, state.last_ns)
    sparse = state.count > 0 and now_ns - state.last_ns > SPARSE_NS
    recent = _frames(state.recent + embedding.tobytes(), dim)
    novelty, teaches = Novelty(None, 0.0), True
    if state.count >= SAFE_FRAMES and not sparse:
        z, oldest_z = _distances(_frames(state.past, dim), recent)
        novelty = Novelty(z, 1 / (1 + math.exp(min((Z_HALF - z) / Z_SCALE, 700.0))))
        teaches = (z < WARY_Z and oldest_z < ODD_Z) or _overdue(state, z, now_ns)
    if len(recent) > RECENT_FRAMES:
        state = _remember(state, recent[0], now_ns) if teaches else state
        recent = recent[1:]
    count = state.count + 1
    return msgspec.structs.replace(state, last_ns=now_ns, count=count, recent=recent.tobytes()), novelty


def _frames(saved: bytes, dim: int) -> Frames:
    return np.frombuffer(saved, np.float16).reshape(-1, dim)


def _distances(past: Frames, recent: Frames) -> tuple[float, float]:
    """What the recent frames lastingly leave over, and what the oldest of them does: both as z."""
    middle = past.astype(np.float64).mean(axis=0)
    known, new = past - middle, recent - middle
    alike = known @ known.T
    ridge = RIDGE * np.trace(alike) / len(alike) + NOISE_FLOOR**2
    inverse = np.linalg.inv(alike + ridge * np.eye(len(alike)))
    # Each of the past's frames explained by the others, in closed form (leave-one-out of ridge regression).
    left_out = (inverse @ known) / np.diag(inverse)[:, None]
    usual = max(math.sqrt(float(np.median(np.sum(left_out**2, axis=1)))), NOISE_FLOOR)
    left = new - new @ known.T @ inverse @ known
    lasting = np.median(left[-RECENT_FRAMES:], axis=0)
    return float(np.linalg.norm(lasting)) / usual, float(np.linalg.norm(left[0])) / usual


def _overdue(state: NoveltyState, z: float, now_ns: int) -> bool:
    """Whether nothing has been learned for so long that the picture of now is to be taken as normal."""
    patience_s = MEMORY_S if z >= Z_HALF else DOUBT_S
    newest_ns = int(np.frombuffer(state.past_ns, np.int64)[-1])
    return now_ns - newest_ns >= patience_s * NS_PER_S


def _remember(state: NoveltyState, frame: Embedding, now_ns: int) -> NoveltyState:
    """The past with one more frame; where it is full, one gives way: it stays evenly spread in time."""
    past = np.concatenate([_frames(state.past, state.dim), frame[None]])
    past_ns = np.append(np.frombuffer(state.past_ns, np.int64), np.int64(now_ns))
    if len(past) > PAST_FRAMES:
        gone = _most_spared(past_ns, now_ns)
        past, past_ns = np.delete(past, gone, axis=0), np.delete(past_ns, gone)
    return msgspec.structs.replace(state, past=past.tobytes(), past_ns=past_ns.tobytes())


def _most_spared(past_ns: Times, now_ns: int) -> int:
    """The first frame where it is older than MEMORY_S, else that which is closest to the one before it."""
    if now_ns - past_ns[0] > MEMORY_S * NS_PER_S:
        return 0
    return 1 + int(np.argmin(np.diff(past_ns)[:-1]))
