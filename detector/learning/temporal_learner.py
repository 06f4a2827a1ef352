"""What the training loop needs to know of the temporal network: batches of prints, the loss, the figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from detector.evaluation.weighing import FAILING_SHARE
from detector.learning.alarms import insisting
from detector.learning.sequences import Batch, Filed, TokenSequence, batch_of, read_sequence, with_gaps
from detector.learning.shards import ANY, UNKNOWN
from detector.model.kinds import FINE
from detector.model.temporal import Judged, TemporalNetwork, Tokens
from detector.training.distributed import Place, order
from detector.training.learner import Loss
from detector.training.metrics import roc_auc
from ingest.errors import UsageError

ONSET_WEIGHT = 0.5
FITTED_BEATS = 7
"""Of so many beats one tells how far what is seen varies: neighbours are much alike."""
LEAST_WEIGHT = 1e-6
"""Of a batch in which no beat has a class."""
VALIDATED_AT_ONCE = 16
HELD_BEATS = 3
"""A print's score is the highest that so many beats in a row reach: one odd beat is no alarm."""
OTHER_SCENE = 0.7
"""How far other scenes are, in spreads of what is learned from: 1 is as far as prints are from each other."""
SURE = 0.5
"""Score from which on an onset is dated."""

Change = Callable[[TokenSequence, np.random.Generator], TokenSequence]


class TemporalLearner:
    """Cross-entropy over what each beat is, and the distance of the onset; the best epoch makes the fewest
    mistakes per 100 prints on the validation prints, at its best threshold."""

    goal, higher_is_better = "goal", False

    def __init__(
        self,
        network: TemporalNetwork,
        prints: Sequence[Filed],
        held_out: Sequence[Filed],
        place: Place,
        *,
        batch_size: int,
        seed: int,
        shown: Change = with_gaps,
        blind: bool = False,
        deaf: bool = False,
        weight_of: Callable[[TokenSequence], float] = lambda print_: 1.0,
        other_scene: float = OTHER_SCENE,
    ) -> None:
        """``shown`` changes each print by chance; ``blind``: no frame is ever shown, ``deaf``: no telemetry,
        for comparison; ``weight_of`` weighs a print's loss; ``other_scene``: how far ``elsewhere``
        shifts."""
        if not prints or not held_out:
            raise UsageError(f"found {len(prints)} prints to learn from and {len(held_out)} to validate with")
        self.network: nn.Module = network
        self._prints, self._held_out, self._place = list(prints), list(held_out), place
        self._batch, self._seed, self._shown = max(batch_size // place.world, 1), seed, shown
        self._blind, self._deaf, self._weight_of = blind, deaf, weight_of
        self._other_scene = other_scene

    def rate_factor(self, name: str) -> float:
        """As ``Learner.rate_factor``."""
        return 1.0

    def batches(self, epoch: int) -> Batches:
        """As ``Learner.batches``."""
        mine = self._place.share(order(len(self._prints), self._seed, epoch))
        rng = np.random.default_rng([self._seed, epoch, self._place.rank])
        return Batches([self._prints[int(at)] for at in mine], self._batch, self._shown, rng, self._weight_of)

    def loss(self, batch: Batch) -> Loss:
        """As ``Learner.loss``."""
        batch = on(batch, self._place.device)
        judged: Judged = self.network(self._sensed(elsewhere(self.network, batch.tokens, self._other_scene)))
        return Loss(loss_of(judged, batch), weighed(batch))

    def validate(self) -> Mapping[str, float]:
        """``mistakes`` per 100 prints at the best threshold, ``auc`` by print, ``loss``, ``onset_s``: median
        error of the onset; ``goal`` is mistakes plus loss, which tells equal ones apart."""
        scored: list[Scored] = []
        losses: list[float] = []
        for begin in range(0, len(self._held_out), VALIDATED_AT_ONCE):
            prints = [read_sequence(filed) for filed in self._held_out[begin : begin + VALIDATED_AT_ONCE]]
            batch = on(batch_of(prints), self._place.device)
            judged: Judged = self.network(self._sensed(batch.tokens))
            losses.append(float(loss_of(judged, batch)) * len(prints))
            scored += scores_of(judged, batch)
        return figures_of(scored, sum(losses) / len(self._held_out))

    def _sensed(self, tokens: Tokens) -> Tokens:
        return tokens.with_senses(frames=not self._blind, sensors=not self._deaf)


class Batches:
    """Prints, batch by batch, each changed by chance."""

    def __init__(
        self,
        prints: Sequence[Filed],
        size: int,
        shown: Change,
        rng: np.random.Generator,
        weight_of: Callable[[TokenSequence], float],
    ) -> None:
        self._parts = [prints[begin : begin + size] for begin in range(0, len(prints), size)]
        self._shown, self._rng, self._weight_of = shown, rng, weight_of

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[Batch]:
        for part in self._parts:
            prints = [self._shown(read_sequence(filed), self._rng) for filed in part]
            batch = batch_of(prints)
            factor = torch.tensor([self._weight_of(each) for each in prints])
            yield batch._replace(weights=batch.weights * factor[:, None])


class Scored(NamedTuple):
    """A validation print: whether it fails, its highest held score before and from the onset on, and by how
    much its onset was missed, s, at the first beat that was surer than not (NaN for none)."""

    failing: bool
    before: float
    after: float
    onset_error_s: float


def elsewhere(network: nn.Module, tokens: Tokens, reach: float = OTHER_SCENE) -> Tokens:
    """In training, each print as if another camera had seen it: what pictures show is shifted by as much in
    all of its beats, how they differ from the print's past is not. ``reach``: in spreads of what is seen."""
    if not (network.training and isinstance(network, TemporalNetwork)):
        return tokens
    half = tokens.embeddings.shape[-1] // 2
    scenes = torch.randn(len(tokens.embeddings), 1, half, device=tokens.embeddings.device)
    shift = reach * scenes * network.embed.standard.spread[:half]
    shown = torch.cat([tokens.embeddings[..., :half] + shift, tokens.embeddings[..., half:]], -1)
    return tokens._replace(embeddings=shown)


def standardise(network: TemporalNetwork, prints: Sequence[Filed]) -> None:
    """Fit the network's scale of what is seen to the prints that it learns from."""
    parts = [read.embeddings[read.seen][::FITTED_BEATS] for read in map(read_sequence, prints)]
    shown = torch.from_numpy(np.concatenate(parts).astype(np.float32))
    if len(shown) > 1:
        network.embed.standard.fit(shown)


def loss_of(judged: Judged, batch: Batch) -> Tensor:
    """Weighted cross-entropy of the beats with a class, and the onset's distance of those that fail.

    It is a mean over the weights of the beats with a class (``weighed``).
    """
    logits, labels = judged.logits.float().flatten(0, 1), batch.labels.flatten()
    each = nn.functional.cross_entropy(logits, labels.clamp(FINE), reduction="none")
    some = logits.logsumexp(1) - logits[:, FINE + 1 :].logsumexp(1)  # of all failures together
    each = torch.where(labels == ANY, some, each)
    failing = ((labels > FINE) | (labels == ANY)) & ~batch.since_s.flatten().isnan()
    aim = torch.log1p(torch.where(failing, batch.since_s.flatten(), 0.0))
    off = nn.functional.smooth_l1_loss(judged.onset_log_s.float().flatten(), aim, reduction="none")
    weights = batch.weights.flatten() * (labels != UNKNOWN)
    return ((each + ONSET_WEIGHT * off * failing) * weights).sum() / weighed(batch)


def weighed(batch: Batch) -> float:
    """The weights of the beats with a class together: what a batch counts beside another one."""
    return max(float((batch.weights * (batch.labels != UNKNOWN)).sum()), LEAST_WEIGHT)


def scores_of(judged: Judged, batch: Batch) -> Iterator[Scored]:
    """The prints of a batch, row by row."""
    failing = 1 - judged.logits.float().softmax(-1)[..., FINE]
    onset_s = judged.onset_s().float()
    for row in range(len(failing)):
        there = batch.tokens.there[row].cpu()
        score = insisting(failing[row].cpu().numpy()[there], HELD_BEATS, HELD_BEATS)
        since_s = batch.since_s[row].cpu().numpy()[there]
        begun = ~np.isnan(since_s)
        sure = np.flatnonzero(begun & (score > SURE))
        error = float(onset_s[row].cpu().numpy()[there][sure[0]] - since_s[sure[0]]) if len(sure) else np.nan
        yield Scored(bool(begun.any()), top(score[~begun]), top(score[begun]), abs(error))


def figures_of(scored: Sequence[Scored], loss: float) -> dict[str, float]:
    """Validation figures; prints are weighed so that a tenth fails."""
    failing = np.array([one.failing for one in scored])
    before, after = (np.array([getattr(one, side) for one in scored]) for side in ("before", "after"))
    mistakes, threshold = fewest_mistakes(failing, before, after)
    errors = [one.onset_error_s for one in scored if not np.isnan(one.onset_error_s)]
    return {
        "goal": mistakes + loss,
        "mistakes": mistakes,
        "threshold": threshold,
        "auc": roc_auc(np.where(failing, after, before), failing),
        "loss": loss,
        "onset_s": float(np.median(errors)) if errors else 1e3,
    }


def fewest_mistakes(
    failing: npt.NDArray[np.bool_], before: npt.NDArray[np.float64], after: npt.NDArray[np.float64]
) -> tuple[float, float]:
    """Mistakes per 100 prints, a tenth failing, at the best threshold, and that threshold."""
    levels = np.unique(np.concatenate([before, after, [1.0]]))
    mistakes = mistakes_at(failing, before, after, levels)
    at = int(np.argmin(mistakes))
    return float(mistakes[at]), float(levels[at])


def mistakes_at(
    failing: npt.NDArray[np.bool_],
    before: npt.NDArray[np.float64],
    after: npt.NDArray[np.float64],
    levels: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64] | None = None,
) -> npt.NDArray[np.float64]:
    """Mistakes per 100 prints at each threshold: prints with a false alarm or a miss. Unless ``weights`` say
    what each print stands for, a tenth fails."""
    false = before >= levels[:, None]
    missed = failing & (after < levels[:, None])
    each = as_on_a_farm(failing) if weights is None else weights
    return np.asarray(100 * ((false | missed) * each).sum(1), np.float64)


def as_on_a_farm(failing: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """A weight for each print: those that fail weigh FAILING_SHARE together, the others the rest."""
    count = max(int(failing.sum()), 1), max(int((~failing).sum()), 1)
    return np.where(failing, FAILING_SHARE / count[0], (1 - FAILING_SHARE) / count[1])


def on(batch: Batch, device: torch.device) -> Batch:
    """The batch on a device."""
    tokens = Tokens(*(each.to(device) for each in batch.tokens))
    return Batch(tokens, batch.labels.to(device), batch.weights.to(device), batch.since_s.to(device))


def top(scores: npt.NDArray[np.floating[Any]]) -> float:
    """The highest of them, 0 of none."""
    return float(scores.max()) if len(scores) else 0.0
