"""The one builder of the encoder: its weights, its version and its device."""

from __future__ import annotations

import logging

import torch

from detector.model.encoder import FrameEncoder, initialise

log = logging.getLogger(__name__)

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


def choose_device(asked: str) -> torch.device:
    """The device to run on; asked for cuda where none is, it is the CPU, and the log says so as a warning."""
    there = torch.cuda.is_available()
    if asked == "auto":
        return torch.device("cuda" if there else "cpu")
    if torch.device(asked).type == "cuda" and not there:
        log.warning(
            "found no CUDA device, expected %s: running on the CPU, which is slower; see to its driver", asked
        )
        return torch.device("cpu")
    return torch.device(asked)
