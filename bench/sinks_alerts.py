"""From an anomaly on the stream to each channel's request on the wire: 50 at once, each with a picture.

The sinks as they are (one policy, a courier for each channel) in this process, real receivers in another one.
Each channel by itself beside a dead one, and all at once, which share one interpreter. The console, which is
always there, is the baseline: what the policy and the store take. ``python -m bench.sinks_alerts``.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import cv2
import numpy as np

from bench.figure import Figure
from bench.machine import ROOT
from detector.anomaly import Anomaly, Box, Evidence, Kind, State
from ingest.farm import Farm, FarmTable
from ingest.records import FrameRef, encode
from ingest.stage import StoreSource
from ingest.store import Stores
from ingest.stream import DATA, ensure_groups, frame_key, key, shard_of
from sinks.alerts import AlertWorker
from sinks.channels import CHANNELS, Channel
from sinks.channels.console import ConsoleChannel
from sinks.outbox import Courier
from sinks.pictures import Pictures
from sinks.policy import Rules

CHANNELS_MEASURED = ("apprise", "webhook", "mail")
ALONE, TOGETHER = "alert to the wire, ", "alerts to the wire, all channels at once, p99"
AT_ONCE, ROUNDS, SHARDS = 50, 5, 8
LIMIT_S = 60.0
SIZE = (480, 640, 3)


def measure() -> Iterator[Figure]:
    """p99 of each channel, ms, over ROUNDS times AT_ONCE alerts."""
    for channel in CHANNELS_MEASURED:
        late = delays((channel,))
        yield Figure(
            f"{ALONE}{channel}, p99 of 50 at once", p99(late[channel]), "ms",
            "console", p99(late["console"]),
        )  # fmt: skip
    late = delays(CHANNELS_MEASURED)
    worst = max(p99(late[channel]) for channel in CHANNELS_MEASURED)
    yield Figure(
        TOGETHER,
        worst,
        "ms",
        "console",
        p99(late["console"]),
    )


def p99(ms: list[float]) -> float:
    return float(np.percentile(ms, 99))


def delays(names: tuple[str, ...]) -> dict[str, list[float]]:
    """Channel → ms from XADD to the arrival of the request, an alert each."""
    TERMINAL.rows.clear()
    with tempfile.TemporaryDirectory(prefix="nozzlewatch-") as folder, receivers() as ports:
        farm = Farm(Path(folder) / "farm.toml", FarmTable(data=".", shards=SHARDS), (), {})
        with StoreSource(farm) as source, closing(source.open()) as stores:
            ensure_groups(stores.events, range(SHARDS))
            with at_work(source, made(ports, names)):
                sent: dict[str, int] = {}
                for number in range(ROUNDS + 1):
                    told = _round(stores, ports, number, ("console", *names))
                    sent |= told if number else {}  # the first one warms up
                rows = _seen(ports)
    late: dict[str, list[float]] = {}
    for channel, name, at_ns in rows:
        if name in sent:
            late.setdefault(channel, []).append((at_ns - sent[name]) / 1e6)
    return late


@contextmanager
def receivers() -> Iterator[dict[str, int]]:
    """The servers, in a process of their own."""
    command = [sys.executable, "-m", "bench.receivers"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        assert process.stdin is not None
        process.stdin.close()


@contextmanager
def at_work(source: StoreSource, channels: list[Channel]) -> Iterator[None]:
    """The policy and the couriers, each in a thread."""
    stop = threading.Event()
    rules = Rules(group_from=10_000)  # 50 at once would be one message
    pictures = Pictures()
    workers = [
        AlertWorker(source, SHARDS, rules, channels),
        *(Courier(source, one, pictures) for one in channels),
    ]
    threads = [threading.Thread(target=worker.run, args=(stop,)) for worker in workers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(LIMIT_S)


class Noting(io.TextIOBase):
    """A terminal that posts what it is told to the receivers' list, without a network in between."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, int]] = []

    def write(self, text: str) -> int:
        at_ns = time.time_ns()
        name = text.partition("Id: ")[2].split()
        if name:
            self.rows.append(("console", name[0], at_ns))
        return len(text)


TERMINAL = Noting()


def made(ports: dict[str, int], names: tuple[str, ...]) -> list[Channel]:
    """The terminal, a dead channel, and one of each of these kinds."""
    http = f"127.0.0.1:{ports['http']}"
    mail = {"url": f"smtp://127.0.0.1:{ports['smtp']}", "from": "watch@farm", "to": ["a@farm"]}
    hook = {"url": f"http://{http}/webhook", "secret": "of a bench", "picture": True}
    apprise = [f"json://{http}/apprise"] if "apprise" in names else []
    tables: dict[str, object] = {"apprise": [*apprise, "json://127.0.0.1:9/dead"]}
    tables |= {"webhooks": [hook]} if "webhook" in names else {}
    tables |= {"mail": mail} if "mail" in names else {}
    mistakes: list[str] = []
    channels = [one for name, table in tables.items() for one in CHANNELS[name](table, name, mistakes)]
    assert not mistakes, mistakes
    return [ConsoleChannel(TERMINAL), *channels]


def _round(stores: Stores, ports: dict[str, int], number: int, awaited: tuple[str, ...]) -> dict[str, int]:
    """50 anomalies at once; returns when each was appended, once every channel has all of them."""
    told = [_anomaly(number * AT_ONCE + n) for n in range(AT_ONCE)]
    jpeg = _picture()
    for one in told:
        shard = shard_of(one.printer, SHARDS)
        stores.frames.set(frame_key(shard, one.printer, one.evidence.frames[0].captured_ns), jpeg, ex=60)
    with stores.events.pipeline(transaction=True) as pipe:
        for one in told:
            pipe.xadd(key("anomalies", shard_of(one.printer, SHARDS)), {DATA: encode(one)})
        at_ns = time.time_ns()
        pipe.execute()
    until_s = time.monotonic() + LIMIT_S
    wanted = {one.id for one in told}
    while time.monotonic() < until_s:
        rows = _seen(ports)
        if all(wanted <= {name for channel, name, _ in rows if channel == each} for each in awaited):
            return dict.fromkeys(wanted, at_ns)
        time.sleep(0.2)
    raise AssertionError(f"not all alerts came within {LIMIT_S:g} s")


def _seen(ports: dict[str, int]) -> list[tuple[str, str, int]]:
    with urllib.request.urlopen(f"http://127.0.0.1:{ports['http']}/seen") as answer:
        rows = [tuple(row) for row in json.load(answer)]
    return [*rows, *TERMINAL.rows]


def _anomaly(number: int) -> Anomaly:
    now_ns = time.time_ns()
    frame = FrameRef(camera="top", captured_ns=now_ns, width=SIZE[1], height=SIZE[0])
    return Anomaly(
        id=f"bench-{number}", printer=f"printer {number}", job=f"job {number}", kind=Kind.SPAGHETTI,
        state=State.OPENED, revision=1, severity=0.9, score=0.9, onset_ns=now_ns, detected_ns=now_ns,
        at_ns=now_ns, text="a mess above the part", evidence=Evidence(frames=(frame,)),
        boxes=(Box(0.3, 0.3, 0.2, 0.2),),
    )  # fmt: skip


def _picture() -> bytes:
    noise = np.random.default_rng(1).normal(128, 20, SIZE).clip(0, 255).astype(np.uint8)
    return cv2.imencode(".jpg", cv2.GaussianBlur(noise, (0, 0), 3))[1].tobytes()


if __name__ == "__main__":
    for figure in measure():
        sys.stdout.write(f"{figure.name}: {figure.value:.0f} ms (console {figure.baseline_value:.0f} ms)\n")
