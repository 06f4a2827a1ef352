"""What the training loop needs to know of the frame network: batches of pictures, the loss, the figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from detector.learning.frame_batches import (
    UNKNOWN,
    Batch,
    is_plain,
    normalised,
    of_lessons,
    of_pairs,
    stacked,
    to_grey,
)
from detector.learning.paired import Pair, PairedBeat, PairedPrints, read_pair
from detector.learning.real_lessons import RealLessons
from detector.model.frame_network import FrameNetwork, Seen
from detector.model.kinds import VISUAL
from detector.training.distributed import Place, order
from detector.training.learner import Loss
from detector.training.metrics import roc_auc
from ingest.errors import UsageError

DRAWN_FOR_EACH = 3
"""Moments that are drawn for each that is shown: the first in which the failure is plain."""
VALIDATED_AT_ONCE = 32
WORST_SHARE = 0.5
"""Weight of a sound picture's worst cell beside the mean of all its cells."""
REAL_WEIGHT = 0.5
"""Weight of the real pictures' loss beside the pairs'."""
CLOSE_UPS_EACH = 3
"""Pairs of close-ups that are learned in the time of one pair of whole pictures, nearly."""
PAIRS_A_REAL_ONE = 4
"""So many pairs of close-ups are shown with each real picture, which is shown whole."""


class Shown(NamedTuple):
    """One step's pictures; ``real`` is None where there are no real ones."""

    pairs: Batch
    real: Batch | None


class FrameLearner:
    """Learns where a failure shows, whether one does, and of which kind."""

    goal, higher_is_better = "goal", True

    def __init__(
        self,
        network: FrameNetwork,
        pairs: PairedPrints,
        held_out: PairedPrints,
        real: RealLessons | None,
        place: Place,
        *,
        pairs_an_epoch: int,
        batch_size: int,
        seed: int,
        trunk_rate: float,
        grey: bool = False,
        plain: bool = False,
        close_ups: bool = False,
        validated: int = 320,
    ) -> None:
        """``pairs`` teach, ``held_out`` validate (``validated`` moments of them); ``real``: real pictures,
        as many as pairs; ``grey``: pictures lose their colours, ``plain``: pairs are shown as they are, both
        for comparison. ``close_ups``: of pairs close-ups are shown, of a network without attention;
        CLOSE_UPS_EACH times as many in an epoch of as many steps."""
        if not len(pairs) or not len(held_out):
            raise UsageError("found no print beside its twin without the failure, expected simulate --pairs")
        self.network: nn.Module = network
        self._own, self._trunk_rate, self._place, self._seed = network, trunk_rate, place, seed
        self._pairs, self._real, self._grey, self._plain = pairs, real, grey, plain
        self._close_ups, self._times = close_ups, CLOSE_UPS_EACH if close_ups else 1
        self._pairs_an_epoch = pairs_an_epoch * self._times
        self._batch = max(batch_size // place.world, 3)
        self._validation = held_out.draw(validated, np.random.default_rng(0))

    def rate_factor(self, name: str) -> float:
        """As ``Learner.rate_factor``."""
        return self._own.rate_factor(name, self._trunk_rate)

    def batches(self, epoch: int) -> Iterator[Shown]:
        """As ``Learner.batches``."""
        drawing = np.random.default_rng([self._seed, epoch])
        drawn = list(
            zip(
                *(self._pairs.draw(self._pairs_an_epoch, drawing) for _ in range(DRAWN_FOR_EACH)), strict=True
            )
        )
        rng = np.random.default_rng([self._seed, epoch, self._place.rank])
        mine = [drawn[int(at)] for at in self._place.share(order(len(drawn), self._seed, epoch))]
        each = self._batch // 3 if self._real is not None else self._batch // 2
        each *= self._times
        for begin in range(0, len(mine), each):
            yield self._shown(mine[begin : begin + each], rng)

    def _shown(self, beats: Sequence[Sequence[PairedBeat]], rng: np.random.Generator) -> Shown:
        read = [pair for each in beats if (pair := clearest(each)) is not None]
        grounds = self._grounds(len(read), rng)
        pairs = of_pairs(read, None if self._plain else rng, grounds, close_ups=self._close_ups)
        real = None
        if self._real is not None:
            count = -(-len(beats) // PAIRS_A_REAL_ONE) if self._close_ups else len(beats)
            real = of_lessons(self._real.draw(count, rng), rng, widely=not self._close_ups)
        return Shown(self._coloured(pairs), real and self._coloured(real))

    def _coloured(self, batch: Batch) -> Batch:
        return batch._replace(pictures=to_grey(batch.pictures)) if self._grey else batch

    def _grounds(self, count: int, rng: np.random.Generator) -> Tensor | None:
        """Real pictures of sound prints, onto some of which failures are laid."""
        sound = self._real.sound(count, rng) if self._real is not None and not self._plain else []
        return stacked(sound).float() if sound else None

    def loss(self, batch: Shown) -> Loss:
        """As ``Learner.loss``."""
        mean = self._of(batch.pairs)
        if batch.real is not None:
            mean = (mean + REAL_WEIGHT * self._of(batch.real)) / (1 + REAL_WEIGHT)
        return Loss(mean, len(batch.pairs.pictures))

    def _of(self, batch: Batch) -> Tensor:
        device = self._place.device
        seen: Seen = self.network(batch.pictures.to(device, memory_format=torch.channels_last))
        cells = cell_loss(seen.where.float(), batch.cells.to(device))
        failing = _known_bce(seen.failing.float(), batch.failing.to(device))
        kinds = _known_bce(seen.kinds.float(), batch.kinds.to(device))
        return cells + failing + kinds

    def validate(self) -> Mapping[str, float]:
        """AUCs: ``pairs`` of plain failures against their twins, ``kinds`` one against the others, the real
        held-out pictures; ``goal`` is the mean of the simulated and the real ones."""
        figures = dict(self._on_pairs())
        real: Mapping[str, float] = {}
        if self._real is not None:
            real = self._real.figures(self.scores)
            figures |= dict(real)
        sides = [figures["pairs"], *([float(np.mean(list(real.values())))] if real else [])]
        return figures | {"goal": float(np.mean(sides))}

    def scores(self, pictures: Tensor) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        """The failing logits of pictures uint8 [n, 3, SIDE, SIDE]."""
        return np.concatenate(
            [
                self._seen(part).failing.float().cpu().numpy()
                for part in torch.split(pictures, VALIDATED_AT_ONCE)
            ]
        )

    def _seen(self, pictures: Tensor) -> Seen:
        shown = normalised(to_grey(pictures.float()) if self._grey else pictures.float())
        seen: Seen = self.network(shown.to(self._place.device, memory_format=torch.channels_last))
        return seen

    def _on_pairs(self) -> Iterator[tuple[str, float]]:
        failing, sound, kinds, truth = [], [], [], []
        for begin in range(0, len(self._validation), VALIDATED_AT_ONCE):
            read = (read_pair(beat) for beat in self._validation[begin : begin + VALIDATED_AT_ONCE])
            pairs = [pair for pair in read if pair is not None and is_plain(pair)]
            if pairs:
                seen = self._seen(
                    torch.cat([stacked([p.failing for p in pairs]), stacked([p.sound for p in pairs])])
                )
                scores = seen.failing.float().cpu().numpy()
                failing.append(scores[: len(pairs)])
                sound.append(scores[len(pairs) :])
                kinds.append(seen.kinds[: len(pairs)].float().argmax(1).cpu().numpy())
                truth += [VISUAL.index(pair.kind) for pair in pairs]
        scores = np.concatenate([*failing, *sound])
        labels = np.arange(len(scores)) < len(truth)
        yield "pairs", roc_auc(scores, labels)
        yield "kind_named", float(np.mean(np.concatenate(kinds) == np.array(truth)))


def clearest(beats: Sequence[PairedBeat]) -> Pair | None:
    """The first of these moments in which the failure can be seen, else the last that can be read."""
    found = None
    for beat in beats:
        found = read_pair(beat) or found
        if found is not None and is_plain(found):
            break
    return found


def cell_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy of the cells [n, GRID, GRID]: failing and sound cells of a picture count alike,
    and a sound one's worst cell once more, since one cell raises an alarm."""
    each = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets.clamp(0), reduction="none")
    each, targets = each.flatten(1), targets.flatten(1)
    bad, good = targets == 1, targets == 0
    of_bad = (each * bad).sum(1) / bad.sum(1).clamp(1)
    of_good = (each * good).sum(1) / good.sum(1).clamp(1)
    worst = torch.where(bad.any(1), 0.0, WORST_SHARE * (each * good).amax(1))
    return (of_bad + of_good + worst).mean()


def _known_bce(logits: Tensor, targets: Tensor) -> Tensor:
    known = targets != UNKNOWN
    each = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets.clamp(0), reduction="none")
    return (each * known).sum() / known.sum().clamp(1)
