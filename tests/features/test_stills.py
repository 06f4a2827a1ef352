"""Picture files of every kind, and files that are none."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from features.stills import (
    MAX_BYTES,
    as_jpeg,
    decode_still,
    read_still,
    shrunk,
    still_size,
    to_square,
    write_png,
)
from ingest.errors import SourceError, SourceNotFound

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def drawn(width: int = 90, height: int = 60) -> Pixels:
    """Smooth, each corner of another colour."""
    across = np.linspace(0, 255, width)[None, :].repeat(height, 0)
    down = np.linspace(0, 255, height)[:, None].repeat(width, 1)
    return np.stack([across, down, 255 - across], axis=2).astype(np.uint8)


def encoded(ending: str, pixels: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> bytes:
    return cv2.imencode(ending, pixels)[1].tobytes()


def kept(folder: Path, data: bytes, name: str = "picture.jpg") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("ending", [".png", ".bmp", ".tiff"])
def test_a_lossless_file_gives_its_pixels_whatever_it_is_called(tmp_path: Path, ending: str) -> None:
    assert np.array_equal(read_still(kept(tmp_path, encoded(ending, drawn()))), drawn())


def test_a_jpeg_gives_nearly_its_pixels(tmp_path: Path) -> None:
    found = read_still(kept(tmp_path, encoded(".jpg", drawn())))
    assert (found.shape, found.dtype) == ((60, 90, 3), np.uint8)
    assert np.abs(found.astype(int) - drawn()).mean() < 3


@pytest.mark.parametrize("ending", [".jpg", ".png", ".bmp", ".tiff"])
def test_grey_becomes_three_equal_channels(tmp_path: Path, ending: str) -> None:
    found = read_still(kept(tmp_path, encoded(ending, drawn()[..., 0])))
    assert found.shape == (60, 90, 3)
    assert np.array_equal(found[..., 0], found[..., 2])
    assert np.abs(found[..., 0].astype(int) - drawn()[..., 0]).max() <= 3


@pytest.mark.parametrize("ending", [".png", ".tiff"])
@pytest.mark.parametrize("grey", [True, False])
def test_of_sixteen_bits_the_upper_eight_are_kept(tmp_path: Path, ending: str, grey: bool) -> None:
    pixels = drawn()[..., 1] if grey else drawn()
    found = read_still(kept(tmp_path, encoded(ending, pixels.astype(np.uint16) * 256 + 200)))
    expected = np.repeat(pixels[..., None], 3, 2) if grey else pixels
    assert np.abs(found.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("ending", [".png", ".tiff"])
def test_alpha_is_left_out(tmp_path: Path, ending: str) -> None:
    half = np.full((60, 90, 1), 128, np.uint8)
    found = read_still(kept(tmp_path, encoded(ending, np.concatenate([drawn(), half], 2))))
    assert np.array_equal(found, drawn())


def test_an_exif_orientation_is_followed(tmp_path: Path) -> None:
    """6 means: turn by 90 degrees clockwise to show it."""
    lying = encoded(".jpg", np.ascontiguousarray(np.rot90(drawn())))
    entry = bytes.fromhex("0112 0003 00000001 0006 0000")
    exif = b"Exif\0\0MM\0*" + bytes.fromhex("00000008 0001") + entry + bytes(4)
    tagged = lying[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2) + exif + lying[2:]
    found = read_still(kept(tmp_path, tagged))
    assert found.shape == (60, 90, 3)
    assert np.abs(found.astype(int) - drawn()).mean() < 3


def test_a_cmyk_jpeg_is_read(tmp_path: Path) -> None:
    """Four components of 8 x 8 blocks, all zero: baseline, one table for everything, nothing but DC codes."""
    quantiser = b"\xff\xdb\x00\x43\x00" + b"\x01" * 64
    frame = b"\xff\xc0\x00\x14\x08\x00\x08\x00\x08\x04" + b"".join(bytes((n, 0x11, 0)) for n in (1, 2, 3, 4))
    codes = b"".join(
        b"\xff\xc4\x00\x14" + bytes((kind,)) + b"\x01" + bytes(15) + b"\x00" for kind in (0x00, 0x10)
    )
    scan = b"\xff\xda\x00\x0e\x04" + b"".join(bytes((n, 0)) for n in (1, 2, 3, 4)) + b"\x00\x3f\x00"
    data = b"\xff\xd8" + quantiser + frame + codes + scan + b"\x00" + b"\xff\xd9"
    found = read_still(kept(tmp_path, data))
    assert (found.shape, found.dtype) == ((8, 8, 3), np.uint8)


@pytest.mark.parametrize("ending", [".jpg", ".png", ".bmp", ".tiff"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.95])
def test_a_file_that_was_cut_off_is_told(tmp_path: Path, ending: str, share: float) -> None:
    whole = encoded(ending, drawn())
    with pytest.raises(SourceError, match=r"picture\.jpg: .*(cut off|that begins? with)"):
        read_still(kept(tmp_path, whole[: int(len(whole) * share)]))


def test_bytes_that_changed_are_told(tmp_path: Path) -> None:
    png = bytearray(encoded(".png", drawn()))
    png[len(png) // 2] ^= 255
    with pytest.raises(SourceError, match="corrupt, cut off or of an unusual kind"):
        read_still(kept(tmp_path, bytes(png)))


def test_a_text_that_is_called_jpg_is_told_with_how_it_begins(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="begins with b'Not a pi', expected JPEG, PNG, BMP or TIFF"):
        read_still(kept(tmp_path, b"Not a picture at all\n" * 50))


def test_an_empty_a_missing_and_a_folders_name_are_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="found an empty file"):
        read_still(kept(tmp_path, b""))
    with pytest.raises(SourceNotFound, match=r"nowhere\.png: found nothing"):
        read_still(tmp_path / "nowhere.png")
    os.mkfifo(tmp_path / "pipe.jpg")
    for no_file in (tmp_path, tmp_path / "pipe.jpg"):
        with pytest.raises(SourceNotFound, match="found no file, expected a picture"):
            read_still(no_file)


def huge(kind: str) -> bytes:
    """A header of 30,000 x 20,000 pixels, and hardly anything behind it."""
    small = bytearray(encoded(kind, drawn()))
    if kind == ".png":
        header = b"IHDR" + struct.pack(">II", 30_000, 20_000) + small[24:29]
        small[12:33] = header + zlib.crc32(header).to_bytes(4)
    elif kind == ".bmp":
        small[18:26] = struct.pack("<ii", 30_000, -20_000)
    elif kind == ".jpg":
        at = small.index(b"\xff\xc0") + 5
        small[at : at + 4] = struct.pack(">HH", 20_000, 30_000)
    else:
        entries = struct.pack("<HHHII", 2, 256, 4, 1, 30_000) + struct.pack("<HHII", 257, 3, 1, 20_000)
        return b"II*\0" + struct.pack("<I", 8) + entries + bytes(4)
    return bytes(small)


@pytest.mark.parametrize("kind", [".jpg", ".png", ".bmp", ".tiff"])
def test_what_is_too_large_is_refused_by_its_header(tmp_path: Path, kind: str) -> None:
    assert still_size(huge(kind), "x") == (30_000, 20_000)
    with pytest.raises(SourceError, match="found 30000 x 20000 pixels, expected at most 64 megapixels"):
        read_still(kept(tmp_path, huge(kind)))


def test_the_bound_is_the_callers_and_a_file_at_it_is_read(tmp_path: Path) -> None:
    path = kept(tmp_path, encoded(".png", drawn()))
    assert read_still(path, max_pixels=90 * 60).shape == (60, 90, 3)
    with pytest.raises(SourceError, match="90 x 60 pixels"):
        read_still(path, max_pixels=90 * 60 - 1)


def test_a_file_of_endless_bytes_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = kept(tmp_path, b"BM")
    with path.open("r+b") as file:
        file.truncate(MAX_BYTES + 10)  # sparse: it takes no room
    with pytest.raises(SourceError, match=f"at most {MAX_BYTES}"):
        read_still(path)


def test_what_is_written_is_read_back_and_a_place_that_is_none_told(tmp_path: Path) -> None:
    write_png(tmp_path / "a.png", drawn())
    assert np.array_equal(read_still(tmp_path / "a.png"), drawn())
    with pytest.raises(SourceError, match="expected a place to write a picture"):
        write_png(tmp_path / "no" / "a.png", drawn())


@pytest.mark.parametrize("shape", [(60, 90), (500, 300), (20, 700)])
def test_every_shape_becomes_the_square(shape: tuple[int, int]) -> None:
    square = to_square(drawn(*shape), 224)
    assert (square.shape, square.dtype) == ((224, 224, 3), np.uint8)
    assert np.abs(square.astype(int) - drawn(224, 224)).mean() < 4
    assert to_square(square, 224) is square


def test_a_picture_is_shrunk_in_its_own_shape_and_never_grows() -> None:
    assert shrunk(drawn(90, 60), 45).shape == (30, 45, 3)
    assert shrunk(drawn(4000, 2), 40).shape == (1, 40, 3)
    assert np.array_equal(shrunk(drawn(90, 60), 200), drawn(90, 60))


def test_a_picture_is_made_a_jpeg_to_look_at_and_bytes_are_decoded_under_a_name() -> None:
    found = decode_still(as_jpeg(drawn()), "camera")
    assert np.abs(found.astype(int) - drawn()).mean() < 5
    with pytest.raises(SourceError, match=r"^camera: found 90 x 60 pixels, expected at most"):
        decode_still(as_jpeg(drawn()), "camera", max_pixels=100)
