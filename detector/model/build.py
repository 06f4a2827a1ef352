"""The one builder of the encoder: its weights and its version."""

from __future__ import annotations

import torch

from detector.model.encoder import FrameEncoder, initialise
from detector.model.hardware import choose_device

SEED = 17
VERSION = f"novelty-2+squeezenet1.1-seed{SEED}"
"""Goes into Scores.model: another version's embeddings cannot be compared with this one's."""


def build_encoder(device: str = "auto") -> FrameEncoder:
    """The encoder with the weights of SEED, on ``auto`` (a GPU where there is one), ``cpu`` or ``cuda``."""
    with torch.device("meta"):  # no memory, and no draw from torch's own randomness
        encoder = FrameEncoder().eval()
    initialise(encoder.to_empty(device="cpu"), SEED)
    # Channels last: convolutions on a CPU take less time so.
    encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return encoder.to(choose_device(device))
