"""A trained printability network in one file: its weights, and what it needs to be read again."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec
from torch import nn

from detector.model.weights import load_weights, save_weights
from detector.printability.about import KEY, About, about_in
from detector.printability.networks import build


class PrintabilityModel(NamedTuple):
    """A network that is ready to judge, on the CPU and in evaluation mode.

    float32 [n, 1, size, size, size] of 0 and 1 -> logits float32 [n]; above 0 is printable. A part's voxels
    are those of ``voxelize(mesh, about.holes.grid)``, as ``as_input(occupied, about.size)`` gives them.
    """

    network: nn.Module
    about: About


def save_model(path: Path, model: PrintabilityModel) -> None:
    """Write it as safetensors, whole or not at all."""
    save_weights(path, model.network, {KEY: msgspec.json.encode(model.about).decode()})


def load_model(path: Path) -> PrintabilityModel:
    """Read what ``save_model`` wrote. Raises UsageError for anything else."""
    weights = load_weights(path)
    about = about_in(weights.metadata, path)
    network = build(about.network, about.size, holes=about.holes)
    try:
        network.load_state_dict(weights.tensors)
    except RuntimeError as error:
        raise about.misfit(path, error) from error
    return PrintabilityModel(network.eval(), about)
