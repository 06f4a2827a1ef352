"""A video file as a camera: ``video:FILE?fps=1&start=ISO8601``, whatever FFmpeg (inside OpenCV) can read."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import ClassVar

# Read when OpenCV opens its first video: FFmpeg's own lines on stderr say nothing that our errors do not.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # AV_LOG_QUIET

import cv2
import numpy as np
from cv2.utils import logging

from ingest.cameras.decoding.picture import frame_of
from ingest.cameras.images import (
    DEFAULT_FPS,
    DEFAULT_START,
    FPS_HIGH,
    FPS_LOW,
    LeftOut,
    option_start_ns,
)
from ingest.cameras.jpeg import MAX_PIXELS
from ingest.errors import SourceError, SourceNotFound
from ingest.records import Frame
from ingest.sources import Address, BaseSource, option_number

NS_PER_MS = 1_000_000
JITTER_MS = 1.0
"""Containers round timestamps to their own clock (1 ms in Matroska): a frame this early is still on time."""


class VideoFile(BaseSource):
    """Samples a video at ``fps`` by its own timestamps; a frame's time is ``start`` plus its position.

    OpenCV does not tell when a video was made, so ``start`` is the documented epoch unless the address
    names it. Left out and counted: ``corrupt``.
    """

    recorded: ClassVar[bool] = True
    options: ClassVar[Mapping[str, str]] = {
        "fps": "pictures taken per second of the video (default 1)",
        "start": f"time of the video's beginning, ISO 8601 (default {DEFAULT_START})",
    }

    def __init__(self, address: Address, printer: str) -> None:
        super().__init__(address, printer)
        self._fps = option_number(address, "fps", DEFAULT_FPS, low=FPS_LOW, high=FPS_HIGH)
        self._start_ns = option_start_ns(address)
        self._counts = self._left_out = LeftOut(str(address))
        self.time_estimated = "start" not in address.options

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield the sampled frames to the video's end. Raises SourceNotFound, SourceError for no video."""
        video = await asyncio.to_thread(self._open)
        sampler = _Sampler(video, self._fps)
        try:
            while (position_ms := await asyncio.to_thread(sampler.advance)) is not None:
                frame = await asyncio.to_thread(self._take, video, position_ms)
                if frame is not None:
                    yield frame
        finally:
            video.release()

    def _open(self) -> cv2.VideoCapture:
        path = Path(self._address.where)
        if not path.is_file():
            found = "a folder" if path.is_dir() else "nothing"
            hint = " (a folder of pictures is named images:DIR)" if path.is_dir() else ""
            raise SourceNotFound(
                f"{self._address}: found {found}, expected a video file: check the path{hint}"
            )
        video = _opened(path)
        width, height = (video.get(p) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if not video.isOpened() or width * height <= 0:
            raise SourceError(
                f"{self._address}: found a file that FFmpeg cannot read, expected a video: "
                "see whether a player opens it; a recording that was cut off often lacks its index"
            )
        if width * height > MAX_PIXELS:
            raise SourceError(
                f"{self._address}: found {width:.0f} x {height:.0f} pixels, expected at most {MAX_PIXELS}: "
                "scale the video down"
            )
        return video

    def _take(self, video: cv2.VideoCapture, position_ms: float) -> Frame | None:
        """The frame that was grabbed last."""
        good, picture = video.retrieve()
        if not good or picture is None:
            self._left_out.add("corrupt", f"the frame at {position_ms / 1000:.3f} s")
            return None
        at_ns = self._start_ns + round(position_ms * NS_PER_MS)
        return frame_of(np.asarray(picture, np.uint8), at_ns, self._address, self._printer)


class _Sampler:
    """Steps through a video and stops at the frames that are due; the others are grabbed, never converted."""

    def __init__(self, video: cv2.VideoCapture, fps: float) -> None:
        self._video = video
        self._period_ms = 1000 / fps
        self._frame_ms = 1000 / native if (native := video.get(cv2.CAP_PROP_FPS)) > 0 else 0.0
        self._index = -1
        self._due_ms = 0.0
        self._last_ms = -1.0

    def advance(self) -> float | None:
        """Go to the next frame that is due; its position in ms, None at the end."""
        while self._video.grab():
            self._index += 1
            position_ms = self._position_ms()
            if position_ms > self._last_ms and position_ms >= self._due_ms - JITTER_MS:
                periods = (position_ms + JITTER_MS) // self._period_ms + 1
                self._due_ms, self._last_ms = periods * self._period_ms, position_ms
                return position_ms
        return None

    def _position_ms(self) -> float:
        """The frame's own timestamp; a bare stream has none (always 0), there the frame rate tells it."""
        own_ms = self._video.get(cv2.CAP_PROP_POS_MSEC)
        return own_ms if own_ms > 0 else self._index * self._frame_ms


def _opened(path: Path) -> cv2.VideoCapture:
    """FFmpeg alone, by the full path: other back ends read a name such as ``a%03d.mp4`` as a pattern."""
    told = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        return cv2.VideoCapture(str(path.resolve()), cv2.CAP_FFMPEG)
    finally:
        logging.setLogLevel(told)
