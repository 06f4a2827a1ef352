"""How prints would be told apart at every threshold, not only at the one that was chosen.

A print's score is ``PrintOutcome.score``: of a print that never fails the highest that ever showed, of a
failing one the highest from its onset on, so that a false alarm before the onset finds nothing. That a
failing print is also alarmed before its onset is not in these curves; it is in the mistakes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from detector.evaluation.weighing import Values, Weighing
from detector.training.intervals import Interval

POINTS = 101
"""Points kept of a curve: one for each percent."""

Points = tuple[tuple[float, float], ...]


class Curves(NamedTuple):
    """``pr`` are (recall, precision), ``roc`` (share of normal prints alarmed, recall), strictest first."""

    pr: Points
    roc: Points
    pr_auc: Interval
    roc_auc: float


class _Swept(NamedTuple):
    """Weight of failing and of normal prints at or above each threshold, float64 [draws, thresholds]."""

    failing: Values
    normal: Values


def curves(weighing: Weighing) -> Curves:
    """Both curves over prints, and what lies below them (average precision; the trapezoid)."""
    fails = weighing.values(lambda one: one.fails)
    scores = weighing.values(lambda one: one.score)
    swept = _swept(scores, fails, weighing.weights[None])
    drawn = _average_precision(_swept(scores, fails, weighing.draws))
    recall, alarmed = _shares(swept.failing)[0], _shares(swept.normal)[0]
    return Curves(
        pr=_points(recall, _precision(swept)[0]),
        roc=_points(np.append(0.0, alarmed), np.append(0.0, recall)),
        pr_auc=weighing.interval(float(_average_precision(swept)[0]), drawn),
        roc_auc=float(np.trapezoid(np.append(0.0, recall), np.append(0.0, alarmed))),
    )


def _swept(scores: Values, fails: Values, weights: Values) -> _Swept:
    """Scores [prints] from the highest down, under weights [draws, prints]; ties pass together."""
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.diff(scores[order], append=-np.inf))
    sorted_weights, sorted_fails = weights[:, order], fails[order]
    return _Swept(
        np.cumsum(sorted_weights * sorted_fails, axis=1)[:, last],
        np.cumsum(sorted_weights * (1 - sorted_fails), axis=1)[:, last],
    )


def _precision(swept: _Swept) -> Values:
    told = swept.failing + swept.normal
    return np.divide(swept.failing, told, out=np.zeros_like(told), where=told > 0)


def _average_precision(swept: _Swept) -> Values:
    gained = np.diff(_shares(swept.failing), prepend=0.0, axis=1)
    return np.asarray((gained * _precision(swept)).sum(axis=1))


def _shares(weights: Values) -> Values:
    return np.asarray(weights / weights[:, -1:])


def _points(x: Values, y: Values) -> Points:
    kept = np.unique(np.linspace(0, len(x) - 1, POINTS).round().astype(np.int64))
    return tuple(zip(x[kept].tolist(), y[kept].tolist(), strict=True))
