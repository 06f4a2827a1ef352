"""The ingest process: reads all printers of a farm, aligns what they say and writes it to the stores."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from ingest.broadcast import Broadcast
from ingest.cameras.shared import CameraHub
from ingest.commands import CommandDesk
from ingest.errors import StoreUnreachable
from ingest.farm import Farm, PrinterTable
from ingest.feed import Feed
from ingest.jobs import IDLE_JOB
from ingest.records import Health, Status
from ingest.stage import STATUS_EVERY_S, StoreSource, publish_status
from ingest.writer import Captured, WindowWriter

log = logging.getLogger("nozzlewatch.ingest")

QUEUE = 4096
"""Windows held while the store is away; a live printer's further ones are dropped and counted."""

BATCH = 256
BACKLOG = 512
"""Unjudged windows of a shard at which a recorded source waits for the detector."""

POLL_S = 0.05
SEND_EVERY_S = 0.25
RETRY_S = 0.5
STOP_LIMIT_S = 5.0
"""How long, once told to stop, ingest waits for a store that is away."""


class IngestWorker:
    """Runs every printer's feed and one writer. Made for one run."""

    def __init__(self, farm: Farm, source: StoreSource, *, speed: float | None = 1.0) -> None:
        self._source, self._speed, self._shards = source, speed, farm.table.shards
        self._stores = source.open()
        # Threads take turns: redis-py's client raises whatever comes when it is closed while one uses it.
        self._in_use = threading.Lock()
        self._writer = WindowWriter(self._stores, farm.table.shards)
        self._cameras = CameraHub()
        self.feeds = [self._feed(farm, printer) for printer in farm.printers]
        self._broadcast = Broadcast(self.feeds, farm.table.shards)
        self._queue: asyncio.Queue[Captured] = asyncio.Queue(QUEUE)
        self._dropped: Counter[str] = Counter()  # by printer, windows for which there was no room
        self._told_down: set[str] = set()
        self._told: dict[str, Counter[str]] = {}  # counts that the store has got already
        self._since_look: Counter[str] = Counter()  # windows emitted since the backlog was looked at
        self._written = 0

    def _feed(self, farm: Farm, printer: PrinterTable) -> Feed:
        """A printer's feed, which goes on with the print that ran when it was watched last."""
        timing, base = farm.timing(printer), farm.path.parent
        feed = partial(Feed, printer, timing, base, cameras=self._cameras.open)
        if printer.recorded:
            return feed()
        now = time.time_ns() // farm.span_ns
        if self._writer.was_set_back(printer.name, now):
            log.warning(
                "%s: the clock was set back since it was watched last: a new job begins", printer.name
            )
            return feed(idle=f"{IDLE_JOB}-{now}")
        return feed(running=self._writer.running_job(printer.name, now))

    async def run(self, stop: threading.Event) -> None:
        """Run until all recorded sources have ended and everything is written, or ``stop`` is set."""
        feeds = asyncio.gather(*(feed.run(partial(self._emit, feed), self._speed) for feed in self.feeds))
        writer = asyncio.create_task(self._keep_writing())
        others = [asyncio.create_task(work()) for work in (self._keep_telling, self._keep_sending)]
        halt = threading.Event()
        commands = asyncio.create_task(self._serve_commands(halt))
        works: list[asyncio.Future[Any]] = [feeds, writer, commands, *others]
        try:
            while not (stop.is_set() or any(work.done() for work in works)):
                await asyncio.sleep(POLL_S)
            halt.set()
            await commands
            await self._finish(feeds, writer, others, stop)
        finally:
            halt.set()
            self._stores.close()

    async def _serve_commands(self, halt: threading.Event) -> None:
        """Tell printers what is asked of them; a thread waits for it, with connections of its own."""
        desk = CommandDesk({feed.name: feed.told for feed in self.feeds}, self._shards)
        await asyncio.to_thread(desk.serve, self._source, halt)

    async def _finish(
        self,
        feeds: asyncio.Future[list[None]],
        writer: asyncio.Task[None],
        others: Sequence[asyncio.Task[None]],
        stop: threading.Event,
    ) -> None:
        """End in order: no more windows, then everything written, then the last word."""
        feeds.cancel()
        await asyncio.gather(feeds, return_exceptions=True)
        await self._drain(writer, stop)
        for task in (writer, *others):
            task.cancel()
        for result in await asyncio.gather(feeds, writer, *others, return_exceptions=True):
            if isinstance(result, Exception):
                raise result
        await asyncio.to_thread(self._tell)

    async def _drain(self, writer: asyncio.Task[None], stop: threading.Event) -> None:
        """Let what was captured be written; when told to stop, no longer than a store that works needs."""
        written = asyncio.create_task(self._queue.join())
        stopped_s: float | None = None
        while not (written.done() or writer.done()):
            await asyncio.wait({written}, timeout=POLL_S)
            if stop.is_set():
                stopped_s = stopped_s or time.monotonic()
                if time.monotonic() - stopped_s > STOP_LIMIT_S:
                    log.error("stopped while the store is away: %d windows are lost", self._queue.qsize())
                    break
        written.cancel()

    async def _emit(self, feed: Feed, batch: Sequence[Captured]) -> None:
        for captured in batch:
            if feed.recorded:
                await self._queue.put(captured)
            else:
                self._put_live(captured)
        if feed.recorded:
            await self._wait_for_detector(feed.name, len(batch))

    def _put_live(self, captured: Captured) -> None:
        """A live printer does not wait: when the store is away for long, its newest windows are dropped."""
        try:
            self._queue.put_nowait(captured)
        except asyncio.QueueFull:
            self._dropped[captured.window.printer] += 1

    async def _wait_for_detector(self, printer: str, emitted: int) -> None:
        """A recording goes no faster than it is judged: nothing of it is to be dropped."""
        self._since_look[printer] += emitted
        if self._since_look[printer] < BATCH:
            return
        self._since_look[printer] = 0
        await self._queue.join()
        while await asyncio.to_thread(self._backlog, printer) > BACKLOG:
            await asyncio.sleep(POLL_S)

    def _backlog(self, printer: str) -> int:
        try:
            with self._in_use:
                return self._writer.backlog(printer)
        except StoreUnreachable:
            return 0  # the writer meets the same trouble and deals with it

    async def _keep_writing(self) -> None:
        while True:
            batch = [await self._queue.get()]
            while len(batch) < BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            await self._write(batch)
            for _ in batch:
                self._queue.task_done()

    async def _write(self, batch: Sequence[Captured]) -> None:
        """Write a batch, however long the store stays away; what was written already is not written again."""
        warned = False
        while True:
            try:
                self._written += await asyncio.to_thread(self._writer.write, batch)
            except StoreUnreachable as error:
                if not warned:
                    log.warning("%s", error)
                warned = True
                await asyncio.sleep(RETRY_S)
                await asyncio.to_thread(self._reopen)
            else:
                if warned:
                    log.warning("redis: the store is back")
                return

    def _reopen(self) -> None:
        with contextlib.suppress(StoreUnreachable):
            stores = self._source.open(limit_s=0)
            with self._in_use:
                self._writer.reopen(stores)
                self._stores.close()
                self._stores = stores

    async def _keep_telling(self) -> None:
        while True:
            await asyncio.to_thread(self._tell)
            for feed in self.feeds:
                if feed.health is Health.DOWN and feed.name not in self._told_down:
                    self._told_down.add(feed.name)
                    log.error("%s: %s", feed.name, feed.detail)
            await asyncio.sleep(STATUS_EVERY_S)

    async def _keep_sending(self) -> None:
        """Send what the sources yield to whoever listens to a printer."""
        while True:
            await asyncio.to_thread(self._send)
            await asyncio.sleep(SEND_EVERY_S)

    def _send(self) -> None:
        with contextlib.suppress(StoreUnreachable), self._in_use:
            self._broadcast.send(self._stores.events)

    def _tell(self) -> None:
        """Publish how every printer is, and add what was dropped to the counts that everybody sees."""
        try:
            with self._in_use:
                for feed in self.feeds:
                    self._tell_of(feed)
                publish_status(self._stores, self._own_status())
        except StoreUnreachable:
            log.debug("no status this time: the store is away")

    def _tell_of(self, feed: Feed) -> None:
        counts = Counter(feed.counts()) + Counter(
            windows_unwritten=self._dropped[feed.name], unsent=self._broadcast.dropped[feed.name]
        )
        publish_status(self._stores, self._status(feed, dict(counts)))
        new = counts - self._told.get(feed.name, Counter())
        self._writer.count_drops(feed.name, new.items())
        self._told[feed.name] = counts

    def _status(self, feed: Feed, counts: dict[str, int]) -> Status:
        return Status(
            source="ingest",
            printer=feed.name,
            at_ns=time.time_ns(),
            health=feed.health,
            detail=feed.detail,
            counts=counts,
        )

    def _own_status(self) -> Status:
        ended = all(feed.health is Health.ENDED for feed in self.feeds)
        return Status(
            source="ingest",
            at_ns=time.time_ns(),
            health=Health.ENDED if ended else Health.OK,
            counts={"windows_written": self._written},
        )
