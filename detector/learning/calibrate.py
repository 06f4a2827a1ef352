"""From logits to probabilities that mean what they say, and when to alarm; on held-out prints only.

Training shows as many failing prints as sound ones, of each kind as many; on farms one in ten fails.
A temperature takes back overconfidence (arXiv:1706.04599), a bias of the class "fine" the wrong share of
failures; both are fitted on held-out beats that are weighed as on a farm.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from detector.learning.alarms import insisting
from detector.learning.sequences import Filed, batch_of, read_sequence
from detector.learning.shards import ANY, UNKNOWN, PrintFacts
from detector.learning.temporal_learner import as_on_a_farm, mistakes_at, top
from detector.model.kinds import FINE
from detector.model.temporal import Judged, TemporalNetwork, Tokens
from detector.verdict import Probabilities, calibrated

AT_ONCE = 16
STEPS = 60
RULES: tuple[tuple[int, int], ...] = ((2, 2), (2, 3), (3, 3), (3, 4), (4, 4), (4, 6), (6, 6), (6, 8))
"""Beats that must reach the threshold, of how many: what is tried."""
LEAST_SURE = 0.8
"""No alarm is less sure than this, whatever held-out prints say: other printers and cameras than theirs shift
scores, and a watch that cries wolf is muted."""
LEVELS = np.linspace(LEAST_SURE, 0.98, 37)
NEARLY = 0.2
"""Mistakes per 100 prints that two rules may lie apart and count as equal: so much is chance."""


class JudgedPrint(NamedTuple):
    """What the temporal network says of a print's n beats.

    ``logits`` float32 [n, classes], ``onset_s`` float32 [n]; ``labels`` [n], ``since_s`` [n], NaN before the
    onset; ``beats`` int64 [n].
    """

    facts: PrintFacts
    logits: npt.NDArray[np.float32]
    onset_s: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int16]
    since_s: npt.NDArray[np.float32]
    beats: npt.NDArray[np.int64]


class Calibration(NamedTuple):
    """Logits are divided by ``temperature``, then ``fine_bias`` is added to that of the class "fine"."""

    temperature: float
    fine_bias: float

    def temperatures(self, classes: int) -> tuple[float, ...]:
        """As ``WatchAbout`` has them."""
        return (self.temperature,) * classes

    def biases(self, classes: int) -> tuple[float, ...]:
        """As ``WatchAbout`` has them."""
        return (self.fine_bias, *[0.0] * (classes - 1))

    def probabilities(self, logits: npt.NDArray[np.float32]) -> Probabilities:
        """[n, classes] -> [n, classes]."""
        return calibrated(logits, self.temperatures(logits.shape[1]), self.biases(logits.shape[1]))


class AlarmRule(NamedTuple):
    """A failure is told when ``least`` of the last ``within`` beats reach ``threshold``."""

    threshold: float
    least: int
    within: int


@torch.inference_mode()
def judged(
    network: TemporalNetwork,
    prints: Sequence[Filed],
    *,
    blind: bool = False,
    deaf: bool = False,
    alone: bool = False,
) -> list[JudgedPrint]:
    """What the network says of prints, in their order; ``blind``: without frames, ``deaf``:
    without telemetry, ``alone``: each beat without any past."""
    network.eval()
    found = []
    for begin in range(0, len(prints), AT_ONCE):
        read = [read_sequence(filed) for filed in prints[begin : begin + AT_ONCE]]
        tokens = batch_of(read).tokens.with_senses(frames=not blind, sensors=not deaf)
        said = _each_alone(network, tokens) if alone else network(tokens)
        for row, each in enumerate(read):
            at = torch.from_numpy(each.beats - each.beats[0])
            found.append(
                JudgedPrint(
                    each.facts,
                    said.logits[row, at].numpy(),
                    said.onset_s()[row, at].numpy(),
                    each.labels,
                    each.since_s,
                    each.beats,
                )
            )
    return found


def _each_alone(network: TemporalNetwork, tokens: Tokens) -> Judged:
    """Each beat as a print of its own."""
    size = tokens.there.shape
    said: Judged = network(Tokens(*(each.flatten(0, 1)[:, None] for each in tokens)))
    return Judged(*(torch.unflatten(each[:, 0], 0, size) for each in said))


def fit_calibration(prints: Sequence[JudgedPrint]) -> Calibration:
    """Temperature and bias by L-BFGS on cross-entropy; sound prints weigh 90 % together."""
    fails = np.array([one.facts.kind is not None for one in prints])
    share = as_on_a_farm(fails)
    logits = torch.from_numpy(np.concatenate([one.logits for one in prints]))
    labels = torch.from_numpy(np.concatenate([one.labels for one in prints]).astype(np.int64))
    weights = torch.from_numpy(
        np.concatenate(
            [np.full(len(one.labels), s / len(one.labels)) for one, s in zip(prints, share, strict=True)]
        )
    ).float()
    known = (labels != UNKNOWN) & (labels != ANY)
    wide, bias = _fitted(logits[known], labels[known], weights[known])
    return Calibration(float(wide), float(bias))


def _fitted(logits: Tensor, labels: Tensor, weights: Tensor) -> tuple[float, float]:
    wide, bias = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    optimizer = torch.optim.LBFGS([wide, bias], max_iter=STEPS, line_search_fn="strong_wolfe")
    lift = nn.functional.one_hot(torch.tensor([FINE]), logits.shape[1]).float()

    def loss() -> Tensor:
        optimizer.zero_grad()
        each = nn.functional.cross_entropy(logits / wide.exp() + bias * lift, labels, reduction="none")
        total = (each * weights).sum() / weights.sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    return float(wide.exp().detach()), float(bias.detach())


class _Tried(NamedTuple):
    """A way to insist, at its best threshold on held-out prints."""

    rule: AlarmRule
    mistakes: float  # per 100 prints
    false: int  # prints with a false alarm


def choose_rule(prints: Sequence[JudgedPrint], calibration: Calibration) -> AlarmRule:
    """The rule that makes the fewest mistakes per 100 prints; of nearly equal ones that with the fewest false
    alarms, then the quickest.

    Of equally good thresholds it takes the middle one of the widest stretch: the least luck is in it.
    """
    scores = failing_scores(prints, calibration)
    tried = [_best_of(prints, scores, least, within) for least, within in RULES]
    fewest = min(each.mistakes for each in tried)
    return min((each for each in tried if each.mistakes <= fewest + NEARLY), key=lambda each: each.false).rule


def _best_of(
    prints: Sequence[JudgedPrint], scores: Sequence[npt.NDArray[np.float64]], least: int, within: int
) -> _Tried:
    before, after = held_tops(prints, scores, least, within)
    fails = np.array([not np.isnan(one.since_s).all() for one in prints])
    mistakes = mistakes_at(fails, before, after, LEVELS)
    at = middle_of_longest(mistakes <= mistakes.min() + 1e-9)
    return _Tried(
        AlarmRule(float(LEVELS[at]), least, within), float(mistakes[at]), int((before >= LEVELS[at]).sum())
    )


def failing_scores(prints: Sequence[JudgedPrint], calibration: Calibration) -> list[npt.NDArray[np.float64]]:
    """The probability of each beat that anything fails."""
    return [1 - calibration.probabilities(one.logits)[:, FINE] for one in prints]


def held_tops(
    prints: Sequence[JudgedPrint], scores: Sequence[npt.NDArray[np.float64]], least: int, within: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The highest score that ``least`` of ``within`` beats of each print reach before its onset (or ever,
    where nothing fails), and from it on: float64 [prints] each, 0 of no beats."""
    held = [insisting(score, least, within) for score in scores]
    begun = [~np.isnan(one.since_s) for one in prints]
    before = np.array([top(score[~on]) for score, on in zip(held, begun, strict=True)])
    after = np.array([top(score[on]) for score, on in zip(held, begun, strict=True)])
    return before, after


def middle_of_longest(good: npt.NDArray[np.bool_]) -> int:
    """The middle of the longest stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], good.astype(np.int8), [0]])))
    begins, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - begins))
    return int((begins[longest] + ends[longest] - 1) // 2)
