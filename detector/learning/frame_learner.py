"""What the training loop needs to know of the frame network: batches of pictures, the loss, the figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from detector.learning.paired import Pair, PairedBeat, PairedPrints, read_pair
from detector.learning.real_lessons import Lesson, RealLessons
from detector.learning.transplant import transplanted
from detector.model.frame_network import GRID, FrameNetwork, Seen
from detector.model.kinds import VISUAL
from detector.training.distributed import Place, order
from detector.training.learner import Loss
from detector.training.metrics import roc_auc
from features import augment
from features.frame import BGR_MEAN, SIDE
from ingest.errors import UsageError

UNKNOWN = -1.0
SHOWN, UNSURE = 0.08, 0.02
"""Share of a cell's pixels that differ from which on it shows the failure; below the second it does not."""
AREA, TURNED_DEG = (0.55, 1.0), 8.0
"""Share of the picture that a crop leaves, and how far it is turned at most."""
DRAWN_FOR_EACH = 2
"""Moments that are drawn for each that is shown: the first in which the failure can be seen."""
SPREAD_KINDS = frozenset({"layer_shift"})
"""Failures after which the whole scene lies elsewhere: the place of the difference says nothing."""
VALIDATED_AT_ONCE = 32
MIRRORED = 0.5
WORST_SHARE = 0.5
"""Weight of a sound picture's worst cell beside the mean of all its cells."""


class Batch(NamedTuple):
    """Pictures as the network reads them, and what it should say; UNKNOWN is left out of the loss.

    ``pictures`` float32 [n, 3, SIDE, SIDE]; ``cells`` [n, GRID, GRID]; ``failing`` [n]; ``kinds``
    [n, len(VISUAL)].
    """

    pictures: Tensor
    cells: Tensor
    failing: Tensor
    kinds: Tensor


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
        validated: int = 320,
    ) -> None:
        """``pairs`` teach, ``held_out`` validate (``validated`` moments of them); ``real``: real pictures,
        as many as pairs; ``grey``: pictures lose their colours, ``plain``: pairs are shown as they are, both
        for comparison."""
        if not len(pairs) or not len(held_out):
            raise UsageError("found no print beside its twin without the failure, expected simulate --pairs")
        self.network: nn.Module = network
        self._own, self._trunk_rate, self._place, self._seed = network, trunk_rate, place, seed
        self._pairs, self._real, self._grey, self._plain = pairs, real, grey, plain
        self._pairs_an_epoch, self._batch = pairs_an_epoch, max(batch_size // place.world, 3)
        self._validation = held_out.draw(validated, np.random.default_rng(0))

    def rate_factor(self, name: str) -> float:
        """As ``Learner.rate_factor``."""
        return self._own.rate_factor(name, self._trunk_rate)

    def batches(self, epoch: int) -> Iterator[Batch]:
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
        for begin in range(0, len(mine), each):
            yield self._drawn(mine[begin : begin + each], rng)

    def _drawn(self, beats: Sequence[Sequence[PairedBeat]], rng: np.random.Generator) -> Batch:
        read = [pair for each in beats if (pair := clearest(each)) is not None]
        batch = of_pairs(read, None if self._plain else rng, self._grounds(len(read), rng))
        if self._real is not None:
            batch = joined(batch, of_lessons(self._real.draw(len(beats), rng), rng))
        return batch._replace(pictures=to_grey(batch.pictures)) if self._grey else batch

    def _grounds(self, count: int, rng: np.random.Generator) -> Tensor | None:
        """Real pictures of sound prints, onto some of which failures are laid."""
        sound = self._real.sound(count, rng) if self._real is not None and not self._plain else []
        return stacked(sound).float() if sound else None

    def loss(self, batch: Batch) -> Loss:
        """As ``Learner.loss``."""
        device = self._place.device
        seen: Seen = self.network(batch.pictures.to(device, memory_format=torch.channels_last))
        cells = cell_loss(seen.where.float(), batch.cells.to(device))
        failing = _known_bce(seen.failing.float(), batch.failing.to(device))
        kinds = _known_bce(seen.kinds.float(), batch.kinds.to(device))
        return Loss(cells + failing + kinds, len(batch.pictures))

    def validate(self) -> Mapping[str, float]:
        """AUCs: ``pairs`` of visible failures against their twins, ``kinds`` one against the others, the real
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
            pairs = [pair for pair in read if pair is not None and shows(pair)]
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
        if found is not None and shows(found):
            break
    return found


def of_pairs(pairs: Sequence[Pair], rng: np.random.Generator | None, grounds: Tensor | None = None) -> Batch:
    """Failing pictures, then their twins; both cropped and mirrored alike, in another light each.

    Some are laid onto other scenes, real ones (``grounds``, [n, 3, SIDE, SIDE]) among them. Without ``rng``
    they stay as they are.
    """
    together = torch.cat(
        [
            stacked([pair.failing for pair in pairs]),
            stacked([pair.sound for pair in pairs]),
            torch.from_numpy(np.stack([pair.differs for pair in pairs]))[:, None].to(torch.uint8) * 255,
        ],
        1,
    ).float()
    if rng is not None:
        fixed = torch.tensor([pair.kind in SPREAD_KINDS for pair in pairs])
        together = transplanted(together, fixed, grounds, rng)
    moved = _moved(together, rng)
    pictures = torch.cat([moved[:, :3], moved[:, 3:6]])
    if rng is not None:
        pictures = augment.as_cameras_differ(pictures, rng)
    differs = torch.nn.functional.adaptive_avg_pool2d(moved[:, 6:] / 255, GRID)[:, 0]
    cells = torch.where(differs >= SHOWN, 1.0, torch.where(differs < UNSURE, 0.0, UNKNOWN))
    shown = (cells == 1).flatten(1).any(1)
    spread = torch.tensor([pair.kind in SPREAD_KINDS for pair in pairs])
    cells[spread] = UNKNOWN
    kinds = torch.nn.functional.one_hot(
        torch.tensor([VISUAL.index(p.kind) for p in pairs]), len(VISUAL)
    ).float()
    kinds[~shown] = UNKNOWN
    failing = torch.where(shown, 1.0, UNKNOWN)
    return Batch(
        normalised(pictures),
        torch.cat([cells, torch.zeros_like(cells)]),
        torch.cat([failing, torch.zeros(len(pairs))]),
        torch.cat([kinds, torch.zeros_like(kinds)]),
    )


def _moved(together: Tensor, rng: np.random.Generator | None) -> Tensor:
    if rng is None:
        return together
    return augment.crop(augment.flip(together, rng, down=False), rng, area=AREA, turned_deg=TURNED_DEG)


def of_lessons(lessons: Sequence[Lesson], rng: np.random.Generator) -> Batch:
    """Real pictures, mirrored and in other light; they come cropped."""
    pictures = stacked([lesson.picture for lesson in lessons]).float()
    cells = torch.from_numpy(np.stack([lesson.cells for lesson in lessons]))
    mirrored = torch.from_numpy(rng.uniform(0, 1, len(lessons)) < MIRRORED)
    pictures[mirrored], cells[mirrored] = pictures[mirrored].flip(3), cells[mirrored].flip(2)
    return Batch(
        normalised(augment.as_cameras_differ(pictures, rng)),
        cells,
        torch.tensor([float(lesson.failing) for lesson in lessons]),
        torch.from_numpy(np.stack([lesson.kinds for lesson in lessons])),
    )


def joined(one: Batch, other: Batch) -> Batch:
    """Both batches as one."""
    return Batch(*(torch.cat(parts) for parts in zip(one, other, strict=True)))


def stacked(pictures: Sequence[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]) -> Tensor:
    """Pictures [SIDE, SIDE, 3] as uint8 [n, 3, SIDE, SIDE]."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)


def normalised(pictures: Tensor) -> Tensor:
    """As the network reads them: minus BGR_MEAN."""
    return pictures - torch.tensor(BGR_MEAN).view(3, 1, 1)


def to_grey(pictures: Tensor) -> Tensor:
    """The mean of the channels in each."""
    return pictures.mean(1, keepdim=True).expand_as(pictures)


def shows(pair: Pair) -> bool:
    """Whether the failure can be seen in some cell."""
    side = SIDE // GRID
    tiles = pair.differs[: side * GRID, : side * GRID].reshape(GRID, side, GRID, side)
    return bool(tiles.mean((1, 3)).max() >= SHOWN)


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
