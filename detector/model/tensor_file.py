"""A safetensors file as it is, for torch or without it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from safetensors import SafetensorError, safe_open

from ingest.errors import UsageError


def read_tensors(path: Path, framework: Literal["pt", "numpy"]) -> tuple[dict[str, Any], dict[str, str]]:
    """Its tensors by name, on the CPU, or its arrays, and what is written beside them.

    Raises UsageError for a missing, truncated or foreign file.
    """
    if not path.is_file():
        raise UsageError(f"{path}: found no file, expected weights (safetensors): train, or name another")
    try:
        with safe_open(path, framework=framework) as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
            return tensors, file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise UsageError(
            f"{path}: found a file that is truncated or holds something else ({error}), "
            "expected weights (safetensors): copy or train them anew"
        ) from error
