"""Inception networks with three-dimensional kernels: four blocks of GoogLeNet's kind (arXiv:1409.4842), and
four in which two 3x3x3 convolutions stand for a 5x5x5 (arXiv:1512.00567).

Source: as in ``vanilla.py``; ``InceptionNet.py``. Published: all kernels and widths, where pools and dropout
stand, three linear layers, the first two without an activation between them; 9.26 M and 17.95 M parameters.
Ours: the convolutions have no bias, which the batch norm behind each takes away again (3,840 and 5,120
parameters, 0.04 %); the last mean is over whatever is left of the grid, where theirs has a window that fits
one size (there both are the same); pools round up, so that 32 voxels are enough; and there is no sigmoid.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from detector.printability.blocks import Classifier, ConvNorm, check_size

SMALLEST = 32
"""Side of the smallest grid, voxels: InceptionNet v1 divides it by 64."""
WIDTH = 1024
DROPOUT = 0.4
"""Share of the pooled values that is left out in training."""

Widths = Sequence[int]
"""Of the 1x1x1 convolution that a branch begins with, and of those behind it."""


def inception_v1(size: int) -> Classifier:
    """InceptionNet v1, 9,254,593 parameters; ``size`` from SMALLEST. Raises UsageError for less."""
    check_size(size, SMALLEST)
    trunk = nn.Sequential(
        ConvNorm(1, 64, 5),
        _pool(),
        ConvNorm(64, 64, 5),
        _pool(),
        ConvNorm(64, 192, 3),
        _pool(),
        _v1(192, 64, (96, 128), (16, 32), 32),
        _pool(),
        _v1(256, 192, (96, 208), (16, 48), 64),
        _pool(),
        _v1(512, 384, (192, 384), (48, 128), 128),
        _pool(),
        _v1(1024, 384, (192, 384), (48, 128), 128),
        nn.AdaptiveAvgPool3d(1),
        nn.Flatten(),
    )
    return Classifier(trunk, _head())


def inception_v3(size: int) -> Classifier:
    """InceptionNet v3, 17,942,977 parameters; ``size`` from SMALLEST. Raises UsageError for less."""
    check_size(size, SMALLEST)
    trunk = nn.Sequential(
        ConvNorm(1, 64, 5),
        _pool(),
        ConvNorm(64, 192, 3),
        _pool(),
        _v3(192, 32, (64, 64, 128), (64, 64), 32),
        _pool(),
        _v3(256, 128, (128, 128, 128), (64, 128), 128),
        _pool(),
        _v3(512, 128, (256, 256, 384), (256, 384), 128),
        _pool(),
        _v3(1024, 128, (256, 256, 384), (256, 384), 128),
        nn.AdaptiveAvgPool3d(1),
        nn.Flatten(),
    )
    return Classifier(trunk, _head())


class Mixed(nn.Module):
    """Branches that look at the same maps in different ways, side by side.

    [n, channels, s, s, s] -> [n, sum of the branches' widths, s, s, s]
    """

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, maps: Tensor) -> Tensor:
        return torch.cat([branch(maps) for branch in self.branches], 1)


def _v1(channels: int, single: int, threes: Widths, fives: Widths, pooled: int) -> Mixed:
    """Branches 1, 1-3, 1-5 and pool-1."""
    return Mixed(
        ConvNorm(channels, single, 1),
        _branch(channels, threes, 3),
        _branch(channels, fives, 5),
        _pooled(channels, pooled),
    )


def _v3(channels: int, single: int, doubled: Widths, threes: Widths, pooled: int) -> Mixed:
    """Branches 1, 1-3-3, 1-3 and pool-1."""
    return Mixed(
        ConvNorm(channels, single, 1),
        _branch(channels, doubled, 3),
        _branch(channels, threes, 3),
        _pooled(channels, pooled),
    )


def _branch(channels: int, widths: Widths, kernel: int) -> nn.Sequential:
    """[n, channels, s, s, s] -> [n, widths[-1], s, s, s]"""
    further = [ConvNorm(before, width, kernel) for before, width in pairwise(widths)]
    return nn.Sequential(ConvNorm(channels, widths[0], 1), *further)


def _pooled(channels: int, width: int) -> nn.Sequential:
    """[n, channels, s, s, s] -> [n, width, s, s, s]"""
    return nn.Sequential(nn.MaxPool3d(3, stride=1, padding=1), ConvNorm(channels, width, 1))


def _pool() -> nn.MaxPool3d:
    """[n, channels, s, s, s] -> [n, channels, s / 2, s / 2, s / 2], rounded up"""
    return nn.MaxPool3d(2, ceil_mode=True)


def _head() -> nn.Sequential:
    """[n, WIDTH] -> [n, 1]"""
    return nn.Sequential(
        nn.Dropout(DROPOUT),
        nn.Linear(WIDTH, 512),
        nn.Linear(512, 64),
        nn.ReLU(inplace=True),
        nn.Linear(64, 1),
    )
