"""A folder of pictures as a camera: times, bounds, and what is left out."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from ingest.cameras.images import DEFAULT_START, ImageFolder, name_time_ns, natural_key, parse_time_ns
from ingest.cameras.jpeg import MAX_BYTES, jpeg_flaw, jpeg_size
from ingest.errors import SourceError, SourceNotFound
from ingest.records import NS_PER_S, Frame
from ingest.sources import Address

START_NS = parse_time_ns(DEFAULT_START)
STAMP_NS = int(datetime(2021, 5, 10, 22, 23, 8, tzinfo=UTC).timestamp()) * NS_PER_S


def jpeg(width: int = 64, height: int = 48, shade: int = 90) -> bytes:
    picture = np.full((height, width, 3), shade, np.uint8)
    cv2.circle(picture, (width // 2, height // 2), height // 4, (20, 200, 240), -1)
    return cv2.imencode(".jpg", picture)[1].tobytes()


def forged(width: int, height: int) -> bytes:
    """A small JPEG whose header claims another size."""
    data = bytearray(jpeg())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = height.to_bytes(2) + width.to_bytes(2)
    return bytes(data)


def camera(folder: Path, **options: str) -> ImageFolder:
    return ImageFolder(Address("images", str(folder), options), "p1")


def read(source: ImageFolder) -> list[Frame]:
    async def collect() -> list[Frame]:
        return [frame async for frame in source.frames()]

    return asyncio.run(collect())


def fill(folder: Path, *names: str) -> None:
    for shade, name in enumerate(names):
        (folder / name).write_bytes(jpeg(shade=shade * 10))


def test_the_bytes_of_a_jpeg_go_out_untouched(tmp_path: Path) -> None:
    data = jpeg(320, 240) + b"trailing bytes of the camera"
    (tmp_path / "a.JPG").write_bytes(data)
    (frame,) = read(camera(tmp_path))
    assert (frame.jpeg, frame.width, frame.height, frame.printer) == (data, 320, 240, "p1")


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".webp"])
def test_other_formats_become_jpeg(tmp_path: Path, suffix: str) -> None:
    picture = np.full((30, 50, 3), (10, 100, 200), np.uint8)
    assert cv2.imwrite(str(tmp_path / f"a{suffix}"), picture)
    (frame,) = read(camera(tmp_path))
    assert jpeg_size(frame.jpeg) == (frame.width, frame.height) == (50, 30)
    decoded = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert np.abs(decoded.astype(int) - picture).max() < 6


def test_a_counter_is_no_time_and_counts_in_natural_order(tmp_path: Path) -> None:
    fill(tmp_path, "frame_10.jpg", "frame_2.jpg", "frame_000001.jpg")
    frames = read(camera(tmp_path, fps="0.5", start="2024-01-01T00:00:00+01:00"))
    start_ns = parse_time_ns("2023-12-31T23:00:00Z")
    assert [frame.captured_ns for frame in frames] == [start_ns + n * 2 * NS_PER_S for n in range(3)]
    by_name = [(tmp_path / f"frame_{n}.jpg").read_bytes() for n in ("000001", "2", "10")]
    assert [frame.jpeg for frame in frames] == by_name
    source = camera(tmp_path)
    assert read(source)[0].captured_ns == START_NS
    assert source.time_estimated


@pytest.mark.parametrize(
    ("stem", "after_ns"),
    [
        ("2021-05-10_22-23-08", 0),
        ("cam1_2021-05-10_22-23-08_printing", 0),
        ("20210510T222308.500", 500_000_000),
        ("20210510222308500", 500_000_000),
        ("snap 2021-05-10T22:23:08Z", 0),
        ("2021-05-11T00:23:08+02:00", 0),
        ("1620685388", 0),
        ("1620685388.25", 250_000_000),
        ("1620685388001", 1_000_000),
        ("1620685388000002", 2_000),
        ("1620685388000000003", 3),
    ],
)
def test_a_name_tells_its_time(stem: str, after_ns: int) -> None:
    assert name_time_ns(stem) == STAMP_NS + after_ns


@pytest.mark.parametrize(
    "stem", ["frame_000789", "0000000789", "IMG_20210510", "2021-13-40_99-00-00", "benchy", "img_1620685388"]
)
def test_a_name_without_a_time_tells_none(stem: str) -> None:
    assert name_time_ns(stem) is None


def test_names_are_sorted_by_their_times_and_an_equal_time_comes_once(tmp_path: Path) -> None:
    fill(tmp_path, "b_2021-05-10_22-23-08.jpg", "a_2021-05-10_22-23-09.jpg", "1620685388.jpg", "cover.jpg")
    source = camera(tmp_path)
    assert [frame.captured_ns for frame in read(source)] == [STAMP_NS, STAMP_NS + NS_PER_S]
    assert source.counts == {"duplicate": 1, "untimed": 1}


def test_a_csv_tells_the_times(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg", "b.jpg", "c.jpg", "d.jpg")
    rows = f"time,file\n2021-05-10 22:23:08,b.jpg\n1620685389.5,a.jpg\n{STAMP_NS},c.jpg\n7,../etc/passwd\n"
    (tmp_path / "times.csv").write_text(rows)
    source = camera(tmp_path, csv="times.csv")
    assert [frame.captured_ns for frame in read(source)] == [STAMP_NS, STAMP_NS + 1_500_000_000]
    assert not source.time_estimated
    assert source.counts == {"duplicate": 1, "untimed": 1}


@pytest.mark.parametrize(
    ("table", "found"),
    [
        ("name,when\na.jpg,1\n", r"found the columns \['name', 'when'\], expected file and time"),
        ("file,time\na.jpg,noon\n", "found time 'noon' for 'a.jpg'"),
        ("file,time\na.jpg\n", "found time None for 'a.jpg'"),
        ("file,time\nz.jpg,1\n", "found no row that names a picture"),
        ("", "found the columns none"),
    ],
)
def test_a_csv_that_does_not_fit_is_refused(tmp_path: Path, table: str, found: str) -> None:
    fill(tmp_path, "a.jpg")
    (tmp_path / "t.csv").write_text(table)
    with pytest.raises(SourceError, match=found):
        read(camera(tmp_path, csv="t.csv"))


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    fill(tmp_path, "a.jpg")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").touch()
    with pytest.raises(SourceNotFound, match="found nothing, expected a folder"):
        read(camera(tmp_path / "missing"))
    with pytest.raises(SourceNotFound, match=r"found a file, expected a folder.*video:FILE"):
        read(camera(tmp_path / "a.jpg"))
    with pytest.raises(SourceNotFound, match=r"found no picture, expected files ending in .bmp"):
        read(camera(tmp_path / "empty"))
    with pytest.raises(SourceNotFound, match=r"expected csv= to name one"):
        read(camera(tmp_path, csv="no.csv"))


def test_options_that_make_no_sense_are_refused_before_anything_is_read() -> None:
    with pytest.raises(SourceError, match="found start='noon'"):
        camera(Path("/nowhere"), start="noon")
    with pytest.raises(SourceError, match="found fps='0'"):
        camera(Path("/nowhere"), fps="0")


def test_corrupt_and_cut_pictures_are_left_out_and_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(tmp_path, "1.jpg", "6.jpg")
    (tmp_path / "2.jpg").write_bytes(jpeg()[:-40])
    (tmp_path / "3.jpg").write_bytes(b"no picture at all")
    (tmp_path / "4.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "5.jpg").touch()
    source = camera(tmp_path)
    with caplog.at_level(logging.WARNING):
        frames = read(source)
    assert [frame.captured_ns - START_NS for frame in frames] == [0, 5 * NS_PER_S]
    assert source.counts == {"corrupt": 4}
    assert len(caplog.records) == 1


def test_a_picture_beyond_the_bounds_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "flat.jpg").write_bytes(jpeg(10_000, 10_000))
    (tmp_path / "forged.jpg").write_bytes(forged(65_000, 65_000))
    (tmp_path / "long.jpg").write_bytes(jpeg() + bytes(MAX_BYTES))
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (60_000).to_bytes(4) * 2
    (tmp_path / "bomb.png").write_bytes(header + bytes(64))
    source = camera(tmp_path)
    assert read(source) == []
    assert source.counts == {"too_large": 4}


def test_the_size_is_read_through_metadata_and_restart_markers() -> None:
    data = cv2.imencode(".jpg", np.zeros((33, 77, 3), np.uint8), [cv2.IMWRITE_JPEG_RST_INTERVAL, 1])[1]
    exif = b"\xff\xe1" + (2 + 9).to_bytes(2) + b"\xff\xd8\xff\xd9\xff\xc0\0\0\0"  # a thumbnail's own markers
    with_exif = data.tobytes()[:2] + exif + b"\xff" + data.tobytes()[2:]
    assert jpeg_size(with_exif) == (77, 33)
    progressive = cv2.imencode(".jpg", np.zeros((9, 8, 3), np.uint8), [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1]
    assert jpeg_size(progressive.tobytes()) == (8, 9)


def test_any_cut_of_a_jpeg_is_seen() -> None:
    data = jpeg()
    assert jpeg_flaw(data) is None
    assert {jpeg_flaw(data[:length]) for length in range(len(data))} == {"corrupt"}
    assert jpeg_flaw(forged(0, 10)) == "corrupt"


def test_natural_order() -> None:
    assert sorted(["f10", "f9a", "f09", "a", "10", "9"], key=natural_key)[-1] == "f10"


@pytest.mark.data
def test_real_prints_are_read_whole(data_dir: Path) -> None:
    folder = data_dir / "images" / "part1" / "emptydeck" / "p1_blackmoai"
    source = camera(folder)
    assert len(read(source)) == 10
    assert not source.counts
