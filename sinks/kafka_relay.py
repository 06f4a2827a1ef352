"""From the Redis streams to Kafka: the stream is the outbox.

An entry is acknowledged in Redis after Kafka's brokers have confirmed it (``acks=all``), so none is lost. One
that was confirmed and not acknowledged, because the relay died in between, is sent again: every message bears
the headers of ``event_headers``, by which a consumer knows it again. What one printer tells stays in order:
its entries are in one stream, its messages in one partition, and after a failure everything unconfirmed is
sent anew from the oldest on.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from detector.anomaly import Anomaly, Scores
from ingest.errors import RecordError, UsageError
from ingest.records import Health, Status, decode
from ingest.stage import STATUS_EVERY_S, StoreSource, publish_status, serve_through_outages
from ingest.store import BLOCK_MS, Stores
from ingest.stream import Entry, Reader, bury, count_drops, join, store_errors
from ingest.trimming import trim_counted
from sinks.event_headers import told_by
from sinks.event_json import TOPICS, encode_event, key_of, relayed_streams
from sinks.kafka_address import EXTRA_MISSING, KAFKA, KafkaAddress

try:
    from confluent_kafka import KafkaError, KafkaException, Message, Producer
except ImportError as error:
    raise UsageError(EXTRA_MISSING.format(module="confluent_kafka")) from error

log = logging.getLogger("nozzlewatch.sinks")

SOURCE = "relay/kafka"

READ_COUNT = 1_000
IN_FLIGHT = 5_000
"""Messages that may be unconfirmed at once: a few MB, and what is sent twice at the most after a death."""
POLL_S = 0.05
"""How long one turn waits for confirmations or entries while some are under way."""
ASK_S = 1.0
"""How long a broker that was away may take to say that it is back."""
RETRY_S = 1.0
DRAIN_LIMIT_S = 10.0
"""How long a relay that is stopped waits for confirmations; the rest stays pending."""
TRIM_EVERY_S = 1.0

PRODUCER = {
    "acks": "all",
    "enable.idempotence": True,  # a retry of the client's own is no second message
    "message.timeout.ms": 0,  # a broker that is away is waited for: giving up would break the order
    "linger.ms": 5,  # a few ms for a batch that compresses well: alerts do not go this way
    "topic.metadata.refresh.interval.ms": 10_000,
}
UNFIT = {KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD, KafkaError.INVALID_MSG}
"""Errors of the message itself: it would fail for ever, so it becomes a dead letter."""

OUTAGES = {
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._AUTHENTICATION,
    KafkaError._RESOLVE,
    KafkaError._SSL,
}
"""Errors beside single messages that say that no broker takes any."""


class KafkaRelay:
    """Relays a farm's anomalies, scores and statuses."""

    def __init__(self, source: StoreSource, shards: int, address: KafkaAddress, farm: str = "farm") -> None:
        self.counts: Counter[str] = Counter()
        self._source, self._shards, self._address, self._farm = source, range(shards), address, farm

    def run(self, stop: threading.Event) -> None:
        """Relay until ``stop`` is set; what is under way then is waited for.

        Raises StoreUnreachable where there is no store at the start; a store or a broker that goes away
        later is waited for.
        """
        serve_through_outages(self._source, stop, lambda stores: self._serve(stores, stop))

    def _serve(self, stores: Stores, stop: threading.Event) -> None:
        trouble = ""
        while not stop.is_set():
            session = _Session(stores, self._shards, self._address, self._farm, self.counts, trouble)
            try:
                session.serve(stop)
            except _SendAnew as error:
                trouble = str(error)
                stop.wait(RETRY_S)
            finally:
                session.close()


class _SendAnew(Exception):
    """A message was not taken: everything unconfirmed is to be sent again, in order."""


class _Session:
    """One producer, between two failures."""

    def __init__(
        self,
        stores: Stores,
        shards: Sequence[int],
        address: KafkaAddress,
        farm: str,
        counts: Counter[str],
        trouble: str,
    ) -> None:
        self._stores, self._address, self._counts = stores, address, counts
        self._farm = farm
        self._health = _Health(address, trouble)
        self._streams = relayed_streams(shards)
        join(stores.events, self._streams, KAFKA)
        self._reader = Reader(stores.events, self._streams, KAFKA)
        self._under_way = 0
        self._done: list[Entry] = []
        self._failure = ""  # the first message that was not taken, and why
        self._told_s = self._trimmed_s = 0.0
        told: dict[str, Any] = {**PRODUCER, **address.client(), "compression.type": address.compression}
        self._producer = Producer({**told, "error_cb": self._health.note}, logger=quiet_log())

    def serve(self, stop: threading.Event) -> None:
        """First what a predecessor left unacknowledged, then what comes. Raises _SendAnew."""
        for entries in self._reader.pending(READ_COUNT):
            self._send(entries, stop)
            if stop.is_set():
                break
        while not stop.is_set():
            self._turn(stop)
        self._drain()

    def close(self) -> None:
        """Let go of what is unconfirmed: it is pending in Redis and comes again."""
        self._producer.purge()
        self._producer.flush(0)

    def _turn(self, stop: threading.Event) -> None:
        block_ms = int(POLL_S * 1000) if self._under_way else BLOCK_MS
        self._send(self._reader.read(READ_COUNT, block_ms), stop)
        self._settle(0.0)
        self._look_after()

    def _send(self, entries: Sequence[Entry], stop: threading.Event) -> None:
        for entry in entries:
            self._send_one(entry)
        while self._under_way > IN_FLIGHT and not stop.is_set():
            self._settle(POLL_S)
            self._look_after()

    def _send_one(self, entry: Entry) -> None:
        if entry.data is None:
            with store_errors():
                count_drops(self._stores.events, entry.shard, f"{entry.name}_trimmed")
            self._done.append(entry)
            return
        topic = TOPICS[entry.name]
        try:
            record: Anomaly | Scores | Status = decode(entry.data, topic.kind)
        except RecordError as error:
            self._bury(entry, str(error))
            return
        headers = told_by(self._farm, (entry.stream, entry.id))
        try:
            self._producer.produce(
                self._address.topic(topic.name),
                encode_event(record),
                key_of(record).encode(),
                on_delivery=self._confirmation(entry),
                headers=list(headers.items()),
            )
        except KafkaException as error:  # larger than this client sends
            self._failed(entry, error.args[0])
        else:
            self._under_way += 1

    def _confirmation(self, entry: Entry) -> Callable[[KafkaError | None, Message], None]:
        def confirmed(error: KafkaError | None, _: Message) -> None:
            self._under_way -= 1
            if error is not None:
                self._failed(entry, error)
            elif not self._failure:  # else it is sent again, behind the one that failed
                self._counts["relayed"] += 1
                self._health.recovered()
                self._done.append(entry)

        return confirmed

    def _failed(self, entry: Entry, error: KafkaError) -> None:
        if error.code() in UNFIT:
            self._bury(entry, str(error))
        else:
            self._failure = self._failure or f"{entry.stream} {entry.id}: {error.str()}"

    def _settle(self, wait_s: float) -> None:
        """Acknowledge what has been confirmed. Raises _SendAnew after a message that was not taken."""
        self._producer.poll(wait_s)
        if self._done:
            self._reader.acknowledge(self._done)
            self._done = []
        if self._failure:
            self._health.warn(self._failure)
            raise _SendAnew(self._failure)

    def _drain(self) -> None:
        until = time.monotonic() + DRAIN_LIMIT_S
        while self._under_way and time.monotonic() < until:
            self._settle(POLL_S)
        self._settle(0.0)
        if self._under_way:
            log.warning("%s: %d events are not confirmed; they stay pending", self._address, self._under_way)
        self._tell()

    def _look_after(self) -> None:
        """What is due from time to time."""
        now_s = time.monotonic()
        if now_s - self._told_s > STATUS_EVERY_S:
            self._told_s = now_s
            self._health.ask(self._producer)
            self._tell()
        if now_s - self._trimmed_s > TRIM_EVERY_S:
            self._trimmed_s = now_s
            for stream in self._streams:
                trim_counted(self._stores.events, stream)

    def _tell(self) -> None:
        trouble = self._health.trouble
        status = Status(
            source=SOURCE,
            at_ns=time.time_ns(),
            health=Health.DEGRADED if trouble else Health.OK,
            detail=trouble,
            counts={**self._counts, "unconfirmed": self._under_way},
        )
        publish_status(self._stores, status)

    def _bury(self, entry: Entry, error: str) -> None:
        log.error("%s %s: %s", entry.stream, entry.id, error)
        self._counts["dead_letters"] += 1
        with store_errors():
            bury(self._stores.events, entry, error)
        self._done.append(entry)


class _Health:
    """Whether the brokers take what they are given; warns once when they stop and once when they go on."""

    def __init__(self, address: KafkaAddress, trouble: str) -> None:
        self.trouble = trouble
        self._address = address

    def note(self, error: KafkaError) -> None:
        """Called by the client with what goes wrong beside single messages: brokers away, a wrong login."""
        if error.code() in OUTAGES or error.fatal():
            self.warn(error.str())

    def warn(self, trouble: str) -> None:
        """The first error of an outage is the one to tell: those that follow say less."""
        if not self.trouble:
            log.warning("%s: %s; waiting, nothing is lost", self._address, trouble)
            self.trouble = trouble

    def ask(self, producer: Producer) -> None:
        """Whether the brokers are back, where nothing is under way that would tell."""
        if not self.trouble:
            return
        try:
            producer.list_topics(timeout=ASK_S)
        except KafkaException:
            return
        self.recovered()

    def recovered(self) -> None:
        if self.trouble:
            log.warning("%s: takes events again", self._address)
        self.trouble = ""


def quiet_log() -> logging.Logger:
    """The client's own log: it repeats itself while a broker is away, so it shows with ``--debug`` alone."""
    client = logging.getLogger("nozzlewatch.kafka")
    debugging = logging.getLogger().isEnabledFor(logging.DEBUG)
    client.setLevel(logging.DEBUG if debugging else logging.CRITICAL)
    return client
