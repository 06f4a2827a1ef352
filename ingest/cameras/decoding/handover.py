"""From a thread that reads a blocking library to the event loop: the latest picture only, stopped cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterable

from ingest.records import Frame

LEAVE_S = 2.0
"""How long a reader that leaves waits for its thread, in s. One that blocks for longer ends by itself, at
its library's own limit: nobody waits for it, and it keeps no process from ending."""

Read = Callable[[threading.Event], Iterable[Frame]]
"""What runs in the thread. It is to end soon after the event is set, and raises what the reader is to get."""


async def latest_frames(read: Read, name: str, counts: Counter[str]) -> AsyncGenerator[Frame, None]:
    """Yield what ``read`` gives in a thread of its own, until it ends; raises what it raises.

    A frame that nobody took before the next one came is replaced by it and counted as ``overtaken``: memory
    holds one frame, however slow the reader.
    """
    slot = _Slot(asyncio.get_running_loop(), counts)
    threading.Thread(target=slot.fill, args=(read,), name=name, daemon=True).start()
    try:
        while (frame := await slot.take()) is not None:
            yield frame
    finally:
        slot.stopped.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await slot.ended.wait()


class _Slot:
    """Room for one frame. The thread calls ``fill``, the loop everything else."""

    def __init__(self, loop: asyncio.AbstractEventLoop, counts: Counter[str]) -> None:
        self.stopped = threading.Event()
        self.ended = asyncio.Event()
        self._loop = loop
        self._counts = counts
        self._changed = asyncio.Event()
        self._frame: Frame | None = None
        self._error: Exception | None = None

    def fill(self, read: Read) -> None:
        """Run ``read`` to its end in this thread and hand over what it gives and raises."""
        error: Exception | None = None
        try:
            for frame in read(self.stopped):
                self._tell(self._put, frame)
        except Exception as raised:  # raised again where the frames are read
            error = raised
        self._tell(self._end, error)

    async def take(self) -> Frame | None:
        """The next frame; None at the end. Raises what ended the thread."""
        while self._frame is None and not self.ended.is_set():
            self._changed.clear()
            await self._changed.wait()
        frame, self._frame = self._frame, None
        if frame is None and self._error is not None:
            raise self._error
        return frame

    def _tell(self, what: Callable[..., None], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self._loop.call_soon_threadsafe(what, *arguments)

    def _put(self, frame: Frame) -> None:
        self._counts["overtaken"] += self._frame is not None
        self._frame = frame
        self._changed.set()

    def _end(self, error: Exception | None) -> None:
        self._error = error
        self.ended.set()
        self._changed.set()
