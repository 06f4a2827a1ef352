"""Records a live print as its items come, whatever the disk does."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from ingest.recordings.format import About
from ingest.recordings.writer import RecordingWriter
from ingest.records import Event, EventKind, Frame, Reading
from ingest.sources import Item

log = logging.getLogger("nozzlewatch.ingest")

WRITE_S = 2.0
"""How often what has come is written, in s: a crash loses no more than this."""
SYNC_S = 6.0
"""How often it is made to outlast a power cut, in s: disks of printer hosts (SD cards) suffer from more."""
MAX_WAITING_BYTES = 64 << 20
"""What a disk that is too slow may leave waiting; further items are not recorded."""


class Recorder:
    """Writes one print to one file while it is used as a context; ``take`` gets every item.

    ``take`` never waits, and raises nothing. Where the disk is full or too slow recording pauses, with one
    warning, and goes on by itself with an all-clear; an event UNRECORDED stands at the gap's beginning.
    ``counts``: ``frames``, ``readings``, ``events`` and ``lines`` taken, ``unrecorded`` ones, and
    ``out_of_range`` times. ``whole`` says, after the end, that the file was finished.
    """

    def __init__(self, path: Path, about: About, *, write_s: float = WRITE_S) -> None:
        """Create the file. Raises UsageError where it exists already or cannot be created."""
        self.counts: Counter[str] = Counter()
        self.whole = False
        self._writer = RecordingWriter(path, about)
        self._printer = about.printer
        self._write_s = write_s
        self._paused = ""  # why, while it is
        self._gap: tuple[int, int] | None = (
            None  # first item that was not recorded, ns, and how many were not
        )
        self._ended = asyncio.Event()
        self._synced_s = 0.0
        self._task: asyncio.Task[None] | None = None

    @property
    def size(self) -> int:
        """Bytes in the file so far."""
        return self._writer.size

    def take(self, item: Item, arrival_ns: int) -> None:
        """Record an item that arrived at ``arrival_ns``, never before the last one."""
        if not self._paused and self._writer.waiting > MAX_WAITING_BYTES:
            self._pause("the disk takes it too slowly")
        if self._paused:
            begin_ns, lost = self._gap or (arrival_ns, 0)
            self._gap = begin_ns, lost + 1
            self.counts["unrecorded"] += 1
            return
        self._mark_gap()
        self._writer.add(item, arrival_ns)
        self.counts[_kind(item)] += 1

    async def __aenter__(self) -> Recorder:
        self._task = asyncio.create_task(self._keep_writing())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._task is not None:
            await self._task
        self._mark_gap()
        try:
            await asyncio.to_thread(self._writer.finish)
            self.whole = True
        except OSError as failed:
            log.error(  # noqa: TRY400 - a full disk needs no traceback
                "%s: ended without its index (%s): it is read all the same up to %d bytes; "
                "mcap recover makes a whole one of it",
                self._writer.path,
                failed.strerror,
                self._writer.size,
            )
        if self._writer.out_of_range:
            self.counts["out_of_range"] = self._writer.out_of_range

    def discard(self) -> None:
        """Remove the file, after the end: nothing came of it."""
        self._writer.path.unlink(missing_ok=True)

    async def _keep_writing(self) -> None:
        while not self._ended.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), self._write_s)
            await self._write()

    async def _write(self) -> None:
        self._writer.end_chunk()
        now_s = asyncio.get_running_loop().time()
        sync = now_s - self._synced_s >= SYNC_S
        try:
            await asyncio.to_thread(self._writer.write, sync=sync)
        except OSError as error:
            self._pause(error.strerror or str(error))
        else:
            self._synced_s = now_s if sync else self._synced_s
            self._resume()

    def _pause(self, why: str) -> None:
        if not self._paused:
            log.warning("%s: recording pauses: %s; it goes on by itself", self._writer.path, why)
        self._paused = why

    def _resume(self) -> None:
        if self._paused:
            lost = self._gap[1] if self._gap is not None else 0
            log.warning("%s: recording goes on; %d items were not recorded", self._writer.path, lost)
        self._paused = ""

    def _mark_gap(self) -> None:
        """Say in the recording itself that something is missing, once it can be said."""
        if self._gap is None:
            return
        at_ns, lost = self._gap
        text = f"{lost} items were not recorded"
        gap = Event(printer=self._printer, at_ns=at_ns, kind=EventKind.UNRECORDED, text=text)
        self._writer.add(gap, at_ns)
        self._gap = None


def _kind(item: Item) -> str:
    if isinstance(item, Frame):
        return "frames"
    if isinstance(item, Reading):
        return "readings"
    return "events" if isinstance(item, Event) else "lines"
