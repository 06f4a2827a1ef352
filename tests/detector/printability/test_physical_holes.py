"""Holes are found wherever they lead and measured as they were drawn."""

from __future__ import annotations

import numpy as np
import pytest
from trimesh import Trimesh
from trimesh.creation import annulus, box, cylinder

from detector.printability.physical import Finding, Problem, Process, examine
from detector.printability.physical.holes import holes
from detector.printability.physical.surface import surface_of
from tests.detector.printability.physical_parts import as_mesh, block, drilled, hollow, joined, prism, turned

BLOCKS = {
    "z": block((-30, -20, 0), (30, 20, 4)),
    "y": block((-30, 0, -20), (30, 12, 20)),
    "x": block((0, -20, -20), (10, 20, 20)),
}
PLACES = ((3.3, -4.1), (-12.0, 9.7), (14.2, 13.0))


def small(part: Trimesh, **process: float) -> list[Finding]:
    found = examine(as_mesh(part), Process(**process))  # type: ignore[arg-type]
    return [one for one in found if one.problem is Problem.SMALL_HOLE]


def diameters(part: Trimesh) -> list[float]:
    return sorted(hole.diameter_mm for hole in holes(surface_of(as_mesh(part))))


@pytest.mark.parametrize("axis", BLOCKS)
@pytest.mark.parametrize("diameter", [0.5, 1.0, 1.9, 3.0, 5.0])
def test_every_hole_through_a_plate_is_measured(axis: str, diameter: float) -> None:
    part = drilled(BLOCKS[axis], [(*place, diameter) for place in PLACES], axis)
    assert diameters(part) == pytest.approx([diameter] * 3, abs=0.01)
    assert len(small(part)) == (3 if diameter < 2 else 0)


@pytest.mark.parametrize("axis", BLOCKS)
def test_a_small_hole_is_told_where_it_is(axis: str) -> None:
    (hole,) = small(drilled(BLOCKS[axis], [(3.3, -4.1, 1.0), (-12, 9.7, 4.0)], axis))
    across = {"z": (0, 1), "y": (0, 2), "x": (1, 2)}[axis]
    assert [hole.where_mm[one] for one in across] == pytest.approx([3.3, -4.1], abs=0.01)
    assert ("vertical" if axis == "z" else "horizontal") in hole.text
    assert hole.area_mm2 == pytest.approx(np.pi * 1.0 * {"z": 4, "y": 12, "x": 10}[axis], rel=0.02)


@pytest.mark.parametrize("sections", [5, 6, 8, 13, 128])
def test_a_hole_has_its_size_in_however_many_facets_it_is_drawn(sections: int) -> None:
    part = drilled(BLOCKS["z"], [(3.3, -4.1, 1.5)], sections=sections)
    assert diameters(part) == pytest.approx([1.5], abs=0.01)


def test_a_hole_is_measured_in_any_direction() -> None:
    part = drilled(BLOCKS["z"], [(*PLACES[0], 1.2), (*PLACES[1], 3.0)])
    assert diameters(turned(part, 5)) == pytest.approx([1.2, 3.0], abs=0.01)


def test_a_slot_is_as_wide_as_what_fits_through() -> None:
    turn = np.linspace(-np.pi / 2, np.pi / 2, 17)
    ends = [(side * (3 + 0.6 * np.cos(a)), side * 0.6 * np.sin(a)) for side in (1, -1) for a in turn]
    slot = box((40, 20, 30)).difference(prism(ends, 40).apply_translation((0, 20, 0)), engine="manifold")
    assert diameters(slot) == pytest.approx([1.2], abs=0.01)


@pytest.mark.parametrize(
    ("diameter", "severity"), [(0.4, "fails"), (0.5, "fails"), (0.8, "risky"), (1.9, "risky")]
)
def test_a_hole_that_the_lines_around_it_fill_is_gone(diameter: float, severity: str) -> None:
    (hole,) = small(drilled(BLOCKS["z"], [(*PLACES[0], diameter)]))
    assert hole.severity == severity
    assert ("closes" in hole.text) == (severity == "fails")


def test_a_wider_nozzle_closes_wider_holes() -> None:
    part = drilled(BLOCKS["z"], [(*PLACES[0], 1.0)])
    assert [small(part, nozzle_mm=nozzle)[0].severity for nozzle in (0.4, 0.8)] == ["risky", "fails"]


def test_a_bore_of_a_tube_and_a_blind_hole_are_holes() -> None:
    assert diameters(annulus(0.8, 4, 20)) == pytest.approx([1.6], abs=0.01)
    bit = cylinder(0.6, 6, sections=32)
    bit.apply_translation((2, 3, 4))
    assert diameters(box((20, 20, 8)).difference(bit, engine="manifold")) == pytest.approx([1.2], abs=0.01)


def test_pins_corners_cavities_and_grooves_are_no_holes() -> None:
    pin, smooth_pin = (cylinder(0.5, 12, sections=sections) for sections in (32, 1000))
    groove = cylinder(0.6, 60, sections=32)
    groove.apply_transform([[0, 0, 1, 0], [0, 1, 0, 0], [-1, 0, 0, 4], [0, 0, 0, 1]])
    for part in (
        joined(box((20, 20, 8)), pin),
        joined(box((20, 20, 8)), smooth_pin),
        hollow(9.3),
        box((20, 20, 8)).difference(groove, engine="manifold"),
    ):
        assert diameters(part) == []
