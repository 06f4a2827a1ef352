"""A large surface goes by tiles: all of it is seen, little of it is held, and what is found has its place."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest

from detector.surface.inspect import NONE_OF_THESE, Finding
from detector.surface.textures import texture
from detector.surface.tiles import Box, SurfaceMap, judged_tiles, starts, surface_map
from features.picture import Picture

SIDE = 4096
FLAT = np.zeros((1, 1), np.float32)
CLASSES = ("clean", "gaps", "scratches")


def said(label: str | None, probability: float = 0.9, unlikeness: float | None = 0.5) -> Finding:
    nearest = label or "clean"
    rest = (1 - probability) / 2
    return Finding(
        label=label,
        nearest=nearest,
        probability=probability,
        probabilities={name: probability if name == nearest else rest for name in CLASSES},
        unlikeness=unlikeness,
        sound=label == "clean",
        heat=FLAT,
    )


class Judge:
    """Says of each picture what a rule says, and remembers how many it got at once."""

    def __init__(self, rule: Callable[[Picture], Finding]) -> None:
        self._rule = rule
        self.batches: list[int] = []

    def inspect(self, pictures: Sequence[Picture]) -> list[Finding]:
        self.batches.append(len(pictures))
        return [self._rule(picture) for picture in pictures]


def marked(picture: Picture) -> Finding:
    """By colours that only flaws have: blue gaps, red scratches, green that nobody knows."""
    blue, green, red = ((picture == 255) & (picture.sum(2, keepdims=True) == 255)).sum((0, 1))
    if red or blue:
        return said("scratches" if red else "gaps", 0.6 + min(int(max(red, blue)), 1000) / 3000)
    return said(None, unlikeness=1.5) if green else said("clean")


def mapped(picture: Picture, side: int, **how: float) -> SurfaceMap:
    return surface_map(list(judged_tiles(Judge(marked), picture, side, **how)))  # type: ignore[arg-type]


def grey(height: int, width: int) -> Picture:
    return np.full((height, width, 3), 120, np.uint8)


def paint(picture: Picture, channel: int, x: int, y: int, size: int = 10) -> None:
    picture[y : y + size, x : x + size] = 0
    picture[y : y + size, x : x + size, channel] = 255


def holds(box: Box, x: int, y: int) -> bool:
    return box.x <= x < box.x + box.width and box.y <= y < box.y + box.height


@pytest.mark.parametrize(("length", "side"), [(500, 224), (224, 224), (225, 224), (4096, 224), (100, 224)])
def test_tiles_cover_all_of_it_overlap_and_end_with_the_border(length: int, side: int) -> None:
    begins = starts(length, side)
    assert begins[0] == 0
    assert begins[-1] + min(side, length) == length
    assert all(0 < after - before <= 168 for before, after in pairwise(begins))


def test_a_picture_smaller_than_a_tile_is_one_tile() -> None:
    found = mapped(grey(50, 80), 224)
    (tile,) = found.tiles
    assert (tile.box.x, tile.box.y, tile.box.width, tile.box.height) == (0, 0, 80, 50)
    assert tile.box.share == (0, 0, 1, 1)
    assert (found.rows, found.columns, found.shares) == (1, 1, {"clean": 1.0})


def test_a_picture_lower_than_a_tile_is_one_row_of_its_own_height() -> None:
    found = mapped(grey(50, 500), 224)
    assert (found.rows, found.columns) == (1, 3)
    assert {(tile.box.width, tile.box.height) for tile in found.tiles} == {(224, 50)}


def test_no_more_tiles_are_handed_over_at_once_than_asked_for() -> None:
    judge = Judge(marked)
    tiles = list(judged_tiles(judge, grey(600, 500), 224, batch=4))
    assert judge.batches == [4, 4, 4]
    assert [(tile.row, tile.column) for tile in tiles] == [(row, col) for row in range(4) for col in range(3)]


def test_tiles_are_judged_as_they_are_asked_for() -> None:
    judge = Judge(marked)
    next(judged_tiles(judge, grey(600, 500), 224, batch=2))
    assert judge.batches == [2]


def test_a_surface_of_4096_pixels_takes_little_memory_and_a_flaw_is_found_at_its_place() -> None:
    clean = texture("clean", np.random.default_rng(1), 128)
    surface = np.minimum(np.tile(clean, (SIDE // 128, SIDE // 128, 1)), 254)
    surface[3000:3128, 1000:1128] = texture("scratches", np.random.default_rng(2), 128)
    paint(surface, 2, 1060, 3060)
    judge = Judge(marked)
    tracemalloc.start()
    try:
        found = surface_map(list(judged_tiles(judge, surface, 224)))
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < surface.nbytes / 8
    assert max(judge.batches) == 8
    assert (found.rows, found.columns) == (25, 25)
    (region,) = found.regions
    assert region.worst.label == found.verdict.label == "scratches"
    assert holds(region.box, 1060, 3060)
    assert holds(region.box, 1069, 3069)
    assert max(region.box.width, region.box.height) <= 2 * 224
    assert found.shares["clean"] > 0.98


def test_neighbours_of_one_class_are_one_region_and_others_are_their_own() -> None:
    picture = grey(500, 900)
    for x in range(100, 420, 20):
        paint(picture, 2, x, 100 + x // 2)  # a scratch from corner to corner of tiles
    paint(picture, 0, 800, 400)
    found = mapped(picture, 100, overlap=0)
    assert [region.worst.label for region in found.regions] == ["scratches", "gaps"]
    scratch, gap = found.regions
    assert holds(scratch.box, 100, 150)
    assert holds(scratch.box, 409, 309)
    assert (gap.tiles, gap.box.x, gap.box.y, gap.box.width, gap.box.height) == (1, 800, 400, 100, 100)
    assert gap.box.share == pytest.approx((800 / 900, 0.8, 1 / 9, 0.2))
    assert scratch.tiles + gap.tiles == sum(not tile.said.sound for tile in found.tiles)


def test_two_flaws_apart_are_two_regions() -> None:
    picture = grey(300, 900)
    paint(picture, 2, 50, 50)
    paint(picture, 2, 850, 250)
    assert len(mapped(picture, 100).regions) == 2


def test_a_region_is_as_sure_as_its_surest_tile_and_the_surest_is_the_verdict() -> None:
    picture = grey(100, 500)
    paint(picture, 0, 20, 20, size=5)
    paint(picture, 2, 320, 20, size=30)
    paint(picture, 2, 420, 20, size=10)
    found = mapped(picture, 100, overlap=0)
    sure = {(tile.column, tile.said.label): tile.said.probability for tile in found.tiles}
    assert [region.worst.label for region in found.regions] == ["scratches", "gaps"]
    assert found.regions[0].worst.probability == sure[3, "scratches"] > sure[4, "scratches"]
    assert found.verdict.label == "scratches"
    assert found.verdict.heat.shape == (1, 5)
    assert int(found.verdict.heat.argmax()) == 3


def test_a_surface_is_sound_where_all_its_tiles_are_and_as_sure_as_the_least_sure_one() -> None:
    picture = grey(100, 300)
    picture[:, 100:200] = 60
    judge = Judge(lambda tile: said("clean", 0.7 if tile.max() == 60 else 0.99))
    found = surface_map(list(judged_tiles(judge, picture, 100, overlap=0)))
    assert (found.regions, found.verdict.label, found.verdict.sound) == ((), "clean", True)
    assert found.verdict.probability == 0.7


def test_what_is_none_of_the_classes_is_a_region_and_the_verdict_where_nothing_else_is_wrong() -> None:
    picture = grey(100, 400)
    paint(picture, 1, 320, 20)
    found = mapped(picture, 100, overlap=0)
    assert (found.verdict.label, found.verdict.sound, found.verdict.text) == (None, False, NONE_OF_THESE)
    assert found.shares == {"clean": 0.75, NONE_OF_THESE: 0.25}
    paint(picture, 2, 20, 20)
    named = mapped(picture, 100, overlap=0)
    assert [region.worst.label for region in named.regions] == ["scratches", None]
    assert named.verdict.label == "scratches"


def test_shares_are_of_the_surface_whatever_the_overlap() -> None:
    picture = grey(1000, 1000)
    picture[:, 500:] = (255, 0, 0)
    found = mapped(picture, 10)
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.shares["gaps"] == pytest.approx(0.5, abs=0.01)
