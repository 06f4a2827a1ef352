"""A folder that something else writes pictures into, as a live camera: ``folder:DIR``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar, TypeVar

from ingest.cameras.decoding.picture import frame_of_jpeg
from ingest.cameras.folder_watch import FolderWatch, Ready
from ingest.cameras.jpeg import MAX_BYTES, Flaw, to_jpeg
from ingest.clock import AnchoredClock
from ingest.errors import CameraUnreachable
from ingest.records import NS_PER_S, Frame
from ingest.sources import Address, BaseSource

LOOK_EVERY_S = 0.5
LOOK_LIMIT_S = 10.0
"""A folder that does not answer for so long is a network share that has gone."""
PLAUSIBLE_AGE_NS = 30 * NS_PER_S
"""A new file that says it is older keeps the time of another place: then it counts from when it was seen."""

A = TypeVar("A")
T = TypeVar("T")


class WatchedFolder(BaseSource):
    """Pictures that appear in a folder or its subfolders from the start on, each once it is whole.

    For timelapse folders and upload folders: what is there at the start is passed over, hidden files and
    links too. A file that is written anew counts as a new picture. A picture's time is when it was written,
    where the file system's clock fits ours, else when it was seen. A JPEG's bytes go out untouched, other
    formats become JPEG. ``counts``: ``corrupt``, ``too_large``; ``vanished``, gone before they were whole.
    """

    recorded: ClassVar[bool] = False
    options: ClassVar[Mapping[str, str]] = {}

    def __init__(self, address: Address, printer: str) -> None:
        super().__init__(address, printer)
        self._last_ns = 0
        # Of its own, and for good: a share that hangs holds this thread alone, at every new try.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="folder")

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield pictures as they appear. Raises CameraUnreachable where the folder cannot be read."""
        watch, clock, loop = (
            FolderWatch(Path(self._address.where)),
            AnchoredClock(),
            asyncio.get_running_loop(),
        )
        while True:
            for ready in await self._in_thread(watch.look, loop.time()):
                jpeg = await self._in_thread(_read, ready)
                if ready.settled or isinstance(jpeg, bytes):
                    watch.take(ready)
                    if (frame := self._frame(jpeg, self._written_ns(ready, clock.now_ns()))) is not None:
                        yield frame
            self._counts["vanished"] += watch.vanished
            watch.vanished = 0
            await asyncio.sleep(LOOK_EVERY_S)

    async def _in_thread(self, call: Callable[[A], T], argument: A) -> T:
        try:
            async with asyncio.timeout(LOOK_LIMIT_S):
                return await asyncio.get_running_loop().run_in_executor(self._thread, call, argument)
        except OSError as error:  # TimeoutError is one
            raise CameraUnreachable(f"{self._address}: {_trouble(error)}") from error

    def _written_ns(self, ready: Ready, now_ns: int) -> int:
        """The time of a picture, ns, after that of the picture before."""
        mtime_ns = ready.stamp.mtime_ns
        age_ns = now_ns - mtime_ns
        own_ns = mtime_ns if 0 <= age_ns <= PLAUSIBLE_AGE_NS else now_ns
        self._last_ns = max(self._last_ns + 1, own_ns)
        return self._last_ns

    def _frame(self, jpeg: bytes | Flaw, captured_ns: int) -> Frame | None:
        if isinstance(jpeg, str):
            self._counts[jpeg] += 1
            return None
        return frame_of_jpeg(jpeg, captured_ns, self._address, self._printer)


def _read(ready: Ready) -> bytes | Flaw:
    """A file's picture as JPEG; one that has gone meanwhile is corrupt, and the next look drops it."""
    try:
        with ready.path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return "corrupt"
    return to_jpeg(data) if len(data) <= MAX_BYTES else "too_large"


def _trouble(error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return f"found no answer for {LOOK_LIMIT_S:g} s, expected a folder: is the network share still there?"
    found = (os.strerror(error.errno) if error.errno else str(error)).lower()
    return f"found {found}, expected a folder that can be read: check its path, its mount and its permissions"
