"""Pictures as SqueezeNet sees them.

The trunk has the weights of ImageNet (``weights/`` beside the real images) and is never trained here. Two of
its maps are looked at: the one after layer 8, halfway, whose channels answer to textures, and the last one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from detector.model.encoder import SqueezeNetTrunk
from detector.model.weights import load_weights
from features.frame import to_batch
from features.picture import Picture

Embeddings: TypeAlias = npt.NDArray[np.float32]  # [..., 768]: averages over a map or over a part of it
Bools: TypeAlias = npt.NDArray[np.bool_]
Texts: TypeAlias = npt.NDArray[np.str_]
Pool: TypeAlias = Callable[[Tensor], Tensor]

MID = 8
LAYERS: dict[str, slice] = {"mid": slice(0, 256), "last": slice(256, 768), "both": slice(0, 768)}
"""Columns of an embedding that come of the map after layer MID, of the last one, and all of them."""
COLUMNS = 768
SIDE = 224
"""Side of the trunk's input, pixels; pictures are stretched to the square, as the detector stretches them."""
GRID, WINDOW, STEP = 13, 5, 2
"""Both maps have GRID x GRID cells; windows of WINDOW x WINDOW of them lie STEP apart, five by five."""
CHUNK = 32
WEIGHTS = Path("weights/squeezenet1_1_features.safetensors")


class Pictures(NamedTuple):
    """Embedded pictures: ``failing`` bool [n], ``prints`` and ``sources`` names [n]."""

    embeddings: Embeddings
    failing: Bools
    prints: Texts
    sources: Texts

    def where(self, chosen: Bools) -> Pictures:
        return Pictures(
            self.embeddings[chosen], self.failing[chosen], self.prints[chosen], self.sources[chosen]
        )


class Embedder:
    """Pictures in, embeddings out. Raises UsageError where the weights are missing."""

    def __init__(self, weights: Path) -> None:
        self._trunk = SqueezeNetTrunk()
        self._trunk.load_state_dict(load_weights(weights).tensors)
        self._trunk.eval()

    def embed(self, frames: Iterable[Picture]) -> Embeddings:
        """Frames BGR uint8 of any size -> float32 [n, 768]."""
        return self._pooled(frames, lambda maps: maps.mean((2, 3)))

    def windows(self, frames: Iterable[Picture]) -> Embeddings:
        """Frames BGR uint8 of any size -> float32 [n, 25, 768], the windows row by row."""
        return self._pooled(frames, lambda maps: windows(maps).flatten(2).transpose(1, 2))

    @torch.inference_mode()
    def _pooled(self, frames: Iterable[Picture], pool: Pool) -> Embeddings:
        parts: list[Embeddings] = []
        squares: list[Picture] = []
        for frame in frames:
            squares.append(_square(frame))
            if len(squares) == CHUNK:
                parts.append(self._chunk(squares, pool))
                squares = []
        if squares:
            parts.append(self._chunk(squares, pool))
        return np.concatenate(parts) if parts else np.empty((0, COLUMNS), np.float32)

    def _chunk(self, squares: Sequence[Picture], pool: Pool) -> Embeddings:
        mid = self._trunk(to_batch(squares), MID)
        last = self._trunk.features[MID + 1 :](mid)
        return np.asarray(pool(torch.cat([mid, last], 1)).numpy(), np.float32)


def windows(maps: Tensor) -> Tensor:
    """Averages over windows: [n, channels, 13, 13] -> [n, channels, 5, 5]."""
    return torch.nn.functional.avg_pool2d(maps, WINDOW, STEP)


def decoded(jpeg: bytes) -> Picture:
    """BGR uint8 [height, width, 3] of a JPEG that must be whole."""
    read = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert read is not None, "a picture that cannot be decoded"
    return np.asarray(read, np.uint8)


def _square(frame: Picture) -> Picture:
    return np.asarray(cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
