"""Settings of the boxes are compared on held-out pictures, and the one in use is told apart."""

from __future__ import annotations

import numpy as np
import pytest

from bench.real_boxes import POWERS_TRIED, SHARES_TRIED, Boxed, lines, precision
from detector.anomaly import Box

CELL = 1 / 13


def test_the_setting_that_meets_the_boxes_stands_first() -> None:
    """A failure that fades out: where half of the highest cell is the edge, the box is right."""
    maps = np.full((1, 13, 13), -9.0)
    maps[0, 2:10, 2:10] = -1.0
    maps[0, 4:8, 4:8] = 0.5
    maps[0, 4:6, 4:6] = 6.0
    boxed = Boxed(maps, [[Box(4 * CELL, 4 * CELL, 4 * CELL, 4 * CELL)]])
    assert precision(boxed, (0.5,), 0.0) == 1.0
    assert precision(boxed, (0.9,), 0.0) == 0.0
    head, first, *others = lines({"a": boxed})
    assert head == "shares / size power: mean, a (1)"
    assert first.endswith(": 1.000, 1.000") or "1.000, 1.000  <- in use" in first
    assert len(others) == len(SHARES_TRIED) * len(POWERS_TRIED) - 1
    assert sum("<- in use" in line for line in (first, *others)) == 1


def test_a_setting_without_a_hit_has_no_precision() -> None:
    boxed = Boxed(np.full((1, 13, 13), -9.0), [[Box(0.0, 0.0, 0.5, 0.5)]])
    assert precision(boxed) == pytest.approx(0.0)
