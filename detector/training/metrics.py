"""How good guesses are, over numpy arrays. UsageError where nothing can be counted, ValueError for shapes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ingest.errors import UsageError

Floats = npt.NDArray[np.floating[Any]]
Classes = npt.NDArray[np.integer[Any]]
Counts = npt.NDArray[np.int64]
Marks = npt.NDArray[np.bool_]

BINS = 15
"""Bins of the calibration error, as Guo et al. take them (arXiv:1706.04599)."""


class PerClass(NamedTuple):
    """Figures per class, each float64 [classes]; a share of nothing is 0."""

    precision: Floats
    recall: Floats
    f1: Floats


def accuracy(truth: Classes, guess: Classes) -> float:
    """The share of right guesses; both int [samples]."""
    _check(truth, guess)
    return float((truth == guess).mean())


def confusion(truth: Classes, guess: Classes, classes: int) -> Counts:
    """Counts int64 [classes, classes], a row per true class, a column per guessed one; both int [samples].

    Matrices of parts of the data add up to that of all of it (``Place.total``).
    """
    _check(truth, guess)
    if min(truth.min(), guess.min()) < 0 or max(truth.max(), guess.max()) >= classes:
        raise ValueError(f"found classes outside of 0 to {classes - 1}")
    return np.bincount(truth * classes + guess, minlength=classes * classes).reshape(classes, classes)


def per_class(counts: Counts) -> PerClass:
    """Precision, recall and F1 of each class, from a confusion matrix [classes, classes]."""
    right, true, guessed = counts.diagonal(), counts.sum(1), counts.sum(0)
    return PerClass(_share(right, guessed), _share(right, true), _share(2 * right, true + guessed))


def macro(counts: Counts) -> dict[str, float]:
    """``precision``, ``recall`` and ``f1``, each the mean over classes, from a confusion matrix.

    Classes that are neither true nor guessed anywhere are left out.
    """
    present = (counts.sum(0) + counts.sum(1)) > 0
    if not present.any():
        raise UsageError(
            "found 0 samples in the confusion matrix, expected at least one: is the data set empty?"
        )
    figures = per_class(counts)._asdict()
    return {name: float(values[present].mean()) for name, values in figures.items()}


def calibration_error(confidence: Floats, right: Marks, bins: int = BINS) -> float:
    """Expected calibration error: how far confidence is from the share of right guesses, 0 to 1.

    confidence [samples] of each guess, 0 to 1, and whether it was right [samples]; equally wide bins, the
    mean of their |confidence - share| weighted by their samples (Naeini et al. 2015, Guo et al. 2017).
    """
    _check(confidence, right)
    # Bins are (low, high] as in the papers; 0 itself goes into the first.
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    gaps = np.bincount(place, confidence - right, minlength=bins)
    return float(np.abs(gaps).sum() / len(confidence))


def roc_auc(scores: Floats, positive: Marks) -> float:
    """The chance that a positive sample scores above a negative one, ties counting half; both [samples].

    It is the area under the ROC curve (Mann and Whitney 1947). UsageError without both kinds of samples.
    """
    _check(scores, positive)
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if not positives or not negatives:
        raise UsageError(
            f"found {positives} positive and {negatives} negative samples, expected some of each"
        )
    _, place, ties = np.unique(scores, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(ties) - (ties - 1) / 2
    rank_sum = mean_rank[place][positive].sum()
    return float((rank_sum - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(scores: Floats, positive: Marks) -> float:
    """The sum over thresholds of precision times gained recall, no interpolation; both [samples].

    Samples of one score pass the threshold together. UsageError without a positive sample.
    """
    _check(scores, positive)
    if not positive.any():
        raise UsageError("found 0 positive samples, expected at least one")
    _, place = np.unique(-scores, return_inverse=True)
    hits = np.bincount(place, positive)
    precision = np.cumsum(hits) / np.cumsum(np.bincount(place))
    return float((precision * hits).sum() / hits.sum())


def _share(part: Counts, whole: Counts) -> Floats:
    return np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0)


def _check(one: npt.NDArray[Any], other: npt.NDArray[Any]) -> None:
    if one.ndim != 1 or one.shape != other.shape:
        raise ValueError(f"found arrays of shapes {one.shape} and {other.shape}, expected [samples] twice")
    if not len(one):
        raise UsageError("found 0 samples, expected at least one: is the data set empty?")
