"""An ingest process at work beside a test, over stores that the test owns."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

from ingest.farm import load_farm
from ingest.records import Status, Window, decode
from ingest.stage import STATUS_KEY, StoreSource
from ingest.store import EmbeddedStores, Stores, open_stores
from ingest.stream import DATA, key
from ingest.worker import IngestWorker
from tests.waiting import wait_until

WINDOWS = key("windows", 0)


class Ingesting:
    """An ingest worker at work in a thread of its own, over stores that the test owns."""

    def __init__(self, folder: Path, sources: str, span_s: float = 1.0) -> None:
        farm = folder / "farm.toml"
        head = f"[farm]\nshards = 1\nspan_s = {span_s}\nlateness_s = 0.5\n"
        farm.write_text(f'{head}\n[[printers]]\nname = "ender"\n{sources}\n')
        self.farm = load_farm(farm)
        self.owner = EmbeddedStores(self.farm.data)
        self.owner.ensure()
        self.stop = threading.Event()

    def begin(self) -> Watched:
        """Start a worker; it reads recorded sources as fast as they go."""
        self.source = StoreSource(self.farm)
        self.worker = Watched(self.farm, self.source, speed=None)
        self._errors: list[BaseException] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self.worker

    def _run(self) -> None:
        try:
            asyncio.run(self.worker.run(self.stop))
        except BaseException as error:
            self._errors.append(error)

    def end(self) -> None:
        """Wait until the worker has ended by itself."""
        wait_until(lambda: not self._thread.is_alive(), 60, "the worker to end")
        assert self._errors == []
        self.source.__exit__(None, None, None)

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def close(self) -> None:
        self.stop.set()
        self.owner.ensure()
        self._thread.join(30)
        self.owner.close()

    @contextlib.contextmanager
    def stores(self) -> Iterator[Stores]:
        opened = open_stores(self.owner.urls())
        with contextlib.closing(opened):
            yield opened

    def kill_stores(self) -> None:
        """SIGKILL for the server that holds the events."""
        with self.stores() as stores:
            server = stores.events.info("server")["process_id"]
        os.kill(server, signal.SIGKILL)

    def written(self) -> list[Window]:
        """Every window in the stream, in the order in which they were written."""
        with self.stores() as stores:
            return [decode(fields[DATA], Window) for _, fields in stores.events.xrange(WINDOWS)]

    def told(self, part: str = "ingest/ender") -> Status:
        with self.stores() as stores:
            return decode(stores.events.hget(STATUS_KEY, part), Status)


class Watched(IngestWorker):
    """Counts how often it has asked for the detector's backlog, and for the store when that was away."""

    asked = missed = 0

    def _backlog(self, printer: str) -> int:
        self.asked += 1
        return super()._backlog(printer)

    def _reopen(self) -> None:
        self.missed += 1
        super()._reopen()
