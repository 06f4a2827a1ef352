"""Weights that turn a set of prints into a farm, and intervals over them."""

from __future__ import annotations

import numpy as np
import pytest

from detector.evaluation.weighing import Weighing, quantiles
from ingest.errors import UsageError
from tests.detector.evaluation.farm import NUMBERS, SHARES, failing, farm, normal


def test_one_print_in_ten_fails_and_kinds_take_their_shares_whatever_the_set_holds() -> None:
    weighing = Weighing(farm(), SHARES)
    kinds = np.array([one.kind or "normal" for one in weighing.outcomes])
    assert weighing.weights.sum() == pytest.approx(1)
    assert weighing.weights[kinds == "normal"].sum() == pytest.approx(0.9)
    for kind, share in SHARES.items():
        assert weighing.weights[kinds == kind] == pytest.approx(0.1 * share / NUMBERS[kind])
        assert weighing.draws[:, kinds == kind].sum(axis=1) == pytest.approx(0.1 * share)


def test_kinds_that_do_not_occur_leave_their_share_to_the_others() -> None:
    weighing = Weighing([normal(), failing()], SHARES | {"warping": 5.0})
    assert weighing.weights == pytest.approx([0.9, 0.1])


def test_a_print_that_stands_for_three_weighs_three_times_as_much_among_its_kind() -> None:
    prints = [normal(), failing("a", weight=3.0), failing("b"), failing("c", kind="stall")]
    weights = Weighing(prints, {"spaghetti": 0.5, "stall": 0.5}).weights
    assert weights == pytest.approx([0.9, 0.0375, 0.0125, 0.05])


def test_an_interval_is_as_wide_as_theory_says() -> None:
    weighing = Weighing([normal(f"n{n}") for n in range(400)] + [failing()], SHARES)
    hits = np.arange(401) < 100  # a quarter of those that do not fail
    mean = weighing.mean(hits.astype(np.float64))
    half = 1.96 * 0.9 * np.sqrt(0.25 * 0.75 / 400)
    assert mean.value == pytest.approx(0.225)
    assert (mean.low, mean.high) == pytest.approx((0.225 - half, 0.225 + half), abs=0.005)


def test_a_share_of_all_keeps_an_interval() -> None:
    weighing = Weighing([normal(), *(failing(f"f{n}") for n in range(20))], SHARES)
    fails = weighing.values(lambda one: one.fails)
    value, low, high = weighing.share(fails, fails)
    assert (value, high) == (1.0, 1.0)
    assert low == pytest.approx(0.839, abs=0.001)  # Wilson, 20 of 20
    assert np.isnan(weighing.share(fails, 0 * fails).value)


def test_prints_of_unequal_weight_say_less() -> None:
    even = Weighing([normal(), *(failing(f"f{n}") for n in range(20))], SHARES)
    uneven = [failing(f"f{n}", weight=20.0 if n < 2 else 1.0) for n in range(20)]
    lows = []
    for weighing in (even, Weighing([normal(), *uneven], SHARES)):
        fails = weighing.values(lambda one: one.fails)
        lows.append(weighing.share(fails, fails).low)
    assert lows[1] < lows[0]


def test_quantiles_follow_the_weights() -> None:
    values = np.array([3.0, 1.0, 2.0, 4.0])
    assert quantiles(values, np.ones(4), (0.5,)) == [2.5]
    assert quantiles(values, np.array([0.0, 1.0, 1.0, 1.0]), (0.5,)) == [2.0]
    assert quantiles(values, np.array([100.0, 1.0, 1.0, 1.0]), (0.5,))[0] == pytest.approx(3, abs=0.05)
    assert np.isnan(quantiles(np.array([]), np.array([]), (0.5, 0.9))).all()


def test_the_same_seed_draws_the_same() -> None:
    assert (Weighing(farm(), SHARES, seed=3).draws == Weighing(farm(), SHARES, seed=3).draws).all()
    assert (Weighing(farm(), SHARES, seed=3).draws != Weighing(farm(), SHARES, seed=4).draws).any()


@pytest.mark.parametrize(
    ("prints", "says"),
    [
        ([normal()], "0 failing prints and 1 others"),
        ([failing()], "1 failing prints and 0 others"),
        ([normal("a"), failing("a")], "names that 2 prints share"),
        ([normal(), failing(kind="blob")], "no share of the kinds blob"),
    ],
)
def test_a_set_that_makes_no_farm_is_refused(prints: list, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Weighing(prints, SHARES)


def test_methods_over_different_prints_are_not_compared() -> None:
    ours = Weighing([normal(), failing()], SHARES)
    for others in ([normal()], [normal(), failing(onset_s=7.0)], [normal("other"), failing()]):
        with pytest.raises(UsageError, match="not the same 2 with the same truth"):
            ours.of(others)
    assert [one.name for one in ours.of([failing(), normal()]).outcomes] == ["n", "f"]
