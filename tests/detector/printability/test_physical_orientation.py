"""A part is laid so that it needs the least support, and stays as it lies where that is as good."""

from __future__ import annotations

import time

import numpy as np
import pytest
from trimesh import Trimesh
from trimesh.creation import box, cone, cylinder

from detector.printability.physical import Orientation, Process, orientations
from tests.detector.printability.physical_parts import as_mesh, block, joined, leaning, turned


def ways(part: Trimesh) -> tuple[Orientation, ...]:
    return orientations(as_mesh(part), Process())


def table() -> Trimesh:
    """A top on four legs, as it stands."""
    legs = [block((x, y, 0), (x + 5, y + 5, 30)) for x in (0, 55) for y in (0, 35)]
    return joined(block((0, 0, 27), (60, 40, 30)), *legs)


def test_a_table_is_turned_on_its_top() -> None:
    best = ways(table())[0]
    assert best.rotation @ (0, 0, 1) == pytest.approx([0, 0, -1])
    assert (best.support_area_mm2, best.bed_area_mm2) == (0, pytest.approx(60 * 40))
    assert best.text == "Lay it on the face that points to +z: no support instead of 23.0 cm2."


def test_a_part_that_prints_as_it_lies_stays_so() -> None:
    for part in (box((30, 20, 10)), block((0, 0, 0), (40, 30, 20)), leaning(30)):
        best = ways(part)[0]
        assert best.rotation == pytest.approx(np.eye(3))
        assert best.text == "Print it as it lies: no support."


def test_every_orientation_is_a_rotation_that_gives_its_height() -> None:
    part = table()
    for way in ways(part):
        assert way.rotation @ way.rotation.T == pytest.approx(np.eye(3), abs=1e-9)
        assert np.linalg.det(way.rotation) == pytest.approx(1)
        assert np.ptp((part.vertices @ way.rotation.T)[:, 2]) == pytest.approx(way.height_mm)


def test_a_part_that_was_saved_askew_is_laid_flat_again() -> None:
    best = ways(turned(block((0, 0, 0), (40, 30, 8)), 7))[0]
    assert best.height_mm == pytest.approx(8, abs=0.05)
    assert best.bed_area_mm2 == pytest.approx(1200, rel=0.01)


def test_a_part_on_feet_is_laid_on_them() -> None:
    """No face of it shares the feet's plane: only its convex hull does."""
    feet = []
    for x, y in ((4, 4), (46, 4), (4, 26), (46, 26)):
        foot = cone(3, 6, sections=16).apply_transform(np.diag([1.0, -1.0, -1.0, 1.0]))
        feet.append(foot.apply_translation((x, y, 4)))
    standing = joined(block((0, 0, 3), (50, 30, 12)), *feet)
    askew = turned(standing, 4)
    down = turned(Trimesh([[0, 0, -1]], []), 4).vertices[0]
    assert max(way.rotation @ down @ (0, 0, -1) for way in ways(askew)) > 0.999


def test_a_plate_that_stands_on_its_edge_is_laid_down() -> None:
    best = ways(block((0, 0, 0), (2, 40, 60)))[0]
    assert (best.height_mm, best.support_area_mm2) == (2, 0)
    assert "it stands on 24.0 cm2 instead of 0.8 cm2, with no support" in best.text


def test_a_finely_drawn_disc_takes_no_longer_than_its_size_warrants() -> None:
    """The exact convex hull of points on a circle takes minutes."""
    begun = time.process_time()
    assert ways(cylinder(20, 10, sections=12_000))[0].support_area_mm2 == 0
    assert time.process_time() - begun < 10
