"""What the training loop needs to know where a network learns more: own prints beside replayed old ones.

Each batch is half own prints, half replayed ones. The best epoch makes the fewest mistakes on held-out own
prints, as alarms, and must not be worse than before on held-out replayed ones: forgetting is no way to learn.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np
import torch
from torch import Tensor, nn

from detector.evaluation.outcome import PrintOutcome
from detector.evaluation.weighing import FAILING_SHARE
from detector.learning.alarms import Watched, outcome
from detector.learning.calibrate import Calibration, JudgedPrint
from detector.learning.sequences import Batch, TokenSequence, batch_of, with_gaps
from detector.learning.temporal_learner import loss_of, weighed
from detector.model.temporal import Judged, TemporalNetwork
from detector.training.learner import Loss
from detector.verdict import Limits
from ingest.errors import UsageError

FORGOTTEN = 0.5
"""Mistakes per 100 replayed prints by which it may grow worse on them."""
PENALTY = 1000.0
"""Of each mistake per 100 replayed prints beyond that: no gain on own prints makes good for it."""
FEWEST_BATCHES = 8
"""Of an epoch: few own prints are shown several times, each time with other gaps."""
AT_ONCE = 16
HUNDRED = 100.0


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """How a network does on a set of prints, by its own alarms.

    ``found`` of the ``failing`` prints are told at or after their onset; ``false_alarms`` counts the prints
    with one. ``mistakes`` are prints missed or with a false alarm, per 100: a tenth failing where there are
    sound ones too, else as they are. ``loss`` is the mean of the prints'.
    """

    prints: int
    failing: int
    found: int
    false_alarms: int
    mistakes: float
    loss: float


class Sets(msgspec.Struct, frozen=True):
    """Prints to learn from and held out ones, of the user's and of those that are replayed."""

    own: list[TokenSequence]
    own_held_out: list[TokenSequence]
    replayed: list[TokenSequence]
    replayed_held_out: list[TokenSequence]


class FinetuneLearner:
    """Learns own prints beside replayed ones; ``allowed`` is the most mistakes per 100 on the latter."""

    goal, higher_is_better = "goal", False

    def __init__(
        self,
        network: TemporalNetwork,
        sets: Sets,
        calibration: Calibration,
        limits: Limits,
        *,
        batch_size: int,
        seed: int,
    ) -> None:
        if not sets.own or not sets.replayed or not sets.own_held_out or not sets.replayed_held_out:
            raise UsageError("found no own or no replayed print, expected both, to learn from and held out")
        self.network: nn.Module = network
        self._temporal, self._sets, self._calibration, self._limits = network, sets, calibration, limits
        self._half, self._seed = max(batch_size // 2, 1), seed
        self.before = self.sides()
        self._allowed = self.before["replayed"].mistakes + FORGOTTEN

    def rate_factor(self, name: str) -> float:
        """As ``Learner.rate_factor``."""
        return 1.0

    def batches(self, epoch: int) -> Iterator[Batch]:
        """As ``Learner.batches``."""
        rng = np.random.default_rng([self._seed, epoch])
        count = max(-(-len(self._sets.own) // self._half), FEWEST_BATCHES)
        own = _drawn(self._sets.own, count * self._half, rng)
        replayed = _drawn(self._sets.replayed, count * self._half, rng)
        for begin in range(0, len(own), self._half):
            rows = slice(begin, begin + self._half)
            yield batch_of([with_gaps(each, rng) for each in own[rows] + replayed[rows]])

    def loss(self, batch: Batch) -> Loss:
        """As ``Learner.loss``."""
        judged: Judged = self.network(batch.tokens)
        return Loss(loss_of(judged, batch), weighed(batch))

    def validate(self) -> Mapping[str, float]:
        """``own`` and ``replayed`` mistakes per 100 prints, both losses, and the ``goal`` of them all."""
        sides = self.sides()
        return {
            "goal": self.goal_of(sides),
            **{name: side.mistakes for name, side in sides.items()},
            **{f"{name}_loss": side.loss for name, side in sides.items()},
        }

    def goal_of(self, sides: Mapping[str, Side]) -> float:
        """Mistakes on own prints, with the losses to tell equal ones apart, and what forgetting costs."""
        own, replayed = sides["own"], sides["replayed"]
        forgotten = max(replayed.mistakes - self._allowed, 0.0)
        return own.mistakes + own.loss + replayed.loss + PENALTY * forgotten

    def sides(self, calibration: Calibration | None = None) -> dict[str, Side]:
        """How the network does now on both held-out sets; with another calibration where one is given."""
        held_out = {"own": self._sets.own_held_out, "replayed": self._sets.replayed_held_out}
        return {
            name: side_of(
                *judged_prints(self._temporal, prints), calibration or self._calibration, self._limits
            )
            for name, prints in held_out.items()
        }


@torch.inference_mode()
def judged_prints(
    network: TemporalNetwork, prints: Sequence[TokenSequence]
) -> tuple[list[JudgedPrint], float]:
    """What the network says of prints, in their order, and the mean of their losses."""
    network.eval()
    found, losses = list[JudgedPrint](), list[float]()
    for begin in range(0, len(prints), AT_ONCE):
        part = prints[begin : begin + AT_ONCE]
        batch = batch_of(part)
        said: Judged = network(batch.tokens)
        losses.append(float(loss_of(said, batch)) * len(part))
        found += [_judged(said, row, each) for row, each in enumerate(part)]
    return found, sum(losses) / len(prints)


def side_of(prints: Sequence[JudgedPrint], loss: float, calibration: Calibration, limits: Limits) -> Side:
    """The figures of prints that were judged."""
    told = [_outcome(one, calibration, limits) for one in prints]
    failing = np.array([one.fails for one in told])
    mistaken = np.array([one.is_mistaken for one in told])
    return Side(
        prints=len(told),
        failing=int(failing.sum()),
        found=sum(one.found is not None for one in told),
        false_alarms=sum(bool(one.false_alarms) for one in told),
        mistakes=_per_100(mistaken, failing),
        loss=loss,
    )


def _per_100(
    mistaken: np.ndarray[tuple[int], np.dtype[np.bool_]], failing: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> float:
    if failing.all() or not failing.any():
        return float(HUNDRED * mistaken.mean())
    bad, good = float(mistaken[failing].mean()), float(mistaken[~failing].mean())
    return HUNDRED * (FAILING_SHARE * bad + (1 - FAILING_SHARE) * good)


def _outcome(one: JudgedPrint, calibration: Calibration, limits: Limits) -> PrintOutcome:
    probabilities = calibration.probabilities(one.logits)
    return outcome(Watched(one.facts, one.beats, (), probabilities, one.onset_s), limits)


def _judged(said: Judged, row: int, each: TokenSequence) -> JudgedPrint:
    at = torch.from_numpy(each.beats - each.beats[0])
    onset_s: Tensor = said.onset_s()[row, at].float()
    logits = said.logits[row, at].float().numpy()
    return JudgedPrint(each.facts, logits, onset_s.numpy(), each.labels, each.since_s, each.beats)


def _drawn(prints: Sequence[TokenSequence], count: int, rng: np.random.Generator) -> list[TokenSequence]:
    """So many prints: of failing and of sound ones as many where there are both, each kind as often."""
    groups: dict[str | None, list[TokenSequence]] = {}
    for each in prints:
        groups.setdefault(each.facts.kind, []).append(each)
    kinds = [kind for kind in groups if kind is not None]
    drawn = []
    for number in range(count):
        sound = None in groups and (not kinds or number % 2 == 0)
        group = groups[None] if sound else groups[kinds[int(rng.integers(len(kinds)))]]
        drawn.append(group[int(rng.integers(len(group)))])
    return [drawn[int(at)] for at in rng.permutation(count)]
