"""A figure beside the plain baseline of the same run: a ratio outlives the machine, a time does not."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

ROUNDS = 15
"""Turns that candidate and baseline take, one after the other; the medians are told."""


class Figure(NamedTuple):
    """One measured value; ``baseline`` says in words what ``baseline_value`` is, in the same unit."""

    name: str
    value: float
    unit: str
    baseline: str = ""
    baseline_value: float | None = None

    @property
    def ratio(self) -> float | None:
        """The value as a multiple of the baseline, None where there is none."""
        return self.value / self.baseline_value if self.baseline_value else None


def ms_side_by_side(
    candidate: Callable[[], object], baseline: Callable[[], object], *, each: int, baseline_each: int
) -> tuple[float, float]:
    """Milliseconds per item of both, measured in turns so that whatever else runs disturbs both alike.

    ``each`` and ``baseline_each`` are the items of one call. The first turn warms up and does not count.
    """
    own: list[float] = []
    other: list[float] = []
    for turn in range(ROUNDS + 1):
        for work, times, items in ((candidate, own, each), (baseline, other, baseline_each)):
            began_s = time.perf_counter()
            work()
            if turn:
                times.append((time.perf_counter() - began_s) * 1000 / items)
    return statistics.median(own), statistics.median(other)
