"""Figures of real images by source, against cases that were worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from detector.anomaly import Box
from detector.learning.box_precision import box_average_precision, iou
from detector.learning.image_figures import BOTH_LABELS, image_figures, mean_auc, source_figures
from detector.learning.real_images import RealImage, Split
from detector.model.failure_map import FoundBox
from detector.training.auc import draws_of_auc
from detector.training.intervals import bootstrap
from detector.training.metrics import roc_auc
from ingest.errors import UsageError
from tests.detector.learning.made_up import image

LEFT, RIGHT = Box(0.0, 0.0, 0.4, 1.0), Box(0.6, 0.0, 0.4, 1.0)


def found_box(box: Box, rank: float) -> FoundBox:
    return FoundBox(box, 1.0, rank)


def measured(source: str, failing: list[int], prints: list[str] | None = None) -> list[RealImage]:
    """Images of the split ``eval``."""
    names = prints or [str(number) for number in range(len(failing))]
    pairs = zip(failing, names, strict=True)
    return [image(source, name, failing=bool(label), split=Split.EVAL) for label, name in pairs]


def test_a_source_with_both_labels_has_all_figures() -> None:
    figures = source_figures(
        measured("farm", [1, 1, 1, 0, 0, 0, 0]), np.array([0.9, 0.8, 0.2, 0.7, 0.1, 0.1, 0.1]), 0.5
    )
    assert (figures["frames"], figures["failing"], figures["prints"]) == (7, 3, 7)
    assert figures["auc"] == pytest.approx(11 / 12)
    assert figures["precision"] == figures["recall"] == figures["f1"] == pytest.approx(2 / 3)
    assert figures["false_frames"] == pytest.approx(1 / 4)
    low, high = figures["auc_ci"]
    assert 0.5 < low < figures["auc"] < high == 1


def test_a_source_with_one_label_has_what_it_allows() -> None:
    scores = np.array([0.9, 0.2, 0.5, 0.1])
    assert source_figures(measured("f", [1, 1, 1, 1]), scores, 0.5).keys() == {
        "frames",
        "failing",
        "prints",
        "recall",
    }
    figures = source_figures(measured("n", [0, 0, 0, 0]), scores, 0.5)
    assert figures["false_frames"] == 0.5
    assert "auc" not in figures


def test_one_print_of_a_label_has_no_interval() -> None:
    figures = source_figures(measured("n", [0, 1, 0], ["p", "p", "p"]), np.array([0.1, 0.9, 0.2]), 0.5)
    assert figures["auc"] == 1
    assert not {"auc_ci", "false_frames_ci"} & figures.keys()
    figures = source_figures(measured("n", [0, 1, 1, 0], ["p", "q", "p", "p"]), np.arange(4.0), 0.5)
    assert not {"auc_ci", "false_frames_ci"} & figures.keys()


def test_the_headline_is_the_plain_mean_over_the_sources_with_both_labels() -> None:
    one, other, third = BOTH_LABELS
    images = measured(one, [1, 0]) + measured(other, [1, 1, 0, 0]) + measured(third, [1, 0])
    images += measured("caxton", [1, 0])
    scores = np.array([0.9, 0.1, 0.9, 0.2, 0.5, 0.1, 0.3, 0.3, 0.1, 0.9])
    figures = image_figures(images, scores, 0.5)
    assert [figures[source]["auc"] for source in BOTH_LABELS] == [1, 0.75, 0.5]
    assert figures["caxton"]["auc"] == 0
    assert figures["mean_auc"] == 0.75
    low, high = figures["mean_auc_ci"]
    assert low < 0.75 < high
    assert mean_auc(images[:6], scores[:6]) == {}


def test_hiltes_is_told_by_print_too() -> None:
    images = measured("hiltes", [1, 0, 0, 0], ["green", "green", "front", "front"])
    figures = image_figures(images, np.array([0.9, 0.1, 0.8, 0.2]), 0.5)["hiltes"]["by_print"]
    assert figures["green"]["auc"] == 1
    assert figures["front"] == {"frames": 2, "failing": 0, "prints": 1, "false_frames": 0.5}


def test_boxes_are_measured_where_a_source_has_them() -> None:
    box = Box(2 / 13, 3 / 13, 4 / 13, 4 / 13)
    images = [image("p3rc", "a", boxes=(box,)), image("p3rc", "b"), *measured("other", [1, 0])]
    maps = np.full((4, 13, 13), -5.0)
    maps[0, 3:7, 2:6] = 2
    maps[1, 0, 0] = 9  # of a failing picture without a box nothing is known
    figures = image_figures(images, np.ones(4), 0.5, maps=maps)
    assert figures["p3rc"]["map50"] == 1
    assert "map50" not in figures["other"]
    maps[0, 8:13, 7:13] = 5  # a surer one that is wrong
    assert image_figures(images, np.ones(4), 0.5, maps=maps)["p3rc"]["map50"] == 0.5


def test_average_precision_of_boxes_as_voc_counts_it() -> None:
    """Three true boxes; found, from the surest on: right, the same again, wrong, right."""
    found = [
        [found_box(LEFT, 0.9), found_box(Box(0.0, 0.0, 0.4, 0.9), 0.8), found_box(RIGHT, 0.3)],
        [found_box(RIGHT, 0.5)],
    ]
    assert box_average_precision(found, [[LEFT, RIGHT], [LEFT]]) == pytest.approx((1 + 2 / 4) / 3)
    assert box_average_precision([[], []], [[LEFT], []]) == 0
    assert box_average_precision([[found_box(LEFT, 0.1)], [found_box(LEFT, 0.9)]], [[LEFT], []]) == 0.5
    with pytest.raises(UsageError, match="found 0 true boxes"):
        box_average_precision([[]], [[]])


def test_precision_is_raised_to_the_best_at_more_recall() -> None:
    found = [[found_box(RIGHT, 0.9)], [found_box(LEFT, 0.8)], [found_box(LEFT, 0.7)]]
    assert box_average_precision(found, [[LEFT], [LEFT], [LEFT]]) == pytest.approx(2 / 3 * 2 / 3)


def test_iou_of_boxes() -> None:
    assert iou(LEFT, LEFT) == pytest.approx(1)
    assert iou(LEFT, RIGHT) == 0
    assert iou(Box(0, 0, 0.4, 0.5), Box(0, 0.25, 0.4, 0.5)) == pytest.approx(1 / 3)
    assert iou(Box(0.1, 0.1, 0, 0), Box(0.1, 0.1, 0, 0)) == 0


def test_draws_of_the_auc_are_those_of_a_plain_bootstrap() -> None:
    random = np.random.default_rng(4)
    groups = np.repeat(np.arange(12), 6)
    positive = random.uniform(size=72) < 0.4
    scores = np.round(random.normal(size=72) + positive + random.normal(size=12)[groups], 1)
    draws = draws_of_auc(scores, positive, groups, seed=1)
    plain = bootstrap(lambda at: roc_auc(scores[at], positive[at]), groups, seed=1)
    assert np.quantile(draws, [0.025, 0.975]) == pytest.approx([plain.low, plain.high], abs=0.02)
    with pytest.raises(UsageError):
        draws_of_auc(scores[positive], positive[positive], groups[positive], seed=1)


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="expected one of 2 images"):
        image_figures(measured("farm", [1, 0]), np.zeros(3), 0.5)
