"""A trained surface network in one file: its weights, its memory, and what it needs to be read again."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec
import torch

from detector.model.weights import load_weights, save_weights
from detector.surface.memory import Memory
from detector.surface.networks import SurfaceNetwork, build
from features.frame import SIDE
from ingest.errors import UsageError

KEY = "nozzlewatch.surface"
_MEMORY = "memory."


class About(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file says of its network: ``classes`` in the order of its logits, ``side`` in pixels.

    ``sound`` names the classes that are no defect.
    """

    model_type: str
    classes: tuple[str, ...]
    side: int = SIDE
    sound: tuple[str, ...] = ()
    figures: dict[str, float] = {}  # on its own validation pictures


class SurfaceModel(NamedTuple):
    """A network that is ready to judge, on the CPU and in evaluation mode, and pictures that it learned."""

    network: SurfaceNetwork
    about: About
    memory: Memory | None = None


def save_model(path: Path, model: SurfaceModel) -> None:
    """Write it as safetensors, whole or not at all."""
    memory = model.memory._asdict() if model.memory is not None else {}
    save_weights(
        path,
        model.network,
        {KEY: msgspec.json.encode(model.about).decode()},
        {f"{_MEMORY}{name}": tensor for name, tensor in memory.items()},
    )


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
    own = {name: tensor for name, tensor in weights.tensors.items() if not name.startswith(_MEMORY)}
    kept = {name.removeprefix(_MEMORY): tensor for name, tensor in weights.tensors.items() if name not in own}
    try:
        network.load_state_dict(own)
        memory = Memory(**kept) if kept else None
    except (RuntimeError, TypeError) as error:
        raise UsageError(
            f"{path}: found weights that do not fit {about.model_type} for {len(about.classes)} classes "
            f"({error}), expected its own: train anew with this version"
        ) from error
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return SurfaceModel(network.eval(), about, memory)
