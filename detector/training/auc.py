"""The area under the ROC curve with an interval of drawing whole groups (prints, say) with repetition."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from detector.training.intervals import LEVEL, REPETITIONS, Interval
from detector.training.metrics import Floats, Marks, roc_auc

Values: TypeAlias = npt.NDArray[np.float64]


def draws_of_auc(
    scores: Floats, positive: Marks, groups: npt.NDArray[Any], *, seed: int, repetitions: int = REPETITIONS
) -> Values:
    """The AUC of each draw, float64 [repetitions]; draws that lack a label are drawn again.

    ``groups`` [samples] names each sample's group, as in intervals.bootstrap. The pairs within and between
    groups are counted once, which makes a draw cheap. Raises UsageError without both kinds of samples.
    """
    roc_auc(scores, positive)  # checks
    names, number = np.unique(groups, return_inverse=True)
    random = np.random.default_rng(seed)
    own = np.eye(len(names))[number]
    ups, downs = own[positive], own[~positive]
    won = ups.T @ _pairs(scores[positive], scores[~positive]) @ downs  # [groups, groups]
    found: list[float] = []
    while len(found) < repetitions:
        times = random.multinomial(len(names), np.full(len(names), 1 / len(names))).astype(np.float64)
        pairs = (times @ ups.sum(0)) * (times @ downs.sum(0))
        if pairs:
            found.append(float(times @ won @ times / pairs))
    return np.array(found)


def auc_interval(value: float, draws: Values, level: float = LEVEL) -> Interval:
    """A value with the percentile interval of its draws."""
    low, high = np.quantile(draws, [0.5 - level / 2, 0.5 + level / 2])
    return Interval(value, float(low), float(high))


def _pairs(ups: Floats, downs: Floats) -> Values:
    """1 where the positive one scores higher, 1/2 where they tie: [positive, negative]."""
    return np.asarray((ups[:, None] > downs) + (ups[:, None] == downs) / 2, np.float64)
