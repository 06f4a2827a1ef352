"""Cables pulled, cameras frozen, servers restarted, clocks set back: ingest goes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from ingest.farm import load_farm
from ingest.records import NS_PER_S, EventKind, Mark, Status, Window, decode
from ingest.stage import STATUS_KEY, StoreSource
from ingest.store import Stores
from ingest.stream import DATA, key, shard_of
from tests.peers.clock_shift import WallClock
from tests.peers.farm_hosts import CameraHost, Port, hosts

HOUR_S = 3600


class Told(NamedTuple):
    """What ingest said of a printer up to a moment."""

    warnings: list[str]
    windows: list[Window]


class Watched:
    """Ingest at work on a farm, as a process of its own; what it logs and what it writes."""

    def __init__(self, folder: Path, printers: dict[str, str], environment: dict[str, str]) -> None:
        self._farm = folder / "farm.toml"
        tables = [f'[[printers]]\nname = "{name}"\n{lines}\n' for name, lines in printers.items()]
        self._farm.write_text("[farm]\nlateness_s = 1.0\n" + "\n".join(tables))
        self._log = folder / "ingest.log"
        command = [sys.executable, "-m", "ingest", str(self._farm)]
        with self._log.open("w") as log:
            self.process = subprocess.Popen(command, stderr=log, env={**os.environ, **environment})
        self._source = StoreSource(load_farm(self._farm))

    def told(self, printer: str) -> Told:
        lines = self._log.read_text().splitlines()
        warnings = [line.partition(f" WARNING {printer}: ")[2].strip() for line in lines]
        return Told([warning for warning in warnings if warning], self.windows(printer))

    def windows(self, printer: str) -> list[Window]:
        farm = load_farm(self._farm)
        stream = key("windows", shard_of(printer, farm.table.shards))
        with contextlib.closing(self._stores()) as stores:
            rows = stores.events.xrange(stream)
        windows = [decode(fields[DATA], Window) for _, fields in rows]
        return [window for window in windows if window.printer == printer]

    def _stores(self) -> Stores:
        return self._source.attach()

    async def until(self, printer: str, what: str, marked: Mark | None, limit_s: float = 60.0) -> None:
        """Wait until the newest window bears a mark, or (None) is out with a frame and none of them."""
        blind = Mark.CAMERA_SILENT | Mark.TELEMETRY_SILENT | Mark.CAMERA_FROZEN
        until_s = time.monotonic() + limit_s
        while time.monotonic() < until_s:
            with contextlib.suppress(Exception):
                newest = self.windows(printer)[-1]
                if newest.marks & marked if marked else not newest.marks & blind:
                    return
            assert self.process.poll() is None, "ingest has ended"
            await asyncio.sleep(0.2)
        raise AssertionError(f"waited {limit_s:g} s in vain for {what} of {printer}")

    async def until_told(self, before_ns: int, limit_s: float = 30.0) -> None:
        """Wait until ingest says that it is earlier than ``before_ns``."""
        async with asyncio.timeout(limit_s):
            while True:
                with contextlib.closing(self._stores()) as stores:
                    told = decode(stores.events.hget(STATUS_KEY, "ingest"), Status)
                if told.at_ns < before_ns + 60 * NS_PER_S:
                    return
                await asyncio.sleep(0.2)

    def end(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture
def running() -> Iterator[list[Watched]]:
    """Whatever the test has started is killed at its end."""
    started: list[Watched] = []
    yield started
    for one in started:
        one.process.kill()
        one.process.wait()


def are_whole(windows: list[Window]) -> bool:
    """None is missing between the first and the last, but where a window says so.

    A minute without a word is told by its windows, the rest of a longer hole by a mark alone: on a busy
    machine a source that is tried more and more seldom may be away for so long.
    """
    return all(
        now.index == before.index + 1 or (now.index > before.index and now.marks & Mark.GAP)
        for before, now in pairwise(windows)
    )


def spans(windows: list[Window], mark: Mark) -> int:
    """How many stretches of windows bear a mark."""
    marked = [bool(window.marks & mark) for window in windows]
    return sum(now and not before for before, now in zip([False, *marked], marked, strict=False))


def camera(host: CameraHost) -> str:
    return f'camera = "mjpeg:http://127.0.0.1:{host.port}/#fps=10"'


def test_every_gap_is_marked_with_one_warning_and_one_all_clear(
    tmp_path: Path, running: list[Watched]
) -> None:
    async def drill() -> dict[str, Told]:
        async with hosts(4) as (frozen, restarted, same, clock):
            port = Port(tmp_path / "port")
            speaking = asyncio.create_task(port.speak())
            watched = Watched(
                tmp_path,
                {
                    "frozen": camera(frozen),
                    "restarted": camera(restarted),
                    "same": camera(same),
                    "clock": camera(clock),
                    "pulled": f'telemetry = "serial:{port.link}"',
                },
                {},
            )
            running.append(watched)
            names = ("frozen", "restarted", "same", "clock", "pulled")
            for name in names:
                await watched.until(name, "a first window", None)
            frozen.silent = same.repeats = True
            await restarted.stop()
            port.pull()
            clock.clock_s = -HOUR_S
            began_s = time.monotonic()
            await watched.until("same", "the mark of a frozen picture", Mark.CAMERA_FROZEN)
            await watched.until("pulled", "the mark of silence", Mark.TELEMETRY_SILENT)
            await watched.until("frozen", "the mark of silence", Mark.CAMERA_SILENT)
            await watched.until("restarted", "the mark of silence", Mark.CAMERA_SILENT)
            await asyncio.sleep(max(0.0, began_s + 30 - time.monotonic()))
            frozen.silent = same.repeats = False
            await restarted.start()
            port.plug()
            for name in names:
                await watched.until(name, "the end of it", None)
            speaking.cancel()
            told = {name: watched.told(name) for name in names}
            assert watched.end() == 0
            return told

    told = asyncio.run(drill())
    for name in ("frozen", "restarted", "pulled"):
        lost, back = told[name].warnings
        assert "lost: " in lost, lost
        assert back.endswith("is back")
    assert told["same"].warnings == told["clock"].warnings == []
    for name, mark in (
        ("frozen", Mark.CAMERA_SILENT), ("restarted", Mark.CAMERA_SILENT), ("same", Mark.CAMERA_FROZEN),
        ("pulled", Mark.TELEMETRY_SILENT),
    ):  # fmt: skip
        assert are_whole(told[name].windows), name
        assert spans(told[name].windows, mark) == 1, name
    events = [event.kind for window in told["pulled"].windows for event in window.events]
    assert events.count(EventKind.DISCONNECTED) == 1
    assert are_whole(told["clock"].windows)
    assert spans(told["clock"].windows, Mark.CAMERA_SILENT) == 0


def test_the_machines_clock_set_back_an_hour_moves_no_window(tmp_path: Path, running: list[Watched]) -> None:
    clock = WallClock(tmp_path)

    async def drill() -> Told:
        async with hosts(1) as (host,):
            port = Port(tmp_path / "port")
            speaking = asyncio.create_task(port.speak())
            sources = f'{camera(host)}\ntelemetry = "serial:{port.link}"'
            watched = Watched(tmp_path, {"ender": sources}, clock.environment)
            running.append(watched)
            await watched.until("ender", "a first window", None)
            before = len(watched.windows("ender"))
            clock.set_by(-HOUR_S)
            await watched.until_told(time.time_ns() - HOUR_S * NS_PER_S)
            async with asyncio.timeout(30):
                while len(watched.windows("ender")) < before + 8:
                    await asyncio.sleep(0.2)
            speaking.cancel()
            told = watched.told("ender")
            assert abs(told.windows[-1].end_ns - time.time_ns()) < 5 * NS_PER_S
            assert watched.end() == 0
            return told

    told = asyncio.run(drill())
    assert are_whole(told.windows)
    assert not any(window.marks & (Mark.CAMERA_SILENT | Mark.CLOCK_JUMP) for window in told.windows)
    assert told.warnings == []
