"""Reading a live video's packets: until it ends, stalls or nobody wants more."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from typing import cast

import av

from ingest.cameras.decoding.decoder import VideoPacket
from ingest.sources import Address, option_number

DEFAULT_STALL_S, SHORTEST_STALL_S, LONGEST_STALL_S = 10.0, 0.5, 600.0
STALL_OPTION: Mapping[str, str] = {
    "stall": f"s without a picture after which the camera is lost (default {DEFAULT_STALL_S:g})"
}
AGAIN_S = 0.01
"""Wait between two looks at a device that does not block, in s: a third of the frame time of 30 per s."""


def stall_of(address: Address) -> float:
    """The option ``stall`` of an address, s. Raises SourceError where it makes no sense."""
    return option_number(address, "stall", DEFAULT_STALL_S, low=SHORTEST_STALL_S, high=LONGEST_STALL_S)


class Stalled(Exception):
    """Nothing has come for the limit. The reader says it in the source's own words."""


def video_packets(
    container: av.container.InputContainer, video: av.VideoStream, stopped: threading.Event, stall_s: float
) -> Iterator[VideoPacket]:
    """Yield the packets of one video as they come; ends when the video does or ``stopped`` is set.

    Raises Stalled when none has come for ``stall_s``, av.FFmpegError when the connection or device is lost.
    """
    last_s = time.monotonic()
    while not stopped.is_set():
        try:
            for packet in container.demux():
                now_s = time.monotonic()
                # After a limit FFmpeg hands out what it still holds: that is no sign of life.
                if stopped.is_set() or now_s - last_s >= stall_s:
                    break
                if packet.stream is video and packet.size:
                    last_s = now_s
                    yield cast(VideoPacket, packet)
            else:
                return
        except av.BlockingIOError:
            stopped.wait(AGAIN_S)
        except av.ExitError:
            pass  # the read limit: the time since the last packet tells
        if time.monotonic() - last_s >= stall_s:
            raise Stalled
