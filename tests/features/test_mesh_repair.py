"""Meshes with mistakes: made whole where it is sure, and told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from features.mesh import Mesh, MeshError, load_mesh
from features.mesh_edges import bodies, open_edges, unique_rows, volumes, winding
from features.mesh_records import Soup
from features.mesh_repair import repaired
from tests.features.meshes import ball, box, inverted, mesh_of, stl_of, together, volume, write


def loaded(path: Path, triangles: np.ndarray) -> tuple[Mesh, tuple[str, ...]]:
    mesh, notes, watertight = load_mesh(stl_of(path / "a.stl", triangles))
    assert watertight
    return mesh, notes


def test_triangles_that_stand_twice_are_left_out(tmp_path: Path) -> None:
    triangles = ball(10).triangles
    mesh, notes = loaded(tmp_path, np.concatenate([triangles, np.roll(triangles[:7], 1, axis=1)]))
    assert len(mesh.faces) == len(triangles)
    assert notes == ("Left out 7 triangles that stood twice.",)


def test_two_sheets_that_face_each_other_in_an_open_mesh_go_both(tmp_path: Path) -> None:
    triangles = ball(10).triangles
    sheets = np.stack([triangles[5] * 0.5, triangles[5][::-1] * 0.5, triangles[5] * 0.5])
    mesh, notes = loaded(tmp_path, np.concatenate([triangles, sheets[:2], triangles[:1]]))
    assert len(mesh.faces) == len(triangles)
    assert notes == ("Left out 3 triangles that stood twice.",)


def test_triangles_without_area_are_left_out(tmp_path: Path) -> None:
    triangles = ball(10).triangles
    flat = triangles[:3].copy()
    flat[:, 1] = flat[:, 0]
    mesh, notes = loaded(tmp_path, np.concatenate([flat, triangles]))
    assert len(mesh.faces) == len(triangles)
    assert notes == ("Left out 3 triangles without area.",)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.99))
def test_triangles_that_face_the_other_way_are_turned_whatever_their_number(seed: int, share: float) -> None:
    parts = mesh_of(together(ball(10, 2), box(5, 5, 5, at=(20, 0, 0))))
    over = np.random.default_rng(seed).random(len(parts.faces)) < share
    faces = np.where(over[:, None], parts.faces[:, ::-1], parts.faces)
    made = repaired(Soup(parts.vertices, faces))
    assert not len(made.open_edges)
    assert volume(made.mesh) == pytest.approx(volume(parts))


def test_a_mesh_that_is_inside_out_is_turned(tmp_path: Path) -> None:
    mesh, notes = loaded(tmp_path, ball(10).triangles[:, ::-1])
    assert volume(mesh) == pytest.approx(ball(10).volume, rel=1e-5)
    assert notes == ("The mesh was inside out and was turned.",)


def test_a_body_that_is_inside_out_beside_others_is_turned_and_a_cavity_stays(tmp_path: Path) -> None:
    """The cavity's walls are those of a ball inside; the lone ball stands in the corner of an L."""
    corner = together(box(100, 10, 10), box(10, 100, 10, at=(0, 10.5, 0)))
    lone, cavity = ball(5).apply_translation((60, 60, 5)), ball(3).apply_translation((5, 50, 5))
    parts = together(corner, inverted(lone), inverted(cavity))
    mesh, notes = loaded(tmp_path, parts.triangles)
    assert volume(mesh) == pytest.approx(corner.volume + lone.volume - cavity.volume, rel=1e-5)
    assert notes == (f"Turned over {len(lone.faces):,} triangles of bodies that were inside out.",)


def test_cracks_of_rounding_are_closed(tmp_path: Path) -> None:
    triangles = ball(50).triangles
    cracked = triangles + np.random.default_rng(0).uniform(-1e-4, 1e-4, triangles.shape)
    mesh, notes = loaded(tmp_path, cracked)
    assert len(mesh.vertices) == len(ball(50).vertices)
    assert notes == ("Closed cracks of up to 1e-05 of the part's longest side.",)


def test_small_holes_are_filled_and_large_ones_refused(tmp_path: Path) -> None:
    triangles = ball(10).triangles
    mesh, notes = loaded(tmp_path, np.delete(triangles, [3, 70, 200], axis=0))
    assert volume(mesh) == pytest.approx(ball(10).volume, rel=1e-4)
    assert notes == ("Filled holes with 3 triangles.",)
    open_top = stl_of(tmp_path / "open.stl", triangles[triangles[:, :, 2].min(1) < 5])
    with pytest.raises(MeshError, match=r"open\.stl: found \d+ open edges in .* triangles after repair"):
        load_mesh(open_top)


def test_an_open_surface_is_given_with_a_note_to_those_who_ask_for_it(tmp_path: Path) -> None:
    triangles = ball(10).triangles
    path = stl_of(tmp_path / "a.stl", triangles[triangles[:, :, 2].min(1) < 5])
    mesh, notes, watertight = load_mesh(path, closed=False)
    assert not watertight
    assert len(mesh.faces)
    assert notes[-1].startswith("The surface stays open: found ")


def test_what_encloses_nothing_is_refused(tmp_path: Path) -> None:
    triangle = np.array([[[0, 0, 0], [10, 0, 0], [0, 10, 0]]])
    with pytest.raises(MeshError, match="encloses no volume"):
        load_mesh(stl_of(tmp_path / "a.stl", np.concatenate([triangle, triangle[:, ::-1]])))
    with pytest.raises(MeshError, match="no triangle with an area"):
        load_mesh(stl_of(tmp_path / "b.stl", triangle[:, [0, 1, 1]]))


def test_a_speck_beside_a_line_is_open_and_not_mended_away(tmp_path: Path) -> None:
    """Closing cracks as wide as the line is long would leave nothing."""
    speck = np.array([[[0, 0, 0], [1e-4, 0, 0], [0, 1e-4, 0]], [[0, 0, 0], [90, 0, 0], [90, 0, 0]]])
    with pytest.raises(MeshError, match="found 3 open edges in 1 triangles"):
        load_mesh(stl_of(tmp_path / "a.stl", speck))


def test_bodies_that_touch_along_an_edge_are_closed(tmp_path: Path) -> None:
    mesh, notes = loaded(tmp_path, together(box(10, 10, 10), box(10, 10, 10, at=(10, 10, 0))).triangles)
    assert volume(mesh) == pytest.approx(2000)
    assert notes == ()


def test_a_strip_without_an_outside_is_open_and_ends(tmp_path: Path) -> None:
    """A Möbius strip: it cannot be turned one way."""
    turns = np.linspace(0, 2 * np.pi, 31)[:-1]
    rim = np.stack([np.cos(turns), np.sin(turns), 0 * turns], 1)
    across = np.cos(turns / 2)[:, None] * rim + np.sin(turns / 2)[:, None] * [0, 0, 1]
    one, other = 20 * rim + 5 * across, 20 * rim - 5 * across
    after_one, after_other = np.concatenate([one[1:], other[:1]]), np.concatenate([other[1:], one[:1]])
    strip = np.concatenate(
        [np.stack([one, other, after_one], 1), np.stack([other, after_other, after_one], 1)]
    )
    assert not load_mesh(stl_of(tmp_path / "a.stl", strip), closed=False).watertight


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from([0.0, -0.0, 1.0, 1e-300, -2.5])] * 3), min_size=1, max_size=40))
def test_equal_rows_are_one_and_others_are_not(rows: list[tuple[float, float, float]]) -> None:
    values = np.array(rows)
    first, which = unique_rows(values)
    assert (values[first][which] == values).all()
    assert len(first) == len(np.unique(values + 0.0, axis=0))
    assert (np.diff(first) > 0).all()


def test_the_solid_angle_tells_how_often_a_surface_winds_around_a_point() -> None:
    mesh = mesh_of(together(ball(10), ball(5), inverted(ball(2))))
    wound = [round(winding(mesh, np.array([x, 0.1, 0.2])), 6) for x in (0.0, 3.0, 7.0, 20.0)]
    assert wound == [1, 2, 1, 0]


def test_bodies_are_told_apart_and_their_volumes_add_up() -> None:
    parts = together(ball(10), box(5, 5, 5, at=(20, 0, 0)))
    mesh = mesh_of(parts)
    each = np.bincount(bodies(mesh.faces), volumes(mesh))
    assert each == pytest.approx([ball(10).volume, 125])
    assert not len(open_edges(mesh.faces))
    assert len(open_edges(mesh.faces[1:])) == 3


def test_repairs_that_trimesh_makes_are_still_offered() -> None:
    """Filling is trimesh's: of a square hole as well."""
    part = box(10, 10, 10)
    top = part.face_normals[:, 2] < 0.5
    made = repaired(Soup(np.asarray(part.vertices), np.asarray(part.faces)[top]))
    assert not len(made.open_edges)
    assert trimesh.Trimesh(*made.mesh, process=False).volume == pytest.approx(1000)


def test_a_file_of_a_real_exporter_with_all_mistakes_at_once(tmp_path: Path) -> None:
    triangles = ball(40).triangles.copy()
    triangles[::5] = triangles[::5, ::-1]
    flat = triangles[:2].copy()
    flat[:, 2] = flat[:, 0]
    mesh, notes = loaded(tmp_path, np.concatenate([triangles[1:], triangles[9:11], flat]))
    assert volume(mesh) == pytest.approx(ball(40).volume, rel=1e-4)
    assert len(notes) == 4
    assert write(tmp_path / "b.stl", trimesh.Trimesh(*mesh)).exists()
