"""Why the network alarms: its tokens are left out one by one, and what lowers the alarm is what it rests on.

Pure: the same tokens and the same network give the same words. All that is left out in turn goes through the
network as one batch; it is done once, when an alarm opens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from detector.beats import Token
from detector.model.temporal import Tokens
from detector.network import sequence
from features.channels import BALANCE, BED_OFF, EVENT_CHANNEL, HOTEND_OFF, MARK_CHANNEL, SOURCES
from ingest.records import NS_PER_S, FrameRef

Scores: TypeAlias = npt.NDArray[np.float64]
Scorer: TypeAlias = Callable[[Tokens], Scores]
"""The alarm score at the last beat of each of n prints: Tokens [n, t, ...] -> float64 [n]."""

FRAMES = 12
"""Pictures that are left out one by one: those of the last minute."""
BEATS = 24
"""Beats in which a channel is left out: two minutes, as far as a token itself looks back."""
CAMERA = "camera"
"""What stands beside the channels for all pictures."""
LEAST = 1e-3
"""A score that sinks by less than this in all does not tell what it rests on."""
SMALL = 0.03
"""Shares below this are noise and are left out."""
NAMED = 3
"""As many are told in words."""
NO_ONE = "by what several senses say together"

WORDS: Mapping[str, str] = {
    "hotend_c": "hotend temperature",
    HOTEND_OFF: "hotend temperature against its target",
    "hotend_target_c": "hotend target",
    "bed_c": "bed temperature",
    BED_OFF: "bed temperature against its target",
    "bed_target_c": "bed target",
    BALANCE: "hotend power against what the filament takes",
    "melt_w": "heat that the filament takes",
    "extrusion_mm_s": "extrusion",
    "feed_mm_s": "speed",
    "x_mm": "motion in x",
    "y_mm": "motion in y",
    "z_mm": "motion in z",
    "e_mm": "motion of the extruder",
    "planner_free": "free places of the planner",
    "resends": "resent lines",
    "garbled": "garbled lines",
    "lines": "lines that the printer says",
    MARK_CHANNEL: "state of the print",
    EVENT_CHANNEL: "what the printer reports",
}
"""Channels in words; the others' names are words."""


class Explanation(NamedTuple):
    """What an alarm rests on."""

    channels: dict[str, float]  # weights, adding up to 1, CAMERA among them; none where no one counts
    frames: tuple[FrameRef, ...]  # the weightiest pictures, oldest first
    text: str


def explain(tokens: Sequence[Token], score: Scorer) -> Explanation:
    """Why the last one of a print's tokens (ascending, one at least) is scored as it is."""
    whole = sequence(tokens)
    pictured = [token for token in tokens if token.frame is not None][-FRAMES:]
    rows = [token.beat - tokens[0].beat for token in pictured]
    heard = _heard(whole)
    variants = [
        whole,
        *(_without_frames(whole, [row]) for row in rows),
        whole.without_frames(),
        *(_without_channel(whole, channel) for channel in heard),
    ]
    scores = score(Tokens(*(torch.cat(each) for each in zip(*variants, strict=True))))
    drops = scores[0] - scores[1:]
    by_frame, by_sense = drops[: len(rows)], drops[len(rows) :]
    weights = _shares(dict(zip((CAMERA, *heard), by_sense.tolist(), strict=True)))
    frames = _weightiest(pictured, by_frame)
    return Explanation(weights, frames, in_words(weights, frames))


def in_words(weights: Mapping[str, float], frames: Sequence[FrameRef]) -> str:
    """The weightiest, with their shares: "seen in the pictures of 12:03:10 to 12:03:40 UTC (82 %)"."""
    ranked = sorted(weights, key=lambda name: (-weights[name], name))[:NAMED]
    told = [f"{_named(name, frames)} ({weights[name] * 100:.0f} %)" for name in ranked]
    return ", ".join(told) or NO_ONE


def _named(name: str, frames: Sequence[FrameRef]) -> str:
    if name != CAMERA:
        return WORDS.get(name, name.replace("_", " "))
    times = [f"{datetime.fromtimestamp(frame.captured_ns // NS_PER_S, UTC):%H:%M:%S}" for frame in frames]
    span = " to ".join(dict.fromkeys((times[0], times[-1]))) if times else ""
    return f"seen in the picture{'s' if len(frames) > 1 else ''} of {span} UTC" if span else "the pictures"


def _heard(whole: Tokens) -> list[str]:
    """The channels that were known at all in the beats in which they are left out, in a fixed order."""
    known = (whole.known & whole.heard[..., None])[0, -BEATS:].any(0).numpy()
    return sorted({source for source, there in zip(SOURCES, known, strict=True) if there})


def _without_frames(whole: Tokens, rows: Sequence[int]) -> Tokens:
    seen = whole.seen.clone()
    seen[0, list(rows)] = False
    return whole._replace(seen=seen)


def _without_channel(whole: Tokens, channel: str) -> Tokens:
    known = whole.known.clone()
    columns = torch.tensor([source == channel for source in SOURCES])
    known[:, -BEATS:, columns] = False
    return whole._replace(known=known)


def _shares(drops: Mapping[str, float]) -> dict[str, float]:
    """What each is of all that lowers the score, without what is next to nothing; they add up to 1."""
    lowering = {name: drop for name, drop in drops.items() if drop > 0}
    total = sum(lowering.values())
    if total < LEAST:
        return {}
    kept = {name: drop for name, drop in lowering.items() if drop >= SMALL * total}
    return {name: drop / sum(kept.values()) for name, drop in kept.items()}


def _weightiest(pictured: Sequence[Token], drops: Scores) -> tuple[FrameRef, ...]:
    """Pictures that count half as much as the weightiest one; all of them where none does by itself."""
    most = float(drops.max(initial=0.0))
    chosen = drops >= most / 2 if most > LEAST else np.ones(len(pictured), np.bool_)
    return tuple(
        token.frame for token, kept in zip(pictured, chosen, strict=True) if kept and token.frame is not None
    )
