"""Final weights: a safetensors file, with what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from safetensors.torch import save_file
from torch import Tensor, nn

from detector.files import replacing
from detector.model.tensor_file import read_tensors

READABLE = 0o644
"""safetensors writes files that their owner alone can read; who trains is often not who watches."""
NOTHING: Mapping[str, Tensor] = MappingProxyType({})


class Weights(NamedTuple):
    """The tensors of a network's ``state_dict``, on the CPU, and what was written beside them."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]


def save_weights(
    path: Path, network: nn.Module, metadata: dict[str, str], beside: Mapping[str, Tensor] = NOTHING
) -> None:
    """Write a network's ``state_dict`` as safetensors: whole or not at all, its folder is made.

    ``beside`` holds further tensors, under names that are none of the network's.

    Tensors that share memory are written once each: ``load_state_dict`` takes them as they are.
    """
    state = network.state_dict() | dict(beside)
    tensors = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state.items()}
    with replacing(path) as unfinished:
        save_file(tensors, unfinished, metadata)
        unfinished.chmod(READABLE)


def load_weights(path: Path) -> Weights:
    """Read what ``save_weights`` wrote. Raises UsageError for a missing, truncated or foreign file."""
    return Weights(*read_tensors(path, "pt"))
