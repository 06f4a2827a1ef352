"""From the network's probabilities of a beat to what is said of the print. Pure: no network, no clock.

The alarm score of a beat is what all kinds that are switched on have of its probability: whether anything
fails comes first, which kind it is second. Single beats err, so an alarm takes ``min_beats`` of the last
``within_beats``; this is gathered here and not in the episodes, which count windows, and rules' ones at that.
Beside the network stands what pictures show beyond the print's own past (``detector.beyond``): that has
gathered for a minute already.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from detector.anomaly import Kind
from detector.beyond import Looks, beyond, follow
from detector.model.kinds import KINDS, VISUAL
from detector.policies import PHYSICAL, SEEN

Probabilities: TypeAlias = npt.NDArray[np.float64]
"""float64 [1 + len(KINDS)] of one beat: that the print is fine, then each kind's."""

OPEN_AT = max(SEEN.open_at, PHYSICAL.open_at)
"""Where the model's threshold lies on the policies' scale."""
UNSURE = 0.9 * OPEN_AT
"""The most that is said while too few beats have been at the threshold: it holds what is open, no more."""
SUREST = min(SEEN.certain_at, PHYSICAL.certain_at) - 0.01
"""The most that is said at all: the network is never certain in the policies' sense, so a flicker stays one
alert whatever it says."""
PICTURES = 3
"""The newest ones that are shown with an alarm that rests on a minute of them."""
RIVAL_FROM, GONE_BELOW = 0.8, 0.1
"""While a kind is open, failures are called by its name, until another one has the first and it less than the
second: one failure, one alarm."""


class Limits(Struct, frozen=True, kw_only=True):
    """When beats make an alarm. ``kinds`` are those that are switched on; ``beyond`` is what pictures must
    show beyond the print's own past, None where they are not asked."""

    threshold: float
    thresholds: Mapping[str, float] = {}  # of kinds for which it is another
    min_beats: int
    within_beats: int
    beyond: float | None = None
    kinds: tuple[Kind, ...] = KINDS

    def of(self, kind: Kind) -> float:
        """The threshold of the alarm score where it is taken for this kind."""
        return self.thresholds.get(kind, self.threshold)


class Weighed(NamedTuple):
    """What a beat came to."""

    beat: int
    kind: Kind  # what it was taken for
    firm: bool  # its alarm score was at the threshold


class Evidence(Struct, frozen=True):
    """All that must be remembered of a print: its last ``within_beats`` beats, oldest first, its pictures."""

    beats: tuple[Weighed, ...] = ()
    looks: Looks = Looks()


class Verdict(NamedTuple):
    """What is said of a print after a beat."""

    kind: Kind
    score: float  # the alarm score: the probability that anything fails
    own: float  # the kind's own probability
    probability: float  # the alarm score on the policies' scale; below OPEN_AT where it is not ``enough``
    enough: bool  # so many beats were at the threshold that an alarm may open
    beats: tuple[int, ...]  # those that were, oldest first
    beyond: bool = False  # it rests on what pictures show beyond the print's own past


def calibrated(
    logits: npt.NDArray[np.floating[Any]], temperatures: Sequence[float], biases: Sequence[float] = ()
) -> Probabilities:
    """Logits [..., classes] as probabilities: softmax(logits / temperatures + biases), float64."""
    shifted = np.asarray(logits, np.float64) / np.asarray(temperatures)
    if len(biases):
        shifted = shifted + np.asarray(biases)
    grown = np.exp(shifted - shifted.max(-1, keepdims=True))
    shares: Probabilities = grown / grown.sum(-1, keepdims=True)
    return shares


def by_kind(probabilities: Probabilities, kinds: Iterable[Kind] = KINDS) -> dict[Kind, float]:
    """The probability of each of these kinds."""
    return {kind: float(probabilities[1 + KINDS.index(kind)]) for kind in kinds}


def alarm_score(probabilities: Probabilities, kinds: Collection[Kind] = KINDS) -> float:
    """The probability that any of these kinds is failing: 0..1."""
    return min(sum(by_kind(probabilities, kinds).values()), 1.0)


def alarm_scale(score: float, threshold: float) -> float:
    """An alarm score on the policies' scale: straight to OPEN_AT at the threshold, and on to 1 at 1."""
    if score < threshold:
        return OPEN_AT * max(score, 0.0) / threshold
    return OPEN_AT + (1 - OPEN_AT) * (min(score, 1.0) - threshold) / (1 - threshold)


def attributed(shares: Mapping[Kind, float], open_kinds: Collection[Kind] = ()) -> Kind:
    """What a failure is taken for: the most probable kind, but for one that is open and not refuted.

    ``shares`` are the probabilities of the kinds that are switched on, one at least.
    """
    likely = max(shares, key=lambda kind: shares[kind])
    running = [kind for kind in shares if kind in open_kinds]
    if not running:
        return likely
    known = max(running, key=lambda kind: shares[kind])
    return likely if shares[likely] >= RIVAL_FROM and shares[known] < GONE_BELOW else known


def weigh(
    evidence: Evidence,
    beat: int,
    probabilities: Probabilities,
    limits: Limits,
    open_kinds: Collection[Kind] = (),
    peak: float | None = None,
) -> tuple[Evidence, Verdict | None]:
    """Fold one beat (its index, ascending) into the evidence, and say what follows from it.

    ``open_kinds`` have an open alarm: a kind beside them needs ``min_beats`` beats of its own. ``peak`` is of
    the beat's failure map (``detector.beyond``), None without a picture. The verdict is None where no kind is
    switched on.
    """
    shares = by_kind(probabilities, limits.kinds)
    if not shares:
        return Evidence(), None
    score, kind = alarm_score(probabilities, limits.kinds), attributed(shares, open_kinds)
    firm = score >= limits.of(kind)
    kept = (each for each in evidence.beats if beat - limits.within_beats < each.beat < beat)
    beats = (*kept, Weighed(beat, kind, firm))
    beside = bool(open_kinds) and kind not in open_kinds
    counted = tuple(each.beat for each in beats if each.firm and (each.kind == kind or not beside))
    enough = firm and len(counted) >= limits.min_beats
    probability = min(alarm_scale(score, limits.of(kind)), SUREST if enough else UNSURE)
    looks = follow(evidence.looks, beat, peak)
    verdict = Verdict(kind, score, shares[kind], probability, enough, counted)
    return Evidence(beats, looks), _surer(verdict, _shown(looks, shares, verdict, limits, open_kinds))


def _shown(
    looks: Looks,
    shares: Mapping[Kind, float],
    verdict: Verdict,
    limits: Limits,
    open_kinds: Collection[Kind],
) -> Verdict | None:
    """What pictures say beyond the print's own past; a failure that is open already keeps its name."""
    seen = {kind: share for kind, share in shares.items() if kind in VISUAL}
    height = beyond(looks)
    if limits.beyond is None or height is None or not seen:
        return None
    kind = verdict.kind if open_kinds else max(seen, key=lambda kind: seen[kind])
    enough = height >= limits.beyond
    reached = OPEN_AT * max(height, 0.0) / limits.beyond
    probability = min(reached, SUREST if enough else UNSURE)
    beats = tuple(each.beat for each in looks.newest[-PICTURES:])
    return Verdict(kind, verdict.score, shares[kind], probability, enough, beats, beyond=True)


def _surer(verdict: Verdict, shown: Verdict | None) -> Verdict:
    if shown is None:
        return verdict
    return max(verdict, shown, key=lambda one: (one.enough, one.probability))  # the first of equals
