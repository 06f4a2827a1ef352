"""Where one can look through a part: every drilled hole is found, with its axis and its width."""

from __future__ import annotations

import numpy as np
import pytest

from detector.printability.defects import Hole, drill
from detector.printability.openings import (
    angle_degrees,
    between_voxels,
    openings_above,
    openings_anywhere,
    seen_along,
    surface,
)
from features.silhouettes import UP, Occupied, Vector

SLANTED: Vector = (0.48, 0.6, 0.64)


def block(size: int = 64, *, low: int = 12, high: int = 52) -> Occupied:
    occupied = np.zeros((size, size, size), bool)
    occupied[low:high, low:high, low:high] = True
    return occupied


def through(direction: Vector, radius: float, at: tuple[float, float, float] = (32, 32, 32)) -> Hole:
    return Hole(at, direction, radius)


def test_a_hole_from_the_top_is_seen_from_above_at_its_place() -> None:
    hole = Hole((30.5, 25.5, 0.0), UP, 5.0)
    (found,) = openings_above(drill(block(), hole))
    assert found.hole.point == (30.5, 25.5, 32.0), "in the middle of the part's height"
    assert found.hole.radius == pytest.approx(5.1, abs=0.1)
    assert np.hypot(*found.flat.T).min() == pytest.approx(np.sqrt(26))


def test_a_solid_part_an_empty_grid_and_a_blind_hole_have_no_opening() -> None:
    blind = block()
    blind[28:36, 28:36, 30:] = False
    for occupied in (block(), blind, np.zeros((64, 64, 64), bool)):
        assert openings_above(occupied) == ()
        assert openings_anywhere(occupied) == ()


def test_a_notch_that_is_open_at_the_side_is_no_opening() -> None:
    notched = block()
    notched[12:32, 28:36] = False
    assert openings_above(notched) == ()


@pytest.mark.parametrize("direction", [SLANTED, (0.0, 0.6, 0.8), (1.0, 0.0, 0.0)])
@pytest.mark.parametrize("radius", [3.0, 6.0])
def test_a_hole_along_any_direction_is_found_with_its_axis_and_width(
    direction: Vector, radius: float
) -> None:
    hole = through(direction, radius)
    found = [one.hole for one in openings_anywhere(drill(block(), hole))]
    best = min(found, key=lambda one: angle_degrees(one, hole))
    assert angle_degrees(best, hole) < 0.5
    assert between_voxels(best, hole) < 0.3
    assert best.radius == pytest.approx(radius, abs=0.5)  # along an axis the lattice leaves half a voxel


def test_a_deep_narrow_hole_is_found_that_none_of_a_thousand_directions_looks_through() -> None:
    hole = through((0.55, 0.61, 0.5704), 3.0)  # 3 degrees beside the nearest of 1000
    (found,) = openings_anywhere(drill(block(low=2, high=62), hole))
    assert angle_degrees(found.hole, hole) < 0.5
    assert between_voxels(found.hole, hole) < 0.3


def test_each_hole_of_a_sieve_is_an_opening() -> None:
    sieve = block(low=2, high=62)
    sieve[:, :, :28] = sieve[:, :, 36:] = False
    places = [(x + 0.5, y + 0.5, 32.0) for x in range(6, 60, 5) for y in range(6, 60, 5)]
    for place in places:
        sieve = drill(sieve, through(UP, 1.9, place))
    assert len(openings_anywhere(sieve)) == len(places)


def test_two_holes_are_two_openings_and_the_same_part_gives_them_again() -> None:
    holes = [through((0.0, 0.0, 1.0), 3.0, (22, 22, 32)), through((1.0, 0.0, 0.0), 5.0, (32, 40, 36))]
    part = drill(drill(block(), holes[0]), holes[1])
    found, again = ([one.hole for one in openings_anywhere(part)] for _ in range(2))
    assert found == again
    for hole in holes:
        assert any(angle_degrees(one, hole) < 1 and between_voxels(one, hole) < 0.3 for one in found)


def test_a_view_along_a_hole_has_nothing_within_its_radius() -> None:
    hole = through(SLANTED, 4.0)
    skin = surface(drill(block(), hole))
    assert np.hypot(*seen_along(skin, hole).flat.T).min() > 4.0


def test_the_surface_is_what_has_a_side_open() -> None:
    assert len(surface(block(low=20, high=30))) == 10**3 - 8**3
    assert len(surface(block(low=20, high=30), layers=2)) == 10**3 - 6**3
