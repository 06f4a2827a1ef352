"""Numbers and words as services send them in JSON, checked. Pure."""

from __future__ import annotations

LARGEST = 1e9
"""No temperature, position, speed or time of a printer comes near; what lies beyond is no measurement."""

LONGEST_WORDS = 500
"""Characters of a message that go into an event; Klipper's longest reasons have some 200."""


def number(value: object) -> float | None:
    """A finite number of sensible size; None for everything else, ``true`` and ``false`` included."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if abs(value) <= LARGEST else None


def words(value: object) -> str:
    """The first line of a message that says something, "" for what is no text: advice comes after it."""
    lines = value.splitlines() if isinstance(value, str) else []
    return next((line.strip()[:LONGEST_WORDS] for line in lines if line.strip()), "")
