"""Directions."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]

SHORTEST = 1e-9  # shorter vectors are not made a unit long: they have no direction


def unit(vectors: npt.NDArray[np.floating]) -> Floats:
    """Vectors [n, 3], each of length 1."""
    lengths = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), SHORTEST)
    return np.asarray(vectors / lengths, np.float32)
