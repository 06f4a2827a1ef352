"""Metrics and intervals against cases that were worked out by hand or stand in the literature."""

from __future__ import annotations

import math

import numpy as np
import pytest

from detector.training.intervals import bootstrap, mean_over_seeds, t_quantile, wilson
from detector.training.metrics import (
    accuracy,
    average_precision,
    calibration_error,
    confusion,
    macro,
    per_class,
    roc_auc,
)
from ingest.errors import UsageError

TRUTH = np.array([0, 0, 0, 1, 1, 2])
GUESS = np.array([0, 0, 1, 1, 2, 2])
NOTHING = np.array([], np.int64)


def test_guesses_are_counted_by_true_and_guessed_class() -> None:
    counts = confusion(TRUTH, GUESS, 4)
    assert counts.tolist() == [[2, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert accuracy(TRUTH, GUESS) == pytest.approx(4 / 6)
    halves = confusion(TRUTH[:3], GUESS[:3], 4) + confusion(TRUTH[3:], GUESS[3:], 4)
    assert (halves == counts).all()


def test_precision_recall_and_f1_of_each_class_and_their_means() -> None:
    figures = per_class(confusion(TRUTH, GUESS, 4))
    assert figures.precision.tolist() == pytest.approx([1, 1 / 2, 1 / 2, 0])
    assert figures.recall.tolist() == pytest.approx([2 / 3, 1 / 2, 1, 0])
    assert figures.f1.tolist() == pytest.approx([4 / 5, 1 / 2, 2 / 3, 0])
    means = macro(confusion(TRUTH, GUESS, 4))  # without the class that does not occur
    assert means == pytest.approx({"precision": 2 / 3, "recall": 13 / 18, "f1": 59 / 90})


def test_a_class_that_is_missed_altogether_counts_in_the_mean() -> None:
    assert macro(confusion(np.array([0, 1]), np.array([0, 0]), 2))["recall"] == pytest.approx(1 / 2)


def test_calibration_is_the_gap_between_confidence_and_right_guesses() -> None:
    confidence = np.array([0.9, 0.8, 0.55, 0.6])
    right = np.array([True, False, True, True])
    # Upper bin of two: mean confidence 0.7125, three of four right.
    assert calibration_error(confidence, right, bins=2) == pytest.approx(0.0375)
    # Five bins: (0.4, 0.6] holds 0.55 and 0.6 (gap 0.85), (0.6, 0.8] 0.8 (0.8), (0.8, 1] 0.9 (0.1).
    assert calibration_error(confidence, right, bins=5) == pytest.approx((0.85 + 0.8 + 0.1) / 4)
    assert calibration_error(np.array([0.0, 1.0]), np.array([False, True])) == 0


def test_the_roc_area_counts_pairs_and_ties_as_half() -> None:
    scores = np.array([0.1, 0.4, 0.4, 0.8])
    # Pairs (positive, negative): (0.4, 0.1) and both of 0.8 are right, (0.4, 0.4) is a tie.
    assert roc_auc(scores, np.array([False, False, True, True])) == pytest.approx(3.5 / 4)
    assert roc_auc(-scores, np.array([False, False, True, True])) == pytest.approx(0.5 / 4)
    assert roc_auc(np.zeros(4), np.array([True, False, True, False])) == pytest.approx(0.5)
    with pytest.raises(UsageError, match="found 2 positive and 0 negative"):
        roc_auc(np.zeros(2), np.ones(2, bool))


def test_average_precision_passes_ties_together() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    assert average_precision(scores, np.array([True, False, True, False])) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.zeros(4), np.array([True, False, False, False])) == pytest.approx(1 / 4)
    with pytest.raises(UsageError, match="0 positive"):
        average_precision(scores, np.zeros(4, bool))


def test_no_samples_are_an_error_everywhere() -> None:
    floats, marks = NOTHING.astype(float), NOTHING.astype(bool)
    for figure in (
        lambda: accuracy(NOTHING, NOTHING),
        lambda: confusion(NOTHING, NOTHING, 2),
        lambda: macro(np.zeros((2, 2), np.int64)),
        lambda: calibration_error(floats, marks),
        lambda: roc_auc(floats, marks),
        lambda: average_precision(floats, marks),
        lambda: wilson(0, 0),
        lambda: bootstrap(len, NOTHING, seed=0),
        lambda: mean_over_seeds([]),
        lambda: mean_over_seeds([0.5]),
    ):
        with pytest.raises(UsageError, match="found "):
            figure()


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(ValueError, match="shapes"):
        accuracy(TRUTH, GUESS[:1])
    with pytest.raises(ValueError, match="0 to 1"):
        confusion(TRUTH, GUESS, 2)


def test_wilsons_interval_is_that_of_the_literature() -> None:
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    published = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)]
    for hits, samples, low, high in published:
        found = wilson(hits, samples)
        assert (found.value, found.low, found.high) == pytest.approx((hits / samples, low, high), abs=5e-5)


def test_students_t_is_that_of_the_tables() -> None:
    # NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2.
    for probability, freedom, quantile in [
        (0.975, 1, 12.706),
        (0.975, 2, 4.303),
        (0.975, 3, 3.182),
        (0.975, 4, 2.776),
        (0.95, 9, 1.833),
        (0.995, 30, 2.750),
        (0.975, 100, 1.984),
        (0.5, 7, 0.0),
    ]:
        assert t_quantile(probability, freedom) == pytest.approx(quantile, abs=5.1e-4)


def test_the_mean_over_seeds_has_students_interval() -> None:
    found = mean_over_seeds([1.0, 2.0, 3.0])
    half = 4.30265 / math.sqrt(3)
    assert found == pytest.approx((2.0, 2.0 - half, 2.0 + half), abs=1e-4)


def test_resampling_draws_whole_groups_so_that_likeness_within_them_widens_the_interval() -> None:
    group_values = np.random.default_rng(0).normal(size=30)
    values, groups = np.repeat(group_values, 20), np.repeat(np.arange(30), 20)
    by_group = bootstrap(lambda at: float(values[at].mean()), groups, seed=1)
    by_sample = bootstrap(lambda at: float(values[at].mean()), np.arange(600), seed=1, repetitions=500)
    expected = 1.96 * group_values.std() / math.sqrt(30)
    assert by_group.value == pytest.approx(values.mean())
    assert (by_group.high - by_group.low) / 2 == pytest.approx(expected, rel=0.1)
    assert (by_sample.high - by_sample.low) < (by_group.high - by_group.low) / 3
    assert by_group == bootstrap(lambda at: float(values[at].mean()), groups, seed=1)


def test_draws_on_which_a_figure_is_undefined_are_left_out() -> None:
    values = np.array([0.0, 1.0])
    found = bootstrap(lambda at: 1.0 if values[at].any() else math.nan, np.arange(2), seed=0)
    assert found == (1.0, 1.0, 1.0)
    with pytest.raises(UsageError, match="undefined on all"):
        bootstrap(lambda at: math.nan, np.arange(2), seed=0)
