"""Whether a probability means what it says: of beats that are told 0.3 to fail, three in ten should."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from detector.evaluation.weighing import Values
from ingest.errors import UsageError

BINS = 10


class Bin(NamedTuple):
    """Beats whose probability lies above ``low`` and up to ``high`` (0 itself in the first)."""

    low: float
    high: float
    beats: int
    probability: float | None  # mean of what was said; None without beats
    happened: float | None  # share of them that did


class Reliability(NamedTuple):
    """``error`` is the expected calibration error, 0..1: the mean gap of the bins, by the weight of each."""

    error: float
    bins: tuple[Bin, ...]


def reliability(
    probability: npt.NDArray[np.floating[Any]],
    happened: npt.NDArray[np.bool_],
    weights: Values | None = None,
    *,
    bins: int = BINS,
) -> Reliability:
    """How far probabilities [beats] are from what happened [beats]; each beat may have a weight [beats].

    Where a set holds more failing prints than a farm does, the weights must say so, or a probability that is
    right on the farm looks too low. Equally wide bins, as Guo et al. 2017 take them. Raises UsageError
    without beats, ValueError for shapes.
    """
    given = np.ones(len(probability)) if weights is None else weights
    _check(probability, happened, given)
    place = np.clip(np.ceil(probability * bins).astype(np.int64) - 1, 0, bins - 1)
    mass, said, came = (
        np.bincount(place, part, minlength=bins).astype(np.float64)
        for part in (given, given * probability, given * happened)
    )
    beats = np.bincount(place, minlength=bins)
    rows = tuple(_bin(number, bins, int(beats[number]), mass, said, came) for number in range(bins))
    return Reliability(float(np.abs(said - came).sum() / mass.sum()), rows)


def _bin(number: int, bins: int, beats: int, mass: Values, said: Values, came: Values) -> Bin:
    low, high, weight = number / bins, (number + 1) / bins, float(mass[number])
    if not weight:
        return Bin(low, high, beats, None, None)
    return Bin(low, high, beats, float(said[number]) / weight, float(came[number]) / weight)


def _check(probability: npt.NDArray[Any], happened: npt.NDArray[Any], weights: npt.NDArray[Any]) -> None:
    shapes = {probability.shape, happened.shape, weights.shape}
    if probability.ndim != 1 or len(shapes) > 1:
        raise ValueError(f"found arrays of shapes {shapes}, expected [beats] each")
    if not len(probability) or not weights.sum() > 0:
        raise UsageError("found 0 beats, expected at least one: is the data set empty?")
