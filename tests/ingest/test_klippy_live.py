"""A klippy.log that is followed while Klipper writes, rotates, truncates and removes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from ingest.errors import PrinterUnreachable, SourceError
from ingest.records import Event, EventKind, Reading, SerialLine
from ingest.sources import TelemetryItem
from ingest.telemetry import open_telemetry
from ingest.telemetry.klippy import live as klippy
from ingest.telemetry.klippy.live import KlippyLog
from ingest.telemetry.klippy.tail import BEGINNING, READ_BYTES, end_of, look
from tests.ingest.klippy_logs import START, stats

LIMIT_S = 15.0


class Heard:
    """What was read of a live log so far, and the error that ended it."""

    def __init__(self) -> None:
        self.items: list[TelemetryItem] = []
        self.error: SourceError | None = None

    async def read(self, source: KlippyLog) -> None:
        try:
            async with aclosing(source.items()) as items:  # type: ignore[type-var]
                async for item in items:
                    self.items.append(item)
        except SourceError as error:
            self.error = error

    def hotend(self) -> list[float]:
        return [i.value for i in self.items if isinstance(i, Reading) and i.channel == "hotend_c"]

    def events(self) -> list[EventKind]:
        return [i.kind for i in self.items if isinstance(i, Event)]

    async def until_lost(self) -> str:
        async with asyncio.timeout(LIMIT_S):
            while self.error is None:
                await asyncio.sleep(0.01)
        assert isinstance(self.error, PrinterUnreachable)
        return str(self.error)

    async def until(self, celsius: float, path: Path | None = None) -> None:
        """Wait until this temperature was read; where there is a path, say it there again and again."""
        async with asyncio.timeout(LIMIT_S):
            while celsius not in self.hotend():
                assert self.error is None, self.error
                if path is not None:
                    say(path, celsius)
                await asyncio.sleep(0.05)


def say(path: Path, *celsius: float) -> None:
    """Klipper writes Stats lines."""
    with path.open("a") as file:
        for value in celsius:
            file.write(stats(1.0, hotend=f"target=210 temp={value:.1f} pwm=0.500") + "\n")


def source_of(path: Path) -> KlippyLog:
    source = open_telemetry(f"klippy:{path}", "p1")
    assert isinstance(source, KlippyLog)
    return source


@asynccontextmanager
async def following(source: KlippyLog) -> AsyncIterator[Heard]:
    heard = Heard()
    task = asyncio.create_task(heard.read(source))
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "klippy.log"
    say(path, 100.0)
    return path


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often and give up soon."""
    monkeypatch.setattr(klippy, "POLL_S", 0.02)
    monkeypatch.setattr(klippy, "GONE_S", 0.3)


def test_only_what_is_new_is_read_and_lines_are_whole(path: Path) -> None:
    async def run() -> None:
        source = source_of(path)
        source.with_lines = True
        async with following(source) as heard:
            await heard.until(200.0, path)
            line = stats(2.0, hotend="target=210 temp=201.5 pwm=0.500")
            for piece in (line[:40], line[40:-8], line[-8:] + "\n"):
                with path.open("a") as file:
                    file.write(piece)
                await asyncio.sleep(0.03)
            await heard.until(201.5)
            assert set(heard.hotend()) == {200.0, 201.5}
            assert [i.text for i in heard.items if isinstance(i, SerialLine)][-1] == line
            times = [item.at_ns for item in heard.items]
            assert times == sorted(times)

    asyncio.run(run())


def test_a_log_that_is_rotated_is_read_without_a_gap(path: Path) -> None:
    async def run() -> None:
        async with following(source_of(path)) as heard:
            await heard.until(200.0, path)
            say(path, 201.0)
            old = path.rename(path.with_name("klippy.log.2025-01-23"))
            say(old, 202.0)  # written while the name was changed
            say(path, 203.0)
            await heard.until(203.0)
            assert list(dict.fromkeys(heard.hotend())) == [200.0, 201.0, 202.0, 203.0]

    asyncio.run(run())


def test_a_log_that_is_begun_anew_is_read_from_its_beginning(path: Path) -> None:
    async def run() -> None:
        async with following(source_of(path)) as heard:
            await heard.until(200.0, path)
            path.write_text(START + "\n")
            say(path, 201.0)
            await heard.until(201.0)
            assert heard.events() == [EventKind.START]

    asyncio.run(run())


def test_a_log_that_vanishes_is_lost_and_one_that_comes_later_is_read_from_its_beginning(path: Path) -> None:
    async def run() -> None:
        source = source_of(path)
        async with following(source) as heard:
            await heard.until(200.0, path)
            path.unlink()
            assert "found that the log vanished" in await heard.until_lost()
            assert heard.events() == [EventKind.DISCONNECTED]
        say(path, 201.0)
        async with following(source) as heard:
            await heard.until(201.0)

    asyncio.run(run())


def test_a_log_that_is_not_there_yet_is_awaited_and_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "klippy.log"

    async def run() -> None:
        source = source_of(path)
        async with following(source) as heard:
            assert "found no such file, expected Klipper's log: start Klipper" in await heard.until_lost()
        say(path, 201.0)
        async with following(source) as heard:
            await heard.until(201.0)

    asyncio.run(run())


def test_what_was_written_while_a_log_was_lost_is_read_later(path: Path) -> None:
    async def run() -> None:
        source = source_of(path)
        async with following(source) as heard:
            await heard.until(200.0, path)
        say(path, 201.0)
        path.rename(path.with_name("klippy.log.2025-01-23"))
        say(path, 202.0)
        async with following(source) as heard:
            await heard.until(202.0)
            assert list(dict.fromkeys(heard.hotend()))[-2:] == [201.0, 202.0]

    asyncio.run(run())


def test_damaged_lines_are_counted(path: Path) -> None:
    async def run() -> None:
        source = source_of(path)
        async with following(source) as heard:
            await heard.until(200.0, path)
            with path.open("ab") as file:
                file.write(b"Stats 1.0: ex\x02\xff\n" + b"y" * 3 * READ_BYTES + b"\n")
            await heard.until(201.0, path)
        assert source.counts == {"garbled": 2}

    asyncio.run(run())


def test_a_long_log_is_read_in_pieces(path: Path) -> None:
    place = end_of(path)._replace(offset=0)
    path.write_bytes(b"x" * (READ_BYTES + 1))
    first, place = look(path, place)
    assert (len(first), place.offset) == (READ_BYTES, READ_BYTES)
    assert look(path, place)[0] == b"x"
    assert look(path, BEGINNING)[0] == first
