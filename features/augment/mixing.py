"""Random changes that hide a part of a picture, or blend it with another one. Pure."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from features.augment.drawing import Range, Values, as_given, column, with_chance
from features.frame import BGR_MEAN


def erase(
    pictures: Tensor, rng: np.random.Generator, *, share: Range = (0.02, 0.15), chance: float = 0.5
) -> Tensor:
    """Lay BGR_MEAN, which is nothing to a model, over a random rectangle of each picture drawn (with
    ``chance``); ``share`` is the rectangle's of the picture."""
    within = _rectangles(pictures, rng, rng.uniform(*share, len(pictures)))
    fill = as_given(pictures, torch.tensor(BGR_MEAN, device=pictures.device)).view(1, 3, 1, 1)
    return torch.where(with_chance(rng, pictures, chance) & within, fill, pictures)


def mixup(
    pictures: Tensor, targets: Tensor, rng: np.random.Generator, *, alpha: float = 0.2
) -> tuple[Tensor, Tensor]:
    """Each picture and its target blended with another one's, by shares from Beta(alpha, alpha)
    (arXiv:1710.09412). ``targets`` is float32 [n, classes], rows that sum to 1."""
    order, kept = _order(pictures, rng), rng.beta(alpha, alpha, len(pictures))
    share = column(pictures, kept)
    mixed = share * pictures.float() + (1 - share) * pictures[order].float()
    return as_given(pictures, mixed), _blended(targets, order, share.flatten())


def cutmix(
    pictures: Tensor, targets: Tensor, rng: np.random.Generator, *, alpha: float = 1.0
) -> tuple[Tensor, Tensor]:
    """A rectangle of each picture taken from another one, its target blended by the rectangle's true share
    (arXiv:1905.04899). ``targets`` is float32 [n, classes], rows that sum to 1."""
    order = _order(pictures, rng)
    within = _rectangles(pictures, rng, 1 - rng.beta(alpha, alpha, len(pictures)))
    kept = 1 - within.float().mean((1, 2, 3))
    return torch.where(within, pictures[order], pictures), _blended(targets, order, kept)


def _rectangles(pictures: Tensor, rng: np.random.Generator, share: Values) -> Tensor:
    """A rectangle of the picture's own shape and a share of its area, wholly within: bool [n, 1, h, w]."""
    rows, columns = (
        _span(pictures, rng, np.sqrt(share), length) for length in (pictures.shape[2], pictures.shape[3])
    )
    return rows[:, None, :, None] & columns[:, None, None, :]


def _span(pictures: Tensor, rng: np.random.Generator, part: Values, length: int) -> Tensor:
    """Bool [n, length], True in a stretch of ``part`` of it."""
    size = np.rint(part * length)
    first = np.floor(rng.uniform(0, 1, len(part)) * (length - size + 1))
    at = np.arange(length)
    within = (at >= first[:, None]) & (at < (first + size)[:, None])
    return torch.from_numpy(within).to(pictures.device)


def _order(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(rng.permutation(len(pictures))).to(pictures.device)


def _blended(targets: Tensor, order: Tensor, kept: Tensor) -> Tensor:
    share = kept.to(targets.device)[:, None]
    return share * targets + (1 - share) * targets[order.to(targets.device)]
