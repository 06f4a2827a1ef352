"""What every stage's process does alike: stores that it opens and waits for, and saying that it lives."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import cast

import redis

from ingest.errors import StoreUnreachable
from ingest.farm import Farm
from ingest.records import NS_PER_S, Health, Status, decode, encode
from ingest.store import EmbeddedStores, Stores, StoreUrls, open_stores, wait_for_stores
from ingest.stream import DATA, MAX_LEN, key, store_errors

log = logging.getLogger("nozzlewatch")

STATUS_KEY = "nw:status"
STATUS_LOGGED_KEY = "nw:status-logged"
"""Hash: part → when its status went into the stream of statuses last, ns."""
STATUS_EVERY_S = 5.0
STATUS_LOGGED_S = 60.0
"""How often the status of a part whose health stays the same goes into the stream of statuses, s."""
FRESH_S = 3 * STATUS_EVERY_S
"""A part that has said nothing for so long is not at work any more."""
RETRY_S = 0.5
STORE_LIMIT_S = 10.0
"""How long a stage waits at its start for a store that does not answer, in s."""


class StoreSource:
    """Finds and opens a farm's stores, again and again; starts the embedded ones where nobody runs them."""

    def __init__(self, farm: Farm) -> None:
        self._table = farm.table
        self.embedded = EmbeddedStores(farm.data) if farm.table.redis == "embedded" else None

    def urls(self) -> StoreUrls:
        """The stores' addresses; embedded servers run when this returns."""
        if self.embedded is not None:
            return self.embedded.ensure()
        return StoreUrls(self._table.redis_frames or self._table.redis, self._table.redis)

    def open(self, limit_s: float = STORE_LIMIT_S) -> Stores:
        """Connections to both stores. Raises StoreUnreachable where they do not answer within ``limit_s``."""
        return wait_for_stores(self.urls, limit_s=limit_s)

    def attach(self) -> Stores:
        """Connections to stores that run already. Raises StoreUnreachable: one who looks on starts none."""
        return open_stores(self.embedded.urls() if self.embedded is not None else self.urls())

    def __enter__(self) -> StoreSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.embedded is not None:
            self.embedded.close()


def serve_through_outages(
    source: StoreSource, stop: threading.Event, serve: Callable[[Stores], None]
) -> None:
    """Call ``serve`` with open stores until it returns; when the store goes away, wait and call it anew.

    Raises StoreUnreachable where there is no store at the start. Returns as well when ``stop`` is set while
    the store is away.
    """
    stores: Stores | None = source.open()
    while stores is not None:
        try:
            serve(stores)
        except StoreUnreachable as error:
            log.warning("%s", error)
        else:
            return
        finally:
            stores.close()
        stores = _wait_for_return(source, stop)


def _wait_for_return(source: StoreSource, stop: threading.Event) -> Stores | None:
    while not stop.wait(RETRY_S):
        with contextlib.suppress(StoreUnreachable):
            stores = source.open(RETRY_S)
            log.warning("redis: the store is back")
            return stores
    return None


def publish_status(stores: Stores, status: Status) -> None:
    """Say how a part is: the last word of each part stands in the hash ``nw:status``.

    What changed, and once a minute what did not, also goes into the stream of statuses of shard 0.
    """
    field, told = status.part, encode(status)
    with store_errors():
        before = cast(bytes | None, stores.events.hget(STATUS_KEY, field))
        logged = cast(bytes | None, stores.events.hget(STATUS_LOGGED_KEY, field))
        with stores.events.pipeline(transaction=True) as pipe:
            pipe.hset(STATUS_KEY, field, told)
            if _news(status, before, int(logged or 0)):
                pipe.hset(STATUS_LOGGED_KEY, field, status.at_ns)
                pipe.xadd(key("statuses", 0), {DATA: told}, maxlen=MAX_LEN, approximate=True)
            pipe.execute()


def _news(status: Status, before: bytes | None, logged_ns: int) -> bool:
    """Whether a status is worth a row: it says something else than the last one, or a minute has passed."""
    if before is None or abs(status.at_ns - logged_ns) >= STATUS_LOGGED_S * NS_PER_S:
        return True
    last = decode(before, Status)
    return (last.health, last.detail) != (status.health, status.detail)


def statuses(events: redis.Redis) -> list[Status]:
    """The last word of every part. Raises StoreUnreachable."""
    with store_errors():
        return [decode(told, Status) for told in cast(list[bytes], events.hvals(STATUS_KEY))]


def watched_now(farm: Farm) -> dict[str, Status]:
    """The printers of a farm that an ingest process watches at this moment, with how it says they are."""
    fresh_ns = time.time_ns() - int(FRESH_S * NS_PER_S)
    try:
        with contextlib.closing(StoreSource(farm).attach()) as stores:
            told = statuses(stores.events)
    except StoreUnreachable:
        return {}
    return {
        status.printer: status
        for status in told
        if status.printer and status.source == "ingest" and status.at_ns >= fresh_ns
        and status.health not in (Health.ENDED, Health.DOWN)
    }  # fmt: skip


def data_folder(farm: Farm) -> Path:
    """The farm's data folder, made where it is missing."""
    farm.data.mkdir(parents=True, exist_ok=True)
    return farm.data
