"""Brings what the detector tells from the streams into the sinks, and acknowledges it when it is durable.

Each sink reads with a group of its own, so none waits for another. At start it is offered what was
delivered before and never acknowledged: what is durable already is acknowledged, the rest is taken.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from detector.anomaly import Anomaly, Inspection, Label, Scores
from ingest.errors import RecordError, StoreUnreachable
from ingest.records import Health, Status, decode
from ingest.stage import STATUS_EVERY_S, StoreSource, publish_status, serve_through_outages
from ingest.store import BLOCK_MS, Stores
from ingest.stream import Entry, Reader, bury, count_drops, ensure_groups, key, store_errors
from ingest.trimming import trim_counted
from sinks.errors import SinkError
from sinks.sink import Delivered, Sink, Told

log = logging.getLogger("nozzlewatch.sinks")

READ_COUNT = 1_000
RETRY_S, DRAIN_RETRY_S = 1.0, 0.1
DRAIN_LIMIT_S = 10.0
"""How long a sink that fails is waited for when nothing more comes: a replay ends with its error."""

RECORDS: dict[str, type[Told]] = {
    "scores": Scores,
    "anomalies": Anomaly,
    "inspections": Inspection,
    "labels": Label,
    "statuses": Status,
}
LOGGED = tuple(RECORDS)
"""What the log takes: everything."""


class Plan(NamedTuple):
    """How one sink is served."""

    group: str  # its consumer group, see ingest.stream.GROUPS
    streams: tuple[str, ...]  # names of RECORDS
    flush_rows: int  # flush when so many rows were taken …
    flush_s: float  # … or so many seconds after the first of them


class SinkWorker:
    """Serves one sink. ``make`` builds it anew for each store session, with connections that work."""

    def __init__(self, source: StoreSource, shards: int, plan: Plan, make: Callable[[Stores], Sink]) -> None:
        self.counts: Counter[str] = Counter()
        self._source, self._shards, self._plan, self._make = source, range(shards), plan, make

    def run(self, stop: threading.Event, *, until: Callable[[], bool] = lambda: False) -> None:
        """Serve until ``stop`` is set, or ``until`` holds and nothing is left; what was taken is flushed.

        Raises StoreUnreachable where there is no store at the start; one that goes away later is waited for.
        """
        serve_through_outages(self._source, stop, lambda stores: self._serve(stores, stop, until))

    def _serve(self, stores: Stores, stop: threading.Event, until: Callable[[], bool]) -> None:
        sink = self._make(stores)
        try:
            session = _Session(stores, self._shards, self._plan, sink, self.counts)
            session.recover()
            told_s = 0.0
            while not stop.is_set():
                draining = until()
                read = session.step(block_ms=1 if draining else BLOCK_MS, flush_now=draining)
                if draining and read == 0 and session.is_empty:
                    break
                if draining and session.troubled_for_s > DRAIN_LIMIT_S:
                    raise SinkError(session.trouble)
                if time.monotonic() - told_s > STATUS_EVERY_S:
                    told_s = time.monotonic()
                    self._tell(stores, session)
            session.flush()
            self._tell(stores, session)
        finally:
            _close(sink)

    def _tell(self, stores: Stores, session: _Session) -> None:
        trouble = session.trouble
        status = Status(
            source=f"sink/{self._plan.group}",
            at_ns=time.time_ns(),
            health=Health.DEGRADED if trouble else Health.OK,
            detail=trouble,
            counts=dict(self.counts),
        )
        publish_status(stores, status)


class _Session:
    """One sink between two interruptions of the store."""

    def __init__(
        self, stores: Stores, shards: Sequence[int], plan: Plan, sink: Sink, counts: Counter[str]
    ) -> None:
        self.trouble = ""  # why the last flush failed, empty when all is well
        self._events, self._plan, self._sink, self._counts = stores.events, plan, sink, counts
        ensure_groups(stores.events, shards)
        self._streams = [key(name, shard) for name in plan.streams for shard in shards]
        self._reader = Reader(stores.events, self._streams, plan.group)
        self._taken: list[Entry] = []
        self._first_s = 0.0  # when the oldest of them was taken
        self._troubled_s = 0.0  # since when flushing fails

    @property
    def troubled_for_s(self) -> float:
        """How long flushing has failed by now, 0 when all is well."""
        return time.monotonic() - self._troubled_s if self.trouble else 0.0

    @property
    def is_empty(self) -> bool:
        return not self._taken

    def recover(self) -> None:
        """Acknowledge what a predecessor had made durable, take what it had not."""
        for entries in self._reader.pending(READ_COUNT):
            delivered = self._decode(entries)
            durable = self._sink.recover(delivered)
            done = [entry for entry in entries if (entry.stream, entry.id) in durable]
            self._reader.acknowledge(done)
            self._counts["recovered"] += len(done)
            self._take(
                [entry for entry in entries if (entry.stream, entry.id) not in durable],
                [one for one in delivered if (one.stream, one.entry_id) not in durable],
            )
        self.flush()

    def step(self, block_ms: int, *, flush_now: bool = False) -> int:
        """Take what is new, flush when it is time; returns how many entries were read."""
        if self.trouble:  # nothing more is taken until what was taken is durable
            time.sleep(DRAIN_RETRY_S if flush_now else RETRY_S)
            self.flush()
            if self.trouble:
                return 0
        entries = self._reader.read(READ_COUNT, self._wait_ms(block_ms))
        self._take(entries, self._decode(entries))
        old = self._taken and time.monotonic() - self._first_s >= self._plan.flush_s
        if old or flush_now or len(self._taken) >= self._plan.flush_rows:
            self.flush()
        return len(entries)

    def flush(self) -> None:
        """Make durable and acknowledge what was taken; on failure it stays taken and is tried again."""
        if not self._taken:
            return
        try:
            self._sink.flush()
        except SinkError as error:
            if not self.trouble:
                log.error("%s", error)  # noqa: TRY400 - the message says it all
                self._troubled_s = time.monotonic()
            self.trouble = str(error)
            return
        if self.trouble:
            log.warning("%s: writing again", self._plan.group)
        self.trouble = ""
        self._reader.acknowledge(self._taken)
        self._counts["delivered"] += len(self._taken)
        self._taken = []
        self._trim()

    def _wait_ms(self, block_ms: int) -> int:
        """No longer than until the next flush is due."""
        if not self._taken:
            return block_ms
        left_s = self._plan.flush_s - (time.monotonic() - self._first_s)
        return max(1, min(block_ms, int(left_s * 1000)))

    def _take(self, entries: Sequence[Entry], delivered: Sequence[Delivered[Told]]) -> None:
        """Hand the records over; all entries are acknowledged with the next flush, those without one too."""
        if not entries:
            return
        try:
            self._sink.take(delivered)
        except SinkError:
            for one in delivered:
                self._take_one(one, entries)
        self._first_s = self._first_s if self._taken else time.monotonic()
        self._taken += entries

    def _take_one(self, one: Delivered[Told], entries: Sequence[Entry]) -> None:
        """After a batch was refused: a record that is refused by itself becomes a dead letter."""
        try:
            self._sink.take([one])
        except SinkError as error:
            entry = next(e for e in entries if (e.stream, e.id) == (one.stream, one.entry_id))
            self._bury(entry, str(error))

    def _decode(self, entries: Sequence[Entry]) -> list[Delivered[Told]]:
        """The records of entries; what is none becomes a dead letter, what was trimmed is counted."""
        return [one for entry in entries for one in self._decode_one(entry)]

    def _decode_one(self, entry: Entry) -> Iterator[Delivered[Told]]:
        name = entry.name
        if entry.data is None:
            with store_errors():
                count_drops(self._events, entry.shard, f"{name}_trimmed")
            return
        try:
            yield Delivered(entry.stream, entry.id, decode(entry.data, RECORDS[name]))
        except RecordError as error:
            self._bury(entry, str(error))

    def _bury(self, entry: Entry, error: str) -> None:
        log.error("%s %s: %s", entry.stream, entry.id, error)
        self._counts["dead_letters"] += 1
        with store_errors():
            bury(self._events, entry, error)

    def _trim(self) -> None:
        for stream in self._streams:
            trim_counted(self._events, stream)


def _close(sink: Sink) -> None:
    """Let a sink go; what it cannot write now comes again from the stream."""
    try:
        sink.close()
    except (SinkError, StoreUnreachable) as error:
        log.warning("%s", error)
