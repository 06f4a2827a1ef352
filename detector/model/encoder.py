"""The frame encoder: a SqueezeNet 1.1 trunk (Iandola et al., arXiv:1602.07360) and its pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from features.frame import Picture, to_batch

Embeddings: TypeAlias = npt.NDArray[np.float16]

SIDE = 128
"""Side of the frames that it reads, pixels: less than half the cost of 224 (``make bench``)."""
TAP, TAP_CHANNELS = 1, 64
"""The pooled layer, the first convolution: the maxima behind it make noise and a pixel's growth of the part
jump, and with random weights deeper layers see less of a mess (docs/findings.md)."""
GRID = 5
"""The picture is pooled in GRID x GRID cells: averaged over all of it, a small mess vanishes."""
CELL_DIM = 8
"""Numbers kept of each cell: so few that a past of frames fits in a print's state."""
EMBEDDING_DIM = GRID * GRID * CELL_DIM
CHUNK = 4
"""Frames that go through the network at once, always: kernels, and so the last bits, depend on it."""


class Fire(nn.Module):
    """Squeeze to few channels, expand by 1x1 and 3x3 side by side.

    [n, channels, h, w] -> [n, 2 * expand, h, w]
    """

    def __init__(self, channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeeze, 1)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        squeezed = self.squeeze(maps).relu()
        return torch.cat([self.expand1x1(squeezed).relu(), self.expand3x3(squeezed).relu()], 1)


class SqueezeNetTrunk(nn.Module):
    """Convolutions of SqueezeNet 1.1, parameters named as torchvision names them (``features.*``).

    frames [n, 3, h, w] -> [n, 512, about h / 16, about w / 16], or the map after layer ``last``
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, 3, stride=2),
            nn.ReLU(),
            _pool(),
            Fire(64, 16, 64),
            Fire(128, 16, 64),
            _pool(),
            Fire(128, 32, 128),
            Fire(256, 32, 128),
            _pool(),
            Fire(256, 48, 192),
            Fire(384, 48, 192),
            Fire(384, 64, 256),
            Fire(512, 64, 256),
        )

    def forward(self, frames: Tensor, last: int | None = None) -> Tensor:
        """The map after layer ``last`` (the final one by default); the layers behind it are not run."""
        layers = list(self.features)
        maps = frames
        for layer in layers if last is None else layers[: last + 1]:
            maps = layer(maps)
        return maps

    def maps(self, frames: Tensor, layers: Sequence[int]) -> list[Tensor]:
        """The maps after each of these layers, lowest first, in one pass."""
        kept, maps = [], frames
        for at, layer in enumerate(list(self.features)[: max(layers) + 1]):
            maps = layer(maps)
            if at in layers:
                kept.append(maps)
        return kept


class FrameEncoder(nn.Module):
    """A frame's embedding: a map averaged in GRID x GRID cells, each cell's channels mixed down to CELL_DIM.

    frames float32 [n, 3, SIDE, SIDE], BGR minus BGR_MEAN -> float32 [n, EMBEDDING_DIM] of length 1
    """

    def __init__(self) -> None:
        super().__init__()
        self.trunk = SqueezeNetTrunk()
        self.mix = nn.Conv2d(TAP_CHANNELS, CELL_DIM, 1, bias=False)

    @property
    def device(self) -> torch.device:
        """Where it really runs, whatever was asked for."""
        return next(self.parameters()).device

    def encode(self, frames: Sequence[Picture]) -> Embeddings:
        """Frames BGR uint8, each [SIDE, SIDE, 3] -> float16 [n, EMBEDDING_DIM]. Raises ValueError for others.

        A frame's embedding is the same, bit by bit, whatever it is encoded with (on one machine, torch
        version and thread count). The network must be in evaluation mode, as build_encoder gives it.
        """
        for frame in frames:
            if frame.shape != (SIDE, SIDE, 3):
                raise ValueError(f"found a frame of shape {frame.shape}, expected ({SIDE}, {SIDE}, 3)")
        chunks = [self._chunk(frames[at : at + CHUNK]) for at in range(0, len(frames), CHUNK)]
        return np.concatenate([np.empty((0, EMBEDDING_DIM), np.float16), *chunks])

    @torch.inference_mode()
    def _chunk(self, frames: Sequence[Picture]) -> Embeddings:
        """At most CHUNK frames, filled up to CHUNK with black ones."""
        filled = [*frames, *[np.zeros((SIDE, SIDE, 3), np.uint8)] * (CHUNK - len(frames))]
        batch = to_batch(filled).to(self.device).contiguous(memory_format=torch.channels_last)
        embeddings: Embeddings = self(batch).half().cpu().numpy()[: len(frames)]
        return embeddings

    def forward(self, frames: Tensor) -> Tensor:
        cells = nn.functional.adaptive_avg_pool2d(self.trunk(frames, TAP), GRID)
        return nn.functional.normalize(self.mix(cells).flatten(1), dim=1)


@torch.no_grad()
def initialise(module: nn.Module, seed: int) -> None:
    """He-normal weights (arXiv:1502.01852) and zero biases; the global generator is left alone."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        if parameter.ndim > 1:
            nn.init.kaiming_normal_(parameter, nonlinearity="relu", generator=generator)
        else:
            nn.init.zeros_(parameter)


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)
