"""What the frame network is shown and what it should say: batches of pairs and of real pictures. Pure.

Pairs are shown whole, or as close-ups: windows about where the failure is, at the scale that they have in the
whole picture. Most of a picture is far from any failure, so of close-ups three times as many are learned in
the same time; what lies far from the part is learned from whole pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from detector.learning.paired import Pair
from detector.learning.real_lessons import Lesson
from detector.learning.transplant import transplanted
from detector.model.frame_network import GRID
from detector.model.kinds import VISUAL
from features import augment
from features.frame import BGR_MEAN, SIDE

UNKNOWN = -1.0
SHOWN, UNSURE = 0.08, 0.02
"""Share of a cell's pixels that differ from which on it shows the failure; below the second it does not."""
PLAIN = 0.005
"""Share of the picture that differs from which on a pair's failure is to be seen, and learned. Less hardly
anybody can tell from a picture alone; a network would learn by heart the scenes in which it happened."""
AREA, TURNED_DEG = (0.55, 1.0), 8.0
"""Share of the picture that a crop leaves, and how far it is turned at most."""
WHOLE_AREA, TILTED = (0.5, 1.3), 0.12
"""The same share of whole pictures, some of which shrink; and how far they are tilted at most."""
CLOSE_SIDE, CLOSE_GRID = 128, 7
"""Side of a close-up, pixels, and of the trunk's map of it."""
ABOUT_FAILURE = 0.85
"""Of the close-ups those that lie about where the failure is; the others lie anywhere."""
SPREAD_KINDS = frozenset({"layer_shift"})
"""Failures after which the whole scene lies elsewhere: the place of the difference says nothing."""
MIRRORED = 0.5
WHITE = 255.0


class Batch(NamedTuple):
    """Pictures as the network reads them, and what it should say; UNKNOWN is left out of the loss.

    ``pictures`` float32 [n, 3, side, side]; ``cells`` [n, grid, grid]; ``failing`` [n]; ``kinds``
    [n, len(VISUAL)]. ``side`` and ``grid`` are SIDE and GRID, or those of close-ups.
    """

    pictures: Tensor
    cells: Tensor
    failing: Tensor
    kinds: Tensor


def of_pairs(
    pairs: Sequence[Pair],
    rng: np.random.Generator | None,
    grounds: Tensor | None = None,
    *,
    close_ups: bool = False,
) -> Batch:
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
    spread = torch.tensor([pair.kind in SPREAD_KINDS for pair in pairs])
    moved = together
    if rng is not None:
        moved = _moved(transplanted(together, spread, grounds, rng), rng, close_ups=close_ups)
    pictures = torch.cat([moved[:, :3], moved[:, 3:6]])
    if rng is not None:
        pictures = augment.as_cameras_differ(pictures, rng, widely=not close_ups)
    grid = CLOSE_GRID if close_ups else GRID
    differs = torch.nn.functional.adaptive_avg_pool2d(moved[:, 6:] / WHITE, grid)[:, 0]
    cells = torch.where(differs >= SHOWN, 1.0, torch.where(differs < UNSURE, 0.0, UNKNOWN))
    large = moved[:, 6].mean((1, 2)) / WHITE * (moved.shape[2] / SIDE) ** 2 >= PLAIN
    shown = (cells == 1).flatten(1).any(1) & large
    cells[spread | ~large] = UNKNOWN
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


def _moved(together: Tensor, rng: np.random.Generator, *, close_ups: bool) -> Tensor:
    """Pairs [n, 7, SIDE, SIDE] mirrored and cropped -> [n, 7, side, side]."""
    mirrored = augment.flip(together, rng, down=False)
    if not close_ups:
        return augment.crop(mirrored, rng, area=WHOLE_AREA, turned_deg=TURNED_DEG, tilted=TILTED)
    middles = np.stack([_middle(differs, rng) for differs in (mirrored[:, 6] > WHITE / 2).numpy()])
    return augment.close_up(mirrored, rng, middles, side=CLOSE_SIDE, area=AREA, turned_deg=TURNED_DEG)


def _middle(
    differs: np.ndarray[tuple[int, int], np.dtype[np.bool_]], rng: np.random.Generator
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A point at which a pair differs, or any: x and y in 0..1."""
    rows, columns = np.nonzero(differs)
    anywhere = rng.uniform(0, 1, 2)
    if not len(rows) or rng.random() >= ABOUT_FAILURE:
        return anywhere
    chosen = int(rng.integers(len(rows)))
    return (np.array([columns[chosen], rows[chosen]]) + 0.5) / SIDE


def of_lessons(lessons: Sequence[Lesson], rng: np.random.Generator, *, widely: bool = False) -> Batch:
    """Real pictures, mirrored and in other light; they come cropped."""
    pictures = stacked([lesson.picture for lesson in lessons]).float()
    cells = torch.from_numpy(np.stack([lesson.cells for lesson in lessons]))
    mirrored = torch.from_numpy(rng.uniform(0, 1, len(lessons)) < MIRRORED)
    pictures[mirrored], cells[mirrored] = pictures[mirrored].flip(3), cells[mirrored].flip(2)
    return Batch(
        normalised(augment.as_cameras_differ(pictures, rng, widely=widely)),
        cells,
        torch.tensor([float(lesson.failing) for lesson in lessons]),
        torch.from_numpy(np.stack([lesson.kinds for lesson in lessons])),
    )


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


def is_plain(pair: Pair) -> bool:
    """Whether the failure can be seen, and is large enough to be learned."""
    return shows(pair) and bool(pair.differs.mean() >= PLAIN)
