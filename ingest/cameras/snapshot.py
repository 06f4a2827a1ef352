"""A camera that gives single pictures over HTTP: ``snapshot:http://HOST/snapshot.jpg#every=1``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import ClassVar, NamedTuple

from aiohttp import ClientResponse, ClientSession

from ingest.cameras.decoding.picture import frame_of_jpeg
from ingest.cameras.jpeg import MAX_BYTES, Flaw, jpeg_flaw, to_jpeg
from ingest.clock import AnchoredClock
from ingest.errors import CameraUnreachable
from ingest.http import HTTP_OPTIONS, READ_S, check_status, open_session, page_url, told_as
from ingest.records import Frame
from ingest.sources import Address, BaseSource, option_number

DEFAULT_EVERY_S = 2.0
SHORTEST_EVERY_S, LONGEST_EVERY_S = 0.05, 3600.0
UNCHANGED = 304
_NS_PER_MS = 1_000_000
_JPEG_START = b"\xff\xd8"
_ENDLESS = ("multipart/", "video/")
_NO_PICTURES = ("text/", "application/json")
_VALIDATORS = (("ETag", "If-None-Match"), ("Last-Modified", "If-Modified-Since"))  # RFC 9110, section 13.1


class _Answer(NamedTuple):
    """A picture, and when the server took it."""

    captured_ns: int
    content_type: str
    data: bytes


class SnapshotCamera(BaseSource):
    """Asks for a picture ``every`` so many seconds, one request at a time; a slow server is asked less often.

    A picture's time is the middle between the request and the first byte of its answer: in between it was
    taken. Other formats become JPEG. ``counts``: ``unchanged``, the server has no newer picture (304);
    ``corrupt`` and ``too_large`` ones. ``facts["latency_ms"]`` is how long the last request took.
    """

    recorded: ClassVar[bool] = False
    remote: ClassVar[bool] = True
    options: ClassVar[Mapping[str, str]] = {
        "every": f"s from one picture to the next (default {DEFAULT_EVERY_S:g})",
        **HTTP_OPTIONS,
    }

    def __init__(self, address: Address, printer: str) -> None:
        super().__init__(address, printer)
        self._url = page_url(address)
        self._every_s = option_number(
            address, "every", DEFAULT_EVERY_S, low=SHORTEST_EVERY_S, high=LONGEST_EVERY_S
        )
        self._known: dict[str, str] = {}  # what tells the server which picture we have

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield pictures as they come. Raises CameraUnreachable where a request fails."""
        self._known = {}
        clock, loop = AnchoredClock(), asyncio.get_running_loop()
        async with open_session(self._address) as session:
            while True:
                due_s = loop.time() + self._every_s
                answer = await self._picture(session, clock)
                if answer is not None and (frame := await self._frame(answer)) is not None:
                    yield frame
                await asyncio.sleep(due_s - loop.time())

    async def _picture(self, session: ClientSession, clock: AnchoredClock) -> _Answer | None:
        """The picture as it is now; None where it is still the same."""
        asked_ns = clock.now_ns()
        with told_as(CameraUnreachable, self._address):
            async with asyncio.timeout(READ_S), session.get(self._url, headers=self._known) as response:
                captured_ns = (asked_ns + clock.now_ns()) // 2
                data = await self._data(response)
        self.facts["codec"] = response.content_type
        self.facts["latency_ms"] = str((clock.now_ns() - asked_ns) // _NS_PER_MS)
        return _Answer(captured_ns, response.content_type, data) if data is not None else None

    async def _data(self, response: ClientResponse) -> bytes | None:
        """The picture's bytes, MAX_BYTES and a little of a longer one; None where it is still the same."""
        if response.status == UNCHANGED and self._known:
            self._counts["unchanged"] += 1
            return None
        check_status(response, CameraUnreachable, self._address)
        if response.content_type.startswith(_ENDLESS):
            raise self._no_picture(
                response.content_type, "that is a stream: write mjpeg: instead of snapshot:"
            )
        headers = response.headers
        self._known = {ask: headers[tell] for tell, ask in _VALIDATORS if tell in headers}
        data = bytearray()
        while len(data) <= MAX_BYTES and (more := await response.content.readany()):
            data += more
        return bytes(data)

    def _no_picture(self, found: str, hint: str) -> CameraUnreachable:
        return CameraUnreachable(f"{self._address}: found {found}, expected a picture: {hint}")

    async def _frame(self, answer: _Answer) -> Frame | None:
        jpeg = await _as_jpeg(answer.data)
        if isinstance(jpeg, str):
            self._leave_out(answer, jpeg)
            return None
        return frame_of_jpeg(jpeg, answer.captured_ns, self._address, self._printer)

    def _leave_out(self, answer: _Answer, flaw: Flaw) -> None:
        """Count a picture that cannot be used. Raises CameraUnreachable for what never was to be one."""
        self._known = {}
        if flaw == "corrupt" and answer.content_type.startswith(_NO_PICTURES):
            raise self._no_picture(
                answer.content_type, "open the address in a browser and look up the picture's own"
            )
        self._counts[flaw] += 1


async def _as_jpeg(data: bytes) -> bytes | Flaw:
    """As ``to_jpeg``; what has to be decoded is decoded in a thread."""
    if data.startswith(_JPEG_START):
        return jpeg_flaw(data) or data
    return await asyncio.to_thread(to_jpeg, data)
