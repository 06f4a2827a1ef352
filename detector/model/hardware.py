"""What this machine computes on."""

from __future__ import annotations

import logging

import torch

log = logging.getLogger(__name__)

_BFLOAT16_UNITS = ("amx_bf16", "avx512_bf16")
"""x86 processors without one of these emulate bfloat16, which takes longer than float32."""


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


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 in hardware, and so faster than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    able = torch.cpu.get_capabilities()
    return any(able.get(unit, False) for unit in _BFLOAT16_UNITS)
