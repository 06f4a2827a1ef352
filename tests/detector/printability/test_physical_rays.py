"""Rays slip through no closed mesh and measure what they cross."""

from __future__ import annotations

import numpy as np
import pytest
from trimesh import Trimesh
from trimesh.creation import icosphere

from detector.printability.physical.rays import JITTER, cast, points_of
from detector.printability.physical.surface import surface_of
from features.mesh import Mesh, MeshError
from tests.detector.printability.physical_parts import as_mesh, beside, block, bridge, drilled, hollow, turned

PARTS = {
    "ball": icosphere(4, 10),
    "bridge": bridge(12),
    "drilled": drilled(block((0, 0, 0), (30, 20, 6)), [(8, 8, 4), (20, 10, 7)]),
    "hollow": hollow(2.0),
    "askew": turned(bridge(12), 2),
}


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("name", PARTS)
def test_what_all_rays_cross_is_the_volume(name: str, axis: int) -> None:
    part = PARTS[name]
    step = float(part.extents.max()) / 200
    spans = cast(surface_of(as_mesh(part)), axis, step)
    assert spans.lengths_mm.sum() * step**2 == pytest.approx(part.volume, rel=0.01)
    assert spans.lengths_mm.min() > 0


def test_rays_on_the_very_corners_of_faces_meet_each_side_once() -> None:
    part = block((0, 0, 0), (4, 4, 2)).subdivide().subdivide().subdivide()
    inner = (part.vertices[:, :2] > 0) & (part.vertices[:, :2] < 4)
    part.vertices[:, :2] -= np.where(inner, np.multiply(JITTER, 0.5), 0)
    spans = cast(surface_of(as_mesh(part)), 2, 0.5)
    assert len(np.unique(spans.ray)) == len(spans.ray) == 64
    assert spans.lengths_mm == pytest.approx(np.full(64, 2.0))


def test_points_lie_on_the_surface_where_rays_enter() -> None:
    surface = surface_of(as_mesh(PARTS["ball"]))
    for axis in range(3):
        spans = cast(surface, axis, 0.5)
        every = np.arange(len(spans.ray))
        entered = points_of(surface, spans, every, spans.enter_mm)
        assert np.linalg.norm(entered, axis=1) == pytest.approx(np.full(len(every), 10), abs=0.05)


def test_overlapping_bodies_are_one() -> None:
    part = beside(block((0, 0, 0), (10, 10, 10)), block((4, 4, 5), (6, 6, 15)))
    spans = cast(surface_of(as_mesh(part)), 2, 0.3)
    assert sorted(set(np.round(spans.lengths_mm, 6))) == [10, 15]
    assert spans.hidden[12:].sum() > 0


def test_a_mesh_with_a_hole_in_its_surface_says_nothing_where_it_is_open() -> None:
    whole = block((0, 0, 0), (10, 10, 10))
    open_top = Trimesh(whole.vertices, whole.faces[whole.face_normals[:, 2] < 0.5], process=False)
    assert len(cast(surface_of(as_mesh(open_top)), 2, 0.5).ray) == 0
    assert cast(surface_of(as_mesh(open_top)), 0, 0.5).lengths_mm == pytest.approx(np.full(400, 10.0))


@pytest.mark.parametrize("corner", [np.nan, np.inf])
def test_a_mesh_that_is_no_part_is_refused(corner: float) -> None:
    broken = as_mesh(block((0, 0, 0), (1, 1, 1)))
    vertices = broken.vertices.copy()
    vertices[3] = corner
    for mesh in (Mesh(vertices, broken.faces), Mesh(broken.vertices, broken.faces[:0])):
        with pytest.raises(MeshError, match="expected a part of finite size"):
            surface_of(mesh)
