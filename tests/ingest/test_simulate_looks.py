"""The looks of simulated farms: split by split, whole, and with the part in the picture."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from ingest.simulate.look import Kinematics, Look, Shading
from ingest.simulate.looks.bed import bed_gloss, bed_texture
from ingest.simulate.looks.cameras import LEAST_K2_PER_K1
from ingest.simulate.looks.families import FAMILIES
from ingest.simulate.looks.palettes import CLEAR, HUES, draw_filament
from ingest.simulate.looks.placing import is_inside, part_extent, project
from ingest.simulate.looks.printers import FARMS
from ingest.simulate.looks.rays import cast, focal_px
from ingest.simulate.looks.room import room_of
from ingest.simulate.looks.sample import sample_look
from ingest.simulate.looks.shapes import Shape, X, Y, Z, box, circle, flat, prism, rod, slab, tube
from ingest.simulate.looks.solids import solids_of
from ingest.simulate.looks.styles import Head
from ingest.simulate.looks.visitors import draw_visitor
from ingest.simulate.mesh import Carrier
from ingest.simulate.moment import Passing, Visitor
from ingest.simulate.splits import Split
from ingest.simulate.toolpath import Toolpath, square_rings

MOST_TRIANGLES = 1_900
SPLITS = list(Split)


@pytest.fixture(scope="module")
def path() -> Toolpath:
    return square_rings(80)


@pytest.fixture(scope="module")
def looks(path: Toolpath) -> dict[Split, list[Look]]:
    return {split: [_look(path, split, seed) for seed in range(70)] for split in SPLITS}


def _look(path: Toolpath, split: Split, seed: int) -> Look:
    return sample_look(np.random.default_rng([seed, SPLITS.index(split)]), split, path)


def test_the_same_seed_gives_the_same_look_and_the_same_things(path: Toolpath) -> None:
    for split in SPLITS:
        one, two = _look(path, split, 3), _look(path, split, 3)
        assert one == two
        for first, second in zip(solids_of(one), solids_of(two), strict=True):
            assert first.vertices.tobytes() == second.vertices.tobytes()
            assert first.colours.tobytes() == second.colours.tobytes()
        assert bed_texture(one).tobytes() == bed_texture(two).tobytes()
        assert room_of(one).tobytes() == room_of(two).tobytes()
        assert bed_gloss(one) == bed_gloss(two)


def test_no_style_of_a_head_bed_or_room_is_in_two_splits() -> None:
    def styles(split: Split) -> set[tuple[str, int]]:
        farm = FARMS[split]
        heads = {("head", int(head)) for every in farm.heads.values() for head in every}
        rooms = {("room", int(room)) for room in (*farm.rooms, *farm.chambers)}
        return heads | rooms | {("bed", int(bed)) for bed in farm.beds}

    assert not styles(Split.TRAIN) & styles(Split.VAL)
    assert not styles(Split.TRAIN) & styles(Split.TEST)
    assert not styles(Split.VAL) & styles(Split.TEST)


def test_palettes_share_black_white_and_grey_but_no_hue() -> None:
    coloured = [set(HUES[split]) | set(CLEAR[split]) for split in SPLITS]
    assert sum(len(codes) for codes in coloured) == len(set.union(*coloured))
    for split in SPLITS:
        rng = np.random.default_rng(0)
        drawn = [draw_filament(rng, split) for _ in range(300)]
        brightness = np.array([sum(filament.colour) / 3 for filament in drawn])
        assert brightness.min() < 0.04
        assert brightness.max() > 0.6
        assert any(filament.clear > 0.0 for filament in drawn)


def test_only_the_test_split_has_other_shading_and_fisheyes(looks: dict[Split, list[Look]]) -> None:
    shadings = {split: {look.lamp.shading for look in looks[split]} for split in SPLITS}
    assert shadings[Split.TRAIN] == shadings[Split.VAL] == {Shading.PLAIN}
    assert {Shading.SOFT, Shading.HARSH} <= shadings[Split.TEST]
    assert min(look.lens.k1 for look in looks[Split.TEST]) < -0.24
    assert min(look.lens.k1 for split in (Split.TRAIN, Split.VAL) for look in looks[split]) > -0.23


def test_sampled_looks_have_the_styles_of_their_split(looks: dict[Split, list[Look]]) -> None:
    for split, drawn in looks.items():
        farm = FARMS[split]
        assert {look.bed_style for look in drawn} == {int(bed) for bed in farm.beds}
        heads = {int(head) for every in farm.heads.values() for head in every}
        assert {look.printer.head_style for look in drawn} == heads
        assert {look.printer.kinematics for look in drawn} == set(farm.kinematics)


def test_the_part_is_in_the_picture(path: Toolpath, looks: dict[Split, list[Look]]) -> None:
    drawn = [look for every in looks.values() for look in every]
    seen = [
        is_inside(project(look.lens, look.sensor, np.array([extent.middle]))[0], look.sensor)
        for look in drawn
        if (extent := part_extent(path, look.printer.kinematics))
    ]
    assert len(seen) >= 200
    assert np.mean(seen) >= 0.95


def test_the_part_is_large_enough_to_be_seen_in_most_pictures(
    path: Toolpath, looks: dict[Split, list[Look]]
) -> None:
    widths = []
    for look in (look for every in looks.values() for look in every):
        extent = part_extent(path, look.printer.kinematics)
        away = np.linalg.norm(np.subtract(look.lens.eye_mm, extent.middle))
        widths.append(extent.width_mm / away * look.lens.focal_widths)
    assert np.median(widths) > 0.25
    assert np.mean(np.array(widths) < 0.15) < 0.2
    assert np.quantile(widths, 0.95) < 1.2


def test_each_split_has_near_cameras_of_its_own_in_the_open_and_in_chambers() -> None:
    for families in FAMILIES.values():
        near = [family for family in families.values() if family.fill[0] >= 0.4]
        assert {family.enclosed for family in near} == {True, False}
    names = [name for families in FAMILIES.values() for name in families]
    shared = {name for name in names if names.count(name) > 1}
    assert shared == {"bed_level", "chamber"}


def test_a_small_and_a_large_part_are_in_the_picture_too(path: Toolpath) -> None:
    shrunk, grown = _scaled(path, 0.15), _scaled(path, 4.0)
    for part in (shrunk, grown):
        for seed in range(30):
            look = _look(part, SPLITS[seed % 3], seed)
            middle = np.array([part_extent(part, look.printer.kinematics).middle])
            assert is_inside(project(look.lens, look.sensor, middle)[0], look.sensor)


def _scaled(path: Toolpath, factor: float) -> Toolpath:
    middle = np.array([110.0, 110.0, 0.0])
    points = middle + factor * (path.points - middle)
    return Toolpath(path.times_s, points, path.melted_mm_s, path.layer, path.feature, path.part)


def test_a_path_that_prints_nothing_has_no_look(path: Toolpath) -> None:
    dry = Toolpath(path.times_s, path.points, path.melted_mm_s * 0.0, path.layer, path.feature, path.part)
    with pytest.raises(ValueError, match="prints nothing"):
        sample_look(np.random.default_rng(1), Split.TRAIN, dry)


def test_the_distortion_never_folds_the_picture() -> None:
    radius = np.linspace(0.0, 3.0, 300)
    for families in FAMILIES.values():
        for family in families.values():
            k1 = family.k1[0]
            bent = radius * (1.0 + k1 * radius**2 + LEAST_K2_PER_K1 * k1 * k1 * radius**4)
            assert np.all(np.diff(bent) > 0.0)


def test_solids_are_finite_few_and_coloured(looks: dict[Split, list[Look]]) -> None:
    for look in (look for every in looks.values() for look in every[:25]):
        meshes = solids_of(look)
        assert sum(len(mesh.faces) for mesh in meshes) < MOST_TRIANGLES
        for mesh in meshes:
            assert np.isfinite(mesh.vertices).all()
            assert mesh.faces.min() >= 0
            assert mesh.faces.max() < len(mesh.vertices)
            assert mesh.colours.shape == (len(mesh.faces), 3)
            assert mesh.gloss.shape == (len(mesh.faces),)
            assert 0.0 <= mesh.colours.min() <= mesh.colours.max() <= 1.0
            assert (mesh.vertices.dtype, mesh.faces.dtype) == (np.float32, np.int32)


def test_nothing_of_a_head_hangs_below_the_nozzle(looks: dict[Split, list[Look]]) -> None:
    styles = set()
    for look in (look for every in looks.values() for look in every):
        head = next(mesh for mesh in solids_of(look) if mesh.carrier is Carrier.HEAD)
        assert head.vertices[:, 2].min() == 0.0
        wide = np.hypot(head.vertices[:, 0], head.vertices[:, 1]) > 4.0
        assert head.vertices[wide, 2].min() >= 1.9
        styles.add(look.printer.head_style)
    assert styles == {int(head) for head in Head}


def test_the_bed_ends_below_what_is_printed_on(looks: dict[Split, list[Look]]) -> None:
    for look in looks[Split.TEST]:
        bed = next(mesh for mesh in solids_of(look) if mesh.carrier is Carrier.BED)
        width, depth = look.printer.bed_mm
        inner = (np.abs(bed.vertices[:, 0] - width / 2) < width / 2 - 40) & (
            np.abs(bed.vertices[:, 1] - depth / 2) < depth / 2 - 40
        )
        assert not (bed.vertices[inner, 2] > 0.0).any()


def test_a_delta_has_no_gantry_of_its_own_and_the_others_do(looks: dict[Split, list[Look]]) -> None:
    for look in looks[Split.TRAIN]:
        carriers = {mesh.carrier for mesh in solids_of(look)}
        assert (Carrier.GANTRY in carriers) == (look.printer.kinematics is not Kinematics.DELTA)


@pytest.mark.parametrize(
    "shape",
    [
        box((-1, -2, -3), (4, 5, 6)),
        slab((0, 0, 0), (10, 20, 30), 2.0, X),
        slab((0, 0, 0), (10, 20, 30), 2.0, Y),
        slab((0, 0, 0), (10, 20, 30), 2.0, Z),
        prism(circle((3, 4), 5.0, 9), -1.0, 2.0, Y),
        rod((1, 2, 3), (4, -5, 6), 2.0, 7, 0.5),
        tube([(0, 0, 0), (0, 0, 10), (0, 1, 20)], 2.0),
    ],
)
def test_shapes_are_closed_and_face_outwards(shape: Shape) -> None:
    corners = shape.vertices[shape.faces].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    away = corners.mean(axis=1) - shape.vertices.mean(axis=0)
    assert (np.einsum("ij,ij->i", normals, away) > 0.0).all()
    edges = np.concatenate([shape.faces[:, [0, 1]], shape.faces[:, [1, 2]], shape.faces[:, [2, 0]]])
    assert {(a, b) for a, b in edges.tolist()} == {(b, a) for a, b in edges.tolist()}


@pytest.mark.parametrize(("axis", "towards"), [(X, -1.0), (X, 1.0), (Y, -1.0), (Y, 1.0), (Z, 1.0)])
def test_flat_things_face_where_they_are_told(axis: int, towards: float) -> None:
    shape = flat([(0, 0), (2, 0), (2, 1), (0, 1)], 5.0, axis, towards)
    first, second, third = shape.vertices[shape.faces[0]].astype(np.float64)
    normal = np.cross(second - first, third - first)
    assert normal[axis] * towards > 0.0
    assert shape.vertices[:, axis] == pytest.approx(5.0)


def test_beds_and_rooms_are_light_not_noise_of_numbers(looks: dict[Split, list[Look]]) -> None:
    for look in (look for every in looks.values() for look in every[:10]):
        bed, room = bed_texture(look), room_of(look)
        assert bed.shape == (512, 512, 3)
        assert room.shape == (int(1.3 * look.sensor.height), int(1.3 * look.sensor.width), 3)
        assert bed.dtype == room.dtype == np.float32
        assert 0.0 <= bed.min() < bed.max() <= 1.0
        assert 0.0 <= room.min() < room.max() <= 2.0
        assert bed.std() > 0.002
        assert 0.0 <= bed_gloss(look) <= 1.0


def test_the_background_shows_what_lies_in_each_pixels_direction(path: Toolpath) -> None:
    look = next(one for seed in range(90) if (one := _look(path, Split.TRAIN, seed)).lens.k1 > 0.0)
    low, high = (-900.0, -1500.0, -95.0), (1100.0, 700.0, 1200.0)
    hits = cast(look, low, high, 1.0)
    height, width = hits.side.shape
    assert (height, width) == (int(1.3 * look.sensor.height), int(1.3 * look.sensor.width))
    straight = msgspec.structs.replace(look.lens, k1=0.0, k2=0.0)
    shown = project(straight, look.sensor, hits.points[40::60, 40::60].reshape(-1, 3).astype(np.float64))
    x, y = np.meshgrid(np.arange(width)[40::60], np.arange(height)[40::60])
    pixels = np.column_stack([x.ravel(), y.ravel()]) + 0.5
    margins = (np.array([width, height]) - (look.sensor.width, look.sensor.height)) / 2
    scale = focal_px(look) / (look.lens.focal_widths * look.sensor.width)
    middle = np.array([look.sensor.width, look.sensor.height]) / 2
    assert (shown - middle) * scale + middle == pytest.approx(pixels - margins, abs=0.1)
    on_a_wall = np.minimum(hits.points - np.array(low), np.array(high) - hits.points).min(axis=-1)
    assert np.abs(on_a_wall).max() < 0.5


def test_the_background_of_a_fisheye_reaches_as_far_as_its_corners(looks: dict[Split, list[Look]]) -> None:
    look = min(looks[Split.TEST], key=lambda one: one.lens.k1)
    assert focal_px(look) < 0.95 * look.lens.focal_widths * look.sensor.width


@pytest.mark.parametrize("kind", list(Passing))
def test_a_visitor_comes_in_covers_some_of_the_picture_and_is_gone(kind: Passing, path: Toolpath) -> None:
    look = _look(path, Split.TRAIN, 1)
    covered = {}
    for phase in (0.0, 0.5, 1.0):
        picture = np.full((240, 320, 3), 0.5, np.float32)
        draw_visitor(picture, Visitor(kind, phase, seed=7), look)
        assert np.isfinite(picture).all()
        covered[phase] = float((np.abs(picture - 0.5) > 0.02).any(axis=2).mean())
    assert covered[0.0] == covered[1.0] == 0.0
    assert covered[0.5] > 0.03


def test_a_visitor_looks_the_same_for_the_same_seed_and_moves_with_its_phase(path: Toolpath) -> None:
    look = _look(path, Split.VAL, 2)

    def painted(phase: float) -> bytes:
        picture = np.full((240, 320, 3), 0.4, np.float32)
        draw_visitor(picture, Visitor(Passing.HAND, phase, seed=3), look)
        return picture.tobytes()

    assert painted(0.3) == painted(0.3)
    assert painted(0.3) != painted(0.35)
