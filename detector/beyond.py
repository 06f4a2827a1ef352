"""What pictures show of a failure beyond what this print's pictures have shown before. Pure.

Cameras, lamps and parts differ in how much of a failure a network sees in sound prints: half of what a
print has shown so far is taken as its own way. What is left, over a minute, tells a failure with fewer doubts
than the scores of pictures by themselves (docs/findings.md).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from detector.model.failure_map import MOST

SPAN = 12
"""Beats that are looked at together, and that must be over before a picture is past: a minute."""
LEAST, LEAST_PAST = 8, 6
"""Fewer pictures in the span, or in the past, say nothing."""
OWN = 0.5
"""Of the past's mean that is taken off: a scene that looks worse is, in part, a print that is worse. Chosen
on held-out prints among 0, 0.5, 0.6, 0.7 and 1."""
HALF_A_LEVEL = 0.5 / MOST
"""Maps are stored in levels: nothing is surer than this."""


class Look(NamedTuple):
    """A picture of the last minute. ``beyond`` is None where too little lay in its past."""

    beat: int
    peak: float
    beyond: float | None


class Looks(Struct, frozen=True):
    """All that must be remembered of a print's pictures; ``newest`` are those of the last SPAN beats."""

    total: float = 0.0  # of the peaks that are past, logits
    count: int = 0
    newest: tuple[Look, ...] = ()  # oldest first


def peak_of(where: npt.NDArray[np.uint8]) -> float:
    """The highest cell of a stored failure map [rows, columns], as a logit."""
    share = min(max(float(where.max()) / MOST, HALF_A_LEVEL), 1 - HALF_A_LEVEL)
    return float(np.log(share / (1 - share)))


def follow(looks: Looks, beat: int, peak: float | None) -> Looks:
    """Fold in a beat (its index, ascending) with its picture's peak; None where none can be judged."""
    over = [each.peak for each in looks.newest if each.beat <= beat - SPAN]
    total, count = looks.total + sum(over), looks.count + len(over)
    newest = tuple(each for each in looks.newest if beat - SPAN < each.beat < beat)
    if peak is not None:
        beyond = peak - OWN * total / count if count >= LEAST_PAST else None
        newest = (*newest, Look(beat, peak, beyond))
    return Looks(total, count, newest)


def beyond(looks: Looks) -> float | None:
    """By how much the last minute's pictures together exceed the print's own way; None where that is not
    known."""
    apart = [each.beyond for each in looks.newest if each.beyond is not None]
    return sum(apart) / len(apart) if len(apart) >= LEAST and len(apart) == len(looks.newest) else None
