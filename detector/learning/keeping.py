"""Networks that a training has finished, kept in its folder: what builds on them begins there."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec
import torch
from torch import nn

from detector.model.weights import load_weights, save_weights
from detector.training.distributed import Place
from detector.training.loop import Fitted
from ingest.errors import UsageError

Network = TypeVar("Network", bound=nn.Module)


def restored(network: nn.Module, file: Path) -> dict[str, float] | None:
    """The figures of a network that was trained before; its weights are given to ``network``."""
    if not file.exists():
        return None
    weights = load_weights(file)
    try:
        network.load_state_dict(weights.tensors)
    except RuntimeError as error:
        raise UsageError(
            f"{file}: found weights of another network ({error}), expected those of this training: remove "
            "it, or choose another folder"
        ) from error
    network.eval()
    return msgspec.json.decode(weights.metadata.get("figures", "{}"), type=dict[str, float])


def kept(
    network: Network, file: Path, fitted: Fitted, place: Place
) -> tuple[Network | None, dict[str, float]]:
    """Keep a network that is trained to the end; one that was stopped lies in its checkpoint."""
    if fitted.ended == "asked to stop" or fitted.best is None:
        return None, {}
    _rounded(network)
    if place.leads:
        told = msgspec.json.encode(fitted.best.metrics).decode()
        save_weights(file, network, {"figures": told})
        file.with_suffix(".training").unlink(missing_ok=True)
    place.wait()
    network.eval()
    return network, dict(fitted.best.metrics)


@torch.no_grad()
def _rounded(network: nn.Module) -> None:
    """To half precision, as the detector's file holds weights: what builds on a network sees what ships."""
    for parameter in network.parameters():
        parameter.copy_(parameter.half())
