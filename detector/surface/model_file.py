"""A trained surface network in one file: its weights, and what it needs to be read again."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from detector.model.weights import load_weights, save_weights
from detector.surface.networks import SurfaceNetwork, build
from features.frame import SIDE
from ingest.errors import UsageError

KEY = "nozzlewatch.surface"


class About(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file says of its network: ``classes`` in the order of its logits, ``side`` in pixels."""

    model_type: str
    classes: tuple[str, ...]
    side: int = SIDE
    figures: dict[str, float] = {}  # on its own validation pictures


class SurfaceModel(NamedTuple):
    """A network that is ready to judge, on the CPU and in evaluation mode."""

    network: SurfaceNetwork
    about: About


def save_model(path: Path, model: SurfaceModel) -> None:
    """Write it as safetensors, whole or not at all."""
    save_weights(path, model.network, {KEY: msgspec.json.encode(model.about).decode()})


def load_model(path: Path) -> SurfaceModel:
    """Read what ``save_model`` wrote. Raises UsageError for anything else."""
    weights = load_weights(path)
    try:
        about = msgspec.json.decode(weights.metadata.get(KEY, ""), type=About)
    except msgspec.DecodeError as error:
        raise UsageError(
            f"{path}: found weights that do not say which surface network they are of ({error}), expected "
            "a file of `nozzlewatch surface train`"
        ) from error
    network = build(about.model_type, len(about.classes))
    try:
        network.load_state_dict(weights.tensors)
    except RuntimeError as error:
        raise UsageError(
            f"{path}: found weights that do not fit {about.model_type} for {len(about.classes)} classes "
            f"({error}), expected its own: train anew with this version"
        ) from error
    return SurfaceModel(network.eval(), about)
