"""A camera that streams its pictures over HTTP: ``mjpeg:http://HOST/?action=stream#fps=1``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import ClassVar

from aiohttp import ClientResponse, ClientSession

from ingest.cameras.decoding.picture import frame_of_jpeg
from ingest.cameras.jpeg import jpeg_flaw
from ingest.cameras.multipart import Part, PartSplitter, device_time_ns
from ingest.clock import AnchoredClock
from ingest.errors import CameraUnreachable
from ingest.http import HTTP_OPTIONS, check_status, open_session, page_url, told_as
from ingest.offsets import OffsetEstimator
from ingest.records import NS_PER_S, Frame
from ingest.sources import Address, BaseSource, option_number
from ingest.thinning import Thinning

DEFAULT_FPS = 2.0
"""A window of 1 s keeps one picture; twice as many make sure that each window gets one."""
LOWEST_FPS, HIGHEST_FPS = 0.001, 1e6  # the highest keeps every picture, those of a burst too
DEFAULT_STALL_S = 10.0
SHORTEST_STALL_S, LONGEST_STALL_S = 0.1, 3600.0
LONGEST_DELAY_NS = 5 * NS_PER_S
"""Stamps that lie further back than this are not those of the pictures: then the arrival counts."""

_JPEG_VIDEOS = ("video/x-motion", "video/x-mjpeg", "video/x-jpeg", "video/mjpeg", "video/jpeg")
_STREAMS = ("multipart/", "application/octet-stream", "image/jpeg", "image/jpg", *_JPEG_VIDEOS)
"""How the types of streams begin; servers that say none are read as octet-stream."""
_INSTEAD: Mapping[str, str] = {
    "text/html": "that is a page with the stream in it: look up the stream's own address in it",
    "image/": "that is a single picture: write snapshot: instead of mjpeg:",
    "video/": "that is a video: name the camera's MJPEG stream, or its rtsp:// address",
    "application/vnd.apple": "that is a video (HLS): name the camera's MJPEG stream, or its rtsp:// address",
}


class MjpegCamera(BaseSource):
    """Pictures of a stream (multipart/x-mixed-replace, or JPEGs in a row), their bytes untouched.

    Times are those of arrival, or where the server stamps its pictures those stamps, laid on our clock.
    ``counts``: ``corrupt`` and ``too_large`` pictures; ``thinned``, beyond ``fps``.
    """

    recorded: ClassVar[bool] = False
    remote: ClassVar[bool] = True
    options: ClassVar[Mapping[str, str]] = {
        "fps": f"at most so many pictures per second are kept (default {DEFAULT_FPS:g})",
        "stall": f"s without a whole picture after which the camera is lost (default {DEFAULT_STALL_S:g})",
        **HTTP_OPTIONS,
    }

    def __init__(self, address: Address, printer: str) -> None:
        super().__init__(address, printer)
        self._url = page_url(address)
        self._fps = option_number(address, "fps", DEFAULT_FPS, low=LOWEST_FPS, high=HIGHEST_FPS)
        self._stall_s = option_number(
            address, "stall", DEFAULT_STALL_S, low=SHORTEST_STALL_S, high=LONGEST_STALL_S
        )
        self._splitter = PartSplitter()
        self._seen = 0  # pictures of this connection
        self._thinning = Thinning(self._fps)

    @property
    def counts(self) -> Mapping[str, int]:
        return self._counts + self._splitter.counts

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield pictures as they come. Raises CameraUnreachable where none comes, or none any longer."""
        self._counts += self._splitter.counts
        self._splitter, self._seen, self._thinning = PartSplitter(), 0, Thinning(self._fps)
        clock, stamps = AnchoredClock(), _Stamps()
        async with open_session(self._address, read_s=None) as session, await self._ask(session) as stream:
            self._check(stream)
            while True:
                for part in await self._parts(stream):
                    at_ns = stamps.captured_ns(part.head, clock.now_ns())
                    if self._wanted(part.jpeg, at_ns):
                        yield frame_of_jpeg(part.jpeg, at_ns, self._address, self._printer)

    async def _ask(self, session: ClientSession) -> ClientResponse:
        with told_as(CameraUnreachable, self._address):
            async with asyncio.timeout(self._stall_s):
                return await session.get(self._url)

    def _check(self, stream: ClientResponse) -> None:
        """Raise CameraUnreachable for an answer that cannot be a stream."""
        check_status(stream, CameraUnreachable, self._address)
        found = stream.content_type
        single = found.startswith("image/") and stream.content_length is not None
        if single or not found.startswith(_STREAMS):
            hint = next(
                (text for kind, text in _INSTEAD.items() if found.startswith(kind)), "check the address"
            )
            raise CameraUnreachable(
                f"{self._address}: found {found}, expected a stream (multipart/x-mixed-replace): {hint}"
            )
        self.facts["codec"] = "MJPEG, passed through"
        self.facts["server"] = stream.headers.get("Server", "does not say what it is")

    async def _parts(self, stream: ClientResponse) -> list[Part]:
        """The pictures that came next, at least one."""
        try:
            async with asyncio.timeout(self._stall_s):
                while True:
                    with told_as(CameraUnreachable, self._address):
                        data = await stream.content.readany()
                    if parts := self._splitter.feed(data):
                        return parts
                    if not data:
                        raise CameraUnreachable(self._ended())
        except TimeoutError as error:
            raise CameraUnreachable(
                f"{self._address}: found no whole picture for {self._stall_s:g} s, expected one: "
                "the camera hangs, or its network does; restart it"
            ) from error

    def _ended(self) -> str:
        hint = "check the camera" if self._seen != 1 else "where it gives single pictures, write snapshot:"
        return (
            f"{self._address}: found the end of the stream after {self._seen} pictures, expected no end: "
            f"the server is restarting, or lets nobody stay; {hint}"
        )

    def _wanted(self, jpeg: bytes, at_ns: int) -> bool:
        """Whether to keep a picture; one that comes too early is not even looked at."""
        self._seen += 1
        if self._thinning.is_early(at_ns):
            self._counts["thinned"] += 1
            return False
        if (flaw := jpeg_flaw(jpeg)) is not None:
            self._counts[flaw] += 1
            return False
        self._thinning.kept(at_ns)
        return True


class _Stamps:
    """Times of one stream's pictures: the camera's own stamps where they make sense, else their arrival."""

    def __init__(self) -> None:
        self._offset = OffsetEstimator()
        self._stamp_ns: int | None = None
        self._last_ns = 0

    def captured_ns(self, head: bytes, arrived_ns: int) -> int:
        """The time of a picture, ns on our clock, after that of the picture before."""
        stamp_ns, self._stamp_ns = self._stamp_ns, device_time_ns(head)
        captured_ns = arrived_ns
        if self._stamp_ns is not None and self._stamp_ns != stamp_ns:
            told_ns = self._offset.at_ns(self._stamp_ns, arrived_ns)
            captured_ns = told_ns if arrived_ns - told_ns <= LONGEST_DELAY_NS else arrived_ns
        self._last_ns = max(self._last_ns + 1, captured_ns)
        return self._last_ns
