"""What cameras that are read by FFmpeg have in common: a thread that demuxes, and sampling at a rate."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import av
from av.container import InputContainer

from ingest.cameras.decoding.handover import latest_frames
from ingest.cameras.decoding.packets import stall_of, video_packets
from ingest.cameras.decoding.sampler import FrameSampler, sampling_of
from ingest.cameras.images import LeftOut
from ingest.clock import AnchoredClock
from ingest.records import Frame
from ingest.sources import Address, BaseSource


class LiveVideo(BaseSource):
    """A live camera whose ``read`` opens something and samples it, in a thread of its own."""

    def __init__(self, address: Address, printer: str) -> None:
        super().__init__(address, printer)
        self._sampling = sampling_of(address)
        self._stall_s = stall_of(address)
        self._counts = self._left_out = LeftOut(str(address))

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield frames as they come. Raises CameraUnreachable where none comes, or none any longer."""
        async with aclosing(latest_frames(self.read, str(self._address), self._counts)) as frames:
            async for frame in frames:
                yield frame

    def read(self, stopped: threading.Event) -> Iterator[Frame]:
        """Open the camera and yield its frames until ``stopped`` is set. Raises CameraUnreachable."""
        raise NotImplementedError

    def sampled(
        self, container: InputContainer, video: av.VideoStream, stopped: threading.Event
    ) -> Iterator[Frame]:
        """The frames of an open camera that are due. Raises Stalled, and FFmpegError where it breaks off."""
        clock, source = AnchoredClock(), (self._address, self._printer)
        sampler = FrameSampler(video, self._sampling, source, self._left_out, self.facts)
        for packet in video_packets(container, video, stopped, self._stall_s):
            if (frame := sampler.feed(packet, clock.now_ns())) is not None:
                yield frame
