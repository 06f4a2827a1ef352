"""A Kafka cluster with our topics, what is sent to it and held by it, and workers that read it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import confluent_kafka as kafka
import pyarrow.dataset as ds

from ingest.records import Record
from sinks.event_headers import told_by
from sinks.event_json import TOPICS, encode_event, key_of
from tests.peers.kafka_cluster import KafkaCluster
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
LIMIT_S = 100.0  # a Faust worker takes long to start, and longer where other tests run
NAMES = ("anomalies", "scores", "status", "dead")
QUIET: dict[str, Any] = {"log_level": 0, "error_cb": lambda _: None}


class Message(NamedTuple):
    topic: str
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]
    place: tuple[int, int]  # partition, offset


def cluster() -> KafkaCluster:
    return KafkaCluster(*(f"nozzlewatch.{name}" for name in NAMES))


class Sender:
    """Sends events as the relay does: the n-th of a stream as its entry "n-0"."""

    def __init__(self, cluster: KafkaCluster) -> None:
        self._producer = kafka.Producer({"bootstrap.servers": cluster.address, "linger.ms": 5, **QUIET})

    def send(self, stream: str, records: Iterable[tuple[int, Record]]) -> None:
        for n, record in records:
            headers = told_by("farm", (f"nw:{stream}:{{3}}", f"{n}-0"))
            self.send_bytes(stream, encode_event(record), key_of(record), headers)  # type: ignore[arg-type]
        self.flush()

    def send_bytes(
        self, stream: str, value: bytes | None, key: str, headers: Mapping[str, bytes] | None = None
    ) -> None:
        told = list((headers or {}).items())
        self._producer.produce(f"nozzlewatch.{TOPICS[stream].name}", value, key, headers=told)

    def flush(self) -> None:
        assert self._producer.flush(LIMIT_S) == 0


def sent(cluster: KafkaCluster, name: str, at_least: int) -> list[Message]:
    """What a topic holds, by partition in order; waits until it is so much."""
    consumer = kafka.Consumer({"bootstrap.servers": cluster.address, "group.id": "tests", **QUIET})
    topic, found = f"nozzlewatch.{name}", []
    try:
        parts = consumer.list_topics(topic, LIMIT_S).topics[topic].partitions
        consumer.assign([kafka.TopicPartition(topic, part, 0) for part in parts])
        wait_until(
            lambda: found.extend(consumer.consume(1000, 0.2)) or len(found) >= at_least, LIMIT_S, topic
        )
        found.extend(consumer.consume(1000, 0.2))
        return [_message(one) for one in found]
    finally:
        consumer.close()


def _message(told: kafka.Message) -> Message:
    place = (told.partition(), told.offset())
    return Message(str(told.topic()), told.key(), told.value(), dict(told.headers() or ()), place)


def committed(cluster: KafkaCluster, group: str = "nozzlewatch-sinks") -> bool:
    """Whether the group has committed everything that the topics of events hold."""
    consumer = kafka.Consumer({"bootstrap.servers": cluster.address, "group.id": group, **QUIET})
    try:
        topics = [f"nozzlewatch.{name}" for name in NAMES[:-1]]
        parts = [
            kafka.TopicPartition(topic, part)
            for topic in topics
            for part in consumer.list_topics(topic, LIMIT_S).topics[topic].partitions
        ]
        ends = [consumer.get_watermark_offsets(part, LIMIT_S)[1] for part in parts]
        return [max(one.offset, 0) for one in consumer.committed(parts, LIMIT_S)] == ends
    finally:
        consumer.close()


WORKER = """
import os, signal, sys, threading, time
from pathlib import Path
sys.path.insert(0, {root!r})
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from sinks.handover import Handover
from sinks.kafka_address import read_address
from sinks.parquet_log import ParquetLog
from sinks.topics import Plan, serve

class Log(ParquetLog):
    "Dies once at the moment that it is told, when it has flushed three times."
    flushes = 0
    def flush(self):
        self.flushes += 1
        if dies == "before" and self.flushes > 3:
            os.kill(os.getpid(), 9)
        super().flush()
        if dies == "after" and self.flushes > 3:
            os.kill(os.getpid(), 9)

class Notes(Handover):
    def held_by_others(self):
        time.sleep(float(notes_s))  # a shared folder may be slow
        return super().held_by_others()

# The leader of a group shares the partitions out. A member that asks for its share after that is refused by
# the mock cluster, where a real broker answers: so the leader takes its time.
assign = RoundRobinPartitionAssignor.assign
def slowly(*arguments):
    time.sleep(0.3)
    return assign(*arguments)
RoundRobinPartitionAssignor.assign = staticmethod(slowly)

address, folder, session_s, dies, notes_s = sys.argv[1:]
plan = Plan(200, 0.2, session_s=float(session_s), handover=Notes(Path(folder)))
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
serve(read_address(address), plan, [lambda: Log(Path(folder))], stop)
"""


class Worker:
    """A Faust worker in a process of its own that writes a log into ``folder``."""

    def __init__(
        self,
        cluster: KafkaCluster,
        folder: Path,
        *,
        dies: str = "",
        session_s: float = 6.0,
        notes_s: float = 0.0,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._told = folder / "told"
        command = [sys.executable, "-c", WORKER.replace("{root!r}", repr(str(ROOT)))]
        arguments = [f"kafka://{cluster.address}", str(folder), str(session_s), dies, str(notes_s)]
        with self._told.open("wb") as told:
            self._process = subprocess.Popen([*command, *arguments], stderr=told)

    def kill(self) -> None:
        self._process.kill()
        self.died()

    def died(self) -> None:
        """Wait until it has been killed."""
        assert self._process.wait(LIMIT_S) == -signal.SIGKILL, self.told()

    def end(self, within_s: float = LIMIT_S) -> None:
        """Ask it to end, and wait until it has in good order."""
        self._process.terminate()
        assert self._process.wait(within_s) == 0, self.told()

    def told(self) -> str:
        """What it has written to standard error so far."""
        return self._told.read_text()

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait(LIMIT_S)


def rows(*folders: Path, dataset: str = "scores") -> Counter[str]:
    """How often each entry id is in the logs of these folders."""
    found: Counter[str] = Counter()
    for folder in folders:
        if list((folder / dataset).rglob("*.parquet")):
            table = ds.dataset(folder / dataset, partitioning="hive").to_table(columns=["entry_id"])
            found.update(table.column("entry_id").to_pylist())
    return found


def wait_for_rows(number: int, *folders: Path, dataset: str = "scores") -> None:
    wait_until(lambda: len(rows(*folders, dataset=dataset)) >= number, LIMIT_S, f"{number} rows")
