"""Where a scene lies against what it was: cameras that move, and things that move before them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from features.shift import (
    ANOTHER,
    CELLS,
    DOUBTS,
    Cells,
    Thumbnail,
    follow,
    packed,
    place,
    shift_of,
    steadiness,
    structure,
    unpacked,
)

STEADY = np.ones((CELLS, CELLS), np.float32)


def scene(seed: int, right: int = 0, down: int = 0) -> Thumbnail:
    """A part of a larger scene, seen by a camera that looks this many cells further left and up."""
    large = np.random.default_rng(seed).integers(0, 255, (2 * CELLS, 2 * CELLS)).astype(np.uint8)
    large = cv2.GaussianBlur(large, (0, 0), 1.0)
    first = CELLS // 2
    return large[first - down : first - down + CELLS, first - right : first - right + CELLS]


@pytest.mark.parametrize("shift", [(1, 0), (0, -1), (3, 2), (-5, 4), (6, -6)])
def test_a_shifted_scene_is_found_where_it_lies(shift: tuple[int, int]) -> None:
    usual, now = structure(scene(1)), structure(scene(1, *shift))
    assert place(usual, now, STEADY).shift == shift
    assert shift_of(usual, now, STEADY) == shift


def test_another_light_is_no_shift() -> None:
    usual = scene(2)
    side = np.linspace(0.3, 1.5, CELLS)
    for lit in (usual * 0.4, 255 * (usual / 255) ** 0.5, np.clip(usual * side, 0, 255)):
        assert shift_of(structure(usual), structure(lit.astype(np.uint8)), STEADY) is None


def test_another_scene_is_told_from_a_shifted_one() -> None:
    assert shift_of(structure(scene(3)), structure(scene(4)), STEADY) == ANOTHER


def test_a_part_that_moves_is_no_camera_that_does() -> None:
    """The lower three quarters are a bed that goes back; what lies behind it stays."""
    usual, now = scene(5).copy(), scene(5, down=3).copy()
    now[: CELLS // 4] = usual[: CELLS // 4]
    assert shift_of(structure(usual), structure(now), STEADY) is None


def test_where_nothing_is_steady_nothing_moves() -> None:
    restless = steadiness(np.full((CELLS, CELLS), 1.0, np.float32))
    assert shift_of(structure(scene(6)), structure(scene(6, right=3)), restless) is None
    assert shift_of(structure(scene(6)), structure(scene(7)), restless) is None


def at(shift: tuple[int, int] | None) -> tuple[tuple[int, int] | None, Cells]:
    return shift, structure(scene(8, *(shift or (0, 0))))


def test_a_scene_that_stays_elsewhere_is_so_since_it_was_first_seen_there() -> None:
    elsewhere = None
    for second, right in enumerate((3, 3, 2, 4, 3)):
        elsewhere = follow(elsewhere, *at((right, 0)), second)
    assert (elsewhere.since_ns, elsewhere.shift, elsewhere.looks) == (0, (3, 0), 5)


def test_a_look_that_contradicts_is_forgiven_and_several_in_a_row_are_not() -> None:
    there, back = at((3, 0)), at(None)
    elsewhere = follow(follow(None, *there, 0), *back, 1)
    assert elsewhere is not None
    elsewhere = follow(elsewhere, *there, 2)
    assert (elsewhere.since_ns, elsewhere.doubts) == (0, 0)
    for second in range(DOUBTS):
        elsewhere = follow(elsewhere, *back, 3 + second)
    assert elsewhere is None


def test_a_scene_that_goes_on_moving_begins_anew() -> None:
    elsewhere = follow(None, *at((3, 0)), 0)
    for second in range(1, DOUBTS + 1):
        elsewhere = follow(elsewhere, *at((-3, second)), second)
    assert elsewhere.since_ns > 0


def test_other_scenes_are_one_only_where_they_look_alike() -> None:
    first = follow(None, ANOTHER, structure(scene(9)), 0)
    assert follow(first, ANOTHER, structure(scene(9)), 1).looks == 2
    assert follow(first, ANOTHER, structure(scene(10)), 1).doubts == 1


def test_structure_is_saved_to_a_hair() -> None:
    cells = structure(scene(11))
    assert np.abs(unpacked(packed(cells)) - cells).max() < 1e-3
    assert len(packed(cells)) == 2 * CELLS**2
