"""ShuffleNetV2 x1.0 (Ma et al., arXiv:1807.11164), written from the paper: a small modern trunk.

Something to compare with. No weights trained on ImageNet are at hand for it: it begins from random ones.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

STAGES = ((116, 4), (232, 8), (464, 4))
"""Channels and units of each stage, table 5 of the paper, column 1x."""
STEM_WIDTH = 24
WIDTH = 1024
"""Channels of the last map."""


class ShuffleNetTrunk(nn.Sequential):
    """Convolutions of ShuffleNetV2 x1.0: pictures [n, 3, h, w] -> [n, 1024, about h / 32, about w / 32]."""

    def __init__(self) -> None:
        layers: list[nn.Module] = [_convolution(3, STEM_WIDTH, 3, stride=2), nn.MaxPool2d(3, 2, padding=1)]
        before = STEM_WIDTH
        for channels, units in STAGES:
            layers += [Halving(before, channels), *(Unit(channels) for _ in range(units - 1))]
            before = channels
        super().__init__(*layers, _convolution(before, WIDTH, 1))


class Unit(nn.Module):
    """Half of the channels pass untouched, half through three convolutions (figure 3c).

    [n, channels, h, w] -> the same shape
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.right = _branch(channels // 2, channels // 2, stride=1)

    def forward(self, maps: Tensor) -> Tensor:
        left, right = maps.chunk(2, 1)
        return _shuffled(left, self.right(right))


class Halving(nn.Module):
    """Begins a stage: both halves are convolved, height and width are halved (figure 3d).

    [n, before, h, w] -> [n, channels, h / 2, w / 2]
    """

    def __init__(self, before: int, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.left = nn.Sequential(_depthwise(before, stride=2), _convolution(before, half, 1))
        self.right = _branch(before, half, stride=2)

    def forward(self, maps: Tensor) -> Tensor:
        return _shuffled(self.left(maps), self.right(maps))


def _branch(before: int, channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        _convolution(before, channels, 1), _depthwise(channels, stride), _convolution(channels, channels, 1)
    )


def _convolution(before: int, channels: int, kernel: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(before, channels, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.ReLU())


def _depthwise(channels: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(channels, channels, 3, stride, padding=1, groups=channels, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels))


def _shuffled(left: Tensor, right: Tensor) -> Tensor:
    """The two halves' channels in turn, so that the next unit's halves hold some of both."""
    return functional.channel_shuffle(torch.cat([left, right], 1), 2)
