"""The Faust worker on a Kafka cluster: each event in the log once, whatever dies, breaks or moves."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pytest

pytest.importorskip("confluent_kafka", reason="needs the extra: pip install 'nozzlewatch[kafka]'")
pytest.importorskip("faust", reason="needs the extra: pip install 'nozzlewatch[kafka]'")

from ingest.errors import UsageError
from ingest.records import Health, Status
from sinks.topics import worker_folder
from tests.peers.kafka_cluster import (
    JOIN_GROUP,
    LOADING,
    NOT_AUTHORIZED,
    OFFSET_COMMIT,
    PRODUCE,
    REQUEST_TIMED_OUT,
    KafkaCluster,
)
from tests.sinks.kafka_at_work import (
    LIMIT_S,
    ROOT,
    Sender,
    Worker,
    cluster,
    committed,
    rows,
    sent,
    wait_for_rows,
)
from tests.waiting import wait_until

Make = Callable[..., Any]
PRINTERS = 11
MANY = 100
"""Requests that are refused: ten seconds of them, one after the other."""
QUICK_S = 2.0
"""How long the cluster waits for a worker that was killed."""


@pytest.fixture(name="kafka")
def _kafka() -> Iterator[KafkaCluster]:
    with cluster() as one:
        yield one


def send_scores(sender: Sender, scores: Make, start: int, end: int) -> None:
    sender.send("scores", ((n, scores(n, printer=f"p{n % PRINTERS}")) for n in range(start, end)))


def once(start: int, end: int) -> Counter[str]:
    return Counter(f"{n}-0" for n in range(start, end))


def wait_until_committed(kafka: KafkaCluster) -> None:
    wait_until(lambda: committed(kafka), LIMIT_S, "everything to be committed")


def test_ten_thousand_events_are_each_in_the_log_once_after_three_kills(
    kafka: KafkaCluster, tmp_path: Path, scores: Make
) -> None:
    sender = Sender(kafka)
    send_scores(sender, scores, 0, 5_000)
    with Worker(kafka, tmp_path, dies="after", session_s=QUICK_S) as worker:  # durable, not committed
        worker.died()
    assert 0 < len(rows(tmp_path)) < 5_000
    with Worker(kafka, tmp_path, dies="before", session_s=QUICK_S) as worker:  # taken, not durable
        send_scores(sender, scores, 5_000, 8_000)
        worker.died()
    before = len(rows(tmp_path))
    assert before < 8_000
    with Worker(kafka, tmp_path, session_s=QUICK_S) as worker:
        wait_for_rows(before + 1, tmp_path)
        worker.kill()
    send_scores(sender, scores, 8_000, 10_000)
    with Worker(kafka, tmp_path) as worker:
        wait_until_committed(kafka)
        worker.end()
    assert rows(tmp_path) == once(0, 10_000)


def test_a_second_worker_comes_and_goes_and_each_event_is_in_one_log_once(
    kafka: KafkaCluster, tmp_path: Path, scores: Make
) -> None:
    sender = Sender(kafka)
    one, two = tmp_path / "worker=one", tmp_path / "worker=two"
    send_scores(sender, scores, 0, 1_000)
    with Worker(kafka, one) as first:
        wait_for_rows(1, one)
        with Worker(kafka, two) as second:
            told = 1_000
            while len(rows(two)) < 100:  # until it has partitions of its own, more and more events come
                send_scores(sender, scores, told, told + 200)
                told += 200
                wait_for_rows(told - 400, one, two)
                assert told < 50_000
            send_scores(sender, scores, told, told + 1_000)
            second.end()
        shared = len(rows(two))
        send_scores(sender, scores, told + 1_000, told + 2_000)
        wait_until_committed(kafka)
        first.end()
    assert len(rows(two)) == shared
    assert rows(one, two) == once(0, told + 2_000)


def test_what_comes_while_a_worker_reads_the_notes_of_the_others_is_not_lost(
    kafka: KafkaCluster, tmp_path: Path, scores: Make
) -> None:
    send_scores(Sender(kafka), scores, 0, 500)
    with Worker(kafka, tmp_path, notes_s=2.0) as worker:
        wait_for_rows(500, tmp_path)
        wait_until_committed(kafka)
        worker.end()
    assert rows(tmp_path) == once(0, 500)


def test_a_broken_event_goes_to_the_dead_letters_with_its_error_and_the_rest_flows(
    kafka: KafkaCluster, tmp_path: Path, scores: Make, anomaly: Make
) -> None:
    sender = Sender(kafka)
    send_scores(sender, scores, 0, 100)
    broken = {b"no JSON": "no such record", b'{"version":7}': "found version 7", b'{"version":1}': "printer"}
    for value in broken:
        sender.send_bytes("scores", value, "p0", {"nw-entry": b"x", "from": b"elsewhere"})
    sender.send_bytes("scores", None, "p0")  # what a compacted topic says of a key that is gone
    send_scores(sender, scores, 100, 200)
    sender.send("anomalies", [(1, anomaly(1)), (2, anomaly(2, at_ns=2**62 * 4))])  # in no year that there is
    sender.send("statuses", [(1, Status(source="ingest", at_ns=1_770_120_000 * 10**9, health=Health.OK))])
    with Worker(kafka, tmp_path) as worker:
        wait_for_rows(200, tmp_path)
        wait_until_committed(kafka)
        worker.end()
    assert rows(tmp_path) == once(0, 200)
    assert set(rows(tmp_path, dataset="anomalies")) == {"1-0"}
    assert rows(tmp_path, dataset="status") == {"1-0": 1}
    letters = sent(kafka, "dead", 5)
    found = {letter.value: letter for letter in letters}
    assert len(letters) == len(found) == 5
    for value, words in broken.items():
        headers = found[value].headers
        assert words in headers["nw-error"].decode()
        assert headers["nw-origin"].startswith(b"nozzlewatch.scores/")
        assert (headers["nw-entry"], headers["from"], found[value].key) == (b"x", b"elsewhere", b"p0")


def test_a_row_has_the_stream_and_the_entry_that_redis_gave_it(
    kafka: KafkaCluster, tmp_path: Path, scores: Make
) -> None:
    sender = Sender(kafka)
    send_scores(sender, scores, 7, 8)
    with Worker(kafka, tmp_path) as worker:
        wait_for_rows(1, tmp_path)
        worker.end()
    row = ds.dataset(tmp_path / "scores", partitioning="hive").to_table().to_pylist()[0]
    assert (row["stream"], row["entry_id"], row["printer"]) == ("nw:scores:{3}", "7-0", "p7")


def test_a_broker_that_goes_away_is_waited_for_and_told_of_once(
    kafka: KafkaCluster, tmp_path: Path, scores: Make
) -> None:
    sender = Sender(kafka)
    send_scores(sender, scores, 0, 500)
    with Worker(kafka, tmp_path) as worker:
        wait_for_rows(500, tmp_path)
        kafka.down()
        wait_until(lambda: "waiting, nothing is lost" in worker.told(), LIMIT_S)
        kafka.up()
        send_scores(sender, scores, 500, 1_000)
        wait_for_rows(1_000, tmp_path)
        wait_until_committed(kafka)
        worker.end()
    assert rows(tmp_path) == once(0, 1_000)
    assert len(worker.told().splitlines()) == 1, "a broker that is away is told of once"


def test_a_worker_ends_in_good_order_though_its_commit_is_never_answered(
    kafka: KafkaCluster, tmp_path: Path, scores: Make
) -> None:
    kafka.refuse(OFFSET_COMMIT, LOADING, MANY)  # it asks again and again, and then nobody is there
    send_scores(Sender(kafka), scores, 0, 100)
    with Worker(kafka, tmp_path) as worker:
        wait_for_rows(100, tmp_path)
        kafka.down()
        wait_until(lambda: "waiting, nothing is lost" in worker.told(), LIMIT_S)
        worker.end(within_s=LIMIT_S)
    assert rows(tmp_path) == once(0, 100)


def test_a_worker_ends_in_good_order_though_its_dead_letter_is_never_answered(
    kafka: KafkaCluster, tmp_path: Path, scores: Make
) -> None:
    sender = Sender(kafka)
    send_scores(sender, scores, 0, 100)
    sender.send_bytes("scores", b"{torn", "p1")
    sender.flush()
    kafka.refuse(PRODUCE, REQUEST_TIMED_OUT, MANY)
    with Worker(kafka, tmp_path) as worker:
        wait_until(lambda: "nozzlewatch.scores/" in worker.told(), LIMIT_S)
        kafka.down()
        worker.end(within_s=LIMIT_S)
    kafka.up()
    kafka.allow(PRODUCE)
    assert not committed(kafka)
    with Worker(kafka, tmp_path) as worker:
        assert sent(kafka, "dead", 1)[0].value == b"{torn"
        wait_for_rows(100, tmp_path)
        wait_until_committed(kafka)
        worker.end()
    assert rows(tmp_path) == once(0, 100)


def test_a_worker_that_may_not_join_says_so_and_tries_again(
    kafka: KafkaCluster, tmp_path: Path, scores: Make
) -> None:
    send_scores(Sender(kafka), scores, 0, 10)
    kafka.refuse(JOIN_GROUP, NOT_AUTHORIZED)
    with Worker(kafka, tmp_path) as worker:
        wait_for_rows(10, tmp_path)
        worker.end()
    assert "GroupAuthorizationFailed" in worker.told()
    assert "Traceback" not in worker.told()


FARM = """
[farm]
data = "data"
redis = "redis://localhost:1/0"
events = "kafka://{address}"
[log]
flush_s = 0.2
[[printers]]
name = "p1"
telemetry = "serial:/dev/null"
"""


def test_the_command_writes_the_log_of_a_farm_file_and_two_do_not_write_the_same_one(
    kafka: KafkaCluster, tmp_path: Path, scores: Make
) -> None:
    farm, log = tmp_path / "farm.toml", tmp_path / "data" / "log"
    farm.write_text(FARM.replace("{address}", kafka.address))
    command = [sys.executable, "-m", "sinks.topics", str(farm)]
    first = subprocess.Popen(command, cwd=ROOT)
    try:
        send_scores(Sender(kafka), scores, 0, 10)
        wait_for_rows(10, log)
        second = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        named = subprocess.Popen([*command, "--worker", "two"], cwd=ROOT)
        wait_until((log / "worker=two").is_dir, LIMIT_S)
    finally:
        first.terminate()
    assert (second.returncode, first.wait(LIMIT_S)) == (1, 0)
    assert "another process writes to this log" in second.stderr
    assert "Traceback" not in second.stderr
    named.terminate()
    assert named.wait(LIMIT_S) == 0


def test_each_worker_has_a_folder_of_its_own_and_none_beside_the_log(tmp_path: Path) -> None:
    assert worker_folder(tmp_path, "") == tmp_path
    assert worker_folder(tmp_path, "kitchen-2") == tmp_path / "worker=kitchen-2"
    for odd in ("..", "a/b", "a b", "x" * 65):
        with pytest.raises(UsageError, match="found the worker"):
            worker_folder(tmp_path, odd)
