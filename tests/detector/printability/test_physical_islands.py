"""Material that begins in mid-air is found, with the air below it; what lies on something is none."""

from __future__ import annotations

import numpy as np
import pytest
from trimesh import Trimesh
from trimesh.creation import box, cone, icosphere

from detector.printability.physical import Finding, Problem, Process, examine
from tests.detector.printability.physical_parts import (
    as_mesh,
    beside,
    block,
    bridge,
    floating,
    hollow,
    joined,
    ledge,
)


def islands(part: Trimesh, **process: float) -> list[Finding]:
    found = examine(as_mesh(part), Process(**process))  # type: ignore[arg-type]
    return [one for one in found if one.problem is Problem.ISLAND]


@pytest.mark.parametrize("gap", [0.35, 0.5, 1.0, 5.0])
def test_a_body_that_floats_is_an_island(gap: float) -> None:
    (island,) = islands(floating(gap))
    assert island.severity == "needs support"
    assert island.size_mm == pytest.approx(gap, abs=0.01)
    assert island.area_mm2 == pytest.approx(100, rel=0.01)
    assert island.where_mm[2] == pytest.approx(6 + gap)
    assert set(island.faces) <= set(range(12, 24))


@pytest.mark.parametrize("gap", [0.0, 0.1, 0.2])
def test_a_gap_of_a_layer_is_closed_by_printing(gap: float) -> None:
    assert islands(floating(gap)) == []


def test_thinner_layers_keep_a_smaller_gap_open() -> None:
    assert islands(floating(0.2), layer_mm=0.1)[0].size_mm == pytest.approx(0.2, abs=0.01)


def test_a_body_in_a_cavity_is_an_island_in_it() -> None:
    (island,) = islands(beside(hollow(3.0), box((5, 5, 5))))
    assert island.size_mm == pytest.approx(4.5, abs=0.01)


def test_a_tip_that_hangs_down_is_an_island() -> None:
    arm = joined(ledge(12), block((18, 4, 9), (21, 8, 16)))
    (island,) = islands(arm)
    assert island.where_mm[2] == pytest.approx(9)
    assert island.size_mm == pytest.approx(9, abs=0.01)


def test_a_hanging_point_is_an_island_however_sharp() -> None:
    tip = cone(3, 8, sections=24)
    tip.apply_transform(np.diag([1.0, -1.0, -1.0, 1.0]))
    tip.apply_translation((25, 0, 18))
    arm = joined(block((0, -6, 0), (5, 6, 20)), block((0, -6, 16), (30, 6, 20)), tip)
    assert [round(one.where_mm[2], 2) for one in islands(arm)] == [10.0]


def test_what_stands_on_the_bed_or_hangs_between_piers_is_none() -> None:
    for part in (box((10, 10, 10)), icosphere(3, 10), bridge(20), ledge(10), hollow(3.0)):
        assert islands(part) == []


def test_a_body_within_another_one_is_none() -> None:
    assert islands(beside(block((0, 0, 0), (20, 20, 10)), block((5, 5, 4), (15, 15, 15)))) == []


def test_a_bump_below_a_layer_is_none() -> None:
    bump = joined(
        block((0, 0, 0), (10, 12, 20)), block((0, 0, 15), (14, 12, 20)), block((13, 3, 14.8), (14, 6, 16))
    )
    assert islands(bump) == []
