"""How an answer, and a label, comes into the streams: from a channel, the command line, a program."""

from __future__ import annotations

import redis

from detector.anomaly import Label
from ingest.records import encode
from ingest.stream import DATA, MAX_LEN, key, shard_of, store_errors
from sinks.message import Answer

ANSWERS = key("answers", 0)


def say(events: redis.Redis, answer: Answer) -> None:
    """Append an answer; the policy acts on it. Raises StoreUnreachable."""
    with store_errors():
        events.xadd(ANSWERS, {DATA: encode(answer)}, maxlen=MAX_LEN, approximate=True)


def record(events: redis.Redis, label: Label, shards: int) -> None:
    """Append what a user said of a print: the log keeps it. Raises StoreUnreachable."""
    with store_errors():
        events.xadd(key("labels", shard_of(label.printer, shards)), {DATA: encode(label)})
