"""The picture that people are shown: boxes where the detector saw them, bounded in pixels and bytes."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from features.frame import decode_frame
from features.marked import MOST_BYTES, MOST_PX, marked
from features.picture import View
from ingest.cameras.jpeg import MAX_BYTES

Pixels = npt.NDArray[np.uint8]
BOX = (0.25, 0.5, 0.25, 0.25)


def jpeg(picture: Pixels, quality: int = 95) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def grey(width: int, height: int) -> Pixels:
    return np.full((height, width, 3), 128, np.uint8)


def shown(data: bytes | None) -> Pixels:
    assert data is not None
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def drawn(data: bytes | None) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what is yellow in the picture, as shares of it."""
    blue, green, red = shown(data).astype(int).transpose(2, 0, 1)
    rows, columns = np.nonzero((red > 180) & (green > 150) & (blue < 90))
    height, width = red.shape
    return columns.min() / width, rows.min() / height, columns.max() / width, rows.max() / height


def tagged(data: bytes, orientation: int) -> bytes:
    """The JPEG with an EXIF orientation."""
    entry = bytes.fromhex("0112 0003 00000001") + orientation.to_bytes(2) + bytes(2)
    exif = b"Exif\0\0MM\0*" + bytes.fromhex("00000008 0001") + entry + bytes(4)
    return data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2) + exif + data[2:]


def test_a_box_is_drawn_where_it_lies() -> None:
    assert drawn(marked(jpeg(grey(640, 480)), [BOX])) == pytest.approx((0.25, 0.5, 0.5, 0.75), abs=0.01)


@pytest.mark.parametrize("level", [0, 255])
def test_an_outline_is_seen_on_any_ground(level: int) -> None:
    ground = np.full((480, 640, 3), level, np.uint8)
    contrast = np.abs(shown(marked(jpeg(ground), [BOX])).astype(int) - level).max(axis=2)
    assert (contrast[230:250] > 150).any(axis=0).sum() > 0.24 * 640


def test_a_label_stands_above_its_box_or_in_it_and_never_outside_of_the_picture() -> None:
    plain = jpeg(grey(640, 480))
    above, within, cornered = (
        drawn(marked(plain, [box], ["layer shift 92 %"]))
        for box in (BOX, (0.1, 0.0, 0.4, 0.4), (0.95, 0.5, 0.05, 0.3))
    )
    assert above[1] < 0.5 - 0.02
    assert within[1] <= 0.01
    assert cornered[0] < 0.8
    assert cornered[2] < 1.0


def test_what_is_not_ascii_in_a_label_is_left_out() -> None:
    plain = jpeg(grey(640, 480))
    assert marked(plain, [BOX], ["blob 🙂\x1b\n"]) == marked(plain, [BOX], ["blob"])
    assert marked(plain, [BOX], ["🙂"]) == marked(plain, [BOX])


def test_a_box_that_leaves_the_picture_ends_at_its_edge_and_one_that_is_none_is_not_drawn() -> None:
    plain = jpeg(grey(640, 480))
    beyond = drawn(marked(plain, [(-0.5, 0.5, 1.0, 9.0)]))
    assert beyond == pytest.approx((0.0, 0.5, 0.5, 1.0), abs=0.01)
    nothing = [(float("nan"), 0.0, 0.5, 0.5), (0.2, 0.2, 0.0, 0.5), (1.5, 0.0, 0.2, 0.2), (0, 0, 0.1, np.inf)]
    assert marked(plain, nothing, ["a", "b", "c", "d"]) == plain


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize("mirror", [False, True])
def test_boxes_lie_where_the_detector_saw_them_whatever_the_view(rotate: int, mirror: bool) -> None:
    """A red square in the corner of a crop of a turned picture: the box about it, as the detector sees it."""
    view = View(rotate=rotate, mirror=mirror, crop=(0.25, 0.25, 0.5, 0.5))  # type: ignore[arg-type]
    scene = grey(800, 800)
    scene[220:260, 300:340] = (0, 0, 255)
    seen = decode_frame(jpeg(scene), 400, view)
    assert seen is not None
    rows, columns = np.nonzero((seen[..., 2] > 200) & (seen[..., 0] < 60))
    box = (columns.min() / 400, rows.min() / 400, np.ptp(columns) / 400, np.ptp(rows) / 400)
    picture = marked(jpeg(scene), [box], view=view)
    assert shown(picture).shape == (400, 400, 3)
    left, top, right, bottom = drawn(picture)
    assert (left, top) == pytest.approx(box[:2], abs=0.02)
    assert (right - left, bottom - top) == pytest.approx(box[2:], abs=0.03)
    inside = shown(picture)[round((top + bottom) * 200), round((left + right) * 200)]
    assert inside[2] > 200
    assert inside[0] < 60


def test_an_exif_orientation_is_followed() -> None:
    """6 means: turn by 90 degrees clockwise to show it."""
    picture = marked(tagged(jpeg(grey(640, 480)), 6), [BOX])
    assert shown(picture).shape == (640, 480, 3)
    assert drawn(picture) == pytest.approx((0.25, 0.5, 0.5, 0.75), abs=0.01)


def test_a_small_picture_with_nothing_to_draw_is_left_as_it_is() -> None:
    plain = tagged(jpeg(grey(640, 480)), 6)
    assert marked(plain, [], ["nothing"]) is plain
    assert marked(plain, [], view=View(masks=((0, 0, 0.5, 0.5),))) is plain
    assert shown(marked(plain, [], view=View(rotate=90))).shape == (480, 640, 3)
    assert shown(marked(plain, [], view=View(crop=(0, 0, 0.5, 0.5)))).shape == (320, 240, 3)


def test_a_large_picture_is_made_small_enough_for_any_service() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (1700, 1600, 3), dtype=np.uint8)
    large = jpeg(np.asarray(noise, np.uint8), 100)
    assert len(large) > 5_000_000
    small = marked(large, [])
    assert small is not None
    assert len(small) <= MOST_BYTES
    assert max(shown(small).shape) == MOST_PX
    wide = marked(jpeg(grey(4000, 3000)), [BOX])
    assert shown(wide).shape == (960, 1280, 3)
    assert drawn(wide) == pytest.approx((0.25, 0.5, 0.5, 0.75), abs=0.01)


@pytest.mark.parametrize(
    "broken",
    [
        lambda whole: b"",
        lambda whole: b"no picture",
        lambda whole: whole[:-200],
        lambda whole: cv2.imencode(".png", grey(32, 32))[1].tobytes(),
        lambda whole: whole.replace(b"\xff\xc0", b"\xff\xc3", 1),
        lambda whole: whole + bytes(MAX_BYTES),
        lambda whole: forged(whole, 60_000),
    ],
)
def test_what_is_no_picture_or_out_of_bounds_gives_none(broken: Callable[[bytes], bytes]) -> None:
    assert marked(broken(jpeg(grey(320, 240))), [BOX], ["x"]) is None


def forged(data: bytes, side: int) -> bytes:
    """The JPEG with another size in its header."""
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + side.to_bytes(2) * 2 + data[at + 4 :]
