"""Why the network alarms: what it senses is left out part by part; what lowers the alarm is what it rests on.

First whole senses are left out, as channels of one tell much the same and may stand in for each other; then
the channels, which share their sense's weight. What counts is how far the odds of a failure fall, as
probabilities near 1 hardly move. Pure: the same tokens and the same network give the same words. It is done
once, when an alarm opens.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import torch

from detector.beats import Token
from detector.model.temporal import Tokens
from detector.network import sequence
from detector.senses import CAMERA, by_sense, sense_of, words_of
from features.channels import SOURCES
from ingest.records import NS_PER_S, FrameRef

Scores: TypeAlias = npt.NDArray[np.float64]
Scorer: TypeAlias = Callable[[Tokens], Scores]
"""The alarm score at the last beat of each of n prints: Tokens [n, t, ...] -> float64 [n]."""

FRAMES = 12
"""Pictures that are left out one by one: those of the last minute."""
SURE = 1e-9
"""No score is nearer to 0 or 1 than this, or its odds would be without end."""
LEAST = 0.02
"""Log odds that fall by less than this in all do not tell what they rest on."""
SMALL = 0.03
"""Shares below this are noise and are left out."""
NAMED = 3
"""As many senses are told in words ..."""
NAMED_OF_ONE = 2
"""... and as many channels of one, if they are not much lighter than its first."""
NO_ONE = "by what several senses say together"


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
    weights = weights_of(whole, score)
    frames = _weightiest(pictured, _falls(whole, [_without_frames(whole, [row]) for row in rows], score))
    return Explanation(weights, frames, in_words(weights, frames))


def weights_of(whole: Tokens, score: Scorer) -> dict[str, float]:
    """What the score of a print's last beat rests on: channels, CAMERA among them, with weights that add up
    to 1; none where no sense lowers it. ``whole`` is one print, [1, t, ...]."""
    channels = _heard(whole)
    senses = {
        sense: [each for each in channels if sense_of(each) == sense] for sense in map(sense_of, channels)
    }
    falls = _falls(
        whole,
        [
            whole.without_frames(),
            *(_without_channels(whole, own) for own in senses.values()),
            *(_without_channels(whole, [channel]) for channel in channels),
        ],
        score,
    ).tolist()
    together = dict(zip((CAMERA, *senses), falls, strict=False))
    alone = {CAMERA: falls[0], **dict(zip(channels, falls[len(together) :], strict=True))}
    senses[CAMERA] = [CAMERA]
    return {
        channel: weight
        for sense, share in _shares(together).items()
        for channel, weight in _divided(share, {each: alone[each] for each in senses[sense]}).items()
    }


def in_words(weights: Mapping[str, float], frames: Sequence[FrameRef]) -> str:
    """The weightiest senses, with their shares: "seen in the pictures of 12:03:10 to 12:03:40 UTC (82 %)"."""
    senses = list(by_sense(weights).values())[:NAMED]
    told = [f"{_named(channels, frames)} ({sum(channels.values()) * 100:.0f} %)" for channels in senses]
    return ", ".join(told) or NO_ONE


def _named(channels: Mapping[str, float], frames: Sequence[FrameRef]) -> str:
    """A sense by its weightiest channels."""
    if CAMERA in channels:
        return _pictures(frames)
    most = max(channels.values())
    return " and ".join([words_of(name) for name in channels if 2 * channels[name] >= most][:NAMED_OF_ONE])


def _pictures(frames: Sequence[FrameRef]) -> str:
    times = [f"{datetime.fromtimestamp(frame.captured_ns // NS_PER_S, UTC):%H:%M:%S}" for frame in frames]
    span = " to ".join(dict.fromkeys((times[0], times[-1]))) if times else ""
    return f"seen in the picture{'s' if len(frames) > 1 else ''} of {span} UTC" if span else "the pictures"


def _heard(whole: Tokens) -> list[str]:
    """The channels that were known at all, in a fixed order."""
    known = (whole.known & whole.heard[..., None])[0].any(0).numpy()
    return sorted({source for source, there in zip(SOURCES, known, strict=True) if there})


def _without_frames(whole: Tokens, rows: Sequence[int]) -> Tokens:
    seen = whole.seen.clone()
    seen[0, list(rows)] = False
    return whole._replace(seen=seen)


def _without_channels(whole: Tokens, channels: Collection[str]) -> Tokens:
    columns = torch.tensor([source in channels for source in SOURCES])
    return whole._replace(known=whole.known & ~columns)


def _falls(whole: Tokens, lacking: Sequence[Tokens], score: Scorer) -> Scores:
    """By how much the log odds of a failure are lower in each print that lacks something, [n]."""
    scores = score(Tokens(*(torch.cat(each) for each in zip(whole, *lacking, strict=True))))
    sure = np.clip(scores, SURE, 1 - SURE)
    odds: Scores = np.log(sure / (1 - sure))
    falls: Scores = odds[0] - odds[1:]
    return falls


def _shares(falls: Mapping[str, float]) -> dict[str, float]:
    """What each is of all that lowers the odds, without what is next to nothing; they add up to 1."""
    lowering = {name: fall for name, fall in falls.items() if fall > 0}
    total = sum(lowering.values())
    if total < LEAST:
        return {}
    kept = {name: fall for name, fall in lowering.items() if fall >= SMALL * total}
    return {name: fall / sum(kept.values()) for name, fall in kept.items()}


def _divided(weight: float, falls: Mapping[str, float]) -> dict[str, float]:
    """A sense's weight among its channels; evenly where each of them can be spared alone."""
    shares = _shares(falls) or dict.fromkeys(falls, 1 / len(falls))
    return {channel: weight * share for channel, share in shares.items()}


def _weightiest(pictured: Sequence[Token], falls: Scores) -> tuple[FrameRef, ...]:
    """Pictures that count half as much as the weightiest one; all of them where none does by itself."""
    most = float(falls.max(initial=0.0))
    chosen = falls >= most / 2 if most > LEAST else np.ones(len(pictured), np.bool_)
    return tuple(
        token.frame for token, kept in zip(pictured, chosen, strict=True) if kept and token.frame is not None
    )
