"""Beats by themselves, before whole prints: what a beat looks like is learned from many prints at a time.

Beats of one print are much alike, so a batch of whole prints teaches little of what single beats mean. Here a
batch holds some beats of many prints, each as a print of its own; the network learns to read its tokens, and
what it then learns of whole prints is their past alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import nn

from detector.learning.sequences import WITHOUT_A_SENSE, Batch, Filed, TokenSequence, batch_of, read_sequence
from detector.learning.temporal_learner import elsewhere, loss_of, on, weighed
from detector.model.temporal import Judged, TemporalNetwork, Tokens
from detector.training.distributed import Place, order
from detector.training.learner import Loss
from ingest.errors import UsageError

PRINTS_AT_ONCE, BEATS_EACH = 48, 20
FAILING_SHARE = 0.5
"""Share of a failing print's beats that are taken from its failure."""


class BeatLearner:
    """Cross-entropy over single beats; the best epoch has the lowest loss on held-out ones."""

    goal, higher_is_better = "loss", False

    def __init__(
        self,
        network: TemporalNetwork,
        prints: Sequence[Filed],
        held_out: Sequence[Filed],
        place: Place,
        *,
        seed: int,
        blind: bool = False,
        deaf: bool = False,
    ) -> None:
        """``blind``: no frame is ever shown, ``deaf``: no telemetry, for comparison."""
        if not prints or not held_out:
            raise UsageError(f"found {len(prints)} prints to learn from and {len(held_out)} to validate with")
        self.network: nn.Module = network
        self._prints, self._held_out, self._place, self._seed = list(prints), list(held_out), place, seed
        self._blind, self._deaf = blind, deaf

    def rate_factor(self, name: str) -> float:
        """As ``Learner.rate_factor``."""
        return 1.0

    def batches(self, epoch: int) -> Iterator[Batch]:
        """As ``Learner.batches``: every print gives some beats."""
        mine = self._place.share(order(len(self._prints), self._seed, epoch))
        rng = np.random.default_rng([self._seed, epoch, self._place.rank])
        at_once = max(PRINTS_AT_ONCE // self._place.world, 1)
        for begin in range(0, len(mine), at_once):
            read = (read_sequence(self._prints[int(at)]) for at in mine[begin : begin + at_once])
            yield apart(batch_of([with_senses_lost(drawn(print_, rng), rng) for print_ in read]))

    def loss(self, batch: Batch) -> Loss:
        """As ``Learner.loss``."""
        batch = on(batch, self._place.device)
        tokens = batch.tokens.with_senses(frames=not self._blind, sensors=not self._deaf)
        judged: Judged = self.network(elsewhere(self.network, tokens))
        return Loss(loss_of(judged, batch), weighed(batch))

    def validate(self) -> Mapping[str, float]:
        """``loss`` over some beats of each held-out print, always the same."""
        rng = np.random.default_rng(0)
        losses = weights = 0.0
        for begin in range(0, len(self._held_out), PRINTS_AT_ONCE):
            read = (read_sequence(filed) for filed in self._held_out[begin : begin + PRINTS_AT_ONCE])
            loss = self.loss(apart(batch_of([drawn(print_, rng) for print_ in read])))
            losses, weights = losses + float(loss.mean) * loss.samples, weights + loss.samples
        return {"loss": losses / weights}


def drawn(print_: TokenSequence, rng: np.random.Generator) -> TokenSequence:
    """Some beats of a print, laid side by side; half of them from its failure, where it has one."""
    failing = np.flatnonzero(~np.isnan(print_.since_s))
    calm = np.flatnonzero(np.isnan(print_.since_s))
    of_failing = (
        round(BEATS_EACH * FAILING_SHARE) if len(failing) and len(calm) else BEATS_EACH * bool(len(failing))
    )
    rows = np.concatenate(
        [
            rng.choice(failing, of_failing) if of_failing else failing[:0],
            rng.choice(calm, BEATS_EACH - of_failing) if len(calm) else calm,
        ]
    )
    fields = {name: getattr(print_, name)[rows] for name in TokenSequence._fields if name != "facts"}
    return print_._replace(**{**fields, "beats": np.arange(len(rows), dtype=np.int64)})


def with_senses_lost(print_: TokenSequence, rng: np.random.Generator) -> TokenSequence:
    """Some beats without a frame, some others without telemetry."""
    lost = rng.uniform(size=len(print_.beats))
    seen = print_.seen & (lost >= WITHOUT_A_SENSE)
    return print_._replace(
        seen=seen, heard=print_.heard & ~((lost >= WITHOUT_A_SENSE) & (lost < 2 * WITHOUT_A_SENSE))
    )


def apart(batch: Batch) -> Batch:
    """Each beat as a print of its own: [n, t, ...] -> [n * t, 1, ...]."""
    tokens = Tokens(*(torch.flatten(each, 0, 1)[:, None] for each in batch.tokens))
    return Batch(tokens, *(torch.flatten(each, 0, 1)[:, None] for each in batch[1:]))
