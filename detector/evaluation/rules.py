"""Alarm rules over a series of scores of one print: the plain threshold, and the published moving average.

A rule is a function from a series to where it holds; when alarms open follows from that in one place, with
the same pause between two alarms that the watch itself keeps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detector.evaluation.weighing import Indices, Values
from detector.policies import SEEN

PAUSE_S = SEEN.close_after_s + SEEN.cooldown_s
"""A rule that held within this time opens no second alarm."""

EVERY_S = 10.0
"""The Spaghetti Detective looks at one frame in so long."""
SPAN, SHORT, LONG = 12, 310, 7200
"""Frames of its exponential mean, and of its rolling means of the print and of the printer's life."""
SAFE = 30
"""Frames of a print in which it never alarms."""
LOW, HIGH, MULTIPLE = 0.38, 0.78, 3.8
"""Its limits of the exponential mean, and how far that must exceed the print's own mean between them."""


class Series(NamedTuple):
    """The scores of one print, in order of time; ``kinds`` names what each looks like, where known."""

    at_s: Values  # float64 [points]
    scores: Values  # float64 [points], 0..1
    kinds: tuple[str, ...] = ()


class Held(NamedTuple):
    """What a rule made of a series: what it looked at, how high it took that, and where it held."""

    series: Series
    points: Indices  # int64 [looked at], into the series
    levels: Values  # float64 [looked at]: the rule's limit is on these
    holds: npt.NDArray[np.bool_]  # [looked at]

    @property
    def opens(self) -> Indices:
        """The points, into the series, at which an alarm opens."""
        return self.points[_opens(self.series.at_s[self.points], self.holds)]

    @property
    def alarms_s(self) -> list[float]:
        """When an alarm opens, seconds."""
        return [float(at_s) for at_s in self.series.at_s[self.opens]]


Rule = Callable[[Series], Held]


def threshold_rule(threshold: float, beats: int = 1) -> Rule:
    """Holds once a score has stayed at or above the threshold for so many beats (points) in a row."""

    def rule(series: Series) -> Held:
        levels = _lowest(series.scores, beats)
        return Held(series, np.arange(len(levels)), levels, levels >= threshold)

    return rule


def moving_average_rule(
    low: float = LOW,
    *,
    noise: float = 0.0,
    noise_frames: int = 0,
    multiple: float = MULTIPLE,
    every_s: float = EVERY_S,
) -> Rule:
    """The rule by which The Spaghetti Detective (Obico) alarms, over scores in place of its detections.

    An exponentially weighted mean over SPAN frames, less the printer's own noise (the mean over its life),
    never alarms below ``low``; it does above ``low`` * HIGH / LOW, and in between where it is ``multiple``
    times as far above the noise as the mean of this print. The first SAFE frames are safe. The published
    limits are for sums of detections, so ``low`` is to be chosen on validation (``best_threshold``); the
    upper follows it.

    ``noise`` and ``noise_frames``: the mean score of the prints that the printer made before, and of how many
    frames. With none, as on a new printer, the noise is that of this print, and a slow failure hides in it.
    """

    def rule(series: Series) -> Held:
        points = _every(series.at_s, every_s)
        scores = series.scores[points]
        mean, own = _exponential(scores), _rolling(scores, 0.0, 0, SHORT)
        base = _rolling(scores, noise, noise_frames, LONG)
        levels = np.where(np.arange(len(points)) + 1 < SAFE, -np.inf, mean - base)
        high = levels > low * HIGH / LOW
        holds = high | ((levels >= low) & (levels > (own - base) * multiple))
        return Held(series, points, levels, holds)

    return rule


def _exponential(scores: Values) -> Values:
    alpha, mean, means = 2 / (SPAN + 1), 0.0, []
    for score in scores.tolist():
        mean += alpha * (score - mean)
        means.append(mean)
    return np.array(means)


def _rolling(scores: Values, mean: float, known: int, window: int) -> Values:
    """The published stand-in for a rolling mean, which needs no past: a frame moves it by 1 / window."""
    means = []
    for count, score in enumerate(scores.tolist(), start=known + 1):
        mean += (score - mean) / (window if window <= count else count + 1)
        means.append(mean)
    return np.array(means)


def _lowest(scores: Values, beats: int) -> Values:
    """The lowest of each point and the ``beats`` - 1 before it; nothing before there are so many."""
    levels = np.full(len(scores), -np.inf)
    if len(scores) >= beats:
        levels[beats - 1 :] = np.lib.stride_tricks.sliding_window_view(scores, beats).min(axis=1)
    return levels


def _every(at_s: Values, every_s: float) -> Indices:
    """The first point of each span of ``every_s``."""
    _, first = np.unique(np.floor(at_s / every_s), return_index=True)
    return np.asarray(first, np.int64)


def _opens(at_s: Values, holds: npt.NDArray[np.bool_]) -> Indices:
    """Where a rule holds for the first time, or again after it has not for PAUSE_S."""
    held = np.flatnonzero(holds)
    return held[np.diff(at_s[held], prepend=-np.inf) > PAUSE_S]
