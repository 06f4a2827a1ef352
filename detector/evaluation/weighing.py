"""What each print stands for: a set holds as many failing prints as are wanted, a farm does not.

Figures are weighted means over prints, so one array of weights carries the farm's shares into every one of
them, and a draw of the bootstrap is one more such array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from detector.evaluation.outcome import PrintOutcome
from detector.training.intervals import LEVEL, REPETITIONS, Interval, wilson
from ingest.errors import UsageError

Values = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]

FAILING_SHARE = 0.10
"""Of a farm's prints, those that fail: what the published figures of The Spaghetti Detective imply."""


class Stratum(NamedTuple):
    """Prints that are drawn among themselves: the normal ones, or those of one kind."""

    share: float  # of all prints on a farm
    members: Indices


class Weighing:
    """Outcomes with the weight of each, and the bootstrap over them.

    ``shares`` says how the failing prints of a farm divide among the kinds. They need not add up to 1: only
    the kinds that occur are taken, and these are scaled to ``failing`` of all prints. Within a kind, and
    among the normal prints, ``PrintOutcome.weight`` divides. Raises UsageError where prints of either sort
    are missing, a name occurs twice, or a kind has no share.
    """

    def __init__(
        self,
        outcomes: Iterable[PrintOutcome],
        shares: Mapping[str, float],
        *,
        failing: float = FAILING_SHARE,
        seed: int = 0,
    ) -> None:
        self.outcomes = tuple(outcomes)
        self.failing, self.seed = failing, seed
        self.shares = dict(shares)
        _check(self.outcomes, shares)
        self._strata = _strata(self.outcomes, shares, failing)
        self._sampling = self.values(lambda one: one.weight)
        self.weights = self._spread(np.ones((1, len(self.outcomes))))[0]
        """float64 [prints], adding up to 1."""

    @cached_property
    def draws(self) -> Values:
        """float64 [draws, prints]: the weights again, of prints drawn with repetition within each stratum.

        The shares are known and no part of the sample, so every draw keeps them (a stratified bootstrap).
        """
        rng = np.random.default_rng(self.seed)
        counts = np.zeros((REPETITIONS, len(self.outcomes)))
        for _, members in self._strata:
            drawn = rng.integers(0, len(members), (REPETITIONS, len(members)))
            for count, draw in zip(counts, drawn, strict=True):
                count[members] = np.bincount(draw, minlength=len(members))
        return self._spread(counts)

    def values(self, told: Callable[[PrintOutcome], float]) -> Values:
        """A number of each print, float64 [prints]."""
        return np.array([told(one) for one in self.outcomes], np.float64)

    def mean(self, values: Values) -> Interval:
        """The mean over a farm's prints of ``values`` [prints]."""
        return self.interval(float(self.weights @ values), self.draws @ values)

    def ratio(self, parts: Values, wholes: Values) -> Interval:
        """The sum of one over the sum of the other, both [prints]; NaN of nothing."""
        drawn = _divided(self.draws @ parts, self.draws @ wholes)
        value = _divided(np.array([self.weights @ parts]), np.array([self.weights @ wholes]))
        return self.interval(float(value[0]), drawn)

    def interval(self, value: float, drawn: Values) -> Interval:
        """A figure with the percentiles of what it was on each draw [draws]; NaN draws are left out."""
        defined = drawn[~np.isnan(drawn)]
        if np.isnan(value) or not len(defined):
            return Interval(np.nan, np.nan, np.nan)
        low, high = np.quantile(defined, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
        return Interval(value, float(low), float(high))

    def share(self, hits: Values, among: Values) -> Interval:
        """Of the prints ``among`` (0 or 1, [prints]) the share that are ``hits``, with Wilson's interval.

        It holds at none and at all, where a bootstrap has nothing to draw. Weights that differ say less than
        as many equal ones: the number of prints is the effective one (Kish 1965). NaN of no prints.
        """
        weights = self.weights * among
        total = float(weights.sum())
        if not total:
            return Interval(np.nan, np.nan, np.nan)
        share = float(weights @ hits) / total
        samples = max(1, round(total**2 / float(weights @ weights)))
        _, low, high = wilson(round(share * samples), samples)
        return Interval(share, min(low, share), max(high, share))

    def of(self, others: Iterable[PrintOutcome]) -> Weighing:
        """The same prints under another method, in this order, and so with these draws. Raises UsageError."""
        by_name = {one.name: one for one in others}
        mine = {one.name: (one.kind, one.onset_s) for one in self.outcomes}
        if mine != {name: (one.kind, one.onset_s) for name, one in by_name.items()}:
            raise UsageError(
                f"found {len(by_name)} prints that are not the same {len(mine)} with the same truth, "
                "expected two methods over one set of prints"
            )
        ordered = [by_name[name] for name in mine]
        return Weighing(ordered, self.shares, failing=self.failing, seed=self.seed)

    def only(self, kinds: Sequence[str]) -> Weighing | None:
        """A farm on which nothing but these kinds fails; None where no print of them is there."""
        kept = [one for one in self.outcomes if one.kind is None or one.kind in kinds]
        if not any(one.fails for one in kept):
            return None
        return Weighing(kept, self.shares, failing=self.failing, seed=self.seed)

    def _spread(self, counts: Values) -> Values:
        """Weights float64 [draws, prints] of prints that occur so often [draws, prints]."""
        weights = counts * self._sampling
        for share, members in self._strata:
            weights[:, members] *= share / weights[:, members].sum(axis=1, keepdims=True)
        return weights


def quantiles(values: Values, weights: Values, shares: Sequence[float]) -> list[float]:
    """Weighted quantiles of values [n]; between two values, linearly between the middles of their weights.

    With equal weights 0.5 gives the usual median. NaN of nothing.
    """
    kept = weights > 0
    values, weights = values[kept], weights[kept]
    if not len(values):
        return [np.nan] * len(shares)
    order = np.argsort(values, kind="stable")
    middles = np.cumsum(weights[order]) - weights[order] / 2
    return [float(np.interp(share * weights.sum(), middles, values[order])) for share in shares]


def _strata(
    outcomes: Sequence[PrintOutcome], shares: Mapping[str, float], failing: float
) -> tuple[Stratum, ...]:
    kinds = np.array([one.kind or "" for one in outcomes], dtype=object)
    present = [kind for kind in shares if (kinds == kind).any()]
    total = sum(shares[kind] for kind in present)
    divided = {"": 1.0 - failing, **{kind: failing * shares[kind] / total for kind in present}}
    return tuple(Stratum(share, np.flatnonzero(kinds == kind)) for kind, share in divided.items())


def _divided(parts: npt.NDArray[Any], wholes: npt.NDArray[Any]) -> Values:
    return np.asarray(np.divide(parts, wholes, out=np.full(len(parts), np.nan), where=wholes > 0))


def _check(outcomes: Sequence[PrintOutcome], shares: Mapping[str, float]) -> None:
    failing = sum(one.fails for one in outcomes)
    if not failing or failing == len(outcomes):
        raise UsageError(
            f"found {failing} failing prints and {len(outcomes) - failing} others, expected some of each"
        )
    if len({one.name for one in outcomes}) < len(outcomes):
        raise UsageError(f"found names that {len(outcomes)} prints share, expected one of its own for each")
    lacking = sorted({one.kind for one in outcomes if one.kind and not shares.get(one.kind, 0.0) > 0.0})
    if lacking:
        raise UsageError(f"found no share of the kinds {', '.join(lacking)}, expected one above 0 for each")
