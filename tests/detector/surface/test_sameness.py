"""The same picture is known again, and others are not taken for it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from detector.surface.sameness import groups_of_same
from detector.surface.textures import KINDS, texture
from features.picture import Picture


def surfaces(count: int, side: int = 96) -> list[Picture]:
    return [texture(KINDS[at % len(KINDS)], np.random.default_rng(at), side) for at in range(count)]


def test_different_surfaces_are_different() -> None:
    assert groups_of_same(np.stack(surfaces(60))).tolist() == list(range(60))


@pytest.mark.parametrize("quality", [75, 95])
def test_what_was_saved_anew_is_the_same(quality: int) -> None:
    pictures = surfaces(12)
    anew = [
        cv2.imdecode(cv2.imencode(".jpg", each, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
        for each in pictures
    ]
    assert groups_of_same(np.stack([*pictures, *anew])).tolist() == [*range(12), *range(12)]  # type: ignore[list-item]


def test_blank_pictures_are_the_same_only_where_they_are_identical() -> None:
    blank = [np.full((64, 64, 3), level, np.uint8) for level in (100, 101, 100, 200)]
    assert groups_of_same(np.stack(blank)).tolist() == [0, 1, 0, 3]


def test_two_views_of_one_plain_piece_are_two_pictures() -> None:
    """The same light and colour, but another grain: only the detail tells them apart."""
    random = np.random.default_rng(0)
    plain = [np.clip(120 + random.normal(0, 6, (96, 96, 3)), 0, 255).astype(np.uint8) for _ in range(20)]
    assert groups_of_same(np.stack(plain)).tolist() == list(range(20))


def test_groups_grow_together_wherever_their_members_lie() -> None:
    """More pictures than are compared at once, the same one at both ends and in the middle."""
    random = np.random.default_rng(1)
    many = random.integers(0, 256, (600, 48, 48, 3), dtype=np.uint8)
    many[599] = many[300] = many[0]
    groups = groups_of_same(many)
    assert groups[0] == groups[300] == groups[599] == 0
    assert len(np.unique(groups)) == 598
