"""Ranges of numbers, and what lies between their ends."""

from __future__ import annotations

from typing import TypeAlias

Range: TypeAlias = tuple[float, float]


def between(span: Range, share: float) -> float:
    """The number that is a share (0..1) of the way from a range's first end to its last."""
    first, last = span
    return first + (last - first) * share
