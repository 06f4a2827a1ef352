"""Follows what the detector tells, live, as a member of no group: nobody misses anything by it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any, cast

import redis

from detector.anomaly import Anomaly
from ingest.records import decode
from ingest.store import BLOCK_MS
from ingest.stream import DATA, key, store_errors


class AnomalyTopic:
    """The anomalies of all shards: from the oldest that are still there (``since`` "0") or new ones alone."""

    def __init__(self, events: redis.Redis, shards: Sequence[int], since: str = "$") -> None:
        self._events = events
        self._cursors: dict[str, str] = {key("anomalies", shard): since for shard in shards}

    def read(self, block_ms: int | None = None) -> list[Anomaly]:
        """What has come since the last call; waits for ``block_ms`` where there is nothing."""
        with store_errors():
            reply = cast(Any, self._events.xread(cast(Any, self._cursors), block=block_ms))
        found = []
        for stream, entries in reply.items() if isinstance(reply, dict) else reply or ():
            for entry_id, fields in entries[0] if isinstance(reply, dict) else entries:
                self._cursors[stream.decode()] = entry_id.decode()
                found.append(decode(fields[DATA], Anomaly))
        return found

    def follow(self, stop: threading.Event) -> Iterator[Anomaly]:
        """Anomalies as they come, until ``stop`` is set."""
        while not stop.is_set():
            yield from self.read(BLOCK_MS)
