"""How a printer's picture is to be read: what is shown of it, and what is said of mistakes."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest

from features.picture import AREA, WHOLE, View, check_view, pixels

LETTER = np.arange(24, dtype=np.uint8).reshape(4, 6, 1).repeat(3, 2)
"""6 wide, 4 high; every pixel is another one."""


def read(text: str) -> tuple[View | None, list[str]]:
    mistakes: list[str] = []
    return check_view(tomllib.loads(text), "printers['a'].picture", mistakes), mistakes


def test_a_turn_is_clockwise_and_the_mirror_comes_after_it() -> None:
    assert np.array_equal(View(rotate=90).cut(LETTER), np.rot90(LETTER, -1))
    assert View(rotate=90).cut(LETTER)[0, -1, 0] == LETTER[0, 0, 0]
    assert View(rotate=90, mirror=True).cut(LETTER)[0, 0, 0] == LETTER[0, 0, 0]
    assert np.array_equal(View(rotate=180).cut(LETTER), LETTER[::-1, ::-1])
    assert np.array_equal(View(rotate=270).cut(View(rotate=90).cut(LETTER)), LETTER)


def test_the_crop_lies_in_the_turned_picture() -> None:
    turned = View(rotate=90, mirror=True).cut(LETTER)
    cropped = View(rotate=90, mirror=True, crop=(0.5, 0.0, 0.5, 0.5)).cut(LETTER)
    assert np.array_equal(cropped, turned[:3, 2:])


@pytest.mark.parametrize("area", [(0.0, 0.0, 1.0, 1.0), (0.999, 0.999, 0.001, 0.001), (1.0, 1.0, 1e-9, 1e-9)])
def test_every_area_covers_a_pixel_and_none_beyond_the_picture(area: tuple[float, ...]) -> None:
    rows, columns = pixels(area, 4, 6)
    assert 0 <= rows.start < rows.stop <= 4
    assert 0 <= columns.start < columns.stop <= 6


def test_views_that_show_the_same_bear_one_name_and_others_another() -> None:
    half = (0.0, 0.0, 0.5, 1.0)
    views = [View(rotate=90), View(mirror=True), View(crop=half), View(masks=(half,))]
    assert WHOLE.name == View(crop=(0.0, 0.0, 1.0, 1.0)).name == ""
    assert len({view.name for view in views} | {WHOLE.name}) == 5
    assert read("crop = [0, 0, 0.5, 1]")[0].name == views[2].name


def test_a_table_is_read() -> None:
    view, mistakes = read(
        "rotate = 270\nmirror = true\ncrop = [0.1, 0, 0.9, 1]\n"
        "masks = [[0, 0, 0.2, 0.1], [0.7, 0.7, 0.3, 0.3]]"
    )
    assert mistakes == []
    assert view == View(270, True, (0.1, 0.0, 0.9, 1.0), ((0.0, 0.0, 0.2, 0.1), (0.7, 0.7, 0.3, 0.3)))


def test_all_mistakes_are_told_at_once_with_key_found_and_expected() -> None:
    view, mistakes = read('rotate = 45\nmirror = "yes"\ncrop = [0, 0, 1]\nmasks = [0, 0, 1, 1]\ncorp = 1')
    assert view is None
    assert [line.removeprefix("printers['a'].picture.") for line in mistakes] == [
        "corp: found an unknown key (= 1), expected none of this name; did you mean crop?",
        "rotate: found 45, expected 0, 90, 180 or 270 (clockwise)",
        "mirror: found 'yes', expected true or false",
        f"crop: found [0, 0, 1], expected {AREA}",
        f"masks: found [0, 0, 1, 1], expected a list of areas, each {AREA}",
    ]


@pytest.mark.parametrize("area", ["[0.5, 0, 0.6, 1]", "[0, 0.9, 1, 0.2]", "[0, 0, 0, 1]", "[nan, 0, 1, 1]"])
def test_an_area_that_is_none_or_leaves_the_picture_is_told(area: str) -> None:
    view, (mistake,) = read(f"crop = {area}")
    assert view is None
    assert mistake.endswith(f"expected {AREA}")


def test_a_mask_with_a_mistake_is_named_by_its_number() -> None:
    _, (mistake,) = read("masks = [[0, 0, 0.1, 0.1], [0.5, 0, 0.6, 1]]")
    assert mistake == f"printers['a'].picture.masks[1]: found [0.5, 0.0, 0.6, 1.0], expected {AREA}"
