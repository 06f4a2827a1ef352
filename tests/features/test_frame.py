"""JPEG to model input: reduced decoding, and bounds that hold whatever came over the stream."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from features.frame import BGR_MEAN, decode_frame, masked, to_batch
from features.picture import View
from ingest.cameras.jpeg import MAX_BYTES


def picture(width: int, height: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Smooth, each quarter of another colour, so that reduced decoding changes little."""
    across = np.linspace(0, 255, width)[None, :].repeat(height, 0)
    down = np.linspace(0, 255, height)[:, None].repeat(width, 1)
    return np.stack([across, down, 255 - across], axis=2).astype(np.uint8)


def jpeg(width: int, height: int) -> bytes:
    return cv2.imencode(".jpg", picture(width, height))[1].tobytes()


@pytest.mark.parametrize("shape", [(224, 224), (640, 480), (1920, 1080), (2600, 2000), (50, 40), (3000, 200)])
def test_every_size_becomes_the_models_square(shape: tuple[int, int]) -> None:
    decoded = decode_frame(jpeg(*shape))
    assert decoded is not None
    assert (decoded.shape, decoded.dtype) == ((224, 224, 3), np.uint8)
    expected = cv2.resize(picture(*shape), (224, 224), interpolation=cv2.INTER_AREA)
    assert np.abs(decoded.astype(int) - expected).mean() < 3


@pytest.mark.parametrize(("width", "height", "factor"), [(1024, 1024, 8), (512, 600, 4), (256, 999, 2)])
def test_large_pictures_are_decoded_reduced(width: int, height: int, factor: int) -> None:
    """What is as wide as the square after the reduction equals the reduced picture itself."""
    data = jpeg(width, height)
    flag = {2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4, 8: cv2.IMREAD_REDUCED_COLOR_8}[
        factor
    ]
    reduced = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    assert reduced is not None
    expected = cv2.resize(reduced, (128, 128), interpolation=cv2.INTER_AREA)
    assert np.array_equal(decode_frame(data, 128), expected)


def test_a_crop_is_decoded_as_finely_as_it_needs() -> None:
    """A quarter of the picture at 128 px needs twice what the whole picture does."""
    data, view = jpeg(1024, 1024), View(crop=(0.5, 0.25, 0.25, 0.25))
    reduced = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_COLOR_2)
    assert reduced is not None
    expected = cv2.resize(reduced[128:256, 256:384], (128, 128), interpolation=cv2.INTER_AREA)
    assert np.array_equal(decode_frame(data, 128, view), expected)


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
def test_a_view_shows_what_it_says_of_a_picture_of_any_shape(rotate: int) -> None:
    view = View(rotate=rotate, mirror=True, crop=(0.2, 0.1, 0.6, 0.8))
    decoded = decode_frame(jpeg(900, 300), 64, view)
    whole = np.ascontiguousarray(view.cut(picture(900, 300)))
    assert decoded is not None
    assert np.abs(decoded.astype(int) - cv2.resize(whole, (64, 64), interpolation=cv2.INTER_AREA)).mean() < 3


def test_an_exif_orientation_is_followed_as_every_viewer_does() -> None:
    """6 means: turn by 90 degrees clockwise to show it."""
    upright = picture(300, 200)
    lying = cv2.imencode(".jpg", np.ascontiguousarray(np.rot90(upright)))[1].tobytes()
    entry = bytes.fromhex("0112 0003 00000001 0006 0000")
    exif = b"Exif\0\0MM\0*" + bytes.fromhex("00000008 0001") + entry + bytes(4)
    tagged = lying[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2) + exif + lying[2:]
    decoded = decode_frame(tagged, 64)
    assert decoded is not None
    expected = cv2.resize(upright, (64, 64), interpolation=cv2.INTER_AREA)
    assert np.abs(decoded.astype(int) - expected).mean() < 3


def test_what_lies_under_a_mask_is_nothing_to_the_model() -> None:
    view = View(masks=((0.0, 0.0, 0.5, 0.25), (0.75, 0.75, 0.25, 0.25)))
    frame = np.full((8, 8, 3), 200, np.uint8)
    batch = to_batch([masked(frame, view)])[0]
    assert not batch[:, :2, :4].any()
    assert not batch[:, 6:, 6:].any()
    assert batch[:, 2:, :4].all()
    assert (frame == 200).all()
    assert masked(frame, View()) is frame


def test_what_cannot_be_decoded_gives_none() -> None:
    whole = jpeg(320, 240)
    png = cv2.imencode(".png", picture(32, 32))[1].tobytes()
    lossless = whole.replace(b"\xff\xc0", b"\xff\xc3", 1)  # a frame kind that libjpeg does not decode
    for data in (b"", b"\xff\xd8", whole[:-200], png, lossless):
        assert decode_frame(data) is None


def test_the_bounds_hold_before_decoding() -> None:
    whole = jpeg(64, 64)
    at = whole.index(b"\xff\xc0") + 5
    forged = whole[:at] + (60_000).to_bytes(2) * 2 + whole[at + 4 :]
    assert decode_frame(forged) is None
    assert decode_frame(whole + bytes(MAX_BYTES)) is None
    flat = cv2.imencode(".jpg", np.zeros((10_000, 10_000, 3), np.uint8))[1].tobytes()
    assert decode_frame(flat) is None


def test_a_batch_is_bgr_minus_the_mean() -> None:
    frames = [np.full((8, 8, 3), (104, 117, 123), np.uint8), np.full((8, 8, 3), (255, 0, 10), np.uint8)]
    batch = to_batch(frames)
    assert batch.shape == (2, 3, 8, 8)
    assert batch.dtype.is_floating_point
    assert not batch[0].any()
    assert batch[1, :, 0, 0].tolist() == [255 - BGR_MEAN[0], -BGR_MEAN[1], 10 - BGR_MEAN[2]]


@pytest.mark.data
def test_real_frames_decode(data_dir: Path) -> None:
    files = sorted((data_dir / "images" / "part1" / "emptydeck" / "p1_redheart").glob("*.jpg"))
    assert files
    assert all(decode_frame(file.read_bytes(), 128) is not None for file in files)
