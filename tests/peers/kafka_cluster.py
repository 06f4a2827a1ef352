"""librdkafka's mock cluster in a process of its own: one broker that speaks Kafka's protocol over TCP.

It keeps messages, offsets and consumer groups in memory, as a real broker does on disk. Only C can make its
topics and take it off the network, so the functions are called in the library that confluent-kafka brings.

    python kafka_cluster.py    prints its address, then obeys lines on standard input:
    up, down, topic NAME PARTITIONS, refuse REQUEST ERROR TIMES,
    allow REQUEST
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

PARTITIONS = 4
ONE_REPLICA, BROKER = 1, 1
PRODUCE, OFFSET_COMMIT, JOIN_GROUP = 0, 8, 11
"""Requests, by their numbers in Kafka's protocol."""
REQUEST_TIMED_OUT, LOADING, NOT_AUTHORIZED = 7, 14, 30
"""Errors of Kafka's protocol: REQUEST_TIMED_OUT, COORDINATOR_LOAD_IN_PROGRESS, GROUP_AUTHORIZATION_FAILED."""


class KafkaCluster:
    """A context manager: the cluster with the topics of ``names`` is there until it is left."""

    def __init__(self, *names: str, partitions: int = PARTITIONS) -> None:
        self.address = ""  # "127.0.0.1:PORT"
        self._topics = dict.fromkeys(names, partitions)
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> KafkaCluster:
        command = [sys.executable, __file__]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.address = self._answer()
        for name, partitions in self._topics.items():
            self._ask(f"topic {name} {partitions}")
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.communicate()

    def down(self) -> None:
        """The broker drops its connections and takes no new ones; it forgets nothing."""
        self._ask("down")

    def up(self) -> None:
        self._ask("up")

    def refuse(self, request: int, error: int, times: int = 1) -> None:
        """Answer the next requests of this kind with an error."""
        self._ask(f"refuse {request} {error} {times}")

    def allow(self, request: int) -> None:
        """Answer requests of this kind as they should be again."""
        self._ask(f"allow {request}")

    def _ask(self, command: str) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(f"{command}\n")
        self._process.stdin.flush()
        assert self._answer() == "done", command

    def _answer(self) -> str:
        assert self._process is not None and self._process.stdout is not None
        return self._process.stdout.readline().strip()


def _library() -> ctypes.CDLL:
    import confluent_kafka  # noqa: PLC0415 - in the child process alone

    wheel = Path(confluent_kafka.__file__).parent.parent
    library = ctypes.CDLL(str(next(wheel.glob("confluent_kafka.libs/librdkafka*"))))
    handle, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    for name, result, arguments in (
        ("new", handle, [number, handle, text, ctypes.c_size_t]),
        ("mock_cluster_new", handle, [handle, number]),
        ("mock_cluster_bootstraps", text, [handle]),
        ("mock_topic_create", number, [handle, text, number, number]),
        ("mock_group_initial_rebalance_delay_ms", None, [handle, ctypes.c_int32]),
        ("mock_push_request_errors_array", None, [handle, ctypes.c_int16, ctypes.c_size_t, handle]),
        ("mock_clear_request_errors", None, [handle, ctypes.c_int16]),
        ("mock_broker_set_down", number, [handle, ctypes.c_int32]),
        ("mock_broker_set_up", number, [handle, ctypes.c_int32]),
    ):
        function = getattr(library, f"rd_kafka_{name}")
        function.restype, function.argtypes = result, arguments
    return library


def _serve() -> None:
    library = _library()
    producer = library.rd_kafka_new(0, None, None, 0)
    cluster = library.rd_kafka_mock_cluster_new(producer, 1)
    library.rd_kafka_mock_group_initial_rebalance_delay_ms(cluster, 0)
    print(library.rd_kafka_mock_cluster_bootstraps(cluster).decode(), flush=True)
    for line in sys.stdin:
        match line.split():
            case ["topic", name, partitions]:
                made = library.rd_kafka_mock_topic_create(
                    cluster, name.encode(), int(partitions), ONE_REPLICA
                )
            case ["refuse", request, error, times]:
                errors = (ctypes.c_int * int(times))(*[int(error)] * int(times))
                library.rd_kafka_mock_push_request_errors_array(cluster, int(request), len(errors), errors)
                made = 0
            case ["allow", request]:
                library.rd_kafka_mock_clear_request_errors(cluster, int(request))
                made = 0
            case ["down"]:
                made = library.rd_kafka_mock_broker_set_down(cluster, BROKER)
            case ["up"]:
                made = library.rd_kafka_mock_broker_set_up(cluster, BROKER)
            case _:
                made = -1
        print("done" if made == 0 else "failed", flush=True)


if __name__ == "__main__":
    _serve()
