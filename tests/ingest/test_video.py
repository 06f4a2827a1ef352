"""A video file as a camera: sampled by its own timestamps."""

from __future__ import annotations

import asyncio
from pathlib import Path

import cv2
import numpy as np
import pytest

from ingest.cameras.images import DEFAULT_START, parse_time_ns
from ingest.cameras.jpeg import jpeg_size
from ingest.cameras.video import VideoFile
from ingest.errors import SourceError, SourceNotFound
from ingest.records import NS_PER_S, Frame
from ingest.sources import Address

START_NS = parse_time_ns(DEFAULT_START)
SHADES_PER_FRAME = 6
CODEC_DARKER = 2.0
"""MPEG-4 gives flat shades back darker by up to 4; half of that centres the error."""
KINDS = [("film.avi", "MJPG"), ("film.mp4", "mp4v")]


def write(path: Path, fourcc: str, frames: int = 40, fps: float = 10.0) -> None:
    """Each frame is flat and brighter than the one before."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*fourcc), fps, (96, 64))
    assert writer.isOpened()
    for number in range(frames):
        writer.write(np.full((64, 96, 3), number * SHADES_PER_FRAME, np.uint8))
    writer.release()


def camera(path: Path, **options: str) -> VideoFile:
    return VideoFile(Address("video", str(path), options), "p1")


def read(source: VideoFile) -> list[Frame]:
    async def collect() -> list[Frame]:
        return [frame async for frame in source.frames()]

    return asyncio.run(collect())


def number_of(frame: Frame) -> int:
    picture = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return round((float(picture.mean()) + CODEC_DARKER) / SHADES_PER_FRAME)


@pytest.mark.parametrize(("name", "fourcc"), KINDS)
def test_one_frame_a_second_by_the_videos_own_time(tmp_path: Path, name: str, fourcc: str) -> None:
    write(tmp_path / name, fourcc)
    frames = read(camera(tmp_path / name))
    assert [frame.captured_ns for frame in frames] == [START_NS + n * NS_PER_S for n in range(4)]
    assert [number_of(frame) for frame in frames] == [0, 10, 20, 30]
    assert {jpeg_size(frame.jpeg) for frame in frames} == {(96, 64)} == {(f.width, f.height) for f in frames}


@pytest.mark.parametrize(("name", "fourcc"), KINDS)
def test_rate_and_start_are_the_users(tmp_path: Path, name: str, fourcc: str) -> None:
    write(tmp_path / name, fourcc, frames=20)
    frames = read(camera(tmp_path / name, fps="4", start="2024-01-01T00:00:00Z"))
    start_ns = parse_time_ns("2024-01-01T00:00:00Z")
    after_ms = [(frame.captured_ns - start_ns) / 1e6 for frame in frames]
    assert after_ms == pytest.approx([0, 300, 500, 800, 1000, 1300, 1500, 1800], abs=1.0)


def test_a_rate_above_the_videos_own_gives_every_frame_once(tmp_path: Path) -> None:
    write(tmp_path / "film.avi", "MJPG", frames=12)
    frames = read(camera(tmp_path / "film.avi", fps="1000"))
    assert [number_of(frame) for frame in frames] == list(range(12))
    assert len({frame.captured_ns for frame in frames}) == 12


def test_what_is_no_video_is_said(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.mp4").write_text("no video")
    write(tmp_path / "whole.mp4", "mp4v")
    (tmp_path / "cut.mp4").write_bytes((tmp_path / "whole.mp4").read_bytes()[:300])
    for name in ("notes.mp4", "cut.mp4"):
        with pytest.raises(SourceError, match="found a file that FFmpeg cannot read"):
            read(camera(tmp_path / name))
    with pytest.raises(SourceNotFound, match="found nothing, expected a video file"):
        read(camera(tmp_path / "missing.mp4"))
    with pytest.raises(SourceNotFound, match="images:DIR"):
        read(camera(tmp_path))
    assert capfd.readouterr().err == ""


def test_leaving_the_loop_early_closes_the_file(tmp_path: Path) -> None:
    write(tmp_path / "film.avi", "MJPG")

    async def first() -> Frame:
        frames = camera(tmp_path / "film.avi").frames()
        frame = await anext(frames)
        await frames.aclose()  # type: ignore[attr-defined]
        return frame

    assert asyncio.run(first()).captured_ns == START_NS
