"""Multi-scale attention over a SqueezeNet trunk (Chen and Liu, "A Multi-Scale Attention Network for Steel
Surface Defect Recognition"): what a place has in common with all others, beside finer maps of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from detector.model.encoder import SqueezeNetTrunk

Joined: TypeAlias = Literal["added", "side by side"]

WIDTH = 512
"""Channels of the trunk's last map, and of what the attention gives."""
QUERY_WIDTH = 64
"""Channels in which places are compared."""
GRID = 13
"""The trunk's last map has GRID x GRID places at 224 px; the attention's channels are these places."""
PLACES = GRID * GRID


class Scale(NamedTuple):
    """One of the trunk's earlier maps: the layer that gives it, its channels, and its side at 224 px."""

    name: str
    layer: int
    channels: int
    side: int


POOL3 = Scale("pool3", layer=5, channels=128, side=27)
POOL5 = Scale("pool5", layer=8, channels=256, side=13)
"""Named after the pooling layers of the Caffe model."""
LAST_LAYER = 12


class MultiScaleAttention(nn.Module):
    """Adds to a map, times ``gamma``, what attention over its places and earlier maps say of it.

    last [n, 512, h, w], earlier maps [n, channels, h', w'] in the order of ``scales`` -> [n, 512, 13, 13]

    Attention is softmax over the last axis of queries^T keys, [n, 169, 169]: each of its 169 rows is a
    channel over 13 x 13 places. An earlier map becomes 169 channels by a 1x1 convolution and is resized
    bilinearly to 13 x 13. These are added in the order of ``scales`` (or laid side by side) and mixed to 512
    channels.
    ``gamma`` begins at 0: before training, the result is the last map itself, and the first step moves
    ``gamma`` alone of all parameters here.

    The channels are tied to the 13 x 13 places, so a picture of another size or shape than 224 x 224 has its
    maps brought to the sides that they have there, by adaptive average pooling: every place still counts.
    """

    def __init__(self, scales: Sequence[Scale], joined: Joined = "added") -> None:
        super().__init__()
        self.joined = joined
        self.sides = {scale.name: scale.side for scale in scales}
        self.query = nn.Conv2d(WIDTH, QUERY_WIDTH, 1)
        self.key = nn.Conv2d(WIDTH, QUERY_WIDTH, 1)
        self.scales = nn.ModuleDict({scale.name: nn.Conv2d(scale.channels, PLACES, 1) for scale in scales})
        self.mix = nn.Conv2d(PLACES if joined == "added" else PLACES * (1 + len(scales)), WIDTH, 1)
        self.gamma = nn.Parameter(torch.zeros(1))

    def forward(self, last: Tensor, earlier: Sequence[Tensor]) -> Tensor:
        last = _pooled(last, GRID)
        said = [self.attention(last).view(-1, PLACES, GRID, GRID)]
        for (name, convolution), maps in zip(self.scales.items(), earlier, strict=True):
            said.append(convolution(_on_grid(maps, self.sides[name])))
        joined = torch.cat(said, 1) if self.joined == "side by side" else _sum(said)
        mixed: Tensor = self.mix(joined)
        return self.gamma * mixed + last

    def attention(self, last: Tensor) -> Tensor:
        """How much each place looks at each other: [n, 512, 13, 13] -> [n, 169, 169], rows that sum to 1."""
        queries: Tensor = self.query(last).flatten(2)
        keys: Tensor = self.key(last).flatten(2)
        return (queries.transpose(1, 2) @ keys).softmax(2)


class MultiScaleBackbone(nn.Module):
    """The trunk with the attention at its end: pictures [n, 3, h, w] -> [n, 512, 13, 13]."""

    def __init__(self, trunk: SqueezeNetTrunk, scales: Sequence[Scale], joined: Joined = "added") -> None:
        super().__init__()
        self.trunk = trunk
        self.attention = MultiScaleAttention(scales, joined)
        self._order = tuple(scales)

    def forward(self, pictures: Tensor) -> Tensor:
        layers = sorted({scale.layer for scale in self._order} | {LAST_LAYER})
        maps = dict(zip(layers, self.trunk.maps(pictures, layers), strict=True))
        given: Tensor = self.attention(maps[LAST_LAYER], [maps[scale.layer] for scale in self._order])
        return given


def _on_grid(maps: Tensor, side: int) -> Tensor:
    """Resized bilinearly to GRID x GRID, from ``side`` x ``side`` whatever the picture's size was.

    A 1x1 convolution and this commute; resized first, the convolution is cheaper.
    """
    pooled = _pooled(maps, side)
    if side == GRID:
        return pooled
    return functional.interpolate(pooled, size=(GRID, GRID), mode="bilinear", align_corners=False)


def _pooled(maps: Tensor, side: int) -> Tensor:
    """Averaged to side x side; a map of that size already is left as it is, which a compiler cannot see."""
    if maps.shape[2:] == (side, side):
        return maps
    return functional.adaptive_avg_pool2d(maps, side)


def _sum(said: Sequence[Tensor]) -> Tensor:
    total = said[0]
    for more in said[1:]:
        total = total + more
    return total
