"""Smooth random fields: the unevenness of walls, cloth, dust and light."""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

Field: TypeAlias = npt.NDArray[np.float32]
"""[h, w], about 0 with a spread of about 1 unless said otherwise."""


def cloud(rng: np.random.Generator, height: int, width: int, cells: int) -> Field:
    """Noise with about ``cells`` lumps along the width."""
    rows = max(2, round(cells * height / width))
    small = rng.standard_normal((rows + 2, cells + 2), np.float32)
    big = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(big, np.float32)


def clouds(rng: np.random.Generator, height: int, width: int, cells: tuple[int, ...]) -> Field:
    """Noise at several scales, each half as strong as the one before."""
    total = np.zeros((height, width), np.float32)
    for octave, count in enumerate(cells):
        total += cloud(rng, height, width, count) * np.float32(0.5**octave)
    return total


def streaks(rng: np.random.Generator, height: int, width: int, along: int, across: int) -> Field:
    """Noise that is longer in x than in y: ``along`` lumps in x, ``across`` in y. Brushed metal, wood."""
    small = rng.standard_normal((across, along), np.float32)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def grain(rng: np.random.Generator, height: int, width: int) -> Field:
    """Noise from pixel to pixel."""
    return rng.standard_normal((height, width), np.float32)


def soft(field: Field, sigma_px: float) -> Field:
    """A field or picture, blurred."""
    if sigma_px <= 0.0:
        return field
    return np.asarray(cv2.GaussianBlur(field, (0, 0), sigma_px), np.float32)


def chance(rng: np.random.Generator, share: float) -> bool:
    """True in so large a share of the cases."""
    return bool(rng.random() < share)
