"""What the 3D view of a part is given, and its still pictures."""

from __future__ import annotations

import base64
import json

import numpy as np
import numpy.typing as npt
import pytest

from features.mesh import Mesh
from nozzlewatch.printability.picture import FROM_ABOVE, FROM_BELOW, HEIGHT_PX, WIDTH_PX, still
from nozzlewatch.printability.view import MAX_FACES, Spot, bends, for_script, on_grid, outward, scene
from tests.nozzlewatch.checked import ABOVE, BELOW, UPSIDE_DOWN, box, table, triangles

RED = "#ff0000"


def spot(faces: tuple[int, ...], where: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Spot:
    return Spot(0, where, np.array(faces, np.int64), "here")


def numbers(text: str, kind: str) -> npt.NDArray[np.int64]:
    return np.frombuffer(base64.b64decode(text), kind).astype(np.int64)


def edges(mesh: Mesh, max_faces: int = MAX_FACES) -> int:
    return len(bends(mesh, on_grid(mesh, max_faces)))


def test_vertices_come_back_within_half_a_step() -> None:
    mesh = triangles(3000)
    small = on_grid(mesh)
    back = small.origin + small.step * small.vertices.astype(np.float64)
    assert np.abs(back[small.faces] - mesh.vertices[mesh.faces[small.sources]]).max() <= small.step / 2 + 1e-9
    assert small.step < 0.001
    assert len(small.faces) == len(mesh.faces)


def test_a_mesh_of_many_faces_gets_few_and_keeps_its_shape() -> None:
    mesh = triangles(60_000)
    small = on_grid(mesh, 5000)
    assert 500 < len(small.faces) <= 5000
    back = small.origin + small.step * small.vertices[small.faces].astype(np.float64)
    assert np.abs(np.linalg.norm(back, axis=2) - 20).max() < 1.5  # the ball's bumps are 1 mm high
    assert not (small.faces[:, 0] == small.faces[:, 1]).any()


def test_a_coarse_view_of_a_smooth_part_has_hardly_an_edge() -> None:
    assert edges(triangles(60_000), 20_000) < 600  # of 30 000


def test_where_no_grid_is_coarse_enough_the_largest_faces_stay() -> None:
    mesh = triangles(60_000)
    assert len(on_grid(mesh, 7).faces) == 7


def test_a_box_has_twelve_edges_and_its_diagonals_are_none() -> None:
    assert edges(box((10, 20, 30))) == 12


def test_edges_of_an_open_surface_are_drawn() -> None:
    mesh = box((10, 20, 30))
    sheet = Mesh(mesh.vertices, mesh.faces[:2])
    assert edges(sheet) == 4


@pytest.mark.parametrize(("faces", "up"), [(BELOW, -1), (ABOVE, 1)])
def test_a_place_is_seen_from_where_its_faces_look(faces: tuple[int, ...], up: int) -> None:
    assert outward(box((10, 10, 10)), spot(faces, (5, 5, 0))) == pytest.approx([0, 0, up])


def test_a_hole_is_seen_along_its_axis_from_its_near_side() -> None:
    mesh = box((4, 4, 30), (0, 0, 0))
    lining = spot((4, 5, 6, 7, 8, 9, 10, 11), (2, 2, 29))
    assert outward(mesh, lining) == pytest.approx([0, 0, 1])


def test_a_thin_wall_is_seen_across() -> None:
    assert np.abs(outward(box((0.4, 30, 30)), spot((8, 9, 10, 11), (0.4, 15, 15)))) == pytest.approx(
        [1, 0, 0]
    )


def test_a_place_without_faces_is_seen_from_outside() -> None:
    assert outward(box((10, 10, 10)), spot((), (5, 5, 9))) == pytest.approx([0, 0, 1])


def test_faces_of_a_finding_are_those_that_are_drawn() -> None:
    mesh = Mesh(box((5, 5, 5)).vertices, np.concatenate([[[0, 0, 1]], box((5, 5, 5)).faces]))
    told = json.loads(scene(mesh, [spot((0, 1, 2))], [RED], [UPSIDE_DOWN]))
    assert numbers(told["faces"], "<u4").reshape(-1, 3).shape == (12, 3)
    assert numbers(told["findings"][0]["faces"], "<u4").tolist() == [0, 1]
    assert told["turns"] == [np.eye(3).ravel().tolist(), UPSIDE_DOWN.ravel().tolist()]
    vertices = told["origin"] + told["step"] * numbers(told["vertices"], "<u2").reshape(-1, 3)
    assert vertices.max(0) == pytest.approx([5, 5, 5])


def test_a_large_mesh_makes_a_bounded_page() -> None:
    mesh = triangles(MAX_FACES + 60_000)
    assert len(scene(mesh, [], [RED], [])) < 6_000_000


def test_no_text_ends_a_script() -> None:
    evil = "</script><!-- <script> \u2028 ]]>"
    told = for_script({"text": evil})
    assert b"<" not in told
    assert b">" not in told
    assert json.loads(told)["text"] == evil


@pytest.mark.parametrize(("towards", "is_seen"), [(FROM_ABOVE, False), (FROM_BELOW, True)])
def test_a_still_picture_shows_a_place_on_its_own_side_alone(
    towards: tuple[float, float, float], is_seen: bool
) -> None:
    picture = still(table(), [spot((12, 13))], [RED], towards, closed=True)
    assert picture.shape == (HEIGHT_PX, WIDTH_PX, 3)
    blue, green, red = np.moveaxis(picture.astype(np.int64), 2, 0)
    share = float(((red > 80) & (green < 40) & (blue < 40)).mean())
    assert (share > 0.1) if is_seen else (share == 0)


def test_a_still_picture_has_no_gaps() -> None:
    picture = still(box((40, 40, 40)), [], [RED], closed=True).astype(np.int64)
    drawn = (picture < 245).all(2)
    rows = np.flatnonzero(drawn.any(1))
    for row in rows[5:-5]:
        first, last = np.flatnonzero(drawn[row])[[0, -1]]
        assert drawn[row, first : last + 1].all()
