"""From Redis to Kafka: acknowledged after the brokers have it, in order, and known again when sent twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

pytest.importorskip("confluent_kafka", reason="needs the extra: pip install 'nozzlewatch[kafka]'")

from ingest.records import Health, Record, Status, decode, encode
from ingest.stage import STATUS_KEY
from ingest.store import EmbeddedStores, Stores, open_stores
from ingest.stream import DATA, backlog, ensure_groups, join, key, leave
from nozzlewatch import follow
from nozzlewatch.follow import KafkaTopic
from sinks import kafka_relay
from sinks.errors import SinkError
from sinks.event_headers import Recent
from sinks.event_json import TOPICS, decode_event, schema_file
from sinks.intake import Incoming, Intake
from sinks.kafka_address import read_address
from sinks.kafka_relay import KAFKA, SOURCE, KafkaRelay, relayed_streams
from sinks.parquet_log import ParquetLog
from tests.peers.kafka_cluster import KafkaCluster
from tests.sinks.kafka_at_work import LIMIT_S, Message, cluster, rows, sent
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
SHARDS = 2
Make = Callable[..., Any]


@pytest.fixture(name="kafka")
def _kafka() -> Iterator[KafkaCluster]:
    with cluster() as one:
        yield one


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Says how it is after every turn, and waits for nothing long."""
    monkeypatch.setattr(kafka_relay, "STATUS_EVERY_S", 0.0)
    monkeypatch.setattr(kafka_relay, "BLOCK_MS", 50)


class Source:
    """The stores of the session, opened anew for each relay."""

    def __init__(self, embedded: EmbeddedStores) -> None:
        self._urls = embedded.urls()

    def open(self, _: float = 0.0) -> Stores:
        return open_stores(self._urls)


def tell(stores: Stores, *told: tuple[str, Record], shard: int = 0) -> list[str]:
    """Append records as the stages do; returns their ids."""
    ensure_groups(stores.events, range(SHARDS))
    join(stores.events, relayed_streams(range(SHARDS)), KAFKA)
    return [stores.events.xadd(key(name, shard), {DATA: encode(one)}).decode() for name, one in told]


@contextmanager
def relaying(embedded: EmbeddedStores, kafka: KafkaCluster) -> Iterator[KafkaRelay]:
    """A relay at work in a thread; stopped and drained at the end."""
    relay = KafkaRelay(Source(embedded), SHARDS, read_address(f"kafka://{kafka.address}"), "cellar")
    stop = threading.Event()
    thread = threading.Thread(target=relay.run, args=(stop,))
    thread.start()
    try:
        yield relay
    finally:
        stop.set()
        thread.join(LIMIT_S)
    assert not thread.is_alive()


def unacknowledged(stores: Stores) -> int:
    return sum(backlog(stores.events, stream, KAFKA) for stream in relayed_streams(range(SHARDS)))


def wait_until_relayed(stores: Stores) -> None:
    told = TOPICS.keys() - {"statuses"}  # its own status is relayed too, for ever
    streams = [key(name, shard) for name in told for shard in range(SHARDS)]
    wait_until(lambda: not sum(backlog(stores.events, one, KAFKA) for one in streams), LIMIT_S)


def health(stores: Stores) -> Status:
    return decode(stores.events.hget(STATUS_KEY, SOURCE), Status)


def test_each_event_arrives_with_its_key_its_entry_and_the_published_schema(
    stores: Stores, embedded: EmbeddedStores, kafka: KafkaCluster, scores: Make, anomaly: Make
) -> None:
    told: dict[str, list[Record]] = {
        "scores": [scores(n, printer=f"p{n}") for n in range(50)],
        "anomalies": [anomaly(n, text="Fäden \u2603") for n in range(3)],
        "statuses": [Status(source="ingest", printer="p1", at_ns=7, health=Health.DOWN, detail="silent")],
    }
    ids = {name: tell(stores, *((name, one) for one in records), shard=1) for name, records in told.items()}
    with relaying(embedded, kafka):
        wait_until_relayed(stores)
        found = {name: sent(kafka, TOPICS[name].name, len(records)) for name, records in told.items()}
    for name, records in told.items():
        stream = key(name, 1).encode()
        of_shard = {m.headers["nw-entry"]: m for m in found[name] if m.headers["nw-stream"] == stream}
        schema = json.loads((ROOT / "docs" / "schemas" / schema_file(name)[0]).read_text())
        for entry_id, record in zip(ids[name], records, strict=True):
            message = of_shard.pop(entry_id.encode())
            Draft202012Validator(schema).validate(json.loads(message.value or b""))
            assert decode_event(message.value or b"", name) == record
            assert message.headers["nw-farm"] == b"cellar"
            expected = record.part if isinstance(record, Status) else record.printer  # type: ignore[attr-defined]
            assert message.key == expected.encode()
        assert not of_shard


def test_what_one_printer_tells_stays_in_order(
    stores: Stores, embedded: EmbeddedStores, kafka: KafkaCluster, scores: Make
) -> None:
    tell(stores, *(("scores", scores(n, printer=f"p{n % 7}")) for n in range(3_000)))
    with relaying(embedded, kafka):
        wait_until_relayed(stores)
        found = sent(kafka, "scores", 3_000)
    assert len(found) == 3_000
    for printer in range(7):
        mine = [m for m in found if m.key == f"p{printer}".encode()]
        assert len({m.place[0] for m in mine}) == 1
        told = [decode_event(m.value or b"", "scores").index for m in mine]  # type: ignore[union-attr]
        assert told == sorted(told)


def test_a_broker_that_is_away_is_waited_for_warned_of_once_and_nothing_is_acknowledged_meanwhile(
    stores: Stores,
    embedded: EmbeddedStores,
    kafka: KafkaCluster,
    scores: Make,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with relaying(embedded, kafka):
        tell(stores, ("scores", scores(0)))
        wait_until_relayed(stores)
        assert health(stores).health is Health.OK
        kafka.down()
        tell(stores, *(("scores", scores(n)) for n in range(1, 100)))
        wait_until(lambda: health(stores).health is Health.DEGRADED, LIMIT_S)
        assert health(stores).detail
        assert backlog(stores.events, key("scores", 0), KAFKA) == 99
        kafka.up()
        wait_until_relayed(stores)
        wait_until(lambda: health(stores).health is Health.OK, LIMIT_S)
        found = sent(kafka, "scores", 100)
    told = [decode_event(m.value or b"", "scores").index for m in found]  # type: ignore[union-attr]
    assert told == [scores(n).index for n in range(100)]
    assert caplog.text.count("waiting, nothing is lost") == 1
    assert caplog.text.count("takes events again") == 1


DIES = """
import os, sys, threading
sys.path.insert(0, sys.argv[1])
from ingest.store import StoreUrls, open_stores
from sinks import kafka_relay
from sinks.kafka_address import read_address
from sinks.kafka_relay import KafkaRelay

class Source:
    def open(self, _=0.0):
        return open_stores(StoreUrls(*sys.argv[3:]))

kafka_relay.Reader.acknowledge = lambda self, entries: len(entries) > 0 and os.kill(os.getpid(), 9)
KafkaRelay(Source(), 2, read_address(sys.argv[2]), "cellar").run(threading.Event())
"""


def test_a_relay_killed_before_it_acknowledges_doubles_nothing_for_who_looks_at_the_entry(
    stores: Stores, embedded: EmbeddedStores, kafka: KafkaCluster, scores: Make, tmp_path: Path
) -> None:
    tell(stores, *(("scores", scores(n, printer=f"p{n % 7}")) for n in range(500)))
    command = [sys.executable, "-c", DIES, str(ROOT), f"kafka://{kafka.address}", *embedded.urls()]
    assert subprocess.run(command, check=False, timeout=LIMIT_S).returncode == -signal.SIGKILL
    assert backlog(stores.events, key("scores", 0), KAFKA) == 500
    with relaying(embedded, kafka):
        wait_until_relayed(stores)
        found = sent(kafka, "scores", 501)
    assert len(found) > 500, "some were sent twice"
    recent = Recent()
    assert len([m for m in found if recent.is_new(list(m.headers.items()))]) == 500
    intake = Intake([lambda: ParquetLog(tmp_path)])
    assert not intake.take([incoming(one) for one in found])
    intake.close()
    assert set(rows(tmp_path).values()) == {1}
    assert len(rows(tmp_path)) == 500


def incoming(one: Message) -> Incoming:
    return Incoming("scores", one.topic, *one.place, one.key, one.value, one.headers)


def test_what_can_never_be_sent_becomes_a_dead_letter_and_the_rest_flows(
    stores: Stores, embedded: EmbeddedStores, kafka: KafkaCluster, scores: Make, anomaly: Make
) -> None:
    tell(stores, ("scores", scores(1)), ("anomalies", anomaly(1, text="x" * 2_000_000)))
    stores.events.xadd(key("scores", 0), {DATA: b"no record"})
    tell(stores, ("scores", scores(2)), ("anomalies", anomaly(2)))
    with relaying(embedded, kafka) as relay:
        wait_until_relayed(stores)
        assert len(sent(kafka, "scores", 2)) == 2
        assert len(sent(kafka, "anomalies", 1)) == 1
    letters = {f[b"stream"]: f[b"error"].decode() for _, f in stores.events.xrange(key("dead", 0))}
    assert "no such record" in letters[b"nw:scores:{0}"]
    assert "too large" in letters[b"nw:anomalies:{0}"]
    assert relay.counts["dead_letters"] == 2


def test_a_relay_that_is_stopped_sends_what_it_has_read(
    stores: Stores, embedded: EmbeddedStores, kafka: KafkaCluster, scores: Make
) -> None:
    tell(stores, *(("scores", scores(n)) for n in range(2_000)))
    with relaying(embedded, kafka) as relay:
        wait_until(lambda: relay.counts["relayed"] > 0, LIMIT_S)
    assert stores.events.xpending(key("scores", 0), KAFKA)["pending"] == 0
    acknowledged = 2_000 - backlog(stores.events, key("scores", 0), KAFKA)
    assert len(sent(kafka, "scores", acknowledged)) == acknowledged > 0


def test_a_farm_without_a_relay_keeps_nothing_for_one(stores: Stores, scores: Make) -> None:
    tell(stores, ("scores", scores(1)))
    assert unacknowledged(stores) == 1
    leave(stores.events, relayed_streams(range(SHARDS)), KAFKA)
    assert unacknowledged(stores) == 0
    groups = [row["name"] for row in stores.events.xinfo_groups(key("scores", 0))]
    assert KAFKA.encode() not in groups


def test_who_follows_kafka_gets_each_anomaly_once_from_the_start_or_new_ones_alone(
    stores: Stores, embedded: EmbeddedStores, kafka: KafkaCluster, anomaly: Make
) -> None:
    address = read_address(f"kafka://{kafka.address}")
    tell(stores, *(("anomalies", anomaly(n)) for n in range(3)))
    with relaying(embedded, kafka):
        sent(kafka, "anomalies", 3)
        old, new = KafkaTopic(address, from_start=True), KafkaTopic(address)
        tell(stores, ("anomalies", anomaly(3)))
        assert followed(old, 4) == ["a0", "a1", "a2", "a3"]
        assert followed(new, 1) == ["a3"]


def followed(topic: KafkaTopic, number: int) -> list[str]:
    stop, found = threading.Event(), []
    for one in topic.follow(stop):
        found.append(one.id)
        if len(found) == number:
            stop.set()
    topic.close()
    return found


def test_who_follows_a_broker_that_is_away_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "ANSWER_S", 1.0)
    with KafkaCluster() as empty:
        address = f"kafka://user:secret@{empty.address}"
        empty.down()
        with pytest.raises(SinkError, match="found no broker") as told:
            KafkaTopic(read_address(address))
    assert "secret" not in str(told.value)
