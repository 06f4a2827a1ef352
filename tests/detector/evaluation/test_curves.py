"""The curves over prints: the plain metrics where weights are equal, and by hand where they are not."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from detector.evaluation.curves import POINTS, curves
from detector.evaluation.weighing import Weighing
from detector.training.metrics import average_precision, roc_auc
from tests.detector.evaluation.farm import SHARES, failing, farm, normal


def test_with_equal_weights_the_areas_are_those_of_the_plain_metrics() -> None:
    rng = np.random.default_rng(1)
    prints = [normal(f"n{n}", peaks=(round(float(rng.random()), 1), 0.0)) for n in range(40)]
    prints += [failing(f"f{n}", peaks=(1.0, round(float(rng.random()) ** 0.5, 1))) for n in range(40)]
    found = curves(Weighing(prints, SHARES, failing=0.5))
    scores, fails = np.array([one.score for one in prints]), np.array([one.fails for one in prints])
    assert found.pr_auc.value == pytest.approx(average_precision(scores, fails))
    assert found.roc_auc == pytest.approx(roc_auc(scores, fails))
    assert found.pr_auc.low < found.pr_auc.value < found.pr_auc.high


def test_where_few_prints_fail_the_same_ranking_is_less_precise() -> None:
    prints = [normal("a", peaks=(0.6, 0.0)), normal("b", peaks=(0.1, 0.0)), failing("f", peaks=(0.0, 0.5))]
    found = curves(Weighing(prints, SHARES))
    assert found.pr_auc.value == pytest.approx(0.1 / (0.1 + 0.45))
    assert found.roc == ((0.0, 0.0), (0.5, 0.0), (0.5, 1.0), (1.0, 1.0))
    assert found.roc_auc == pytest.approx(0.5)


def test_a_score_before_the_onset_finds_nothing() -> None:
    prints = [normal(peaks=(0.5, 0.0)), failing(peaks=(0.9, 0.1))]
    assert curves(Weighing(prints, SHARES)).roc_auc == 0
    assert curves(Weighing([prints[0], replace(prints[1], peaks=(0.0, 0.9))], SHARES)).roc_auc == 1


def test_long_curves_are_thinned_and_keep_their_ends() -> None:
    found = curves(Weighing(farm(normals=400), SHARES))
    assert len(found.roc) == len(found.pr) == POINTS
    assert (found.roc[0], found.roc[-1], found.pr[-1][0]) == ((0, 0), (1, 1), 1)
