"""From an anomaly on the stream to each channel's request on the wire: 50 at once, each with a picture.

The sinks as they are (one policy, a courier for each channel) in this process, real receivers in another one.
As a farm gets it, 50 printers that fail alike are four messages and one of all others. To see what channels
bear, each alert is also told by itself: through each channel beside a dead one, and through all of them,
which share an interpreter. The console, always there, is the baseline: what policy and store take.
``python -m bench.sinks_alerts``.
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
from typing import NamedTuple, TextIO, cast

import cv2
import numpy as np

from bench.figure import Figure
from bench.machine import ROOT
from bench.receivers import ID
from detector.anomaly import Anomaly, Box, Evidence, Kind, State
from ingest.farm import Farm, FarmTable
from ingest.records import FrameRef, encode
from ingest.stage import StoreSource
from ingest.store import Stores
from ingest.stream import DATA, ensure_groups, frame_key, key, shard_of
from sinks.__main__ import spare_collector
from sinks.alerts import AlertWorker
from sinks.channels import CHANNELS, Channel
from sinks.channels.console import ConsoleChannel
from sinks.outbox import Courier
from sinks.pictures import Pictures
from sinks.policy import Rules

CHANNELS_MEASURED = ("apprise", "webhook", "mail")
AT_ONCE, ROUNDS, SHARDS = 50, 5, 8
LIMIT_S, POLL_S = 60.0, 1.0
SIZE = (480, 640, 3)
KINDS = (Kind.SPAGHETTI, Kind.BLOB, Kind.STRINGING, Kind.DETACHMENT, Kind.WARPING, Kind.STALL)
"""One a round, each a single word: a group of one kind is told aloud once a minute."""
UNGROUPED = 10_000


class Trial(NamedTuple):
    """What is measured."""

    told: str
    channels: tuple[str, ...]
    group_from: int = UNGROUPED
    pictured: bool = True


ALONE = [Trial(f"{one}, each by itself, with pictures", (one,)) for one in CHANNELS_MEASURED]
PLAIN = [Trial(f"{one}, each by itself, no pictures", (one,), pictured=False) for one in CHANNELS_MEASURED]
SHIPPED = Trial("all channels, as a farm gets it", CHANNELS_MEASURED, Rules().group_from)
TOGETHER = Trial("all channels, each by itself, with pictures", CHANNELS_MEASURED)


def measure() -> Iterator[tuple[Trial, Figure]]:
    """p99 of the slowest channel of each trial, ms, over ROUNDS times AT_ONCE alerts."""
    for trial in (SHIPPED, *PLAIN, *ALONE, TOGETHER):
        late = delays(trial)
        worst = max(p99(late[channel]) for channel in trial.channels)
        name = f"{AT_ONCE} alerts to the wire, p99: {trial.told}"
        yield trial, Figure(name, worst, "ms", "console", p99(late["console"]))


def p99(ms: list[float]) -> float:
    return float(np.percentile(ms, 99))


def delays(trial: Trial) -> dict[str, list[float]]:
    """Channel → ms from XADD to the arrival of the request that tells of it, an alert each."""
    TERMINAL.rows.clear()
    with tempfile.TemporaryDirectory(prefix="nozzlewatch-") as folder, receivers() as ports:
        farm = Farm(Path(folder) / "farm.toml", FarmTable(data=".", shards=SHARDS), (), {})
        with StoreSource(farm) as source, closing(source.open()) as stores:
            ensure_groups(stores.events, range(SHARDS))
            with at_work(source, made(ports, trial.channels), trial.group_from):
                sent: dict[str, int] = {}
                for number in range(ROUNDS + 1):
                    told = _round(stores, ports, number, trial)
                    sent |= told if number else {}  # the first one warms up
                rows = _seen(ports)
    late: dict[str, list[float]] = {}
    for channel, name, at_ns in rows:
        if name in sent:
            of_it = 1 if name.startswith("bench") else AT_ONCE - (trial.group_from - 1)
            late.setdefault(channel, []).extend([(at_ns - sent[name]) / 1e6] * of_it)
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
def at_work(source: StoreSource, channels: list[Channel], group_from: int) -> Iterator[None]:
    """The policy and the couriers, each in a thread."""
    stop = threading.Event()
    rules = Rules(group_from=group_from)
    pictures = Pictures()
    workers: list[AlertWorker | Courier] = [
        AlertWorker(source, SHARDS, rules, channels, pictures),
        *(Courier(source, one, pictures) for one in channels),
    ]
    spare_collector()
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
        found = ID.search(text.encode())
        if found:
            self.rows.append(("console", (found[1] or found[2]).decode(), at_ns))
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
    return [ConsoleChannel(cast(TextIO, TERMINAL)), *channels]


def _round(stores: Stores, ports: dict[str, int], number: int, trial: Trial) -> dict[str, int]:
    """50 anomalies at once; when they were appended, by what is told, once every channel has all of that."""
    told = [_anomaly(number * AT_ONCE + n, KINDS[number], trial.pictured) for n in range(AT_ONCE)]
    jpeg = _picture()
    for one in told if trial.pictured else ():
        shard = shard_of(one.printer, SHARDS)
        stores.frames.set(frame_key(shard, one.printer, one.evidence.frames[0].captured_ns), jpeg, ex=60)
    with stores.events.pipeline(transaction=True) as pipe:
        for one in told:
            pipe.xadd(key("anomalies", shard_of(one.printer, SHARDS)), {DATA: encode(one)})
        at_ns = time.time_ns()
        pipe.execute()
    grouped = trial.group_from < AT_ONCE
    until_s = time.monotonic() + LIMIT_S
    while time.monotonic() < until_s:
        rows = _seen(ports)
        heard = [
            {name for channel, name, _ in rows if channel == each} for each in ("console", *trial.channels)
        ]
        singles = [{one.id for one in told} & names for names in heard]
        if grouped and all(KINDS[number].value in names for names in heard):
            return dict.fromkeys({*singles[0], KINDS[number].value}, at_ns)
        if not grouped and all(len(names) == AT_ONCE for names in singles):
            return dict.fromkeys(singles[0], at_ns)
        time.sleep(POLL_S)
    raise AssertionError(f"not all alerts came within {LIMIT_S:g} s")


def _seen(ports: dict[str, int]) -> list[tuple[str, str, int]]:
    with urllib.request.urlopen(f"http://127.0.0.1:{ports['http']}/seen") as answer:
        rows = [tuple(row) for row in json.load(answer)]
    return [*rows, *TERMINAL.rows]


def _anomaly(number: int, kind: Kind, pictured: bool) -> Anomaly:
    now_ns = time.time_ns()
    frame = FrameRef(camera="top", captured_ns=now_ns, width=SIZE[1], height=SIZE[0])
    return Anomaly(
        id=f"bench-{number}", printer=f"printer {number}", job=f"job {number}", kind=kind,
        state=State.OPENED, revision=1, severity=0.9, score=0.9, onset_ns=now_ns, detected_ns=now_ns,
        at_ns=now_ns, text="a mess above the part", evidence=Evidence(frames=(frame,) if pictured else ()),
        boxes=(Box(0.3, 0.3, 0.2, 0.2),),
    )  # fmt: skip


def _picture() -> bytes:
    noise = np.random.default_rng(1).normal(128, 20, SIZE).clip(0, 255).astype(np.uint8)
    return cv2.imencode(".jpg", cv2.GaussianBlur(noise, (0, 0), 3))[1].tobytes()


if __name__ == "__main__":
    for _, figure in measure():
        sys.stdout.write(f"{figure.name}: {figure.value:.0f} ms (console {figure.baseline_value:.0f} ms)\n")
