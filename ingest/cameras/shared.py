"""One connection per camera, however many printers it shows.

Cheap cameras serve one or two clients and no more, and a camera that looks at two printers stands in the farm
file twice. A hub opens it once and hands every picture to each of its readers.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TypeAlias

import msgspec

from ingest.cameras.registry import CAMERAS, open_camera
from ingest.records import Frame
from ingest.sources import Address, BaseSource, Camera, parse_address

MOST_WAITING = 4
"""Pictures that wait for a slow reader; then the oldest goes. Readers take theirs within milliseconds."""

_Key: TypeAlias = tuple[str, str, tuple[tuple[str, str], ...]]
_End: TypeAlias = Exception | None  # why nothing more comes; None where the camera has just ended


class CameraHub:
    """Opens cameras for the printers of a farm; those with the same address and options share one."""

    def __init__(self) -> None:
        self._connections: dict[_Key, _Connection] = {}

    def open(self, text: str, printer: str, base: Path = Path()) -> Camera:
        """The camera that an address names, as ``open_camera``. A recorded one is never shared."""
        address = parse_address(text, CAMERAS, base)
        if CAMERAS[address.kind].recorded:
            return open_camera(text, printer, base)
        key = address.kind, address.where, tuple(sorted(address.options.items()))
        if key not in self._connections:
            self._connections[key] = _Connection(open_camera(text, printer, base))
        return _SharedCamera(address, printer, self._connections[key])


class _SharedCamera(BaseSource):
    """One printer's view of a live camera; see ``Camera``. ``counts``: the camera's, and ``reader_slow``."""

    def __init__(self, address: Address, printer: str, connection: _Connection) -> None:
        super().__init__(address, printer)
        self._connection = connection
        self.facts = connection.camera.facts

    @property
    def counts(self) -> Mapping[str, int]:
        return Counter(self._connection.camera.counts) + self._counts

    async def frames(self) -> AsyncIterator[Frame]:
        """As the camera's own, with this printer's name; the first reader opens it, the last closes it."""
        reader = self._connection.join(self._counts)
        try:
            while (frame := await reader.next()) is not None:
                yield msgspec.structs.replace(frame, printer=self._printer)
        finally:
            await self._connection.leave(reader)


class _Connection:
    """A camera, and those who read it."""

    def __init__(self, camera: Camera) -> None:
        self.camera = camera
        self._readers: set[_Reader] = set()
        self._reading: asyncio.Task[None] | None = None

    def join(self, counts: Counter[str]) -> _Reader:
        """One more reader, who gets what comes from now on; what it misses is counted in ``counts``."""
        reader = _Reader(counts)
        self._readers.add(reader)
        if len(self._readers) == 1:
            self._reading = asyncio.create_task(self._read(after=self._reading))
        return reader

    async def leave(self, reader: _Reader) -> None:
        """One reader less; the camera is closed before the last one is gone."""
        self._readers.discard(reader)
        if not self._readers and self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})

    async def _read(self, after: asyncio.Task[None] | None) -> None:
        """Read the camera to its end, once those who read it before have closed it."""
        if after is not None:
            await asyncio.wait({after})
        end: _End = None
        try:
            async for frame in self.camera.frames():
                for reader in self._readers:
                    reader.put(frame)
        except Exception as error:  # whatever it is: nobody may wait for ever
            end = error
        readers, self._readers = self._readers, set()
        for reader in readers:
            reader.end(end)


class _Reader:
    """What one reader has not taken yet; counts what goes because the reader is slow."""

    def __init__(self, counts: Counter[str]) -> None:
        self._counts = counts
        self._waiting: deque[Frame] = deque(maxlen=MOST_WAITING)
        self._ended = False
        self._why: _End = None
        self._news = asyncio.Event()

    def put(self, frame: Frame) -> None:
        self._counts["reader_slow"] += len(self._waiting) == MOST_WAITING
        self._waiting.append(frame)
        self._news.set()

    def end(self, why: _End) -> None:
        self._ended, self._why = True, why
        self._news.set()

    async def next(self) -> Frame | None:
        """The next picture; None at the end. Raises what the camera raised, after the last picture."""
        while not self._waiting and not self._ended:
            self._news.clear()
            await self._news.wait()
        if self._waiting:
            return self._waiting.popleft()
        if self._why is not None:
            raise self._why
        return None
