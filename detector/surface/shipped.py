"""The network that comes along: it tells flaws of printed walls apart, and learned from drawn ones.

Its trunk, which began with ImageNet's weights, is a good one to begin other trainings with.
"""

from __future__ import annotations

from pathlib import Path

WALLS = Path(__file__).parent.parent / "weights" / "surface-walls.safetensors"
"""Its file; the card lies beside it (``.md``)."""
