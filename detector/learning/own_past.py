"""What prints' pictures show beyond their own past, and from where on that is to make an alarm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from detector.beyond import Looks, beyond, follow
from detector.learning.methods import Outline
from detector.learning.shards import BEAT_NS
from ingest.records import NS_PER_S

MARGIN = 0.1
"""So far beyond what any sound held-out print reaches."""
LEAST_BEYOND = 2.0
"""No limit is lower, whatever held-out prints say: other cameras than theirs shift scores."""
LEAST_SOUND = 20
"""Sound prints with pictures; of fewer, nobody knows how high they reach."""

Values = npt.NDArray[np.float64]


def heights(one: Outline) -> Values:
    """What a print's pictures show beyond its own past after each of its beats [n], NaN where not known."""
    looks, found = Looks(), np.full(len(one.beats), np.nan)
    for row in np.flatnonzero(~one.idle):
        peak = float(one.peaks[row])
        looks = follow(looks, int(one.beats[row]), None if np.isnan(peak) else peak)
        height = beyond(looks)
        found[row] = np.nan if height is None else height
    return found


def highest_sound(one: Outline) -> float:
    """The highest of it before anything fails; NaN where it is never known."""
    begin_ns = one.facts.begin_ns or int(one.beats[0]) * BEAT_NS
    at_s = ((one.beats + 1) * BEAT_NS - begin_ns) / NS_PER_S
    sound = heights(one)[at_s < (np.inf if one.facts.onset_s is None else one.facts.onset_s)]
    known = sound[~np.isnan(sound)]
    return float(known.max()) if len(known) else float("nan")


def choose_beyond(prints: Sequence[Outline]) -> float | None:
    """The limit that none of these held-out prints reaches while it is sound; None for too few of them."""
    reached = np.array([highest_sound(one) for one in prints])
    known = reached[~np.isnan(reached)]
    if len(known) < LEAST_SOUND:
        return None
    return max(LEAST_BEYOND, float(known.max()) + MARGIN)
