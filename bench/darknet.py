"""Darknet-19 as the detector YOLOv2 (Redmon and Farhadi, arXiv:1612.08242): what a frame costs elsewhere.

For its time alone: the weights are random. Batch norms are folded into the convolutions before them, as for
serving, and the map that is passed through is squeezed to 64 channels first, as in the authors' released
configuration: as the paper words it, with all 512, it would cost a fifth more.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

SIDE = 416
"""Side of the pictures, pixels; the map has a cell for 32 of them."""
ANCHORS = 5
BOX = 5
"""Numbers of a box: place, size, and whether there is anything."""
PASSED = 64
"""Channels of the finer map that is passed through, before four of its cells are put into one."""
EARLY = (32, "pool", 64, "pool", 128, 64, 128, "pool", 256, 128, 256, "pool", 512, 256, 512, 256, 512)
LATE = ("pool", 1024, 512, 1024, 512, 1024)
"""Channels of the trunk's convolutions, up to the map that is passed through and behind it. Those that narrow
are 1x1, the others 3x3."""


class Boxes(NamedTuple):
    """``cells`` [n, anchors * (5 + classes), h / 32, w / 32]."""

    cells: Tensor


class Darknet(nn.Module):
    """pictures float32 [n, 3, h, w], sides multiples of 32 -> Boxes."""

    def __init__(self, classes: int = 1) -> None:
        super().__init__()
        self.early = _trunk(3, EARLY)
        self.late = _trunk(512, LATE)
        self.deep = nn.Sequential(_convolution(1024, 1024, 3), _convolution(1024, 1024, 3))
        self.passed = nn.Sequential(_convolution(512, PASSED, 1), nn.PixelUnshuffle(2))
        self.joined = _convolution(1024 + 4 * PASSED, 1024, 3)
        self.head = nn.Conv2d(1024, ANCHORS * (BOX + classes), 1)

    def judge(self, pictures: Tensor) -> Boxes:
        fine = self.early(pictures)
        return Boxes(self.head(self.joined(torch.cat([self.passed(fine), self.deep(self.late(fine))], 1))))


def _trunk(channels: int, layers: tuple[int | str, ...]) -> nn.Sequential:
    made: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, str):
            made.append(nn.MaxPool2d(2))
            continue
        made.append(_convolution(channels, layer, 1 if layer < channels else 3))
        channels = layer
    return nn.Sequential(*made)


def _convolution(channels: int, given: int, side: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, given, side, padding=side // 2), nn.LeakyReLU(0.1))
