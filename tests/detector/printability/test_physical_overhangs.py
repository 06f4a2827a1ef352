"""Surfaces over air: bridges by their span, ledges by their reach, slopes by their angle."""

from __future__ import annotations

import numpy as np
import pytest
from trimesh import Trimesh
from trimesh.creation import box, icosphere
from trimesh.transformations import rotation_matrix

from detector.printability.physical import Finding, Problem, Process, examine
from tests.detector.printability.physical_parts import (
    as_mesh,
    beside,
    block,
    bridge,
    drilled,
    hollow,
    joined,
    leaning,
    ledge,
    mushroom,
    prism,
    voxel_mm,
)


def over_air(part: Trimesh, **process: object) -> list[Finding]:
    found = examine(as_mesh(part), Process(**process))  # type: ignore[arg-type]
    return [one for one in found if one.problem in (Problem.BRIDGE, Problem.OVERHANG)]


@pytest.mark.parametrize("span", [2, 5, 10])
def test_a_short_bridge_is_printed(span: float) -> None:
    assert over_air(bridge(span)) == []


@pytest.mark.parametrize(
    ("span", "severity"), [(10.5, "risky"), (15, "risky"), (30, "risky"), (40, "needs support")]
)
@pytest.mark.parametrize("turn", [0.0, 0.6])
def test_a_long_bridge_is_told_by_its_span_whichever_way_it_runs(
    span: float, severity: str, turn: float
) -> None:
    part = bridge(span)
    part.apply_transform(rotation_matrix(turn, (0, 0, 1)))
    (found,) = over_air(part)
    assert (found.problem, found.severity) == (Problem.BRIDGE, severity)
    assert found.size_mm == pytest.approx(span, abs=min(0.05, voxel_mm(part)))
    assert found.area_mm2 == pytest.approx(span * 8, rel=0.01)
    assert found.where_mm[2] == pytest.approx(11)
    assert f"{span:.1f} mm" in found.text


def test_the_roof_of_a_cavity_is_bridged_the_shorter_way() -> None:
    room = box((30, 14, 10))
    room.invert()
    (roof,) = over_air(beside(box((36, 20, 16)), room))
    assert (roof.problem, roof.size_mm) == (Problem.BRIDGE, pytest.approx(14, abs=0.05))


@pytest.mark.parametrize("shape", [ledge, mushroom])
@pytest.mark.parametrize(
    ("reach", "severity"),
    [(1.0, None), (1.5, "risky"), (2.5, "risky"), (4.0, "needs support"), (10.0, "needs support")],
)
def test_a_ledge_is_told_by_how_far_it_reaches_and_is_no_bridge(
    shape: object, reach: float, severity: str | None
) -> None:
    part = shape(reach)  # type: ignore[operator]
    found = over_air(part)
    if severity is None:
        assert found == []
        return
    assert [(one.problem, one.severity) for one in found] == [(Problem.OVERHANG, severity)]
    assert found[0].size_mm == pytest.approx(reach, abs=min(0.05, voxel_mm(part)))


def test_a_long_shelf_along_a_wall_is_a_ledge_and_no_bridge_between_its_ends() -> None:
    part = joined(
        block((0, 0, 0), (60, 3, 20)),
        block((0, 0, 0), (3, 6, 20)),
        block((57, 0, 0), (60, 6, 20)),
        block((0, 0, 17), (60, 5, 20)),
    )
    (found,) = over_air(part)
    assert (found.problem, found.severity) == (Problem.OVERHANG, "risky")
    assert found.size_mm == pytest.approx(2.0, abs=0.05)


@pytest.mark.parametrize("angle", [20, 30, 40, 45])
def test_a_slope_up_to_45_degrees_carries_itself(angle: float) -> None:
    assert over_air(leaning(angle)) == []


@pytest.mark.parametrize(
    ("angle", "severity"), [(47, "risky"), (50, "risky"), (60, "needs support"), (70, "needs support")]
)
def test_a_flatter_slope_is_told_by_its_angle(angle: float, severity: str) -> None:
    (found,) = over_air(leaning(angle))
    assert (found.problem, found.severity) == (Problem.OVERHANG, severity)
    assert found.angle_deg == pytest.approx(angle, abs=0.1)
    assert found.size_mm == pytest.approx(10 * np.tan(np.radians(angle)), abs=0.05)
    normals = leaning(angle).face_normals[found.faces]
    assert np.degrees(np.arcsin(-normals[:, 2])) == pytest.approx(np.full(len(found.faces), angle), abs=0.1)


def test_faces_on_the_bed_hang_over_nothing() -> None:
    assert over_air(box((50, 40, 5))) == []
    assert over_air(drilled(block((0, 0, 0), (40, 30, 6)), [(10, 10, 5)])) == []


def test_a_ball_needs_support_around_the_point_it_stands_on() -> None:
    (found,) = over_air(icosphere(4, 15))
    assert (found.problem, found.severity) == (Problem.OVERHANG, "needs support")
    rim = 15 * np.sin(np.radians(44))
    assert rim - 3.5 < found.size_mm < rim


@pytest.mark.parametrize(("diameter", "spans"), [(8, None), (18, 18 * np.sin(np.radians(44)))])
def test_a_horizontal_hole_is_bridged_where_its_roof_is_flat(diameter: float, spans: float | None) -> None:
    part = drilled(block((0, 0, 0), (30, 12, 30)), [(15, 15, diameter)], "y")
    assert [one.size_mm for one in over_air(part)] == (
        [] if spans is None else [pytest.approx(spans, abs=0.5)]
    )


def test_what_lies_on_another_body_does_not_hang() -> None:
    assert over_air(beside(block((0, 0, 0), (40, 40, 10)), block((5, 5, 10), (35, 35, 20)))) == []
    assert over_air(beside(block((0, 0, 0), (40, 40, 10)), block((5, 5, 5), (35, 35, 20)))) == []


def test_a_filament_that_sags_bridges_less() -> None:
    severities = {
        material: [one.severity for one in over_air(bridge(9.0), material=material)]
        for material in ("pla", "petg", "abs", "tpu")
    }
    assert severities == {"pla": [], "petg": ["risky"], "abs": ["risky"], "tpu": ["risky"]}


def test_a_cavity_is_as_wide_as_it_is() -> None:
    (roof,) = over_air(hollow(3.0))
    assert roof.size_mm == pytest.approx(14.0, abs=0.05)


def test_a_tunnel_on_the_bed_is_a_bridge_between_its_feet() -> None:
    tunnel = prism([(10, -1), (30, -1), (30, 0), (20, 10 / np.tan(np.radians(60))), (10, 0)], 60)
    part = block((0, 0, 0), (40, 30, 15)).difference(tunnel.apply_translation((0, 45, 0)), engine="manifold")
    (found,) = over_air(part)
    assert (found.problem, found.severity) == (Problem.BRIDGE, "risky")
    assert found.size_mm == pytest.approx(20, abs=0.1)


def test_what_lies_on_another_body_in_part_hangs_over_its_edge() -> None:
    """The long block's faces meet above the edge of the one below: one half lies, the other hangs from it."""
    part = beside(block((0, 0, 0), (20, 20, 10)), block((0, 0, 10), (40, 20, 15)).subdivide())
    (found,) = over_air(part)
    assert (found.problem, found.severity) == (Problem.OVERHANG, "needs support")
    assert found.size_mm == pytest.approx(20, abs=0.1)
