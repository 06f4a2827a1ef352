"""A trained printability network in one file: its weights, and what it needs to be read again."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
from torch import nn

from detector.model.weights import load_weights, save_weights
from detector.printability.defects import HoleRules
from detector.printability.grids import HoleSet
from detector.printability.networks import build
from ingest.errors import UsageError

KEY = "nozzlewatch.printability"


class About(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file says of its network: ``size`` in voxels a side, and from which holes it has learned.

    ``split``, ``seed`` and ``balanced`` say who was held out (see ``dataset.load`` and ``split``): these are
    to judge it on. ``figures`` are of its own validation samples.
    """

    network: str
    size: int
    holes: HoleSet
    rules: HoleRules
    split: Literal["random", "honest"]
    seed: int
    balanced: bool
    figures: dict[str, float] = {}


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
    try:
        about = msgspec.json.decode(weights.metadata.get(KEY, ""), type=About)
    except msgspec.DecodeError as error:
        raise UsageError(
            f"{path}: found weights that do not say which printability network they are of ({error}), "
            "expected a file of `nozzlewatch printability train`"
        ) from error
    network = build(about.network, about.size, holes=about.holes)
    try:
        network.load_state_dict(weights.tensors)
    except RuntimeError as error:
        raise UsageError(
            f"{path}: found weights that do not fit {about.network} for {about.size} voxels ({error}), "
            "expected its own: train anew with this version"
        ) from error
    return PrintabilityModel(network.eval(), about)
