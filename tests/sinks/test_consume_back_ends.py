"""The sinks that there are, served from the streams: what each makes durable, over restarts too."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from detector.anomaly import Anomaly, State
from ingest.records import encode
from ingest.store import EmbeddedStores, Stores, open_stores
from ingest.stream import ALERTS, DATA, LOG, backlog, ensure_groups, frame_key, key, shard_of
from sinks.consume import Plan, SinkWorker
from sinks.parquet_log import ParquetLog
from sinks.read_log import read_anomalies
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
