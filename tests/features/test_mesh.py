"""Mesh files that are good: every format gives the same part, in millimetres."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from features.mesh import SUFFIXES, MeshError, Unit, load_mesh
from tests.features.meshes import ball, box, mesh_of, stl_of, together, volume, write

FILES = {
    "binary.stl": ("stl", {}),
    "text.STL": ("stl_ascii", {}),
    "part.obj": ("obj", {"include_normals": True}),
    "part.3mf": ("3mf", {}),
    "binary.ply": ("ply", {}),
    "text.ply": ("ply", {"encoding": "ascii"}),
}


@pytest.mark.parametrize("name", FILES)
def test_every_format_gives_the_same_closed_part_without_a_word(name: str, tmp_path: Path) -> None:
    part, (kind, options) = ball(12.5), FILES[name]
    mesh, notes, watertight = load_mesh(write(tmp_path / name, part, kind, **options))
    assert (len(mesh.vertices), len(mesh.faces)) == (len(part.vertices), len(part.faces))
    assert volume(mesh) == pytest.approx(part.volume, rel=1e-5)
    assert mesh.vertices.min(0) == pytest.approx([-12.5] * 3, abs=1e-4)
    assert (mesh.vertices.dtype, mesh.faces.dtype) == (np.float64, np.int64)
    assert watertight
    assert notes == ()


def test_every_suffix_is_named_to_those_who_choose_files() -> None:
    assert {Path(name).suffix.lower() for name in FILES} == set(SUFFIXES)


def test_a_binary_stl_may_begin_like_text_and_end_with_more(tmp_path: Path) -> None:
    path = stl_of(tmp_path / "a.stl", ball(10).triangles)
    data = path.read_bytes()
    path.write_bytes(b"solid by some CAD program".ljust(80) + data[80:] + b"more")
    mesh, notes, _ = load_mesh(path)
    assert len(mesh.faces) == len(ball(10).faces)
    assert notes == ("The file holds 4 bytes after its last triangle, which were left out.",)


def test_a_binary_stl_whose_header_does_not_count_is_read_to_its_end(tmp_path: Path) -> None:
    path = stl_of(tmp_path / "a.stl", ball(10).triangles)
    data = path.read_bytes()
    path.write_bytes(data[:80] + bytes(4) + data[84:])
    mesh, notes, _ = load_mesh(path)
    assert len(mesh.faces) == len(ball(10).faces)
    assert notes == ("The header says 0 triangles; those that follow it were read.",)


def test_a_solid_may_be_named_after_a_vertex(tmp_path: Path) -> None:
    text = trimesh.exchange.stl.export_stl_ascii(ball(10)).replace("solid", "solid vertex 1 of", 1)
    (tmp_path / "a.stl").write_text(text)
    assert load_mesh(tmp_path / "a.stl").watertight


def test_vertices_that_no_face_has_do_not_count(tmp_path: Path) -> None:
    path = write(tmp_path / "a.obj", ball(10))
    path.write_text("v nan 0 0\nv 1e9 0 0\n" + path.read_text().replace("f ", "g\nf "))
    shifted = [line for line in path.read_text().splitlines() if not line.startswith("f ")]
    faces = [f"f {a + 3} {b + 3} {c + 3}" for a, b, c in ball(10).faces]
    path.write_text("\n".join([*shifted, *faces]))
    assert np.ptp(load_mesh(path).mesh.vertices, axis=0).max() == pytest.approx(20)


def test_an_ascii_stl_may_hold_several_solids_in_blocks_and_line_ends_of_any_kind(tmp_path: Path) -> None:
    """More text than is read at a time."""
    parts = [ball(10, 5), ball(3).apply_translation((30, 0, 0))]
    text = "".join(trimesh.exchange.stl.export_stl_ascii(part) for part in parts)
    assert len(text) > 2 << 20
    path = tmp_path / "a.stl"
    path.write_bytes(text.upper().replace("\n", "\r\n").encode())
    assert volume(load_mesh(path).mesh) == pytest.approx(sum(part.volume for part in parts), rel=1e-5)


def test_an_obj_may_hold_polygons_textures_groups_and_lines_that_go_on(tmp_path: Path) -> None:
    corners = box(10, 20, 30).vertices
    quads = (
        "1//1 2//1 4//1 3//1",
        "5/7/1 7/7/1 8/7/1 6/7/1",
        "1 5 6 2",
        "3 4 \\\n8 7",
        "1 3 7 5",
        "2 6 8 4",
    )
    lines = ["# a box", "mtllib none.mtl", "vn 0 0 1", "vt 0 0", "usemtl red"]
    lines += [f"v {x} {y} {z} 0.5 0.5 0.5" for x, y, z in sorted(map(tuple, corners))]
    lines += [f"g side{number}\nf  {quad} " for number, quad in enumerate(quads)]
    (tmp_path / "a.obj").write_text("\n".join(lines))
    mesh = load_mesh(tmp_path / "a.obj").mesh
    assert len(mesh.faces) == 12
    assert volume(mesh) == pytest.approx(6000)


def test_an_obj_reads_no_file_that_it_refers_to(tmp_path: Path) -> None:
    """A library that hangs whoever opens it."""
    path = write(tmp_path / "a.obj", ball(10))
    path.write_text("mtllib trap.mtl\nusemtl trap\n" + path.read_text())
    import os  # noqa: PLC0415

    os.mkfifo(tmp_path / "trap.mtl")
    assert load_mesh(path).watertight


@pytest.mark.parametrize(
    ("unit", "mm"), [("mm", 1), ("cm", 10), ("inch", 25.4), ("m", 1000), ("foot", 304.8)]
)
def test_a_unit_that_is_told_is_converted_and_noted(unit: Unit, mm: float, tmp_path: Path) -> None:
    path = write(tmp_path / "a.stl", box(1.5, 1, 1))
    mesh, notes, _ = load_mesh(path, unit=unit)
    assert np.ptp(mesh.vertices, axis=0).max() == pytest.approx(1.5 * mm)
    assert notes == (
        () if unit == "mm" else (f"The file is in {unit}: its longest side is {1.5 * mm:.4g} mm.",)
    )


def test_a_part_of_a_size_that_nobody_prints_is_asked_for_its_unit(tmp_path: Path) -> None:
    with pytest.raises(
        MeshError, match=r"0\.12 in mm, .*cm \(1\.2 mm\) or m \(120 mm\) or inch \(3\.048 mm\)"
    ):
        load_mesh(write(tmp_path / "metres.stl", box(0.12, 0.1, 0.1)))
    with pytest.raises(MeshError, match=r"1e\+05 in mm, .*micron \(100 mm\), say which"):
        load_mesh(write(tmp_path / "microns.stl", box(100_000, 10, 10)))
    with pytest.raises(MeshError, match="scale the mesh"):
        load_mesh(write(tmp_path / "none.stl", box(1e12, 1e12, 1e12)))


def test_a_unit_that_is_told_is_believed_within_reason(tmp_path: Path) -> None:
    small = write(tmp_path / "a.stl", box(0.12, 0.1, 0.1))
    assert np.ptp(load_mesh(small, unit="mm").mesh.vertices, axis=0).max() == pytest.approx(0.12)
    with pytest.raises(MeshError, match="scale the mesh"):
        load_mesh(write(tmp_path / "b.stl", box(1e9, 1, 1)), unit="m")


def test_vertices_come_in_the_order_of_the_file(tmp_path: Path) -> None:
    """What lies together in the file is together in memory."""
    triangles = ball(10).triangles
    mesh = load_mesh(stl_of(tmp_path / "a.stl", triangles)).mesh
    assert mesh.vertices[mesh.faces] == pytest.approx(triangles, abs=1e-5)
    assert (np.sort(mesh.faces[: len(mesh.faces) // 2].max(1))[-1]) < len(mesh.vertices)


def test_bodies_of_one_file_are_read_as_they_lie(tmp_path: Path) -> None:
    parts = together(ball(5), box(10, 10, 10, at=(20, 0, 0)))
    assert volume(load_mesh(write(tmp_path / "a.stl", parts)).mesh) == pytest.approx(parts.volume, rel=1e-5)
    assert mesh_of(parts).faces.dtype == np.int64


@pytest.mark.data
def test_real_parts_need_no_repair(data_dir: Path) -> None:
    paths = sorted((data_dir / "stl").glob("*/*.stl"))[::25]
    assert paths
    assert all(load_mesh(path)[1:] == ((), True) for path in paths)
