"""Random changes of pictures that leave what they show as it is, for training. Pure: chance is an argument.

Pictures are tensors [n, 3, h, w] in 0..255, BGR, uint8 or float32 (which is faster), on any device, and come
back as they came, anew; every picture draws its own change. All chance comes from the numpy generator that is
given: the same state gives the same pictures. It is drawn on the CPU, so a GPU changes nothing of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from features.frame import BGR_MEAN

Range: TypeAlias = tuple[float, float]
Values: TypeAlias = npt.NDArray[np.float64]

WHITE = 255.0
EVEN_CHANCE = 0.5
SOFT_SHARE, NOISY_SHARE = 0.3, 0.3  # of the pictures, as cameras differ
MAX_BLUR_SIGMAS = 3.0
"""A Gaussian's weights end this many standard deviations from its middle."""


def flip(pictures: Tensor, rng: np.random.Generator, *, across: bool = True, down: bool = True) -> Tensor:
    """Mirror each picture with chance 1/2, left to right and top to bottom, as far as asked for."""
    flipped = pictures.clone()
    for axis, asked in ((3, across), (2, down)):
        if asked:
            those = _chance(rng, pictures, EVEN_CHANCE).flatten().nonzero().flatten()
            flipped[those] = flipped[those].flip(axis)
    return flipped


def quarter_turn(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Turn each picture by 0, 90, 180 or 270 degrees. Raises ValueError for pictures that are not square."""
    if pictures.shape[2] != pictures.shape[3]:
        raise ValueError(f"found pictures of {tuple(pictures.shape[2:])} px, expected square ones")
    turns = torch.from_numpy(rng.integers(0, 4, len(pictures))).to(pictures.device)
    turned = pictures.clone()
    for quarters in (1, 2, 3):
        those = (turns == quarters).nonzero().flatten()
        turned[those] = torch.rot90(pictures[those], quarters, (2, 3))
    return turned


def crop(
    pictures: Tensor,
    rng: np.random.Generator,
    *,
    area: Range = (0.7, 1.0),
    ratio: Range = (0.85, 1.18),
    turned_deg: float = 0.0,
) -> Tensor:
    """A part of each picture, stretched to the whole: small shifts, scales and changes of shape.

    ``area`` is the part's share of the picture, ``ratio`` its width to its height, relative to the picture's;
    it is turned by up to ``turned_deg`` either way, and what lies beyond the picture is its border.
    """
    width, height = _part(pictures, rng, area, ratio)
    # In affine_grid's terms the picture reaches from -1 to 1, so that a part may be shifted by what it lacks.
    x, y = (rng.uniform(-1, 1, len(pictures)) * (1 - length) for length in (width, height))
    return _cut(pictures, (x, y), (width, height), _turn(rng, pictures, turned_deg))


def close_up(
    pictures: Tensor,
    rng: np.random.Generator,
    middles: Values,
    *,
    side: int,
    shifted: float = 0.35,
    area: Range = (0.7, 1.0),
    ratio: Range = (0.85, 1.18),
    turned_deg: float = 0.0,
) -> Tensor:
    """A window of ``side`` x ``side`` pixels of each picture, at the scales, shapes and turns of ``crop``.

    It lies about a point, ``middles`` [n, 2] as x and y in 0..1 of the picture, shifted by up to a share
    ``shifted`` of its own size either way, and within the picture.
    """
    across, down = _part(pictures, rng, area, ratio)
    size = (across * side / pictures.shape[3], down * side / pictures.shape[2])
    x, y = (
        np.clip(2 * middle - 1 + 2 * length * _even(rng, pictures, shifted), length - 1, 1 - length)
        for middle, length in zip(middles.T, size, strict=True)
    )
    return _cut(pictures, (x, y), size, _turn(rng, pictures, turned_deg), side=side)


def relight(
    pictures: Tensor,
    rng: np.random.Generator,
    *,
    brightness: float = 0.15,
    contrast: float = 0.2,
    gamma: float = 0.2,
) -> Tensor:
    """Other light: each picture's values (of 0..1) raised to exp(+-gamma), spread about their mean by
    exp(+-contrast) and shifted by +-brightness, each drawn evenly up to what is given."""
    bent = (pictures.float() / WHITE).pow_(_column(pictures, np.exp(_even(rng, pictures, gamma))))
    mean = bent.mean((1, 2, 3), keepdim=True)
    factor = _column(pictures, np.exp(_even(rng, pictures, contrast)))
    shift = mean * (1 - factor) + _column(pictures, _even(rng, pictures, brightness))
    return _as(pictures, bent.mul_(factor * WHITE).add_(shift * WHITE))


def tint(pictures: Tensor, rng: np.random.Generator, *, reach: float = 0.2, grey: float = 0.1) -> Tensor:
    """Other colour of light: each channel times exp(+-reach), drawn for each; a share ``grey`` loses all."""
    factor = np.exp(rng.uniform(-reach, reach, (len(pictures), 3)))
    tinted = pictures.float() * _tensor(pictures, factor)[:, :, None, None]
    mean = tinted.mean(1, keepdim=True).expand_as(tinted)
    return _as(pictures, torch.where(_chance(rng, pictures, grey), mean, tinted))


def noise(pictures: Tensor, rng: np.random.Generator, *, snr_db: Range = (20.0, 40.0)) -> Tensor:
    """Gaussian noise, drawn for each pixel and channel, at a signal-to-noise ratio drawn for each picture.

    The signal's power is the mean square of the picture in 0..1: its mean counts. The result is clipped.
    """
    ratio = _column(pictures, 10 ** (rng.uniform(*snr_db, len(pictures)) / 10))
    values = pictures.float()
    deviation = (values.square().mean((1, 2, 3), keepdim=True) / ratio).sqrt()
    drawn = rng.standard_normal(tuple(pictures.shape), np.float32)
    return _as(pictures, torch.from_numpy(drawn).to(pictures.device).mul_(deviation).add_(values))


def noise_some(
    pictures: Tensor,
    rng: np.random.Generator,
    *,
    share: float = 0.5,
    snr_db: Sequence[Range] = ((20.0, 40.0),),
) -> Tensor:
    """``noise`` for each picture with a chance of ``share``, in one of the ranges, all equally likely."""
    drawn = rng.uniform(0, 1, len(pictures))
    noised = pictures.clone()
    for number, reach in enumerate(snr_db):
        within = (drawn >= share * number / len(snr_db)) & (drawn < share * (number + 1) / len(snr_db))
        those = torch.from_numpy(np.flatnonzero(within)).to(pictures.device)
        if len(those):
            noised[those] = noise(pictures[those], rng, snr_db=reach)
    return noised


def blur(pictures: Tensor, rng: np.random.Generator, *, sigma_px: Range = (0.3, 1.2)) -> Tensor:
    """Out of focus: each picture by a Gaussian of its own standard deviation, its border pixels repeated."""
    count, channels, height, width = pictures.shape
    radius = math.ceil(MAX_BLUR_SIGMAS * sigma_px[1])
    sigma = rng.uniform(*sigma_px, (count, 1))
    weights = np.exp(-np.square(np.arange(-radius, radius + 1) / sigma) / 2)
    kernel = _tensor(pictures, weights / weights.sum(1, keepdims=True)).repeat_interleave(channels, 0)
    groups = count * channels
    flat = functional.pad(pictures.float(), (radius,) * 4, mode="replicate").flatten(0, 1)[None]
    flat = functional.conv2d(flat, kernel[:, None, None, :], groups=groups)
    flat = functional.conv2d(flat, kernel[:, None, :, None], groups=groups)
    return _as(pictures, flat.view(count, channels, height, width))


def erase(
    pictures: Tensor, rng: np.random.Generator, *, share: Range = (0.02, 0.15), chance: float = 0.5
) -> Tensor:
    """Lay BGR_MEAN, which is nothing to a model, over a random rectangle of each picture drawn (with
    ``chance``); ``share`` is the rectangle's of the picture."""
    within = _rectangles(pictures, rng, rng.uniform(*share, len(pictures)))
    fill = _as(pictures, torch.tensor(BGR_MEAN, device=pictures.device)).view(1, 3, 1, 1)
    return torch.where(_chance(rng, pictures, chance) & within, fill, pictures)


def mixup(
    pictures: Tensor, targets: Tensor, rng: np.random.Generator, *, alpha: float = 0.2
) -> tuple[Tensor, Tensor]:
    """Each picture and its target blended with another one's, by shares from Beta(alpha, alpha)
    (arXiv:1710.09412). ``targets`` is float32 [n, classes], rows that sum to 1."""
    order, kept = _order(pictures, rng), rng.beta(alpha, alpha, len(pictures))
    share = _column(pictures, kept)
    mixed = share * pictures.float() + (1 - share) * pictures[order].float()
    return _as(pictures, mixed), _blended(targets, order, share.flatten())


def cutmix(
    pictures: Tensor, targets: Tensor, rng: np.random.Generator, *, alpha: float = 1.0
) -> tuple[Tensor, Tensor]:
    """A rectangle of each picture taken from another one, its target blended by the rectangle's true share
    (arXiv:1905.04899). ``targets`` is float32 [n, classes], rows that sum to 1."""
    order = _order(pictures, rng)
    within = _rectangles(pictures, rng, 1 - rng.beta(alpha, alpha, len(pictures)))
    kept = 1 - within.float().mean((1, 2, 3))
    return torch.where(within, pictures[order], pictures), _blended(targets, order, kept)


def for_surfaces(pictures: Tensor, rng: np.random.Generator, *, turned: bool = False) -> Tensor:
    """How the same surface may look another time: mirrored, at another place, in other light.

    ``turned``: by quarter turns too. Most surfaces have a direction, that of rolling or of printed lines.
    """
    laid = flip(pictures, rng)
    return relight(crop(quarter_turn(laid, rng) if turned else laid, rng), rng)


def as_cameras_differ(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """The same moment by other cameras and lamps: light, colours, focus, noise. What lies where stays."""
    lit = tint(relight(pictures, rng), rng)
    those = _chance(rng, lit, SOFT_SHARE).flatten().nonzero().flatten()
    if len(those):
        lit[those] = blur(lit[those], rng)
    return noise_some(lit, rng, share=NOISY_SHARE)


def _part(pictures: Tensor, rng: np.random.Generator, area: Range, ratio: Range) -> tuple[Values, Values]:
    """Width and height of a part of each picture, of the picture's own."""
    share = rng.uniform(*area, len(pictures))
    shape = np.exp(rng.uniform(math.log(ratio[0]), math.log(ratio[1]), len(pictures)))
    return np.minimum(np.sqrt(share * shape), 1), np.minimum(np.sqrt(share / shape), 1)


def _turn(rng: np.random.Generator, pictures: Tensor, reach_deg: float) -> Values:
    """Radians for each picture; nothing is drawn where none is to be turned."""
    return np.radians(_even(rng, pictures, reach_deg)) if reach_deg else np.zeros(len(pictures))


def _cut(
    pictures: Tensor,
    middle: tuple[Values, Values],
    size: tuple[Values, Values],
    turn: Values,
    side: int | None = None,
) -> Tensor:
    """The part of each picture about ``middle`` (x and y, -1 to 1), of a ``size`` (width and height, of the
    picture's), turned by ``turn`` radians; stretched to the picture's own shape, or ``side`` x ``side``."""
    (x, y), (width, height) = middle, size
    theta = np.stack(
        [width * np.cos(turn), -height * np.sin(turn), x, width * np.sin(turn), height * np.cos(turn), y], 1
    ).reshape(-1, 2, 3)
    shape = list(pictures.shape) if side is None else [*pictures.shape[:2], side, side]
    grid = functional.affine_grid(_tensor(pictures, theta), shape, align_corners=False)
    cut = functional.grid_sample(pictures.float(), grid, padding_mode="border", align_corners=False)
    return _as(pictures, cut)


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


def _chance(rng: np.random.Generator, pictures: Tensor, chance: float) -> Tensor:
    drawn = rng.uniform(0, 1, len(pictures)) < chance
    return torch.from_numpy(drawn).to(pictures.device).view(-1, 1, 1, 1)


def _even(rng: np.random.Generator, pictures: Tensor, reach: float) -> Values:
    return rng.uniform(-reach, reach, len(pictures))


def _order(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    return torch.from_numpy(rng.permutation(len(pictures))).to(pictures.device)


def _blended(targets: Tensor, order: Tensor, kept: Tensor) -> Tensor:
    share = kept.to(targets.device)[:, None]
    return share * targets + (1 - share) * targets[order.to(targets.device)]


def _tensor(pictures: Tensor, values: Values) -> Tensor:
    return torch.from_numpy(values.astype(np.float32)).to(pictures.device)


def _column(pictures: Tensor, values: Values) -> Tensor:
    """One value for each picture: [n] -> [n, 1, 1, 1]."""
    return _tensor(pictures, values).view(-1, 1, 1, 1)


def _as(pictures: Tensor, changed: Tensor) -> Tensor:
    """Clipped to 0..255 and of the pictures' own kind; uint8 is rounded. ``changed`` is used up."""
    clipped = changed.clamp_(0, WHITE)
    return clipped.round_().to(torch.uint8) if pictures.dtype == torch.uint8 else clipped
