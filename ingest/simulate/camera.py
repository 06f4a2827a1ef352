"""The camera of a simulated printer: JPEGs pushed over a unix socket, as ``ingest.simulate`` serves them.

On the wire stand a greeting (magic, width, height) and then every picture with its length in front.
"""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import AsyncIterator, Mapping
from typing import ClassVar

from ingest.clock import AnchoredClock
from ingest.errors import CameraUnreachable
from ingest.records import Frame
from ingest.sources import Address, BaseSource, option_number
from ingest.thinning import Thinning

GREETING = struct.Struct(">4sHH")  # magic, width, height
LENGTH = struct.Struct(">I")
MAGIC = b"NWC1"
MAX_JPEG_BYTES = 16 * 2**20  # nothing longer is read
MAX_FPS = 1_000.0
_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"


class SimulatedCamera(BaseSource):
    """``simulated:PATH_TO_UNIX_SOCKET``: the pictures that the simulator pushes, ``fps`` of them at most.

    ``counts``: ``corrupt``, no whole JPEG; ``thinned``, beyond ``fps``.
    """

    recorded: ClassVar[bool] = False
    options: ClassVar[Mapping[str, str]] = {"fps": "at most so many frames per second are kept"}

    def __init__(self, address: Address, printer: str) -> None:
        super().__init__(address, printer)
        self._thinning = Thinning(option_number(address, "fps", math.inf, low=0.001, high=MAX_FPS))

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield frames as they come. Raises CameraUnreachable where nobody serves, or no longer."""
        reader, writer = await self._connect()
        clock = AnchoredClock()
        try:
            width, height = await self._greeting(reader)
            while True:
                jpeg = await self._jpeg(reader)
                captured_ns = clock.now_ns()
                if self._wanted(jpeg, captured_ns):
                    yield self._frame(jpeg, captured_ns, width, height)
        finally:
            writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            return await asyncio.open_unix_connection(self._address.where)
        except OSError as error:
            raise CameraUnreachable(
                f"{self._address}: found no simulated camera ({error.strerror or error}), expected "
                "the socket of a running simulator: start `python -m ingest.simulate` and name its .sock file"
            ) from error

    async def _greeting(self, reader: asyncio.StreamReader) -> tuple[int, int]:
        magic, width, height = GREETING.unpack(await self._exactly(reader, GREETING.size))
        if magic != MAGIC:
            raise CameraUnreachable(
                f"{self._address}: found {magic!r}, expected a simulated camera ({MAGIC!r})"
            )
        return width, height

    async def _jpeg(self, reader: asyncio.StreamReader) -> bytes:
        (length,) = LENGTH.unpack(await self._exactly(reader, LENGTH.size))
        if length > MAX_JPEG_BYTES:
            raise CameraUnreachable(
                f"{self._address}: found a picture of {length} bytes, expected at most {MAX_JPEG_BYTES}"
            )
        return await self._exactly(reader, length)

    async def _exactly(self, reader: asyncio.StreamReader, size: int) -> bytes:
        try:
            return await reader.readexactly(size)
        except (asyncio.IncompleteReadError, OSError) as error:
            raise CameraUnreachable(
                f"{self._address}: the simulator closed the connection: it has ended; start it again"
            ) from error

    def _wanted(self, jpeg: bytes, captured_ns: int) -> bool:
        if not (jpeg.startswith(_JPEG_START) and jpeg.endswith(_JPEG_END)):
            self._counts["corrupt"] += 1
            return False
        if self._thinning.is_early(captured_ns):
            self._counts["thinned"] += 1
            return False
        self._thinning.kept(captured_ns)
        return True

    def _frame(self, jpeg: bytes, captured_ns: int, width: int, height: int) -> Frame:
        return Frame(
            printer=self._printer,
            camera=str(self._address),
            captured_ns=captured_ns,
            jpeg=jpeg,
            width=width,
            height=height,
        )
