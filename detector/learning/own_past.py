"""What prints' pictures show beyond their own past, and from where on that is to make an alarm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import compress
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detector.beyond import Looks, beyond, follow
from detector.evaluation.outcome import PrintOutcome
from detector.evaluation.weighing import Weighing
from detector.learning.calibrate import middle_of_longest
from detector.learning.methods import Outline
from detector.learning.shards import BEAT_NS
from detector.learning.temporal_learner import mistakes_at
from ingest.records import NS_PER_S

LEAST_BEYOND = 2.0
"""No limit is lower, whatever held-out prints say: other cameras than theirs shift scores."""
LEVELS = np.round(np.arange(LEAST_BEYOND, 8.05, 0.1), 2)
"""Limits that are tried, logits."""
LEAST_SOUND = 20
"""Sound prints with pictures; of fewer, nobody knows how high they reach."""
FALSE_PER_HOUR = 0.02
"""False alarms that a farm bears, at most, per hour of a print that is fine."""

Values = npt.NDArray[np.float64]


class Reached(NamedTuple):
    """The highest that a print's pictures show beyond its own past; -inf where it is never known."""

    before: float  # its onset, or ever on a print that stays sound
    after: float


def heights(one: Outline) -> Values:
    """What a print's pictures show beyond its own past after each of its beats [n], NaN where not known."""
    looks, found = Looks(), np.full(len(one.beats), np.nan)
    for row in np.flatnonzero(~one.idle):
        peak = float(one.peaks[row])
        looks = follow(looks, int(one.beats[row]), None if np.isnan(peak) else peak)
        height = beyond(looks)
        found[row] = np.nan if height is None else height
    return found


def reached(one: Outline) -> Reached:
    """How high it gets before anything fails, and from then on."""
    begin_ns = one.facts.begin_ns or int(one.beats[0]) * BEAT_NS
    at_s = ((one.beats + 1) * BEAT_NS - begin_ns) / NS_PER_S
    sound = at_s < (np.inf if one.facts.onset_s is None else one.facts.onset_s)
    found = heights(one)
    return Reached(_highest(found[sound]), _highest(found[~sound]))


def mistakes_beside(
    told: Sequence[PrintOutcome], highest: Sequence[Reached], shares: Mapping[str, float], limits: Values
) -> Values:
    """Mistakes per 100 prints at each of the limits, beside what is ``told`` of the same prints without
    pictures' own past. ``shares`` and errors as ``Weighing``."""
    before, after = np.array(highest).T
    return mistakes_at(
        np.array([one.fails for one in told]),
        _before(told, before),
        np.where([one.found is not None for one in told], np.inf, after),
        limits,
        Weighing(told, shares).weights,
    )


def bearable(
    told: Sequence[PrintOutcome], highest: Sequence[Reached], limits: Values
) -> npt.NDArray[np.bool_]:
    """At which of the limits no more false alarms are to be expected than FALSE_PER_HOUR, those that are
    ``told`` anyway among them. As many are expected as were seen and one more (Laplace's rule of succession):
    these prints choose for themselves. Hours so few that even none would not show it say nothing."""
    hours = sum(one.normal_hours for one in told)
    false = (_before(told, np.array([one.before for one in highest])) >= limits[:, None]).sum(1)
    most = FALSE_PER_HOUR * hours
    return np.asarray(false + 1 <= most if most >= 1 else np.ones(len(limits)), np.bool_)


def choose_beyond(
    told: Sequence[PrintOutcome], prints: Sequence[Outline], shares: Mapping[str, float]
) -> float | None:
    """The bearable limit with the fewest mistakes on these held-out prints; None where none is better than
    not to ask, or for too few of them. Of equally good ones it takes the middle of the widest stretch.

    ``told``: what else is told of them, in their order. Prints of a kind without a share, as people may
    label them, say nothing here.
    """
    known = [fate.kind is None or fate.kind in shares for fate in told]
    prints, told = list(compress(prints, known)), list(compress(told, known))
    highest = [reached(one) for one in prints]
    seen = sum(one.before > -np.inf for one, fate in zip(highest, told, strict=True) if not fate.fails)
    if seen < LEAST_SOUND or not any(fate.fails for fate in told):
        return None
    mistakes, unasked = np.split(mistakes_beside(told, highest, shares, np.append(LEVELS, np.inf)), [-1])
    mistakes = np.where(bearable(told, highest, LEVELS), mistakes, np.inf)
    if mistakes.min() >= unasked - 1e-9:
        return None
    return float(LEVELS[middle_of_longest(mistakes <= mistakes.min() + 1e-9)])


def _before(told: Sequence[PrintOutcome], highest: Values) -> Values:
    """How high prints get before anything fails; without end where a false alarm is told anyway."""
    return np.where([bool(one.false_alarms) for one in told], np.inf, highest)


def _highest(found: Values) -> float:
    return float(np.max(found, where=~np.isnan(found), initial=-np.inf))
