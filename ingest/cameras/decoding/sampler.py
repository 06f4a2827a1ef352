"""The packets of a live video in, the frames that are due out, with as little decoding as that takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias, cast

import av
import numpy as np
from av.format import Flags

from ingest.cameras.decoding.decoder import HARDWARE, Decoder, PictureUnits, VideoPacket
from ingest.cameras.decoding.pace import DECODE, KeyframeChoice, Pace, Stamps
from ingest.cameras.decoding.picture import frame_of, frame_of_jpeg
from ingest.cameras.images import LeftOut
from ingest.cameras.jpeg import jpeg_flaw
from ingest.records import Frame
from ingest.sources import Address, option_choice, option_number

DEFAULT_FPS = 1.0
"""A window of 1 s keeps one frame."""
LOWEST_FPS, HIGHEST_FPS = 0.001, 240.0
JPEG_CODEC = "mjpeg"

FPS_OPTION: Mapping[str, str] = {"fps": f"pictures kept per second (default {DEFAULT_FPS:g})"}
SAMPLING_OPTIONS: Mapping[str, str] = {
    **FPS_OPTION,
    "decode": "auto (default): key frames alone where they come often enough for fps; keyframes; all",
    "hwaccel": f"what decodes: {', '.join(HARDWARE)} (default {HARDWARE[0]}), else software",
}

_Picture: TypeAlias = av.VideoFrame | bytes  # decoded, or a JPEG as the camera gave it
_Stamped: TypeAlias = tuple[int, _Picture]


class Sampling(NamedTuple):
    """What is taken from a video, and how; see SAMPLING_OPTIONS."""

    fps: float
    decode: str = DECODE[0]
    hardware: str = HARDWARE[0]


def sampling_of(address: Address) -> Sampling:
    """The sampling options of an address. Raises SourceError where a value makes no sense."""
    return Sampling(
        option_number(address, "fps", DEFAULT_FPS, low=LOWEST_FPS, high=HIGHEST_FPS),
        option_choice(address, "decode", DECODE),
        option_choice(address, "hwaccel", HARDWARE),
    )


class FrameSampler:
    """One opened video of a camera, sampled at a rate; what is opened anew takes a new one.

    A video of JPEGs (MJPEG) is passed through, its bytes untouched. ``facts`` are told as they become known:
    codec, fps, size, decoder. Left out and counted: ``corrupt``, ``too_large``.
    """

    def __init__(
        self,
        video: av.VideoStream,
        sampling: Sampling,
        source: tuple[Address, str],
        left_out: LeftOut,
        facts: dict[str, str],
    ) -> None:
        codec = video.codec_context.name
        self._source, self._left_out, self._facts = source, left_out, facts
        self._pace = Pace(sampling.fps)
        self._choice = KeyframeChoice(sampling.decode, self._pace.period_ns)
        self._stamps = Stamps(None if _unstamped(video) else video.time_base)
        self._units = PictureUnits(codec)
        self._decoder = None if codec == JPEG_CODEC else Decoder(video, sampling.hardware)
        self._begun = False  # a key frame has come: what follows can be decoded
        self._held: _Stamped | None = None  # the newest picture that is due
        facts["codec"] = codec
        facts["fps"] = f"{float(video.average_rate):g}" if video.average_rate else "not told"

    def feed(self, packet: VideoPacket, arrival_ns: int) -> Frame | None:
        """Take the next packet, which arrived at ``arrival_ns``; the frame that is to go out now, if any."""
        self._stamps.arrived(packet.pts, arrival_ns)
        unit = self._units.add(packet)
        if unit is not None:
            try:
                self._held = self._due(unit, arrival_ns) or self._held
            except av.FFmpegError:
                self._left_out.add("corrupt", "a picture that cannot be decoded")
        if self._held is None or not self._stamps.settled:
            return None
        (stamp_ns, picture), self._held = self._held, None
        return self._frame(picture, self._stamps.at_ns(stamp_ns))

    def _due(self, unit: VideoPacket, arrival_ns: int) -> _Stamped | None:
        """The picture of this packet, or the last one that it completes, if it is due."""
        stamp_ns = self._stamps.stamp_ns(unit.pts, arrival_ns)
        if unit.is_keyframe and stamp_ns is not None:
            self._choice.keyframe(stamp_ns)
        if self._decoder is None:
            return (stamp_ns, bytes(unit)) if stamp_ns is not None and self._pace.due(stamp_ns) else None
        if self._choice.keyframes_only:
            return self._alone(self._decoder, unit, stamp_ns) if unit.is_keyframe else None
        self._begun |= unit.is_keyframe
        return self._among_all(self._decoder, unit, arrival_ns) if self._begun else None

    def _alone(self, decoder: Decoder, unit: VideoPacket, stamp_ns: int | None) -> _Stamped | None:
        if stamp_ns is None or not self._pace.due(stamp_ns, self._choice.apart_ns):
            return None
        pictures = decoder.alone(unit)[-1:]  # before it may come what was still inside
        return next(((stamp_ns, picture) for picture in pictures if self._is_whole(picture)), None)

    def _among_all(self, decoder: Decoder, unit: VideoPacket, arrival_ns: int) -> _Stamped | None:
        due: _Stamped | None = None
        for picture in decoder.next(unit):
            stamp_ns = self._stamps.stamp_ns(picture.pts, arrival_ns)
            if stamp_ns is not None and self._is_whole(picture) and self._pace.due(stamp_ns):
                due = stamp_ns, picture
        return due

    def _is_whole(self, picture: av.VideoFrame) -> bool:
        if picture.is_corrupt:
            self._left_out.add("corrupt", "a picture of which parts are missing")
        return not picture.is_corrupt

    def _frame(self, picture: _Picture, at_ns: int) -> Frame | None:
        if isinstance(picture, bytes):
            frame = self._passed_through(picture, at_ns)
        else:
            pixels = np.asarray(picture.to_ndarray(format="bgr24", threads=1), np.uint8)
            frame = frame_of(pixels, at_ns, *self._source)
        if frame is not None:
            self._facts["size"] = f"{frame.width}x{frame.height}"
            self._facts["decoder"] = self._way()
        return frame

    def _passed_through(self, jpeg: bytes, at_ns: int) -> Frame | None:
        flaw = jpeg_flaw(jpeg)
        if flaw is not None:
            self._left_out.add(flaw, f"a JPEG of {len(jpeg)} bytes")
            return None
        return frame_of_jpeg(jpeg, at_ns, *self._source)

    def _way(self) -> str:
        if self._decoder is None:
            return "none: its JPEGs go out as they come"
        which = "key frames alone" if self._choice.keyframes_only else "every frame"
        return f"{self._decoder.label}, {which}"


def _unstamped(video: av.VideoStream) -> bool:
    """Whether the container has no stamps of its own: FFmpeg then makes some up from a usual rate."""
    return bool(video.container.format.flags & cast(int, Flags.no_timestamps.value))
