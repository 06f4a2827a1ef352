"""A video's packets made into pictures: key frames alone or all of them, on hardware where there is some."""

from __future__ import annotations

from typing import TypeAlias, cast

import av
from av.codec.codec import Codec
from av.codec.hwaccel import HWAccel, hwdevices_available

from ingest.cameras.jpeg import MAX_PIXELS

VideoPacket: TypeAlias = "av.Packet[av.VideoStream]"

HARDWARE = ("none", "auto", "cuda", "vaapi", "qsv", "drm", "vdpau", "videotoolbox", "d3d11va")
"""What may decode beside the processor; which of them FFmpeg was built for, ``hwdevices_available`` tells."""
SOFTWARE = "software"
MERGED_CODECS = frozenset({"h264", "hevc"})
"""Codecs whose slices may be put together by laying their bytes in a row."""


class PictureUnits:
    """Packets put together to whole pictures: some senders (GStreamer among them) send a picture in parts.

    A picture is whole when the next one begins, so it comes out one packet later.
    """

    def __init__(self, codec: str) -> None:
        self._merges = codec in MERGED_CODECS
        self._parts: list[VideoPacket] = []

    def add(self, packet: VideoPacket) -> VideoPacket | None:
        """The picture that this packet has completed: the one before, where parts can come at all."""
        if not self._merges:
            return packet
        if self._parts and _belong_together(self._parts[0], packet):
            self._parts.append(packet)
            return None
        parts, self._parts = self._parts, [packet]
        return _merged(parts) if parts else None


class Decoder:
    """Decodes one video on one thread. ``label`` says in words what does the work.

    Hardware that is asked for and cannot be had is no error: software takes over and ``label`` says why.
    Both ways of decoding raise av.FFmpegError for what cannot be decoded.
    """

    def __init__(self, video: av.VideoStream, hardware: str) -> None:
        self._software = video.codec_context
        self._software.thread_count = 1
        self._software.options = {"max_pixels": str(MAX_PIXELS)}
        self._context, self.label = _hardware(video, hardware) or (self._software, SOFTWARE)
        if hardware != HARDWARE[0] and self._context is self._software:
            self.label = f"{SOFTWARE} (found no {_named(hardware)} that decodes {video.codec_context.name})"
        self._proven = self._context is self._software

    def alone(self, packet: VideoPacket) -> list[av.VideoFrame]:
        """The picture of a key frame, without waiting for what follows it."""
        try:
            return self.next(packet) + self._context.decode(None)
        finally:
            self._context.flush_buffers()

    def next(self, packet: VideoPacket) -> list[av.VideoFrame]:
        """The pictures that this packet completes; every packet from a key frame on is to be given."""
        try:
            pictures = self._context.decode(packet)
        except av.FFmpegError:
            if self._proven:
                raise
            self._give_hardware_up()
            pictures = self._context.decode(packet)
        self._proven |= bool(pictures)
        return pictures

    def _give_hardware_up(self) -> None:
        self._context, self._proven = self._software, True
        self.label = f"{SOFTWARE} (found that {self.label} could not decode the first picture)"


def _hardware(video: av.VideoStream, hardware: str) -> tuple[av.VideoCodecContext, str] | None:
    """A decoder on the first device that works, and its name; None where there is none."""
    if hardware == HARDWARE[0]:
        return None
    for device in hwdevices_available() if hardware == "auto" else [hardware]:
        try:
            return _on_device(video, device), device
        except (av.FFmpegError, NotImplementedError, ValueError):
            continue
    return None


def _on_device(video: av.VideoStream, device: str) -> av.VideoCodecContext:
    if device not in hwdevices_available():
        raise NotImplementedError(device)
    codec = Codec(video.codec_context.name, "r")
    accelerated = HWAccel(device, allow_software_fallback=False)
    context = cast(av.VideoCodecContext, av.CodecContext.create(codec, "r", hwaccel=accelerated))
    if not context.is_hwaccel:
        raise NotImplementedError(device)
    context.extradata = video.codec_context.extradata
    return context


def _named(hardware: str) -> str:
    return "hardware" if hardware == "auto" else hardware


def _merged(parts: list[VideoPacket]) -> VideoPacket:
    if len(parts) == 1:
        return parts[0]
    whole = cast(VideoPacket, av.Packet(b"".join(bytes(part) for part in parts)))
    whole.pts, whole.dts = parts[-1].pts, parts[-1].dts
    whole.is_keyframe = parts[0].is_keyframe
    return whole


def _belong_together(first: VideoPacket, later: VideoPacket) -> bool:
    """Whether both are of one picture. The very first packet of an RTSP stream bears no stamp."""
    begins = first.pts is None and first.is_keyframe and later.is_keyframe
    return begins or (first.pts is not None and first.pts == later.pts)
