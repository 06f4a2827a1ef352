"""What the simulated camera makes of the light."""

from __future__ import annotations

import cv2
import numpy as np

from ingest.simulate.deposit import Deposit
from ingest.simulate.look import Sensor
from ingest.simulate.mesh import Carrier
from ingest.simulate.moment import Light, Passing, View, Visitor
from ingest.simulate.toolpath import Position
from tests.ingest.rendered import CLEAN, box, look_of, middle_of, moment, scene


def test_a_moving_head_smears_along_its_way() -> None:
    head = box(Carrier.HEAD, (-15.0, -15.0, 5.0), (15.0, 15.0, 45.0))
    own, nozzle = scene(None, head), Position(110.0, 110.0, 40.0, 0.0)
    empty = own.render(moment(Deposit(), nozzle=Position(-900.0, 110.0, 40.0, 0.0))).astype(int)
    still = own.render(moment(Deposit(), nozzle=nozzle)) - empty
    moving = own.render(moment(Deposit(), nozzle=nozzle, velocity_mm_s=(300.0, 0.0, 0.0))) - empty
    across, down = (
        [int(np.abs(np.diff(picture, axis=axis)).max()) for picture in (still, moving)] for axis in (1, 0)
    )
    assert across[1] < 0.5 * across[0]
    assert down[1] > 0.8 * down[0]


def test_a_covered_camera_is_dark_and_still_noisy() -> None:
    own = scene(look_of(sensor=Sensor()))
    covered = own.render(moment(view=View(covered=True)))
    assert covered.mean() < 40
    assert covered.std() > 0.5
    assert own.render(moment()).mean() > 60


def test_infrared_is_grey() -> None:
    picture = scene(look_of(sensor=Sensor())).render(moment(light=Light(infrared=True))).astype(int)
    assert np.ptp(picture, axis=2).max() <= 1
    assert picture.std() > 10


def test_less_light_makes_a_darker_picture_and_warm_light_a_redder_one() -> None:
    own = scene()
    usual, dark, warm = (
        own.render(moment(light=light)).astype(float).mean(axis=(0, 1))
        for light in (Light(), Light(room=0.2, lamp=0.2), Light(warmth=1.0))
    )
    assert dark.sum() < 0.7 * usual.sum()
    assert warm[2] / warm[0] > 1.1 * usual[2] / usual[0]


def test_auto_exposure_evens_out_the_light() -> None:
    light = Light(room=0.3, lamp=0.3)
    fixed, automatic = (
        scene(look_of(sensor=sensor)) for sensor in (CLEAN, Sensor(noise=0.0, auto_exposure=0.9))
    )
    drops = [
        own.render(moment()).mean() - own.render(moment(light=light)).mean() for own in (fixed, automatic)
    ]
    assert abs(drops[1]) < 0.5 * drops[0]


def test_a_nudged_camera_sees_everything_elsewhere() -> None:
    own, view = scene(), View(pan_deg=4.0, tilt_deg=2.0)
    mounted, nudged = (
        middle_of(own.part_mask(moment()) == 1),
        middle_of(own.part_mask(moment(view=view)) == 1),
    )
    expected, _ = own.camera(view).in_picture(np.array([[110.0, 110.0, 9.0]]))
    assert nudged[0] < mounted[0] - 10
    assert nudged[1] > mounted[1] + 5
    assert np.abs(nudged - expected[0]).max() < 5


def test_blur_and_dirt_take_contrast() -> None:
    own = scene(look_of(sensor=CLEAN))
    edges = [
        float(np.quantile(np.abs(cv2.Laplacian(own.render(moment(view=view)).astype(np.float32), -1)), 0.99))
        for view in (View(), View(dirt=0.8), View(blur=0.7))
    ]
    assert edges[2] < edges[1] < edges[0]


def test_visitors_are_drawn_on_the_light() -> None:
    assert scene().render(moment(visitors=[Visitor(Passing.HAND, 0.5, 1)])).max() == 0


def test_the_noise_differs_from_moment_to_moment() -> None:
    own = scene(look_of(sensor=Sensor(noise=4.0)))
    one, two = own.render(moment()), own.render(moment(at_s=2.0))
    assert 2 < (one.astype(int) - two.astype(int)).std() < 12
