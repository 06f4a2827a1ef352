"""Voxels: where a mesh is, whatever lies on their centres."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from features.mesh import Mesh, MeshError, load_mesh
from features.mesh_edges import winding
from features.voxels import NUDGE, VoxelGrid, pack, unpack, voxelize
from tests.features.meshes import ball, box, inverted, mesh_of, together

SIZE = 32
CORNERS = st.tuples(*[st.integers(0, 11)] * 3)
SIDES = st.tuples(*[st.integers(1, 8)] * 3)


def centres(grid: VoxelGrid, nudge: tuple[float, float, float] = NUDGE) -> npt.NDArray[np.float64]:
    """Every voxel's centre in the mesh's coordinates [size³, 3]."""
    voxels = np.argwhere(np.ones(grid.occupied.shape, np.bool_))
    return (voxels + 0.5 + nudge) * grid.mm_per_voxel + grid.origin_mm


def bounds(occupied: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last occupied voxel along each axis."""
    return [(int(line.min()), int(line.max())) for line in np.nonzero(occupied)]


def test_the_longest_side_fills_the_grid_and_the_part_stands_in_the_middle_of_the_floor() -> None:
    grid = voxelize(mesh_of(box(12, 30, 6, at=(100, -50, 7))), SIZE, margin=1)
    assert grid.mm_per_voxel == pytest.approx(1.0)
    assert bounds(grid.occupied) == [(10, 21), (1, 30), (1, 6)]
    assert grid.occupied.sum() == 12 * 30 * 6


def test_the_origin_is_the_corner_of_the_first_voxel_in_the_coordinates_of_the_mesh() -> None:
    grid = voxelize(mesh_of(box(12, 30, 6, at=(100, -50, 7))), SIZE, margin=1)
    assert grid.origin_mm == pytest.approx((100 + 6 - 16, -50 + 15 - 16, 7 - 1))


@pytest.mark.parametrize("margin", [0, 1, 5])
def test_a_margin_stays_empty_on_all_sides_of_the_longest_one(margin: int) -> None:
    grid = voxelize(mesh_of(box(5, 5, 20)), SIZE, margin=margin)
    assert bounds(grid.occupied)[2] == (margin, SIZE - margin - 1)


def test_a_cavity_stays_hollow() -> None:
    grid = voxelize(mesh_of(together(ball(10, 4), inverted(ball(5)))), SIZE)
    middle = SIZE // 2
    assert not grid.occupied[middle, middle, middle]
    assert grid.occupied[middle, middle, 3]


def test_bodies_that_overlap_and_bodies_within_bodies_stay_solid() -> None:
    parts = together(box(30, 10, 10), box(10, 10, 30, at=(0, 0, 0.5)), ball(2).apply_translation((5, 5, 5)))
    grid = voxelize(mesh_of(parts), SIZE)
    assert grid.occupied[:, :, 4].sum() == voxelize(mesh_of(box(30, 10, 10)), SIZE).occupied[:, :, 4].sum()


def test_a_body_within_a_cavity_is_there() -> None:
    nested = together(ball(10, 4), inverted(ball(7, 4)), ball(3))
    assert voxelize(mesh_of(nested), SIZE).occupied[SIZE // 2, SIZE // 2, SIZE // 2]


@pytest.mark.parametrize("noise", [0.0, 1e-5])
def test_faces_on_the_centres_of_a_layer_are_on_one_side_of_all_of_them(noise: float) -> None:
    """With the rounding of a float32 file as well: no speckles."""
    body = box(30, 30, 30).subdivide().subdivide()
    upper = box(9, 9, 9, at=(10.5, 10.5, 10.5)).subdivide().subdivide()
    upper.vertices += np.random.default_rng(0).uniform(-noise, noise, upper.vertices.shape)
    hollow = ~voxelize(mesh_of(together(body, inverted(upper))), SIZE).occupied[1:-1, 1:-1, 1:-1]
    (x, y, z), count = bounds(hollow), int(hollow.sum())
    assert count == (x[1] - x[0] + 1) * (y[1] - y[0] + 1) * (z[1] - z[0] + 1) == 9**3


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(CORNERS, SIDES), min_size=1, max_size=6), st.integers(0, 2**32 - 1))
def test_boxes_whose_faces_meet_centres_edges_and_each_other_are_where_they_are(
    boxes: list[tuple[tuple[int, int, int], tuple[int, int, int]]], seed: int
) -> None:
    """A unit is two voxels, and every plane lies on centres; triangles and corners in any order."""
    random = np.random.default_rng(seed)
    frame = box(15, 15, 15)
    cavities = [box(*np.minimum(sides, 14 - np.array(at)), at=np.array(at) + 0.25) for at, sides in boxes]
    turned = [Mesh(*mesh_of(inverted(cavity))) for cavity in cavities]
    faces = [np.roll(one.faces, random.integers(3), axis=1)[random.permutation(12)] for one in turned]
    starts = 8 * np.arange(1, len(turned) + 1)
    mesh = Mesh(
        np.concatenate([frame.vertices, *(one.vertices for one in turned)]),
        np.concatenate([frame.faces, *(face + start for face, start in zip(faces, starts, strict=True))]),
    )
    grid = voxelize(mesh, SIZE)
    points = centres(grid)
    expected = ((points > 0) & (points < 15)).all(1)
    for one in turned:
        expected &= ~((points > one.vertices.min(0)) & (points < one.vertices.max(0))).all(1)
    assert (grid.occupied.ravel() == expected).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(4, 60))
def test_a_convex_body_is_on_the_inner_side_of_all_its_faces(seed: int, count: int) -> None:
    hull = trimesh.convex.convex_hull(np.random.default_rng(seed).normal(size=(count, 3)) * 10)
    grid = voxelize(mesh_of(hull), SIZE)
    away = (centres(grid) @ hull.face_normals.T - (hull.face_normals * hull.triangles[:, 0]).sum(1)).max(1)
    sure = np.abs(away) > 1e-6 * grid.mm_per_voxel
    assert (grid.occupied.ravel() == (away < 0))[sure].all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_triangles_and_of_their_corners_changes_nothing(seed: int) -> None:
    random, mesh = np.random.default_rng(seed), mesh_of(ball(10, 2))
    faces = random.permutation(np.roll(mesh.faces, random.integers(3), axis=1))
    assert (voxelize(mesh, SIZE).occupied == voxelize(mesh._replace(faces=faces), SIZE).occupied).all()


def test_surfaces_that_cross_themselves_are_filled_where_they_wind_around() -> None:
    """A knot of a tube that runs through itself, against the solid angle at random centres."""
    turns = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    path = np.stack([np.sin(turns), np.sin(2 * turns), 0 * turns], 1) * 10
    across = np.stack([2 * np.cos(2 * turns), -np.cos(turns), 0 * turns], 1)
    across /= np.linalg.norm(across, axis=1)[:, None]
    circle = np.stack([np.cos(turns[::5]), np.sin(turns[::5])], 1) * 2
    points = (path[:, None] + circle[:, :1] * across[:, None] + circle[:, 1:] * (0, 0, 1)).reshape(-1, 3)
    here = np.arange(320).reshape(40, 8)
    there, beside = np.roll(here, -1, 0), np.roll(here, -1, 1)
    aslant = np.roll(there, -1, 1)
    faces = np.concatenate(
        [np.stack(f, -1).reshape(-1, 3) for f in ((here, there, beside), (there, aslant, beside))]
    )
    mesh = Mesh(points, faces)
    grid = voxelize(mesh, SIZE)
    some = np.random.default_rng(0).choice(SIZE**3, 2000, replace=False)
    wound = [winding(mesh, point) for point in centres(grid)[some]]
    assert (grid.occupied.ravel()[some] == (np.array(wound) > 0.5)).all()
    assert max(wound) > 1.5


def test_vertices_without_a_face_do_not_count() -> None:
    mesh = mesh_of(box(10, 10, 10))
    loose = mesh._replace(vertices=np.concatenate([mesh.vertices, [[1000.0, 0, 0]]]))
    assert (voxelize(loose, SIZE).occupied == voxelize(mesh, SIZE).occupied).all()


def test_a_mesh_without_triangles_or_extent_is_refused() -> None:
    for mesh in (
        Mesh(np.empty((0, 3)), np.empty((0, 3), np.int64)),
        Mesh(np.ones((3, 3)), np.array([[0, 1, 2]])),
    ):
        with pytest.raises(MeshError, match="expected a part"):
            voxelize(mesh)


def test_stacks_of_sheets_are_refused_before_they_take_minutes() -> None:
    sheets = Mesh(np.array([[0.0, 0, 0], [9, 0, 0], [0, 9, 0]]), np.tile([[0, 1, 2]], (300_000, 1)))
    with pytest.raises(MeshError, match="stacks of sheets"):
        voxelize(sheets)


@pytest.mark.parametrize("size", [8, 13, 32])
def test_packing_keeps_every_voxel_in_an_eighth_of_the_bytes(size: int) -> None:
    occupied = np.random.default_rng(0).random((size, size, size)) < 0.5
    packed = pack(occupied)
    assert packed.nbytes == -(-(size**3) // 8)
    assert (unpack(packed, size) == occupied).all()


@pytest.mark.data
def test_real_parts_are_where_a_ray_tracer_says(data_dir: Path) -> None:
    pytest.importorskip("embreex")
    paths = sorted((data_dir / "stl").glob("*/*.stl"))[::60]
    assert paths
    for path in paths:
        mesh = load_mesh(path).mesh
        grid = voxelize(mesh, 48)
        bodies = trimesh.Trimesh(*mesh, process=False).split(only_watertight=False, repair=False)
        points = centres(grid)
        inside = sum(np.sign(body.volume) * body.contains(points) for body in bodies) > 0
        assert (grid.occupied.ravel() == inside).mean() > 0.9999, path
