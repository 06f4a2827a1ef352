"""Waiting for a condition, with a limit: tests never sleep for a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(
    condition: Callable[[], bool], limit_s: float = 30.0, what: str | Callable[[], str] = ""
) -> None:
    """Return as soon as the condition holds; fails after ``limit_s``. ``what`` may look what is missing."""
    until = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > until:
            awaited = what() if callable(what) else what
            raise AssertionError(f"waited {limit_s:g} s in vain for {awaited or condition}")
        time.sleep(0.01)
