"""How sure a figure is: intervals for shares, for means over seeds, and for anything by resampling."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ingest.errors import UsageError

LEVEL = 0.95
REPETITIONS = 2_000
"""Resamples: the ends of a 95 % interval are then its 50th lowest and highest."""


class Interval(NamedTuple):
    """A figure and what it may as well have been, at the level asked for."""

    value: float
    low: float
    high: float


def wilson(hits: int, samples: int, level: float = LEVEL) -> Interval:
    """A share with Wilson's score interval (J. Am. Stat. Assoc. 22, 1927), which holds at 0 and 1 too."""
    if samples < 1 or not 0 <= hits <= samples:
        raise UsageError(f"found {hits} of {samples}, expected a part of at least one sample")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share, weight = hits / samples, z * z / samples
    middle = (share + weight / 2) / (1 + weight)
    half = math.sqrt(share * (1 - share) * weight + weight * weight / 4) / (1 + weight)
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half))


def bootstrap(
    statistic: Callable[[npt.NDArray[np.int64]], float],
    groups: npt.NDArray[Any],
    *,
    seed: int,
    repetitions: int = REPETITIONS,
    level: float = LEVEL,
) -> Interval:
    """A figure with the percentile interval of drawing whole groups with repetition (Efron 1979).

    ``groups`` [samples] names each sample's group (its print, say): what is alike within a group is drawn
    together, or the interval would be too narrow. ``statistic`` takes indices of samples, some repeatedly;
    on a draw on which it is undefined it returns NaN, and the draw is left out.
    """
    if not len(groups):
        raise UsageError("found 0 samples, expected at least one group of them: is the data set empty?")
    names, place = np.unique(groups, return_inverse=True)
    members = [np.flatnonzero(place == group) for group in range(len(names))]
    draws = np.random.default_rng(seed).integers(0, len(names), (repetitions, len(names)))
    values = np.array([statistic(np.concatenate([members[group] for group in draw])) for draw in draws])
    defined = values[~np.isnan(values)]
    if not len(defined):
        raise UsageError(f"the figure is undefined on all {repetitions} draws of {len(names)} groups")
    low, high = np.quantile(defined, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(statistic(np.arange(len(groups))), float(low), float(high))


def mean_over_seeds(values: Sequence[float], level: float = LEVEL) -> Interval:
    """The mean of at least two runs that differ in their seed, with Student's t interval."""
    if len(values) < 2:  # noqa: PLR2004 - one value has no spread
        raise UsageError(f"found {len(values)} runs, expected two or more: one says nothing of the spread")
    mean, spread = float(np.mean(values)), float(np.std(values, ddof=1))
    half = t_quantile(0.5 + level / 2, len(values) - 1) * spread / math.sqrt(len(values))
    return Interval(mean, mean - half, mean + half)


def t_quantile(probability: float, freedom: int) -> float:
    """Student's t below which ``probability`` (0.5 to below 1) lies, with ``freedom`` degrees of freedom.

    The distribution in closed form (Abramowitz and Stegun 26.7.3 and 26.7.4), solved by bisection over the
    angle whose tangent is t / sqrt(freedom): no table, any level.
    """
    if not 0.5 <= probability < 1 or freedom < 1:  # noqa: PLR2004 - the upper half
        raise ValueError(f"found probability {probability} and {freedom} degrees of freedom")
    low, high = 0.0, math.pi / 2
    while low < (middle := (low + high) / 2) < high:
        below = 0.5 + _within(middle, freedom) / 2
        low, high = (middle, high) if below < probability else (low, middle)
    return math.tan(high) * math.sqrt(freedom)


def _within(angle: float, freedom: int) -> float:
    """The share of t between -tan(angle) * sqrt(freedom) and +, A(t | freedom) in the source."""
    cosine = math.cos(angle)
    odd = freedom % 2
    term, total = cosine**odd, 0.0
    for power in range(odd, freedom - 1, 2):
        total += term
        term *= (power + 1) / (power + 2) * cosine * cosine
    if odd:
        return 2 / math.pi * (angle + math.sin(angle) * total)
    return math.sin(angle) * total
