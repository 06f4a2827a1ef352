"""USB cameras: FFmpeg's own V4L2 code on a fake driver below it, and what the kernel says there is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from ingest.cameras.jpeg import jpeg_size
from ingest.cameras.registry import open_camera
from ingest.cameras.v4l2 import list_devices
from ingest.errors import CameraUnreachable, SourceError
from tests.ingest.web import take
from tests.peers.v4l2 import LIMIT_S, SIZE, FakeCamera, build_driver


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_driver(tmp_path_factory.mktemp("driver"))


@pytest.fixture
def usb(driver: Path, tmp_path: Path) -> FakeCamera:
    return FakeCamera(driver, tmp_path)


def test_the_jpegs_of_a_camera_go_out_untouched_at_the_asked_rate(usb: FakeCamera) -> None:
    usb.plug_in()
    with usb.read("?fps=5") as told:
        items = [told.get(timeout=LIMIT_S) for _ in range(5)]
    numbers = [usb.pictures.index(bytes.fromhex(item["jpeg"])) for item in items]
    assert set(np.diff(numbers)) == {1}
    assert np.diff([item["at_ns"] for item in items]) / 1e9 == pytest.approx(np.full(4, 0.2), abs=0.1)
    assert items[0]["size"] == list(SIZE)
    assert items[0]["facts"] == {
        "codec": "mjpeg",
        "fps": "5",
        "size": "64x48",
        "decoder": "none: its JPEGs go out as they come",
    }


def test_a_camera_without_jpegs_is_decoded(usb: FakeCamera) -> None:
    usb.plug_in("yuyv")
    with usb.read("?fps=5") as told:
        item = told.get(timeout=LIMIT_S)
    assert jpeg_size(bytes.fromhex(item["jpeg"])) == SIZE
    assert item["facts"]["codec"] == "rawvideo"


def test_an_unplugged_camera_is_told_and_read_again_when_it_is_back(usb: FakeCamera) -> None:
    usb.plug_in()
    with usb.read("?fps=5") as told:
        assert "jpeg" in told.get(timeout=LIMIT_S)
        usb.unplug()
        while "lost" not in (item := told.get(timeout=LIMIT_S)):
            pass
        assert "found that the camera vanished" in item["lost"]
        assert "found no such device" in told.get(timeout=LIMIT_S)["lost"]
        usb.plug_in()
        while "lost" in (item := told.get(timeout=LIMIT_S)):
            pass
        assert "jpeg" in item


@pytest.mark.parametrize(
    ("kind", "options", "found"),
    [
        ("busy", "", "found it in use by another program, expected it free"),
        ("denied", "", "add this user to the group video"),
        ("yuyv", "?format=mjpeg", "found a device that gives no pictures (format=mjpeg)"),
        ("silent", "?stall=1", "found nothing new for 1 s"),
    ],
)
def test_a_camera_that_cannot_be_used_is_told(usb: FakeCamera, kind: str, options: str, found: str) -> None:
    usb.plug_in(kind)
    with usb.read(options) as told:
        assert found in told.get(timeout=LIMIT_S)["lost"]


def test_a_camera_may_take_its_time_to_start_up(usb: FakeCamera) -> None:
    usb.plug_in("silent")
    with usb.read("?stall=1") as told:
        assert "lost" in told.get(timeout=LIMIT_S)  # it runs
        usb.plug_in("mjpeg")
        while "lost" in (item := told.get(timeout=LIMIT_S)):
            pass
    assert "jpeg" in item


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("nothing", "found no such device, expected a camera's: cameras here are"),
        (".", "found a folder, expected a camera"),
        ("file", "found something that is no camera"),
    ],
)
def test_what_is_no_camera_is_told(tmp_path: Path, path: str, found: str) -> None:
    (tmp_path / "file").write_text("no camera")
    camera = open_camera(f"v4l2:{path}", "p1", tmp_path)
    with pytest.raises(CameraUnreachable, match=found):
        asyncio.run(take(camera, 1))


@pytest.mark.parametrize(
    "options", ["size=big", "size=0x480", "fps=0", "format=h264", "stall=0", "decode=all"]
)
def test_options_that_make_no_sense_are_refused_before_anything_is_opened(options: str) -> None:
    with pytest.raises(SourceError, match=options.partition("=")[0]):
        open_camera(f"v4l2:/dev/video0?{options}", "p1")


def test_cameras_are_listed_without_their_metadata_devices(tmp_path: Path) -> None:
    sysfs, by_id = tmp_path / "sys", tmp_path / "by-id"
    by_id.mkdir()
    for node, name, index in [
        ("video10", "HD Webcam", "0"),
        ("video2", "C270", "0"),
        ("video3", "C270", "1"),
        ("v4l-subdev0", "sensor", "0"),
    ]:
        (sysfs / node).mkdir(parents=True)
        (sysfs / node / "name").write_text(f"{name}\n")
        (sysfs / node / "index").write_text(f"{index}\n")
    link = by_id / "usb-046d_C270-video-index0"
    link.symlink_to("../../video2")
    assert list_devices(sysfs, by_id) == [
        ("C270", Path("/dev/video2"), link),
        ("HD Webcam", Path("/dev/video10"), None),
    ]


def test_a_machine_without_cameras_lists_none(tmp_path: Path) -> None:
    assert list_devices(tmp_path / "none", tmp_path / "none") == []
