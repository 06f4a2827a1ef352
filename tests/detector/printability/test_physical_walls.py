"""Walls are found as thin as they are, however large the part; edges, wedges and balls are none."""

from __future__ import annotations

import numpy as np
import pytest
from trimesh import Trimesh
from trimesh.creation import box, icosphere

from detector.printability.physical import Finding, Problem, Process, examine
from tests.detector.printability.physical_parts import (
    as_mesh,
    beside,
    block,
    drilled,
    hollow,
    joined,
    prism,
    shell,
    tube,
    turned,
    voxel_mm,
)

PLATES = {
    "flat": lambda t: block((0, 0, 0), (200, 150, t)),
    "upright": lambda t: block((0, 0, 0), (200, t, 150)),
    "turned": lambda t: turned(block((0, 0, 0), (200, t, 150)), 3),
}
CURVED = {"tube": tube, "coarse tube": lambda t: tube(t, 17), "ball": shell, "hollow box": hollow}


def walls(part: Trimesh, **process: float) -> list[Finding]:
    found = examine(as_mesh(part), Process(**process))  # type: ignore[arg-type]
    return [one for one in found if one.problem is Problem.THIN_WALL]


def rib(thickness: float) -> Trimesh:
    return joined(block((0, 0, 0), (60, 40, 3)), block((5, 20, 0), (55, 20 + thickness, 8)))


def web(thickness: float) -> Trimesh:
    """A hole of 6 mm so near to the edge of a block that this is left."""
    return drilled(block((0, 0, 0), (30, 30, 10)), [(3 + thickness, 15, 6)])


@pytest.mark.parametrize("thickness", [0.2, 0.4, 0.75])
@pytest.mark.parametrize("lie", PLATES)
def test_a_thin_plate_is_measured_even_where_a_voxel_is_thicker_than_it(lie: str, thickness: float) -> None:
    part = PLATES[lie](thickness)
    wall, *more = walls(part)
    assert not more
    assert wall.size_mm == pytest.approx(thickness, abs=0.01)
    assert wall.area_mm2 == pytest.approx(200 * 150, rel=0.02)
    assert voxel_mm(part) > 0.8
    assert set(wall.faces) <= set(range(12))


@pytest.mark.parametrize("thickness", [0.3, 0.6])
@pytest.mark.parametrize("shape", CURVED)
def test_a_curved_wall_is_measured(shape: str, thickness: float) -> None:
    part = CURVED[shape](thickness)
    assert walls(part)[0].size_mm == pytest.approx(thickness, abs=min(0.02, voxel_mm(part)))


@pytest.mark.parametrize("thickness", [0.3, 0.6])
@pytest.mark.parametrize("shape", [rib, web])
def test_a_thin_place_of_a_sound_part_is_measured_where_it_is(shape: object, thickness: float) -> None:
    part = shape(thickness)  # type: ignore[operator]
    (wall,) = walls(part)
    assert wall.size_mm == pytest.approx(thickness, abs=0.01)
    assert part.bounds[0] == pytest.approx(np.minimum(part.bounds[0], wall.where_mm))
    assert np.linalg.norm(part.nearest.vertex([wall.where_mm])[0]) < 30
    where = {"rib": (20 + thickness / 2, 1), "web": (thickness / 2, 0)}[shape.__name__]  # type: ignore[attr-defined]
    assert wall.where_mm[where[1]] == pytest.approx(where[0], abs=0.05)


@pytest.mark.parametrize("thickness", [0.8, 2.0])
def test_a_sound_wall_is_not_called_thin(thickness: float) -> None:
    for shape in (*PLATES.values(), *CURVED.values(), rib, web):
        assert walls(shape(thickness)) == []


def test_what_ends_thin_is_no_thin_wall() -> None:
    slope = np.tan(np.radians([10, 30]))
    for part in (
        box((20, 20, 20)),
        turned(box((20, 20, 20)), 1),
        icosphere(4, 15),
        prism([(0, 0), (30, 0), (30, 30 * slope[0])], 20),
        prism([(0, 0), (30, 0), (30, 30 * slope[1])], 20),
        prism([(0, 0), (30, 0), (30, 9.5), (29.5, 10), (0, 10)], 20),
    ):
        assert walls(part) == []


def test_walls_within_a_body_are_none() -> None:
    assert walls(beside(block((0, 0, 0), (20, 20, 10)), block((19.7, 5, 0), (30, 15, 10)))) == []


@pytest.mark.parametrize(
    ("lie", "thickness", "severity"),
    [
        ("upright", 0.3, "fails"),
        ("upright", 0.4, "risky"),
        ("upright", 0.7, "risky"),
        ("flat", 0.1, "fails"),
        ("flat", 0.3, "risky"),
    ],
)
def test_a_wall_fails_below_one_line_and_a_sheet_below_one_layer(
    lie: str, thickness: float, severity: str
) -> None:
    assert walls(PLATES[lie](thickness))[0].severity == severity


def test_a_wider_nozzle_asks_for_thicker_walls() -> None:
    (wall,) = walls(PLATES["upright"](1.0), nozzle_mm=0.6)
    assert (wall.severity, round(wall.size_mm, 2)) == ("risky", 1.0)
    assert walls(PLATES["upright"](0.5), nozzle_mm=0.6)[0].severity == "fails"
    assert walls(PLATES["upright"](0.7), nozzle_mm=0.25)[0].severity == "risky"


def test_a_thin_wall_is_told_in_words_that_a_maker_understands() -> None:
    (wall,) = walls(block((0, 0, 0), (40, 0.42, 30)))
    place = ", ".join(f"{value:.1f}" for value in wall.where_mm)
    assert wall.text == (
        f"The wall at ({place}) is 0.42 mm thick: a 0.4 mm nozzle lays one line of it; "
        "make it 0.8 mm or more."
    )


def test_a_tiny_flaw_does_not_fail_a_part() -> None:
    part = joined(block((0, 0, 0), (60, 60, 5)), block((10, 10, 0), (13, 10.2, 6.5)))
    assert {wall.severity for wall in walls(part)} <= {"risky"}
