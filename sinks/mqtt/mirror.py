"""The sink that keeps the retained state of every printer at the broker, whatever people are told or not.

What it takes needs no memory of its own: which anomalies are open stands in the detector's state
(``nw:state:{shard}``), which is committed together with the anomalies. It is read at the start and every
minute, so the retained states are right after a restart, and after anomalies that were trimmed unread. That
is also why a broker that is away holds nothing up: what was taken is acknowledged, and published later.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import cast

import msgspec
import redis

from detector.anomaly import Anomaly
from ingest.errors import StoreUnreachable
from ingest.farm import Farm
from ingest.records import Health, Record, Status, decode
from ingest.stage import StoreSource, publish_status, serve_through_outages, statuses
from ingest.store import Stores
from ingest.stream import join, key, store_errors
from sinks.consume import Plan
from sinks.mqtt.board import GONE, Board
from sinks.mqtt.discovery import config_topics, farm_configs, printer_configs
from sinks.mqtt.link import MqttLink
from sinks.mqtt.states import OpenAnomalies, state_payload, watch_payload, watched_payload
from sinks.mqtt.topics import is_slug, slug
from sinks.sink import Batch, Entry

MQTT = "mqtt"
"""The consumer group, which is there only where a farm has a broker: see ``ingest.stream.join``."""
AT_ONCE_S = 0.0
PLAN = Plan(MQTT, ("anomalies",), 1, AT_ONCE_S)
POLL_S = 5.0
"""How often it is looked how the printers and the stages are."""
RECONCILE_S = 60.0
"""How often it is looked whether an anomaly was closed or opened without our hearing of it."""
TICK_S = 0.2


class _Going(msgspec.Struct):
    phase: str
    anomaly: Anomaly | None = None


class _Judged(Record, frozen=True, kw_only=True):
    """What is read of ``detector.state.PrinterState``, whose own module brings torch along."""

    episodes: dict[str, _Going] = msgspec.field(default_factory=dict)


def open_now(events: redis.Redis, shards: int) -> list[Anomaly]:
    """The anomalies that are open by the detector's own account. Raises StoreUnreachable, RecordError."""
    found: list[Anomaly] = []
    for shard in range(shards):
        with store_errors():
            states = cast(list[bytes], events.hvals(key("state", shard)))
        for state in states:
            going = decode(state, _Judged).episodes.values()
            found += [one.anomaly for one in going if one.phase == "open" and one.anomaly is not None]
    return found


class MqttMirror:
    """One for the process. ``sink`` makes what takes the anomalies, ``run`` looks after all the rest."""

    def __init__(
        self,
        link: MqttLink,
        source: StoreSource,
        farm: Farm,
        *,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """Before anybody opens ``link``: it stands for the watch from here on."""
        self._link, self._source, self._clock = link, source, clock
        self._shards = farm.table.shards
        self._printers = {printer.name: slug(printer.name) for printer in farm.printers}
        self._open = OpenAnomalies()
        self._lock = threading.Lock()  # of what is open
        self._board = Board(link)
        self._version = version("nozzlewatch")
        self._board.put(self._configs(farm.table.name))
        link.announce()
        link.hear((link.topics.all_states,), self._found)

    def sink(self, stores: Stores) -> MirrorSink:
        """For ``SinkWorker``: what takes anomalies from now on. Raises StoreUnreachable, RecordError."""
        join(stores.events, [key("anomalies", shard) for shard in range(self._shards)], MQTT)
        self.reconcile(stores.events)
        return MirrorSink(self)

    def take(self, anomalies: Sequence[Anomaly]) -> None:
        """Fold anomalies in; their printers' states are published with the next ``publish``."""
        with self._lock:
            for anomaly in anomalies:
                self._open.take(anomaly)
        self._show({anomaly.printer for anomaly in anomalies})

    def reconcile(self, events: redis.Redis) -> None:
        """Take over what is open by the detector's own account."""
        now_open = open_now(events, self._shards)
        with self._lock:
            self._open.replace(now_open)
        self._show(self._printers)

    def publish(self) -> None:
        """Bring the broker up to date, where it is there."""
        if self._link.here:
            self._board.publish()

    def run(self, stop: threading.Event) -> None:
        """Keep the broker up to date until ``stop`` is set; the last word is that the watch is offline.

        Raises StoreUnreachable where there is no store at the start.
        """
        self._link.open()
        try:
            serve_through_outages(self._source, stop, lambda stores: self._serve(stores, stop))
        finally:
            self.publish()
            self._link.close()

    def _serve(self, stores: Stores, stop: threading.Event) -> None:
        polled_s = reconciled_s = float("-inf")
        connection = 0
        while not stop.wait(TICK_S):
            now_s = time.monotonic()
            try:
                if now_s - reconciled_s >= RECONCILE_S:
                    reconciled_s = now_s
                    self._board.retry()
                    self.reconcile(stores.events)
                if now_s - polled_s >= POLL_S:
                    polled_s = now_s
                    self._poll(stores)
            except StoreUnreachable as error:
                self._board.put({self._link.topics.watch: self._watch([], str(error))})
                self.publish()
                raise
            if self._link.connections != connection or polled_s == now_s:
                connection = self._link.connections
                self.publish()

    def _poll(self, stores: Stores) -> None:
        """How the printers and the stages are, and how this is."""
        told, now_ns = statuses(stores.events), self._clock()
        of_printer = {status.printer: status for status in told if status.source == "ingest"}
        self._board.put(
            {
                self._link.topics.watched(name): watched_payload(of_printer.get(printer), now_ns)
                for printer, name in self._printers.items()
            }
        )
        self._board.put({self._link.topics.watch: self._watch(told)})
        publish_status(stores, self._status())

    def _watch(self, told: Sequence[Status], trouble: str = "") -> bytes:
        return watch_payload(told, self._clock(), self._version, trouble)

    def _status(self) -> Status:
        refused = dict(self._board.refused)
        detail = self._link.trouble or self._board.trouble
        if refused and not detail:
            topic, why = next(iter(refused.items()))
            detail = f"the broker does not let us publish to {topic} ({why}): check the user's rights there"
        return Status(
            source=MQTT,
            at_ns=self._clock(),
            health=Health.DEGRADED if detail else Health.OK,
            detail=detail,
            counts={"connections": self._link.connections, "refused": len(refused)},
        )

    def _show(self, printers: set[str] | dict[str, str]) -> None:
        """Put the states of these printers on the board; one that the farm does not have is left out."""
        topics = self._link.topics
        with self._lock:
            payloads = {
                topics.state(self._printers[one]): state_payload(
                    one, self._open.of(one), self._open.changed_ns(one)
                )
                for one in printers
                if one in self._printers
            }
            self._board.put(payloads)

    def _configs(self, farm: str) -> dict[str, bytes]:
        prefix, topics = self._link.settings.discovery, self._link.topics
        if not prefix:
            return {}
        configs = farm_configs(prefix, topics, farm, self._version)
        for printer in self._printers:
            configs |= printer_configs(prefix, topics, printer, self._version)
        return configs

    def _found(self, topic: str, payload: bytes, kept: bool) -> None:
        """A state that the broker kept of a printer that the farm has no more: nothing of it stays."""
        name = self._link.topics.printer_of(topic)
        if not kept or not payload or name is None or name in self._printers.values() or not is_slug(name):
            return
        topics, prefix = self._link.topics, self._link.settings.discovery
        configs = config_topics(prefix, topics, name) if prefix else []
        gone = [topics.state(name), topics.watched(name), topics.picture(name), *configs]
        self._board.put(dict.fromkeys(gone, GONE))


class MirrorSink:
    """The mirror as a sink: between two interruptions of the store."""

    def __init__(self, mirror: MqttMirror) -> None:
        self._mirror = mirror

    def take(self, batch: Batch) -> None:
        self._mirror.take([one.record for one in batch if isinstance(one.record, Anomaly)])

    def flush(self) -> None:
        """Publish and await the broker's acknowledgements; while it is away this is left to later."""
        self._mirror.publish()

    def recover(self, pending: Batch) -> set[Entry]:
        """None: to take an anomaly once more changes nothing."""
        return set()

    def close(self) -> None:
        self._mirror.publish()
