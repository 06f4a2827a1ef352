"""Follows what the detector tells, live, as a member of no group: nobody misses anything by it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from typing import Any, cast

import redis

from detector.anomaly import Anomaly
from ingest.errors import RecordError, UsageError
from ingest.records import decode
from ingest.store import BLOCK_MS
from ingest.stream import DATA, key, store_errors
from sinks.errors import SinkError
from sinks.event_headers import Recent
from sinks.event_json import TOPICS, decode_event
from sinks.kafka_address import EXTRA_MISSING, KafkaAddress

log = logging.getLogger("nozzlewatch")

ANOMALIES = "anomalies"
ANSWER_S = 10.0
"""How long a Kafka broker may take to say what a topic holds."""


class AnomalyTopic:
    """The anomalies of all shards: from the oldest that are still there (``since`` "0") or new ones alone."""

    def __init__(self, events: redis.Redis, shards: Sequence[int], since: str = "$") -> None:
        self._events = events
        self._cursors: dict[str, str] = {key(ANOMALIES, shard): since for shard in shards}

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

    def close(self) -> None:
        """Let go of the connection."""
        self._events.close()


class KafkaTopic:
    """The same from Kafka: what the topic still holds (``from_start``) or new ones alone, each once."""

    def __init__(self, address: KafkaAddress, *, from_start: bool = False) -> None:
        """Find the topic. Raises SinkError where no broker answers or none has it."""
        try:
            import confluent_kafka as kafka  # noqa: PLC0415 - an extra that few installations have
        except ImportError as error:
            raise UsageError(EXTRA_MISSING.format(module="confluent_kafka")) from error
        self._address, self._recent = address, Recent()
        self._topic = address.topic(TOPICS[ANOMALIES].name)
        # A group's name is required; nothing is committed, so there is none.
        own = {"group.id": "nozzlewatch-tail", "enable.auto.commit": False, "log_level": 0}
        self._consumer = kafka.Consumer({**address.client(), **own, "error_cb": lambda _: None})
        try:
            told = self._consumer.list_topics(self._topic, timeout=ANSWER_S).topics[self._topic]
            places = [kafka.TopicPartition(self._topic, number) for number in told.partitions]
            for place in places:
                low, high = self._consumer.get_watermark_offsets(place, timeout=ANSWER_S)
                place.offset = low if from_start else high
        except kafka.KafkaException as error:
            self._consumer.close()
            raise SinkError(
                f"{address}: found no broker that tells of {self._topic} ({error.args[0].str()}), "
                'expected what [farm] events = "kafka://…" names'
            ) from error
        if not places:
            self._consumer.close()
            raise SinkError(f"{address}: found no topic {self._topic}, expected it: start the relay (sinks)")
        self._consumer.assign(places)

    def follow(self, stop: threading.Event) -> Iterator[Anomaly]:
        """Anomalies as they come, until ``stop`` is set; a broker that goes away is waited for."""
        while not stop.is_set():
            for message in self._consumer.consume(100, BLOCK_MS / 1000):
                if message.error() is None and self._recent.is_new(message.headers()):
                    yield from self._read(message)

    def close(self) -> None:
        self._consumer.close()

    def _read(self, message: Any) -> Iterator[Anomaly]:
        try:
            yield cast(Anomaly, decode_event(message.value() or b"", ANOMALIES))
        except RecordError as error:
            log.warning("%s/%d/%d: %s", self._topic, message.partition(), message.offset(), error)
