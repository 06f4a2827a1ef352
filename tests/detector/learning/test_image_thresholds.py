"""From which score on a picture is called failing: chosen on what is held out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from detector.learning.image_thresholds import Thresholds, chosen_on_held_out
from detector.learning.real_images import read_images
from features.picture import Picture
from ingest.errors import UsageError
from tests.detector.learning.made_up import NORMAL, folder

NO_BOX = {"boxes": ""}
WORST = 999.0
"""Score of a part without anything bright in it."""


def scores(shown: Sequence[Picture]) -> npt.NDArray[np.float64]:
    """The brightness of each picture's brightest place, which tells its number; dark ones score WORST."""
    brightest = np.array([float(each.max()) for each in shown])
    return np.where(brightest < 60, WORST, brightest)


def chosen(tmp_path: Path, failing: dict[str, str]) -> Thresholds:
    """Ten normal pictures, the darker ones, and five failing ones: two and one of them are held out."""
    hashes = np.random.default_rng(3).integers(1 << 63, size=15)
    rows = [(NORMAL if n < 10 else failing) | {"dhash": f"{int(each):016x}"} for n, each in enumerate(hashes)]
    return chosen_on_held_out(scores, read_images(folder(tmp_path, *rows)))


def test_the_even_one_parts_both_and_the_careful_one_is_as_high_as_normal_ones_reach(tmp_path: Path) -> None:
    even, careful = chosen(tmp_path, NO_BOX)
    assert 195 < even < 250  # the failing one that is held out
    assert 95 < careful < 195  # the brighter one of two normal ones, nearly


def test_parts_beside_a_failure_count_as_normal_where_one_is_careful(tmp_path: Path) -> None:
    even, careful = chosen(tmp_path, {})
    assert 195 < even < 250
    assert careful > 900


def test_one_label_alone_is_too_little(tmp_path: Path) -> None:
    images = read_images(folder(tmp_path, *({"dhash": f"{n:016x}"} for n in (1 << 40, 1 << 63))))
    for few in (images, []):
        with pytest.raises(UsageError, match="both labels"):
            chosen_on_held_out(scores, few)
