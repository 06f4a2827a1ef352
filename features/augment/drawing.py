"""What changes of pictures are made of: chance for each picture, and numbers as tensors. Pure."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Range: TypeAlias = tuple[float, float]
Values: TypeAlias = npt.NDArray[np.float64]

WHITE = 255.0


def with_chance(rng: np.random.Generator, pictures: Tensor, chance: float) -> Tensor:
    """Which pictures are drawn, each with ``chance``: bool [n, 1, 1, 1]."""
    drawn = rng.uniform(0, 1, len(pictures)) < chance
    return torch.from_numpy(drawn).to(pictures.device).view(-1, 1, 1, 1)


def evenly(rng: np.random.Generator, pictures: Tensor, reach: float) -> Values:
    """A number for each picture, anywhere up to ``reach`` either way: [n]."""
    return rng.uniform(-reach, reach, len(pictures))


def tensor_of(pictures: Tensor, values: Values) -> Tensor:
    """As float32, where the pictures are."""
    return torch.from_numpy(values.astype(np.float32)).to(pictures.device)


def column(pictures: Tensor, values: Values) -> Tensor:
    """One value for each picture: [n] -> [n, 1, 1, 1]."""
    return tensor_of(pictures, values).view(-1, 1, 1, 1)


def as_given(pictures: Tensor, changed: Tensor) -> Tensor:
    """Clipped to 0..255 and of the pictures' own kind; uint8 is rounded. ``changed`` is used up."""
    clipped = changed.clamp_(0, WHITE)
    return clipped.round_().to(torch.uint8) if pictures.dtype == torch.uint8 else clipped
