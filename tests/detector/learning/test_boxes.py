"""Boxes as targets of the map, crops that keep them right, and maps that are read as boxes again."""

from __future__ import annotations

import numpy as np
import pytest

from detector.anomaly import Box
from detector.learning.boxes import (
    FAILING,
    IGNORED,
    NO_BOXES,
    SOUND,
    TOUCHED,
    area_with,
    area_without,
    crop_with_boxes,
    draw_crop,
    has_room,
    moved,
    shared,
    target_map,
)
from detector.model.failure_map import components, found_boxes

CELL = 1 / 13
SMALL = Box(0.6, 0.2, 0.1, 0.15)
HUGE = Box(0.02, 0.02, 0.96, 0.96)


def cells(x: int, y: int, width: int, height: int) -> Box:
    """A box of whole cells of the map."""
    return Box(x * CELL, y * CELL, width * CELL, height * CELL)


def test_cells_inside_a_box_fail_and_those_outside_are_sound() -> None:
    target = target_map([cells(2, 3, 4, 5)], failing=True)
    assert target.shape == (13, 13)
    assert (target[3:8, 2:6] == FAILING).all()
    assert (target == FAILING).sum() == 4 * 5
    assert (target == SOUND).sum() == 169 - 4 * 5


def test_cells_that_a_box_covers_partly_are_ignored() -> None:
    box = Box(2.6 * CELL, 3.4 * CELL, 2 * CELL, 2 * CELL)
    target = target_map([box], failing=True)
    assert target[4, 3:5].tolist() == [FAILING, FAILING]
    assert target[3, 2:5].tolist() == [IGNORED, FAILING, IGNORED]  # 0.24, 0.6 and 0.36 of them
    assert target[2].tolist() == [SOUND] * 13


def test_a_box_too_small_for_a_cell_marks_the_one_it_covers_most() -> None:
    box = Box(5.8 * CELL, 7.3 * CELL, 0.6 * CELL, 0.5 * CELL)
    target = target_map([box], failing=True)
    assert target[7, 5:8].tolist() == [IGNORED, FAILING, SOUND]
    faint = target_map([Box(5.8 * CELL, 7.3 * CELL, 0.1 * CELL, 0.1 * CELL)], failing=True)
    assert (faint == FAILING).sum() == 0
    assert faint[7, 5] == IGNORED


def test_a_normal_picture_is_sound_and_of_a_failing_one_without_boxes_nothing_is_known() -> None:
    assert (target_map([], failing=False) == SOUND).all()
    assert (target_map([], failing=True) == IGNORED).all()


def test_a_map_is_read_as_the_boxes_that_it_was_made_of() -> None:
    logits = np.full((13, 13), -4.0, np.float32)
    logits[1:4, 2:7] = 1.0
    logits[9:11, 9:10] = 2.0
    logits[2, 3] = 3.0
    first, second = found_boxes(logits)
    assert first.box == pytest.approx(cells(2, 1, 5, 3))
    assert second.box == pytest.approx(cells(9, 9, 1, 2))
    assert [first.probability, second.probability] == pytest.approx(
        [1 / (1 + np.exp(-3)), 1 / (1 + np.exp(-2))]
    )
    assert len(found_boxes(np.full((13, 13), 1e4))) == 1


def test_a_faint_failure_has_a_box_and_a_map_of_nothing_has_none() -> None:
    logits = np.full((13, 13), -6.0)
    logits[4:6, 4:7] = -1.0
    (found,) = found_boxes(logits)
    assert found.box == pytest.approx(cells(4, 4, 3, 2))
    assert found.probability < 0.3
    assert found_boxes(logits - 2.0) == []


def test_of_two_failures_of_unlike_strength_each_ends_where_it_stands_out() -> None:
    """At a third of the highest cell both and what is between them are one: that is not the box."""
    logits = np.full((13, 13), -8.0)
    logits[3:10, 2:11] = -0.5
    logits[3:10, 2:5] = logits[3:10, 8:11] = 3.0
    boxes = [one.box for one in found_boxes(logits)]
    assert sorted(boxes) == [pytest.approx(cells(2, 3, 3, 7)), pytest.approx(cells(8, 3, 3, 7))]


def test_boxes_are_told_the_surest_first_and_none_lies_over_another() -> None:
    random = np.random.default_rng(3)
    for _ in range(20):
        found = found_boxes(random.normal(-6, 4, (13, 13)))
        assert [one.rank for one in found] == sorted((one.rank for one in found), reverse=True)
        boxes = [one.box for one in found]
        assert len(boxes) > 1
        assert not any(shared(one, other) > 1e-9 for n, one in enumerate(boxes) for other in boxes[:n])


def test_cells_that_only_meet_at_a_corner_are_two_parts() -> None:
    marked = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [1, 1, 0, 0]], np.bool_)
    assert components(marked).tolist() == [[1, 0, 0, 2], [0, 3, 0, 2], [3, 3, 0, 0]]


@pytest.mark.parametrize("box", [SMALL, HUGE, Box(0.9, 0.0, 0.1, 0.1), Box(0.0, 0.4, 1.0, 0.05)])
def test_a_crop_around_a_failure_holds_it_or_lies_in_it(box: Box) -> None:
    random = np.random.default_rng(1)
    for side in np.linspace(0.25, 0.9, 40):
        area = area_with([box], random, float(side))
        assert min(area.x, area.y) >= 0
        assert max(area.x, area.y) + side <= 1 + 1e-9
        width, height = min(box.width, side), min(box.height, side)
        assert shared(area, box) == pytest.approx(width * height)


def test_a_crop_beside_a_failure_misses_it() -> None:
    random = np.random.default_rng(1)
    boxes = [SMALL, Box(0.1, 0.6, 0.2, 0.2)]
    areas = [area for _ in range(50) if (area := area_without(boxes, random, 0.4)) is not None]
    assert len(set(areas)) > 20
    assert max(sum(shared(area, box) for box in boxes) for area in areas) <= TOUCHED * 0.4**2
    assert has_room([SMALL], 0.3)
    assert not has_room([HUGE], 0.3)
    assert area_without([HUGE], random, 0.3) is None


def test_boxes_of_a_crop_are_where_the_failure_is_in_it() -> None:
    """A white failure on black: the crop's boxes are where it is white."""
    picture = np.zeros((200, 200, 3), np.uint8)
    picture[40:70, 120:140] = 255
    random = np.random.default_rng(2)
    seen = set()
    for _ in range(60):
        crop, boxes = crop_with_boxes(picture, [SMALL], random)
        assert crop.shape == picture.shape
        seen.add(bool(boxes))
        white = np.argwhere(crop[..., 0] > 127) / 200
        if not boxes:
            assert len(white) <= 2 * TOUCHED * 200**2
            continue
        (box,) = boxes
        assert white.min(0) == pytest.approx([box.y, box.x], abs=0.03)
        assert white.max(0) == pytest.approx([box.y + box.height, box.x + box.width], abs=0.03)
    assert seen == {True, False}


def test_crops_are_of_all_three_kinds_where_there_is_room() -> None:
    random = np.random.default_rng(1)
    crops = [draw_crop([SMALL], random) for _ in range(300)]
    assert 70 < sum(not crop.failing for crop in crops) < 130
    assert 70 < sum(crop.failing and crop.area.width >= 0.8 for crop in crops) < 130
    assert all(draw_crop([HUGE], random).failing for _ in range(50))
    with pytest.raises(ValueError, match=NO_BOXES):
        draw_crop([], random)
    with pytest.raises(ValueError, match=NO_BOXES):
        area_with([], random, 0.5)


def test_what_lies_outside_of_a_crop_is_no_box_of_it() -> None:
    area = Box(0.5, 0.0, 0.5, 0.5)
    (box,) = moved([SMALL, Box(0.0, 0.0, 0.4, 0.4), Box(0.0, 0.6, 1.0, 0.2)], area)
    assert box == pytest.approx((0.2, 0.4, 0.2, 0.3))
    (clipped,) = moved([Box(0.4, 0.4, 0.2, 0.2)], area)
    assert clipped == pytest.approx((0.0, 0.8, 0.2, 0.2))
