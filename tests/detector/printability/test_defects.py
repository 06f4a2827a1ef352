"""Holes are where and as large as they are said to be."""

from __future__ import annotations

import numpy as np
import pytest

from detector.printability.defects import (
    ROTATED,
    TOP,
    UP,
    Defect,
    Hole,
    HoleRules,
    Occupied,
    drill,
    place,
    random_direction,
    within,
)
from ingest.errors import UsageError

HOLES = (Defect.MIDDLE_SMALL, Defect.MIDDLE_LARGE, Defect.BORDER_LARGE)
LOW, HIGH = np.array([10, 20, 1]), np.array([110, 100, 60])
"""Corners of the block that is drilled from the top."""


def block(size: int, low: np.ndarray, high: np.ndarray) -> Occupied:
    occupied = np.zeros((size,) * 3, bool)
    occupied[tuple(slice(a, b) for a, b in zip(low, high, strict=True))] = True
    return occupied


@pytest.fixture(scope="module")
def part() -> Occupied:
    return block(128, LOW, HIGH)


@pytest.fixture(scope="module")
def small_part() -> Occupied:
    return block(64, np.array([4, 10, 1]), np.array([60, 54, 44]))


def placed(occupied: Occupied, defect: Defect, rules: HoleRules, seed: int) -> Hole:
    hole = place(occupied, defect, rules, np.random.default_rng(seed))
    assert hole is not None
    return hole


def wall_to_side(hole: Hole) -> float:
    """Voxels between a hole from the top and the nearest side of the block."""
    at = np.array(hole.point)[:2]
    return float(np.minimum(at - LOW[:2], HIGH[:2] - at).min()) - hole.radius


@pytest.mark.parametrize("defect", HOLES)
@pytest.mark.parametrize("seed", range(5))
def test_a_hole_from_the_top_goes_through_all_of_the_part(part: Occupied, defect: Defect, seed: int) -> None:
    hole = placed(part, defect, TOP, seed)
    assert hole.direction == UP
    assert hole.radius == (5 if defect is Defect.MIDDLE_SMALL else 10)
    removed = part & ~drill(part, hole)
    layers = removed.sum((0, 1))
    assert (layers[1:60] == layers[1]).all()
    assert layers[1] == pytest.approx(np.pi * hole.radius**2, rel=0.04)
    across = np.flatnonzero(removed.any((1, 2)))
    assert len(across) == pytest.approx(2 * hole.radius, abs=1)


@pytest.mark.parametrize("seed", range(20))
def test_a_wall_is_as_thick_as_its_defect_says(part: Occupied, seed: int) -> None:
    for defect in (Defect.MIDDLE_SMALL, Defect.MIDDLE_LARGE):
        assert wall_to_side(placed(part, defect, TOP, seed)) >= TOP.border_far
    near = placed(part, Defect.BORDER_LARGE, TOP, seed)
    assert abs(wall_to_side(near) - TOP.border_near) <= 0.5
    # The wall is closed all around: every row of voxels along the side has material left.
    drilled = drill(part, near)
    assert drilled[LOW[0], 20:100, 1:60].all() and drilled[10:110, LOW[1], 1:60].all()


@pytest.mark.parametrize("defect", HOLES)
@pytest.mark.parametrize("seed", range(4))
def test_a_turned_hole_goes_through_the_part_with_its_wall_around(
    small_part: Occupied, defect: Defect, seed: int
) -> None:
    """Seen along the hole, the border is as far as it should be; pixels of a turned lattice are coarse."""
    hole = placed(small_part, defect, ROTATED, seed)
    assert np.linalg.norm(hole.direction) == pytest.approx(1)
    assert small_part[tuple(np.floor(hole.point).astype(int))]
    axis = np.array(hole.direction)
    corners = np.stack(np.meshgrid(*[(a, b) for a, b in zip([4, 10, 1], [60, 54, 44], strict=True)]), -1)
    wall = wall_in_outline(corners.reshape(-1, 3), np.array(hole.point), axis) - hole.radius
    if defect is Defect.BORDER_LARGE:
        assert wall == pytest.approx(ROTATED.border_near, abs=1.5)
        assert wall > 0
    else:
        assert wall >= ROTATED.border_far - 1
    removed = small_part & ~drill(small_part, hole)
    assert removed.sum() > np.pi * hole.radius**2 * 5


def wall_in_outline(corners: np.ndarray, point: np.ndarray, axis: np.ndarray) -> float:
    """How far the axis is from the outline of a convex part seen along it."""
    spread = corners[None] - corners[:, None]
    normals = np.cross(spread.reshape(-1, 3), axis)
    normals = normals[np.linalg.norm(normals, axis=1) > 1e-6]
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    # The support of the outline along each normal; the true edges are among them.
    return float(((corners @ normals.T).max(0) - normals @ point).min())


def test_a_cylinder_is_what_is_near_its_axis() -> None:
    hole = Hole((20.3, 30.1, 25.0), (0.6, 0.0, 0.8), 4.0)
    centres = np.stack(np.meshgrid(*[np.arange(48) + 0.5] * 3, indexing="ij"), -1) - hole.point
    axis = np.array(hole.direction)
    distance = np.linalg.norm(centres - (centres @ axis)[..., None] * axis, axis=-1)
    clear = np.abs(distance - 4) > 1e-3
    assert (within((48, 48, 48), hole) == (distance <= 4))[clear].all()


def test_drilling_leaves_the_part_itself_alone(part: Occupied) -> None:
    before = part.sum()
    assert drill(part, placed(part, Defect.MIDDLE_LARGE, TOP, 0)).sum() < before == part.sum()


@pytest.mark.parametrize("rules", [TOP, ROTATED], ids=["top", "rotated"])
def test_the_same_randomness_places_the_same_hole(small_part: Occupied, rules: HoleRules) -> None:
    for defect in (Defect.MIDDLE_SMALL, Defect.BORDER_LARGE):
        assert placed(small_part, defect, rules, 7) == placed(small_part, defect, rules, 7)
        assert placed(small_part, defect, rules, 7) != placed(small_part, defect, rules, 8)


@pytest.mark.parametrize("defect", HOLES)
def test_there_is_no_hole_where_there_is_no_room(defect: Defect) -> None:
    rod = block(64, np.array([28, 28, 1]), np.array([34, 34, 63]))
    assert place(rod, defect, TOP, np.random.default_rng(0)) is None
    assert place(np.zeros_like(rod), defect, ROTATED, np.random.default_rng(0)) is None


def test_the_border_of_a_hole_that_the_part_has_is_a_border_too(part: Occupied) -> None:
    ring = drill(part, Hole((60.0, 60.0, 30.0), UP, 12.0))
    for seed in range(10):
        hole = placed(ring, Defect.MIDDLE_LARGE, TOP, seed)
        assert np.hypot(hole.point[0] - 60, hole.point[1] - 60) >= 12 + 10 + TOP.border_far - 1


def test_a_part_that_fills_the_grid_ends_with_it() -> None:
    full = np.ones((64, 64, 64), bool)
    hole = placed(full, Defect.BORDER_LARGE, TOP, 3)
    at = np.array(hole.point[:2])
    assert np.minimum(at, 64 - at).min() - 10 == pytest.approx(3, abs=0.5)


def test_labels_are_those_of_the_source() -> None:
    assert {defect: defect.printable for defect in Defect} == {
        Defect.NONE: True,
        Defect.MIDDLE_SMALL: False,
        Defect.MIDDLE_LARGE: True,
        Defect.BORDER_LARGE: False,
    }


def test_directions_are_spread_over_the_sphere() -> None:
    random = np.random.default_rng(0)
    drawn = np.array([random_direction(random) for _ in range(2000)])
    assert np.allclose(np.linalg.norm(drawn, axis=1), 1)
    assert np.abs(drawn.mean(0)).max() < 0.05
    assert np.allclose((drawn**2).mean(0), 1 / 3, atol=0.03)


def test_rules_that_make_no_sense_say_so_all_at_once(part: Occupied) -> None:
    with pytest.raises(UsageError, match=r"top radius: found 10 and 5 .*\ntop border: found 0 and 5"):
        HoleRules(radius_small=10, radius_large=5, border_near=0, border_far=5, rotated=False)
    with pytest.raises(ValueError, match=r"Defect\.NONE"):
        place(part, Defect.NONE, TOP, np.random.default_rng(0))
