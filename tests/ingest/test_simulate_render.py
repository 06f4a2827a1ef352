"""The renderer: things are where geometry says and hide each other; the webcam does what it must."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ingest.simulate.deposit import Deposit
from ingest.simulate.look import Kinematics, Lens, Sensor, Shading
from ingest.simulate.looks.rays import background_size, rays
from ingest.simulate.mesh import Carrier
from ingest.simulate.moment import Strand
from ingest.simulate.render.camera import Camera
from ingest.simulate.render.scene import Scene
from ingest.simulate.toolpath import Position
from tests.ingest.rendered import (
    FRONT,
    FULL,
    PATH,
    TALL_LAYERS,
    around,
    box,
    laid,
    look_of,
    middle_of,
    moment,
    scene,
)


def test_a_world_point_is_seen_where_a_pinhole_puts_it() -> None:
    lens = Lens(eye_mm=(0.0, -100.0, 0.0), looks_at_mm=(0.0, 0.0, 0.0), focal_widths=1.0)
    pixels, ahead = Camera(lens, (320, 240)).in_picture(np.array([[10.0, 0.0, 0.0], [0.0, 100.0, 10.0]]))
    assert np.allclose(pixels, [[160 + 32, 120], [160, 120 - 16]])
    assert np.allclose(ahead, [100, 200])


def test_a_barrel_lens_draws_points_inwards_and_the_picture_agrees() -> None:
    lens = Lens(eye_mm=FRONT.eye_mm, looks_at_mm=FRONT.looks_at_mm, k1=-0.25)
    deposit = Deposit()
    side = np.array([[200.0, 30.0, 0.3]], np.float32)
    more = np.array([[206.0, 30.0, 0.3]], np.float32)
    one = (np.array([6.0], np.float32), np.zeros(1, np.int32), np.ones(1, np.uint8), np.zeros(1, np.uint8))
    deposit.lay(side, more, *one)
    bent, straight = (Camera(own, (320, 240)).in_picture((side + more) / 2)[0][0] for own in (lens, FRONT))
    centre = np.array([160, 120])
    assert np.linalg.norm(bent - centre) < np.linalg.norm(straight - centre) - 5
    mask = scene(look_of(lens=lens)).part_mask(moment(deposit)._replace(nozzle=Position(-60, 110, 5, 0)))
    assert np.linalg.norm(middle_of(mask) - bent) < 2.5


@pytest.mark.parametrize("kinematics", list(Kinematics))
def test_the_part_stands_where_its_lines_were_laid(kinematics: Kinematics) -> None:
    own = scene(look_of(kinematics))
    nozzle = Position(-60.0, 110.0, 18.0, 0.0)
    low = -18.0 if kinematics is Kinematics.CORE_XY else 0.0
    mask = own.part_mask(moment(nozzle=nozzle)) == 1
    corners = np.array([[x, y, z + low] for x in (90, 130) for y in (90, 130) for z in (0, 18)], np.float64)
    pixels, _ = own.camera().in_picture(corners)
    rows, columns = np.nonzero(mask)
    seen = np.array([[columns.min(), rows.min()], [columns.max() + 1, rows.max() + 1]])
    assert np.abs(seen - [pixels.min(axis=0), pixels.max(axis=0)]).max() < 3


def test_a_head_before_the_part_hides_it() -> None:
    head = box(Carrier.HEAD, (-40.0, -40.0, 0.0), (40.0, -30.0, 60.0))
    nozzle = Position(110.0, 110.0, 2.0, 0.0)
    assert (scene().part_mask(moment(nozzle=nozzle)) == 1).sum() > 500
    assert (scene(None, head).part_mask(moment(nozzle=nozzle)) == 1).sum() < 50


def test_the_bed_of_a_slinger_moves_with_y_and_that_of_a_core_xy_does_not() -> None:
    here, there = (Position(-60.0, y, 18.0, 0.0) for y in (110.0, 60.0))
    for kinematics, moves in ((Kinematics.BED_SLINGER, True), (Kinematics.CORE_XY, False)):
        own = scene(look_of(kinematics))
        one, two = (middle_of(own.part_mask(moment(nozzle=at)) == 1) for at in (here, there))
        assert bool(np.abs(one - two).max() > 5) is moves


def test_the_bed_of_a_core_xy_sinks() -> None:
    own = scene(look_of(Kinematics.CORE_XY))
    high, low = (middle_of(own.part_mask(moment(nozzle=Position(-60, 110, z, 0))) == 1) for z in (1.0, 40.0))
    assert low[1] > high[1] + 10


@pytest.mark.parametrize("shading", list(Shading))
def test_the_same_moment_gives_the_same_bytes_whatever_was_drawn_before(shading: Shading) -> None:
    look = look_of(sensor=Sensor(), shading=shading)
    growing, used = Deposit(), scene(look)
    for layers in (3, 4, 17, 18, 40):
        growing = laid(PATH, layers) if not growing.count else grown(growing, layers)
        last = moment(growing, strands=strands(layers))
        jpeg = used.jpeg(last)
    assert jpeg == scene(look).jpeg(last._replace(deposit=laid(PATH, 40)))


def grown(deposit: Deposit, layers: int) -> Deposit:
    rest = slice(deposit.count, None)
    more = laid(PATH, layers)
    deposit.lay(
        more.begin[rest],
        more.end[rest],
        more.area_mm2[rest],
        more.layer[rest],
        more.feature[rest].astype(np.uint8),
        more.part[rest].astype(np.uint8),
    )
    return deposit


STRANDS: list[Strand] = []


def strands(count: int, radius_mm: float = 0.25) -> list[Strand]:
    """The first of a row of arcs before the part; the same objects each time."""
    while len(STRANDS) < count:
        angles = np.linspace(0.0, 3.0, 20)
        x, z = 90 + len(STRANDS) + 6 * np.cos(angles), 1 + 9 * np.sin(angles)
        points = np.column_stack([x, np.full(20, 70.0 - len(STRANDS) % 7), z])
        STRANDS.append(Strand(points.astype(np.float32), radius_mm))
    return STRANDS[:count]


def test_hairs_of_two_colours_look_the_same_however_they_came() -> None:
    hairs = [strand._replace(radius_mm=0.05, filament=i % 2) for i, strand in enumerate(strands(40))]
    used = scene()
    for count in (3, 4, 17, 18, 40):
        jpeg = used.jpeg(moment(strands=hairs[:count]))
    assert jpeg == scene().jpeg(moment(strands=hairs))


def test_every_strand_makes_the_loose_filament_larger() -> None:
    own = scene()
    sizes = [int((own.part_mask(moment(strands=strands(n))) == 2).sum()) for n in (0, 1, 5, 20, 40)]
    assert sizes[0] == 0
    assert sizes == sorted(set(sizes))


def test_a_hair_is_fainter_than_a_strand() -> None:
    own = scene()
    clean = own.render(moment()).astype(int)
    thick, thin = (
        own.render(moment(strands=[strands(1)[0]._replace(radius_mm=radius)])).astype(int) - clean
        for radius in (0.25, 0.05)
    )
    assert 2 < np.abs(thin).max() < 0.7 * np.abs(thick).max()


def test_filament_hangs_on_the_nozzle_wherever_it_goes() -> None:
    own, hanging = scene(), strands(1)[0]
    tube = hanging._replace(points=hanging.points - hanging.points.mean(axis=0), on_nozzle=True)
    nozzles = [Position(x, 110.0, 50.0, 0.0) for x in (60.0, 160.0)]
    left, right = (
        middle_of(own.part_mask(moment(Deposit(), nozzle=at, strands=[tube])) == 2) for at in nozzles
    )
    assert right[0] > left[0] + 50


def test_lines_without_filament_show_nothing() -> None:
    own = scene()
    empty = laid(PATH, 20, area=0.0)
    assert not own.part_mask(moment(empty)).any()
    assert (own.render(moment(empty)) == own.render(moment(Deposit()))).all()


def test_thin_lines_leave_gaps() -> None:
    full, thin = ((scene().part_mask(moment(laid(PATH, 40, area))) == 1).sum() for area in (1.0, 0.05))
    assert thin < 0.85 * full


def test_a_change_of_filament_shows_from_its_line_on() -> None:
    half = int(np.searchsorted(FULL.layer, TALL_LAYERS // 2))
    own = scene()
    rows, columns = np.nonzero(own.part_mask(moment()) == 1)
    column = int(np.median(columns))
    wall = np.sort(rows[columns == column])
    picture = own.render(moment(colours=(half,))).astype(int)
    low, high = picture[wall[-4], column], picture[wall[2], column]
    assert low[2] > low[1] + 30
    assert high[1] > high[2] + 30


def test_a_part_that_has_come_loose_is_where_its_pose_says() -> None:
    own, pose = scene(), np.eye(4, dtype=np.float32)
    pose[0, 3] = 50.0
    stood, went = (middle_of(own.part_mask(moment(poses=poses)) == 1) for poses in ({}, {0: pose}))
    assert went[0] > stood[0] + 30
    assert (own.part_mask(moment(poses={3: pose})) == own.part_mask(moment())).all()


def test_warped_corners_come_up() -> None:
    own = scene()
    flat, warped = (own.part_mask(moment(warps_mm=warps)) == 1 for warps in ({}, {0: 6.0}))
    rows, columns = np.nonzero(flat)
    left = int(columns[rows == rows.max()].min()) + 1
    lowest = [int(np.flatnonzero(mask[:, left]).max()) for mask in (flat, warped)]
    assert lowest[1] < lowest[0] - 2


def test_the_head_throws_a_shadow_on_the_bed() -> None:
    head = box(Carrier.HEAD, (-15.0, -15.0, 0.0), (15.0, 15.0, 40.0))
    own = scene(None, head)
    near, away = (
        own.render(moment(Deposit(), nozzle=Position(x, 110.0, 8.0, 0.0))).astype(int)
        for x in (110.0, -400.0)
    )
    pixels, _ = own.camera().in_picture(np.array([[131.0, 112.0, 0.1]]))
    column, row = np.rint(pixels[0]).astype(int)
    assert near[row, column].sum() < away[row, column].sum() - 20


def test_what_is_under_the_plate_is_hidden_and_what_stands_out_is_not() -> None:
    under = box(Carrier.BED, (100.0, 150.0, -20.0), (120.0, 170.0, -5.0))
    partly = box(Carrier.BED, (100.0, -30.0, -20.0), (120.0, 30.0, -5.0))
    bare = scene().render(moment()).astype(int)
    hidden, shown = (np.abs(scene(None, own).render(moment()) - bare) for own in (under, partly))
    assert hidden.max() == 0
    assert shown.max() > 20


def dome(layers: int) -> Deposit:
    """Round walls that lean inwards, of short lines."""
    deposit, angles = Deposit(), np.linspace(0.0, 2 * np.pi, 121)
    for layer in range(layers):
        radius, z = 25.0 * np.cos(layer / 60), 0.2 * (layer + 1)
        ring = np.column_stack([110 + radius * np.cos(angles), 60 + radius * np.sin(angles), z + 0 * angles])
        kinds = (np.full(120, layer, np.int32), np.ones(120, np.uint8), np.zeros(120, np.uint8))
        deposit.lay(ring[:-1], ring[1:], np.full(120, 0.09, np.float32), *kinds)
    return deposit


def test_a_leaning_wall_of_thin_layers_has_no_holes() -> None:
    near = Lens(eye_mm=(110.0, -20.0, 35.0), looks_at_mm=(110.0, 60.0, 4.0))
    kinds = (scene(look_of(Kinematics.DELTA, near)).part_mask(moment(dome(40))) == 1).astype(np.uint8)
    filled = cv2.morphologyEx(kinds, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    assert (filled != kinds).sum() < 0.06 * kinds.sum()


def test_things_that_reach_behind_the_lens_do_no_harm() -> None:
    wall = box(Carrier.FRAME, (200.0, -400.0, -20.0), (210.0, 300.0, 60.0))
    own = scene(None, wall)
    seen = own.render(moment(Deposit())).astype(int) - scene().render(moment(Deposit())).astype(int)
    changed = np.abs(seen).max(axis=2) > 12
    assert changed[:, 200:].mean() > 0.1
    assert changed[:, :150].mean() < 0.01


def test_a_jpeg_has_the_size_that_was_asked_for() -> None:
    own = scene(look_of(sensor=Sensor(width=352, height=288)))
    picture = cv2.imdecode(np.frombuffer(own.jpeg(moment()), np.uint8), cv2.IMREAD_COLOR)
    assert picture.shape == (288, 352, 3)
    assert own.size == (352, 288)


def test_a_glossy_bed_mirrors_the_part() -> None:
    glossy = around()._replace(bed_gloss=0.9, bed=np.full((64, 64, 3), 0.02, np.float32))
    low = Lens(eye_mm=(110.0, -150.0, 25.0), looks_at_mm=(110.0, 110.0, 10.0))
    look = look_of(lens=low)
    pixels, _ = Camera(low, (320, 240)).in_picture(np.array([[110.0, 90.0, -6.0]]))
    column, row = np.rint(pixels[0]).astype(int)
    red = [
        int(picture[row, column, 2]) - int(picture[row, column, 0])
        for picture in (Scene(look, own).render(moment()) for own in (glossy, glossy._replace(bed_gloss=0.0)))
    ]
    assert red[0] > red[1] + 15


def test_a_moment_over_a_moving_glossy_bed_looks_the_same_after_others() -> None:
    own = Scene(look_of(sensor=Sensor()), around()._replace(bed_gloss=0.9))
    moments = [moment(nozzle=Position(110.0, y, 18.0, 0.0), strands=strands(5)) for y in (40.0, 110.0, 190.0)]
    there = [own.jpeg(each) for each in moments]
    assert [own.jpeg(each) for each in reversed(moments)] == there[::-1]


@pytest.mark.parametrize("bent", [0.0, -0.25])
def test_the_room_is_seen_where_its_rays_lead(bent: float) -> None:
    lens = Lens(eye_mm=FRONT.eye_mm, looks_at_mm=FRONT.looks_at_mm, focal_widths=0.6, k1=bent)
    look = look_of(lens=lens)
    height, width = background_size(look)
    row, column = int(0.3 * height), int(0.3 * width)
    dark = np.full((height, width, 3), 0.02, np.float32)
    room = dark.copy()
    cv2.circle(room, (column, row), 5, (1.0, 1.0, 1.0), -1)
    own, without = (Scene(look, around()._replace(room=each)) for each in (room, dark))
    wanted, _ = own.camera().in_picture(np.array(look.lens.eye_mm) + 1e5 * rays(look, 1.0)[row, column][None])
    bright = cv2.absdiff(own.render(moment(Deposit())), without.render(moment(Deposit()))).max(axis=2) > 60
    assert np.linalg.norm(middle_of(bright) - wanted[0]) < 2.0
