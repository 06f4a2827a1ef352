"""Evidence that sums up to a limit, as a cumulative sum does (Page 1954), and how sure it makes."""

from __future__ import annotations

from detector.anomaly import Kind, Reason
from detector.rules.heaters import HOTEND, graded

SURE_AT = 2.0
"""Certain at this multiple of the limit."""


def summed(before: float, more: float, limit: float) -> float:
    """The evidence with another piece, never below nothing, and never so much that it could not go again."""
    return min(max(before + more, 0.0), SURE_AT * limit)


def sure(evidence: float, limit: float) -> float:
    """The probability that evidence of at least the limit makes."""
    return graded((evidence / limit - 1.0) / (SURE_AT - 1.0))


def gives_less(told: str, probability: float, since_ns: int) -> Reason:
    """A hot end that takes too much power; ``told`` says how much, and against what."""
    text = f"hotend takes {told}: the heater gives less, or its sensor has slipped"
    weights = {HOTEND.power: 0.7, HOTEND.celsius: 0.3}
    return Reason(Kind.HEATER_FAULT, probability, since_ns, text.replace("%", " %"), weights)
