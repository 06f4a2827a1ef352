"""Heat is seen where it is, and the picture stays seen where it is not."""

from __future__ import annotations

import numpy as np
import pytest

from features.heat import overlaid

GREY = np.full((60, 90, 3), 120, np.uint8)


@pytest.mark.parametrize("calm", [False, True])
def test_without_heat_the_picture_stays_as_it_is(calm: bool) -> None:
    assert np.array_equal(overlaid(GREY, np.zeros((13, 13), np.float32), calm=calm), GREY)


def test_where_it_is_hot_it_is_red_and_elsewhere_as_it_was() -> None:
    heat = np.zeros((3, 3), np.float32)
    heat[2, 0] = 1
    found = overlaid(GREY, heat)
    assert (found.shape, found.dtype) == (GREY.shape, np.uint8)
    blue, green, red = found[59, 0].astype(int)
    assert red > 180
    assert max(blue, green) < 60
    assert np.array_equal(found[:20, 45:], GREY[:20, 45:])


def test_what_is_calm_is_blue() -> None:
    blue, green, red = overlaid(GREY, np.ones((2, 2), np.float32), calm=True)[30, 45].astype(int)
    assert blue > 180
    assert max(green, red) < 60


def test_the_picture_that_was_given_is_left_alone() -> None:
    before = GREY.copy()
    overlaid(GREY, np.ones((2, 2), np.float32))
    assert np.array_equal(GREY, before)
