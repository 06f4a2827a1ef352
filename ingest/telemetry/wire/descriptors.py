"""Reading and writing descriptors in the event loop: at once, in order, in bounded memory."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from ingest.telemetry.wire.port import read_now

MOST_WAITING_BYTES = 256 * 1024
"""What is kept for a side that does not take it; then the other side is no longer read, and its own buffers
fill up, as on a wire. A host that stands still for an hour finds its printer's reports in it."""


class Inlet:
    """Reads a non-blocking descriptor as soon as there is something: ``on_data``, or ``on_end`` once."""

    def __init__(self, descriptor: int, on_data: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._on_data, self._on_end = on_data, on_end
        self._reads = False

    def start(self) -> None:
        """Read, or go on reading."""
        if not self._reads:
            asyncio.get_running_loop().add_reader(self._descriptor, self._readable)
            self._reads = True

    def stop(self) -> None:
        """Leave what comes where it is."""
        if self._reads:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            self._reads = False

    def _readable(self) -> None:
        data = read_now(self._descriptor)
        if data is None:
            self.stop()
            self._on_end()
        elif data:
            self._on_data(data)


class Outlet:
    """Writes to a non-blocking descriptor at once and keeps in order what it does not take yet.

    ``full`` asks the caller to stop; ``on_room`` says that it may go on. A descriptor that is gone takes
    everything: who reads it says that it is gone.
    """

    def __init__(self, descriptor: int, on_room: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._on_room = on_room
        self._waiting = bytearray()

    @property
    def full(self) -> bool:
        return len(self._waiting) >= MOST_WAITING_BYTES

    def write(self, data: bytes) -> None:
        """Pass bytes on, after those that wait already."""
        if self._waiting:
            self._waiting += data
            return
        taken = self._take(data)
        if taken < len(data):
            self._waiting += data[taken:]
            asyncio.get_running_loop().add_writer(self._descriptor, self._writable)

    def clear(self) -> None:
        """Forget what waits."""
        if self._waiting:
            asyncio.get_running_loop().remove_writer(self._descriptor)
            self._waiting.clear()

    def _writable(self) -> None:
        del self._waiting[: self._take(self._waiting)]
        if not self._waiting:
            asyncio.get_running_loop().remove_writer(self._descriptor)
        if not self.full:
            self._on_room()

    def _take(self, data: bytes | bytearray) -> int:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)
