"""From a glimpse of a hole to its axis and its width."""

from __future__ import annotations

import numpy as np
import pytest

from detector.printability.axes import climb, settle, touched
from detector.printability.defects import Hole, drill
from detector.printability.openings import angle_degrees, between_voxels, surface
from features.silhouettes import Occupied, Vector
from tests.detector.printability.test_openings import SLANTED, block, through

BESIDE: Vector = (0.05, 0.0, 0.9987)


def plate(thick: int) -> Occupied:
    occupied = np.zeros((64, 64, 64), bool)
    occupied[4:60, 4:60, 32 : 32 + thick] = True
    return occupied


def test_a_climb_does_not_leave_the_part_through_a_thin_wall() -> None:
    hole = through((0.0, 0.0, 1.0), 6.0, (20.0, 32, 32))  # a wall of 2 voxels towards x = 12
    skin = surface(drill(block(), hole))
    found = climb(skin, Hole((21.0, 31.5, 32.0), BESIDE, 3.0))
    assert between_voxels(found, hole) < 0.3
    assert found.radius < 6.5


def beside(hole: Hole, random: np.random.Generator) -> Hole:
    """A glimpse of a hole from some ten degrees beside it."""
    direction = hole.direction + random.normal(size=3) * 0.12
    x, y, z = direction / np.linalg.norm(direction)
    return Hole(hole.point, (float(x), float(y), float(z)), 1.5)


def test_a_short_hole_is_widest_aslant_and_touches_most_along_its_axis() -> None:
    aslant, along = [], []
    for seed in range(24):
        random = np.random.default_rng(seed)
        x, y, z = random.normal(size=3)
        length = float(np.linalg.norm((x, y, abs(z) + 0.8)))
        hole = through((x / length, y / length, (abs(z) + 0.8) / length), 3.0, (32, 32, 34.5))
        skin = surface(drill(plate(5), hole))
        widest = climb(skin, beside(hole, random))
        settled = settle(skin, widest)
        assert touched(skin, settled) >= touched(skin, widest)
        assert settled.radius == pytest.approx(hole.radius, abs=0.1)
        aslant.append(angle_degrees(widest, hole))
        along.append(angle_degrees(settled, hole))
    assert np.median(aslant) > 4
    assert np.median(along) < 2


def test_an_axis_does_not_settle_on_a_thread_amid_the_wall() -> None:
    hole = through((0.0, 0.0, 1.0), 5.0)
    settled = settle(surface(drill(block(), hole)), hole._replace(direction=BESIDE))
    assert angle_degrees(settled, hole) < 0.5
    assert between_voxels(settled, hole) < 0.3
    assert settled.radius == pytest.approx(5.0, abs=0.15)


def test_without_a_surface_a_hole_stays_where_it_is() -> None:
    hole = through(SLANTED, 3.0)
    nothing = np.zeros((0, 3))
    assert climb(nothing, hole) == settle(nothing, hole) == hole


def test_what_a_hole_touches_is_its_wall() -> None:
    hole = Hole((32.0, 32.0, 32.0), (0.0, 0.0, 1.0), 4.0)
    skin = surface(drill(block(), hole))
    away = np.hypot(skin[:, 0] - 32, skin[:, 1] - 32)
    assert touched(skin, hole) == (away < away.min() + 0.7).sum() > 40 * 20
