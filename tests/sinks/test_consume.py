"""From the streams into a sink: acknowledged when durable, each once, and nothing waits for odd ones."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from detector.anomaly import Anomaly, Scores
from ingest.records import Health, Record, Status, decode, encode
from ingest.stage import STATUS_KEY
from ingest.store import EmbeddedStores, Stores
from ingest.stream import (
    ALERTS,
    DATA,
    GROUPS,
    LOG,
    Reader,
    backlog,
    drops,
    ensure_groups,
    key,
)
from sinks import consume
from sinks.consume import Plan, SinkWorker
from sinks.errors import SinkError
from sinks.sink import Batch, Entry
from tests.sinks.sources import Source

SHARDS = 2
LOG_PLAN = Plan(LOG, ("scores", "anomalies"), flush_rows=1_000, flush_s=3_600.0)
AT_ONCE = Plan(ALERTS, ("anomalies",), flush_rows=1, flush_s=0.0)
Make = Callable[..., Any]


class Notebook:
    """A sink that notes what it is asked, and fails as it is told to."""

    def __init__(self, *, durable: Sequence[str] = (), refuses: Sequence[str] = ()) -> None:
        self.asked: list[str] = []
        self.offered: list[str] = []
        self.held: list[str] = []
        self.written: list[str] = []
        self.failures = 0
        self.on_flush: Callable[[], object] = lambda: None
        self._durable, self._refuses = set(durable), set(refuses)

    def take(self, batch: Batch) -> None:
        self.asked.append("take")
        names = [name_of(one.record) for one in batch]
        if self._refuses & set(names):
            raise SinkError("found an odd record, expected another one")
        self.held += names

    def flush(self) -> None:
        self.asked.append("flush")
        self.on_flush()
        if self.failures:
            self.failures -= 1
            raise SinkError("the disk is full: make room")
        self.written += self.held
        self.held = []

    def recover(self, pending: Batch) -> set[Entry]:
        self.offered += [name_of(one.record) for one in pending]
        return {(one.stream, one.entry_id) for one in pending if name_of(one.record) in self._durable}

    def close(self) -> None:
        self.asked.append("close")


def name_of(record: Record) -> str:
    return record.id if isinstance(record, Anomaly) else f"s{record.index % 1000}"


def serve(embedded: EmbeddedStores, plan: Plan, make: Callable[[Stores], Any]) -> Counter[str]:
    """A worker that works off what is there; returns what it counted."""
    worker = SinkWorker(Source(embedded), SHARDS, plan, make)
    worker.run(threading.Event(), until=lambda: True)
    return worker.counts


def tell(stores: Stores, *records: Record, shard: int = 0) -> list[str]:
    """Append records as the detector does; returns their ids."""
    ensure_groups(stores.events, range(SHARDS))
    return [stores.events.xadd(key(stream_of(one), shard), {DATA: encode(one)}).decode() for one in records]


def stream_of(record: Record) -> str:
    return "scores" if isinstance(record, Scores) else "anomalies"


def unfinished(stores: Stores, group: str) -> int:
    names = [name for name in LOG_PLAN.streams if group in GROUPS[name]]
    return sum(backlog(stores.events, key(name, shard), group) for name in names for shard in range(SHARDS))


def dead_letters(stores: Stores) -> list[tuple[bytes, bytes]]:
    return [(f[b"id"], f[b"error"]) for _, f in stores.events.xrange(key("dead", 0))]


def status_of(stores: Stores) -> Status:
    return decode(stores.events.hget(STATUS_KEY, f"sink/{LOG}"), Status)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries again without a pause and says how it is after every step."""
    monkeypatch.setattr(consume, "RETRY_S", 0.0)
    monkeypatch.setattr(consume, "STATUS_EVERY_S", 0.0)


def test_what_was_taken_is_acknowledged_after_it_is_durable_and_not_before(
    stores: Stores, embedded: EmbeddedStores, scores: Make, anomaly: Make
) -> None:
    tell(stores, scores(1), scores(2), anomaly(1))
    tell(stores, scores(3), shard=1)
    book, open_at_flush = Notebook(), []
    book.on_flush = lambda: open_at_flush.append(unfinished(stores, LOG))
    counts = serve(embedded, LOG_PLAN, lambda _: book)
    assert sorted(book.written) == ["a1", "s1", "s2", "s3"]
    assert book.asked == ["take", "flush", "close"]
    assert (open_at_flush, unfinished(stores, LOG)) == ([4], 0)
    assert counts["delivered"] == 4


def test_a_sink_that_cannot_write_keeps_what_it_took_and_reads_nothing_until_it_works_again(
    stores: Stores, embedded: EmbeddedStores, scores: Make, caplog: pytest.LogCaptureFixture
) -> None:
    tell(stores, scores(1), scores(2))
    book, seen = Notebook(), []
    book.failures = 3

    def more_comes_while_it_fails() -> None:
        if len(book.asked) == 3:  # take, a failed flush, this one
            tell(stores, scores(3))
        pending = sum(stores.events.xpending(key("scores", s), LOG)["pending"] for s in range(SHARDS))
        seen.append((list(book.held), pending))

    book.on_flush = more_comes_while_it_fails
    serve(embedded, LOG_PLAN, lambda _: book)
    assert seen == [(["s1", "s2"], 2)] * 4 + [(["s3"], 1)]
    assert book.written == ["s1", "s2", "s3"]
    assert book.asked == ["take", *["flush"] * 4, "take", "flush", "close"]
    assert unfinished(stores, LOG) == 0
    assert caplog.text.count("the disk is full: make room") == 1
    assert caplog.text.count("log: writing again") == 1


def test_its_status_says_why_it_cannot_write_as_long_as_that_is_so(
    stores: Stores, embedded: EmbeddedStores, scores: Make
) -> None:
    tell(stores, scores(1))
    book, said = Notebook(), []
    book.failures = 2
    book.on_flush = lambda: said.extend([status_of(stores)] if stores.events.exists(STATUS_KEY) else [])
    worker = SinkWorker(Source(embedded), SHARDS, LOG_PLAN._replace(flush_rows=1), lambda _: book)
    worker.run(threading.Event(), until=lambda: unfinished(stores, LOG) == 0)
    full = (Health.DEGRADED, "the disk is full: make room")
    assert [(one.health, one.detail) for one in said] == [full] * 2
    last = status_of(stores)
    assert (last.health, last.detail, last.counts["delivered"]) == (Health.OK, "", 1)


def test_what_is_no_record_becomes_a_dead_letter_once_and_the_rest_is_delivered(
    stores: Stores, embedded: EmbeddedStores, scores: Make
) -> None:
    tell(stores, scores(1))
    odd = stores.events.xadd(key("scores", 0), {DATA: b"\xc1"})
    tell(stores, scores(2), scores(3, version=2))
    book = Notebook()
    counts = serve(embedded, LOG_PLAN, lambda _: book)
    assert book.written == ["s1", "s2"]
    (first, error), (_, newer) = dead_letters(stores)
    assert (first, error.decode().partition(" (")[0]) == (
        odd,
        "Scores: found 1 bytes that are no such record",
    )
    assert b"found version 2" in newer
    assert (counts["dead_letters"], unfinished(stores, LOG)) == (2, 0)


def test_a_record_that_is_refused_becomes_a_dead_letter_and_the_others_are_delivered(
    stores: Stores, embedded: EmbeddedStores, scores: Make
) -> None:
    ids = tell(stores, *(scores(n) for n in range(1, 6)))
    book = Notebook(refuses=["s2", "s4"])
    counts = serve(embedded, LOG_PLAN, lambda _: book)
    assert book.written == ["s1", "s3", "s5"]
    refused = b"found an odd record, expected another one"
    assert dead_letters(stores) == [(ids[n].encode(), refused) for n in (1, 3)]
    assert (counts["dead_letters"], unfinished(stores, LOG)) == (2, 0)


def test_at_start_what_is_durable_is_acknowledged_and_the_rest_is_taken(
    stores: Stores, embedded: EmbeddedStores, scores: Make
) -> None:
    tell(stores, scores(1), scores(2), scores(3))
    stores.events.xadd(key("scores", 0), {DATA: b"odd"})
    Reader(stores.events, [key("scores", 0)], LOG).read(10, 1)  # and died
    tell(stores, scores(4))
    book = Notebook(durable=["s1", "s3"])
    counts = serve(embedded, LOG_PLAN, lambda _: book)
    assert book.offered == ["s1", "s2", "s3"]
    assert book.written == ["s2", "s4"]
    assert (counts["recovered"], unfinished(stores, LOG)) == (2, 0)
    assert (len(dead_letters(stores)), counts["dead_letters"]) == (1, 1)


def test_what_was_trimmed_away_under_a_dead_sink_is_counted_once(
    stores: Stores, embedded: EmbeddedStores, scores: Make
) -> None:
    tell(stores, scores(1), scores(2), scores(3))
    Reader(stores.events, [key("scores", 0)], LOG).read(10, 1)
    stores.events.xtrim(key("scores", 0), maxlen=1, approximate=False)
    book = Notebook()
    serve(embedded, LOG_PLAN, lambda _: book)
    assert book.written == ["s3"]
    assert (drops(stores.events, range(SHARDS)), unfinished(stores, LOG)) == ({"scores_trimmed": 2}, 0)


def test_each_group_gets_everything_and_trimming_waits_for_all_of_them(
    stores: Stores, embedded: EmbeddedStores, anomaly: Make
) -> None:
    ensure_groups(stores.events, range(SHARDS))
    stream = key("anomalies", 0)
    for n in range(1, 4):  # ids of long ago: nobody looks on any more
        stores.events.xadd(stream, {DATA: encode(anomaly(n))}, id=f"{n}-0")
    log, alerts = Notebook(), Notebook()
    serve(embedded, LOG_PLAN, lambda _: log)
    assert stores.events.xlen(stream) == 3
    serve(embedded, AT_ONCE, lambda _: alerts)
    assert stores.events.xlen(stream) == 0
    assert log.written == alerts.written == ["a1", "a2", "a3"]
    assert drops(stores.events, range(SHARDS)) == {}


def test_a_stop_flushes_what_was_taken(stores: Stores, embedded: EmbeddedStores, scores: Make) -> None:
    tell(stores, scores(1))
    book, stop = Notebook(), threading.Event()
    SinkWorker(Source(embedded), SHARDS, LOG_PLAN, lambda _: book).run(
        stop, until=lambda: stop.set() or False
    )
    assert (book.written, book.asked) == (["s1"], ["take", "flush", "close"])
    assert unfinished(stores, LOG) == 0
