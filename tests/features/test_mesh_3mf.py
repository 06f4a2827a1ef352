"""3MF files: what they build, where, and what they try."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from features.mesh import Mesh, MeshError, load_mesh
from tests.features.meshes import TETRA, TETRA_VOLUME, box, inverted, mesh_of, model, volume, write_3mf

ONE = f'<object id="1">{TETRA}</object>'
BUILT = '<item objectid="1"/>'


def test_an_object_that_is_built_is_the_part(tmp_path: Path) -> None:
    mesh, notes, watertight = load_mesh(write_3mf(tmp_path / "a.3mf", model(ONE, BUILT)))
    assert volume(mesh) == pytest.approx(TETRA_VOLUME)
    assert (notes, watertight) == ((), True)


def test_the_unit_of_the_file_counts_and_one_that_is_told_goes_before(tmp_path: Path) -> None:
    path = write_3mf(tmp_path / "a.3mf", model(ONE, BUILT, "inch"))
    mesh, notes, _ = load_mesh(path)
    assert np.ptp(mesh.vertices, axis=0) == pytest.approx([254] * 3)
    assert notes == ("The file is in inch: its longest side is 254 mm.",)
    mesh, notes, _ = load_mesh(path, unit="mm")
    assert np.ptp(mesh.vertices, axis=0) == pytest.approx([10] * 3)
    assert notes == ("The file says inch; it was taken to be in mm, as asked.",)


def test_a_unit_that_makes_no_sense_is_said_to_be_the_file_s(tmp_path: Path) -> None:
    with pytest.raises(
        MeshError, match=r"10 in foot, as the file says, .* the unit may be mm \(10 mm\) or cm"
    ):
        load_mesh(write_3mf(tmp_path / "a.3mf", model(ONE, BUILT, "foot")))
    with pytest.raises(MeshError, match="found the unit 'parsec'"):
        load_mesh(write_3mf(tmp_path / "a.3mf", model(ONE, BUILT, "parsec")))


def test_items_and_components_are_placed_one_move_after_the_other(tmp_path: Path) -> None:
    """A turn by 90 degrees about z within, a shift without."""
    inner = '<component objectid="1" transform="0 1 0 -1 0 0 0 0 1 5 0 0"/>'
    resources = f'{ONE}<object id="2"><components>{inner}</components></object>'
    build = '<item objectid="2" transform="1 0 0 0 1 0 0 0 1 100 0 0"/>'
    mesh = load_mesh(write_3mf(tmp_path / "a.3mf", model(resources, build))).mesh
    assert mesh.vertices.min(0) == pytest.approx([95, 0, 0])
    assert mesh.vertices.max(0) == pytest.approx([105, 10, 10])


def test_a_mirrored_object_is_right_side_out(tmp_path: Path) -> None:
    build = f'{BUILT}<item objectid="1" transform="-1 0 0 0 1 0 0 0 1 -5 0 0"/>'
    mesh, notes, _ = load_mesh(write_3mf(tmp_path / "a.3mf", model(ONE, build)))
    assert volume(mesh) == pytest.approx(2 * TETRA_VOLUME)
    assert notes == ("The file places 2 bodies, read as one part.",)


def test_what_is_not_built_and_what_only_supports_is_left_out(tmp_path: Path) -> None:
    resources = f'{ONE}<object id="2" type="support">{TETRA}</object><object id="3">{TETRA}</object>'
    build = f'{BUILT}<item objectid="2"/>'
    assert len(load_mesh(write_3mf(tmp_path / "a.3mf", model(resources, build))).mesh.faces) == 4


def test_objects_of_one_part_in_another_file_are_each_their_own(tmp_path: Path) -> None:
    """As slicers write them: two components, one file, two objects in it."""
    smaller = TETRA.replace('"10"', '"5"')
    other = model(f'<object id="1">{TETRA}</object><object id="2">{smaller}</object>', "")
    components = "".join(
        f'<component p:path="/3D/Objects/other.model" objectid="{name}" '
        f'transform="1 0 0 0 1 0 0 0 1 {at} 0 0"/>'
        for name, at in ((1, 0), (2, 50))
    )
    main = model(f'<object id="8"><components>{components}</components></object>', '<item objectid="8"/>')
    mesh = load_mesh(write_3mf(tmp_path / "a.3mf", main, other=other)).mesh
    assert volume(mesh) == pytest.approx(TETRA_VOLUME * 9 / 8)


def test_the_main_part_may_have_another_name_where_it_is_the_only_one(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.3mf", "w") as archive:
        archive.writestr("3D/part.model", model(ONE, BUILT))
    assert load_mesh(tmp_path / "a.3mf").watertight


@pytest.mark.parametrize(
    ("main", "said"),
    [
        (model(ONE, ""), "found nothing that is built"),
        (model("", BUILT), "found no object '1'"),
        (
            model('<object id="1"><components><component objectid="1"/></components></object>', BUILT),
            "32 deep",
        ),
        (model(ONE.replace('v1="0"', 'v1="9"'), BUILT), "vertices are not in the file"),
        (model(ONE.replace('v1="0"', 'v1="-1"'), BUILT), "vertices are not in the file"),
        (model(ONE.replace('x="10"', 'x="nan"'), BUILT), "found 1 vertices that are no numbers"),
        (model(ONE.replace('x="10"', 'x="ten"'), BUILT), "damaged file"),
        (model(ONE.replace('v1="0"', 'v1="99999999999999999999"'), BUILT), "damaged file"),
        (model(ONE.replace('x="10"', ""), BUILT), "damaged file"),
        (model(ONE, '<item objectid="1" transform="1 0 0"/>'), "damaged file"),
        (model(ONE, BUILT)[:300], "found damaged XML"),
        ("no XML at all", "found damaged XML"),
    ],
)
def test_a_file_with_a_mistake_is_refused_in_words(main: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(MeshError, match=said):
        load_mesh(write_3mf(tmp_path / "a.3mf", main))


def test_a_part_that_is_referred_to_and_not_there_is_named(tmp_path: Path) -> None:
    build = '<item objectid="1" p:path="/3D/Objects/../../../etc/passwd.model"/>'
    with pytest.raises(MeshError, match=r"found no etc/passwd\.model in the archive"):
        load_mesh(write_3mf(tmp_path / "a.3mf", model(ONE, build)))


@pytest.mark.parametrize(
    "entities",
    [
        '<!ENTITY a "1">',
        '<!ENTITY a SYSTEM "file:///etc/hostname">',
        "".join(f'<!ENTITY a{n} "&a{n + 1};&a{n + 1};">' for n in range(60)) + '<!ENTITY a60 "1">',
        '<!ENTITY % a SYSTEM "http://127.0.0.1:1/">%a;',
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_document_types_are_refused_before_entities_are_looked_at(
    entities: str, encoding: str, tmp_path: Path
) -> None:
    text = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE model [{entities}]>'
    main = (text + model(ONE.replace('x="10"', 'x="&a;&a0;"'), BUILT)).encode(encoding)
    with pytest.raises(MeshError, match="document type"):
        load_mesh(write_3mf(tmp_path / "a.3mf", main))


def test_an_archive_that_unpacks_to_far_more_is_refused_unread(tmp_path: Path) -> None:
    bomb = write_3mf(tmp_path / "a.3mf", b" " * (50 << 20) + model(ONE, BUILT).encode())
    with pytest.raises(MeshError, match=r"unpacks to \d+ times its size, expected at most 200 times"):
        load_mesh(bomb)


def test_an_archive_whose_directory_understates_its_parts_is_not_read_beyond_it(tmp_path: Path) -> None:
    path = write_3mf(tmp_path / "a.3mf", b" " * (50 << 20) + model(ONE, BUILT).encode())
    data = bytearray(path.read_bytes())
    for header, offset in ((b"PK\1\2", 24), (b"PK\3\4", 22)):
        size = data.index(header) + offset
        data[size : size + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(MeshError, match=r"found no whole zip archive|damaged XML"):
        load_mesh(path)


def test_what_lies_beside_the_model_is_never_unpacked(tmp_path: Path) -> None:
    path = write_3mf(tmp_path / "a.3mf", model(ONE, BUILT))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Metadata/plate.png", b"\0" * (50 << 20))
    assert load_mesh(path).watertight


def test_objects_that_multiply_are_refused_before_they_are_unfolded(tmp_path: Path) -> None:
    """Ten of ten of ten …: 10^18 tetrahedra in a few kilobytes."""

    def ten_of(name: int) -> str:
        return f'<component objectid="{name}"/>' * 10

    nested = "".join(
        f'<object id="{name}"><components>{ten_of(name - 1)}</components></object>' for name in range(2, 20)
    )
    with pytest.raises(MeshError, match="more than 10,000 of them"):
        load_mesh(write_3mf(tmp_path / "a.3mf", model(ONE + nested, '<item objectid="19"/>')))


def test_elements_within_elements_without_end_are_refused_in_time(tmp_path: Path) -> None:
    deep = "".join(f"<a{number % 7919}>" for number in range(60_000))
    with pytest.raises(MeshError, match=r"damaged XML|times its size"):
        load_mesh(write_3mf(tmp_path / "a.3mf", deep))


def test_a_cavity_stays_a_cavity(tmp_path: Path) -> None:
    def object_of(name: int, mesh: Mesh) -> str:
        vertices = "".join('<vertex x="{}" y="{}" z="{}"/>'.format(*point) for point in mesh.vertices)
        faces = "".join('<triangle v1="{}" v2="{}" v3="{}"/>'.format(*face) for face in mesh.faces)
        inside = f"<vertices>{vertices}</vertices><triangles>{faces}</triangles>"
        return f'<object id="{name}"><mesh>{inside}</mesh></object>'

    hollow = mesh_of(inverted(box(2, 2, 2, at=(4, 4, 4))))
    resources = object_of(1, mesh_of(box(10, 10, 10))) + object_of(2, hollow)
    path = write_3mf(tmp_path / "a.3mf", model(resources, '<item objectid="1"/><item objectid="2"/>'))
    assert volume(load_mesh(path).mesh) == pytest.approx(1000 - 8)
