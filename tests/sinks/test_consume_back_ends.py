"""The sinks that there are, served from the streams: what each makes durable, over restarts too."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from detector.anomaly import Anomaly, State
from ingest.records import decode, encode
from ingest.store import EmbeddedStores, Stores, open_stores
from ingest.stream import ALERTS, DATA, LOG, Reader, backlog, ensure_groups, frame_key, key, shard_of
from sinks.alerts import AlertSink
from sinks.consume import SENT_FOR_S, Plan, SentInStore, SinkWorker
from sinks.parquet_log import ParquetLog
from sinks.read_log import read_anomalies
from sinks.sink import Delivered
from sinks.thumbnails import ThumbnailSink

SHARDS = 2
STREAM = key("anomalies", 0)
LOG_PLAN = Plan(LOG, ("scores", "anomalies"), flush_rows=1_000, flush_s=3_600.0)
ALERTS_PLAN = Plan(ALERTS, ("anomalies",), flush_rows=1, flush_s=0.0)
Make = Callable[..., Any]


class Source:
    """The stores of the session, opened anew for each worker."""

    def __init__(self, embedded: EmbeddedStores) -> None:
        self._urls = embedded.urls()

    def open(self) -> Stores:
        return open_stores(self._urls)


def serve(embedded: EmbeddedStores, plan: Plan, make: Callable[[Stores], Any]) -> Counter[str]:
    """A worker that works off what is there; returns what it counted."""
    worker = SinkWorker(Source(embedded), SHARDS, plan, make)
    worker.run(threading.Event(), until=lambda: True)
    return worker.counts


def tell(stores: Stores, *anomalies: Anomaly) -> None:
    ensure_groups(stores.events, range(SHARDS))
    for one in anomalies:
        stores.events.xadd(STREAM, {DATA: encode(one)})


def test_what_was_sent_is_remembered_in_the_store(stores: Stores) -> None:
    sent = SentInStore(stores.events)
    assert not sent.seen("phone:a1:1")
    sent.remember("phone:a1:1")
    assert SentInStore(stores.events).seen("phone:a1:1")
    assert not sent.seen("phone:a1:2")
    assert 0 < stores.events.ttl("nw:alerted:phone:a1:1") <= SENT_FOR_S


class Phone:
    name = "phone"

    def __init__(self) -> None:
        self.rang: list[tuple[str, State]] = []

    def send(self, anomaly: Anomaly) -> None:
        self.rang.append((anomaly.id, anomaly.state))


def test_an_alert_is_not_sent_twice_over_a_restart(
    stores: Stores, embedded: EmbeddedStores, anomaly: Make
) -> None:
    """The first sink dies between sending and acknowledging; the detector tells the first one again."""
    tell(stores, anomaly(1), anomaly(2))
    phone = Phone()
    first = AlertSink([phone], SentInStore(stores.events))
    read = Reader(stores.events, [STREAM], ALERTS).read(10, 1)
    first.take([Delivered(one.stream, one.id, decode(one.data, Anomaly)) for one in read])
    first.flush()
    tell(stores, anomaly(1), anomaly(1, state=State.CLOSED, revision=2))
    counts = serve(embedded, ALERTS_PLAN, lambda opened: AlertSink([phone], SentInStore(opened.events)))
    assert phone.rang == [("a1", State.OPENED), ("a2", State.OPENED), ("a1", State.CLOSED)]
    assert (counts["recovered"], backlog(stores.events, STREAM, ALERTS)) == (2, 0)


def test_the_log_holds_each_revision_once_and_leaves_the_alerts_alone(
    stores: Stores, embedded: EmbeddedStores, anomaly: Make, tmp_path: Path
) -> None:
    for told in ([anomaly(1)], [anomaly(1), anomaly(2)]):
        tell(stores, *told)
        serve(embedded, LOG_PLAN, lambda _: ParquetLog(tmp_path))
    assert read_anomalies(tmp_path, latest_only=False) == [anomaly(1), anomaly(2)]
    assert (backlog(stores.events, STREAM, LOG), backlog(stores.events, STREAM, ALERTS)) == (0, 3)


def test_the_picture_of_what_opened_is_fetched_before_it_goes(
    stores: Stores, embedded: EmbeddedStores, anomaly: Make
) -> None:
    opened, closed, lost = anomaly(1), anomaly(2, state=State.CLOSED), anomaly(3, printer="gone")
    ref = opened.evidence.frames[0]
    shard = shard_of(opened.printer, SHARDS)
    stores.frames.set(frame_key(shard, opened.printer, ref.captured_ns), b"jpeg")
    tell(stores, opened, closed, lost)
    pictures: dict[str, bytes] = {}
    serve(embedded, ALERTS_PLAN, lambda opened: ThumbnailSink(opened.frames, SHARDS, pictures))
    assert pictures == {"a1": b"jpeg"}
