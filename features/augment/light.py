"""Random changes of light, colours, focus and noise; what lies where stays. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from features.augment.drawing import WHITE, Range, as_given, column, evenly, tensor_of, with_chance

MAX_BLUR_SIGMAS = 3.0
"""A Gaussian's weights end this many standard deviations from its middle."""


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
    bent = (pictures.float() / WHITE).pow_(column(pictures, np.exp(evenly(rng, pictures, gamma))))
    mean = bent.mean((1, 2, 3), keepdim=True)
    factor = column(pictures, np.exp(evenly(rng, pictures, contrast)))
    shift = mean * (1 - factor) + column(pictures, evenly(rng, pictures, brightness))
    return as_given(pictures, bent.mul_(factor * WHITE).add_(shift * WHITE))


def tint(pictures: Tensor, rng: np.random.Generator, *, reach: float = 0.2, grey: float = 0.1) -> Tensor:
    """Other colour of light: each channel times exp(+-reach), drawn for each; a share ``grey`` loses all."""
    factor = np.exp(rng.uniform(-reach, reach, (len(pictures), 3)))
    tinted = pictures.float() * tensor_of(pictures, factor)[:, :, None, None]
    mean = tinted.mean(1, keepdim=True).expand_as(tinted)
    return as_given(pictures, torch.where(with_chance(rng, pictures, grey), mean, tinted))


def recolour(
    pictures: Tensor, rng: np.random.Generator, *, chance: float = 0.5, saturation: Range = (0.6, 1.4)
) -> Tensor:
    """Other filaments and beds: all hues of a picture turned by one angle, any, and made stronger or weaker;
    greys stay. With ``chance`` for each picture."""
    angle, strength = rng.uniform(0, 2 * math.pi, len(pictures)), rng.uniform(*saturation, len(pictures))
    # Rodrigues' rotation about the axis of greys, of what is left of a colour without its grey.
    across = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / math.sqrt(3)
    grey = np.full((3, 3), 1 / 3)
    hue = np.eye(3) - grey
    turned = np.cos(angle)[:, None, None] * hue + np.sin(angle)[:, None, None] * across
    mixed = tensor_of(pictures, grey + strength[:, None, None] * turned)
    flat = pictures.float().flatten(2)
    changed = (mixed @ flat).view(pictures.shape)
    return as_given(pictures, torch.where(with_chance(rng, pictures, chance), changed, pictures.float()))


def noise(pictures: Tensor, rng: np.random.Generator, *, snr_db: Range = (20.0, 40.0)) -> Tensor:
    """Gaussian noise, drawn for each pixel and channel, at a signal-to-noise ratio drawn for each picture.

    The signal's power is the mean square of the picture in 0..1: its mean counts. The result is clipped.
    """
    ratio = column(pictures, 10 ** (rng.uniform(*snr_db, len(pictures)) / 10))
    values = pictures.float()
    deviation = (values.square().mean((1, 2, 3), keepdim=True) / ratio).sqrt()
    drawn = rng.standard_normal(tuple(pictures.shape), np.float32)
    return as_given(pictures, torch.from_numpy(drawn).to(pictures.device).mul_(deviation).add_(values))


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
    kernel = tensor_of(pictures, weights / weights.sum(1, keepdims=True)).repeat_interleave(channels, 0)
    groups = count * channels
    flat = functional.pad(pictures.float(), (radius,) * 4, mode="replicate").flatten(0, 1)[None]
    flat = functional.conv2d(flat, kernel[:, None, None, :], groups=groups)
    flat = functional.conv2d(flat, kernel[:, None, :, None], groups=groups)
    return as_given(pictures, flat.view(count, channels, height, width))
