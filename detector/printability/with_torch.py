"""How a network of torch is asked about one part: see ``Look``."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from detector.printability.defects import Hole
from detector.printability.model_file import PrintabilityModel
from detector.printability.seen import Look
from features.silhouettes import Occupied


@runtime_checkable
class Placing(Protocol):
    """A network that can say which hole of a part it means, as ``ThroughHoles.judge``."""

    def judge(self, grid: Tensor) -> tuple[float, Hole | None]: ...


def look_with_torch(model: PrintabilityModel) -> Look:
    """That of any network, our own included."""
    network = model.network

    @torch.inference_mode()
    def judge(occupied: Occupied) -> tuple[float, Hole | None]:
        voxels = torch.from_numpy(occupied.astype(np.float32))[None]
        if isinstance(network, Placing):
            return network.judge(voxels)
        return float(network(voxels[None])[0]), None

    return Look(model.about, judge)
