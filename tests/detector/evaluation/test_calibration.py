"""Probabilities against what happened."""

from __future__ import annotations

import numpy as np
import pytest

from detector.evaluation.calibration import reliability
from ingest.errors import UsageError

PROBABILITY = np.array([0.0, 0.05, 0.1, 0.35, 0.95, 1.0])
HAPPENED = np.array([False, False, True, False, True, True])


def test_bins_hold_what_was_said_and_what_happened() -> None:
    found = reliability(PROBABILITY, HAPPENED)
    assert [one.beats for one in found.bins] == [3, 0, 0, 1, 0, 0, 0, 0, 0, 2]
    assert found.bins[0] == pytest.approx((0, 0.1, 3, 0.05, 1 / 3))
    assert found.bins[1][3:] == (None, None)
    assert found.error == pytest.approx((abs(0.15 - 1) + 0.35 + abs(1.95 - 2)) / 6)


def test_probabilities_that_mean_what_they_say_have_no_error() -> None:
    rng = np.random.default_rng(0)
    said = rng.random(200_000)
    assert reliability(said, rng.random(200_000) < said).error < 0.005
    assert reliability(said**2, rng.random(200_000) < said).error > 0.1


def test_beats_weigh_as_often_as_they_occur_on_a_farm() -> None:
    said, happened = np.array([0.1, 0.1]), np.array([True, False])
    assert reliability(said, happened).error == pytest.approx(0.4)
    assert reliability(said, happened, np.array([1.0, 9.0])).error == pytest.approx(0)


def test_nothing_and_what_does_not_fit_are_refused() -> None:
    with pytest.raises(UsageError, match="0 beats"):
        reliability(np.zeros(0), np.zeros(0, bool))
    with pytest.raises(ValueError, match="shapes"):
        reliability(np.zeros(3), np.zeros(2, bool))
