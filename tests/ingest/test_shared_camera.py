"""One connection for all printers that a camera shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import pytest
from aiohttp import web

from ingest.cameras.images import ImageFolder
from ingest.cameras.registry import CAMERAS
from ingest.cameras.shared import MOST_WAITING, CameraHub
from ingest.errors import CameraUnreachable, SourceError
from ingest.records import Frame
from ingest.sources import Camera
from tests.ingest.live_sources import Wire, plug_in
from tests.ingest.web import jpeg, open_stream, part, serving, take


class Readers:
    """Printers that read what a hub opened for them, each in a task of its own."""

    def __init__(self, hub: CameraHub, address: str = "fake:cam") -> None:
        self.hub, self.address = hub, address
        self.got: dict[str, list[Frame]] = {}
        self.why: dict[str, BaseException] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def join(self, *printers: str) -> None:
        for printer in printers:
            self.got[printer] = []
            self.tasks[printer] = asyncio.create_task(self._read(printer))
        await asyncio.sleep(0)

    async def leave(self, *printers: str) -> None:
        for printer in printers:
            self.tasks[printer].cancel()
            await asyncio.gather(self.tasks[printer], return_exceptions=True)

    async def _read(self, printer: str) -> None:
        try:
            async with aclosing(self.hub.open(self.address, printer).frames()) as frames:  # type: ignore[type-var]
                async for frame in frames:
                    self.got[printer].append(frame)
        except CameraUnreachable as error:
            self.why[printer] = error


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    """A live camera that the test speaks for."""
    return plug_in(monkeypatch)[0]


def test_every_printer_gets_every_frame_with_its_own_name_over_one_connection(wire: Wire) -> None:
    async def run() -> None:
        readers = Readers(CameraHub())
        await readers.join("p1", "p2", "p3")
        for _ in range(5):
            wire.say()
            await until(wire.said.empty)
        await until(lambda: all(len(frames) == 5 for frames in readers.got.values()))
        await readers.leave("p1", "p2", "p3")
        first, second, _ = readers.got.values()
        assert [frame.jpeg for frame in first] == [frame.jpeg for frame in second]
        assert {frame.printer for frame in first} == {"p1"}
        assert {frame.printer for frame in second} == {"p2"}
        assert wire.tries == 1

    asyncio.run(run())


def test_the_last_reader_closes_the_connection_and_the_next_one_opens_it_anew() -> None:
    watched = most = 0

    async def stream(request: web.Request) -> web.StreamResponse:
        nonlocal watched, most
        watched += 1
        most = max(most, watched)
        try:
            response = await open_stream(request)
            while request.transport is not None:
                await response.write(part(jpeg()))
                await asyncio.sleep(0.01)
        finally:
            watched -= 1
        return response

    async def run() -> None:
        async with serving(stream) as url:
            readers = Readers(CameraHub(), f"mjpeg:{url}/#fps=1000")
            for _ in range(2):
                await readers.join("p1", "p2")
                await until(lambda: all(readers.got.values()))
                await readers.leave("p1")
                count = len(readers.got["p2"])
                await until(lambda: len(readers.got["p2"]) > count)  # noqa: B023
                assert watched == 1
                await readers.leave("p2")
                await until(lambda: watched == 0)
        assert most == 1

    asyncio.run(run())


def test_a_camera_is_closed_before_a_reader_that_joins_meanwhile_opens_it_anew(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = most = 0
    read = CAMERAS["fake"].frames

    async def slow_to_close(self: Camera) -> AsyncIterator[Frame]:
        nonlocal opened, most
        opened += 1
        most = max(most, opened)
        try:
            async for frame in read(self):
                yield frame
        finally:
            await asyncio.sleep(0.02)
            opened -= 1

    monkeypatch.setattr(CAMERAS["fake"], "frames", slow_to_close)

    async def run() -> None:
        readers = Readers(CameraHub())
        await readers.join("p1")
        await until(lambda: wire.tries == 1)
        leaving = asyncio.create_task(readers.leave("p1"))
        await asyncio.sleep(0)
        await readers.join("p2")
        await leaving
        wire.say()
        await until(lambda: readers.got["p2"])
        await readers.leave("p2")
        assert (opened, most) == (0, 1)

    asyncio.run(run())


def test_a_loss_is_told_to_all_readers_and_all_come_back(wire: Wire) -> None:
    async def run() -> None:
        readers = Readers(CameraHub())
        await readers.join("p1", "p2")
        await until(lambda: wire.tries == 1)
        wire.lose()
        await until(lambda: len(readers.why) == 2)
        wire.mend()
        await readers.join("p1", "p2")
        wire.say()
        await until(lambda: all(readers.got.values()))
        await readers.leave("p1", "p2")
        assert wire.tries == 2

    asyncio.run(run())


def test_a_slow_reader_loses_the_oldest_frames_and_holds_nobody_up(wire: Wire) -> None:
    async def run() -> None:
        hub = CameraHub()
        readers = Readers(hub)
        await readers.join("p1")
        slow = hub.open("fake:cam", "p2")
        async with aclosing(slow.frames()) as frames:  # type: ignore[type-var]
            first = asyncio.ensure_future(anext(frames))
            await asyncio.sleep(0)  # it has joined
            for count in range(1, MOST_WAITING + 4):
                wire.say()
                await until(lambda: len(readers.got["p1"]) == count)  # noqa: B023
            got = [await first] + [await anext(frames) for _ in range(MOST_WAITING)]
        assert [frame.jpeg for frame in got[1:]] == [
            frame.jpeg for frame in readers.got["p1"][-MOST_WAITING:]
        ]
        assert slow.counts == {"reader_slow": 2}
        assert not hub.open("fake:cam", "p1").counts
        await readers.leave("p1")

    asyncio.run(run())


def test_only_the_same_live_camera_is_shared(wire: Wire, tmp_path: Path) -> None:
    hub = CameraHub()
    assert isinstance(hub.open(f"images:{tmp_path}", "p1"), ImageFolder)
    with pytest.raises(SourceError, match="expected one of"):
        hub.open("faek:cam", "p1")

    async def run() -> None:
        same, other = Readers(hub), Readers(hub, "fake:other")
        await same.join("p1", "p2")
        await other.join("p3")
        await until(lambda: wire.tries == 2)
        await same.leave("p1", "p2")
        await other.leave("p3")

    asyncio.run(run())


def test_other_options_are_another_connection() -> None:
    hub = CameraHub()
    one, same, faster = (
        hub.open(f"mjpeg:http://cam/{options}", printer)
        for printer, options in (("p1", "#fps=1"), ("p2", "#fps=1"), ("p3", "#fps=5"))
    )
    assert one.facts is same.facts
    assert one.facts is not faster.facts


def test_a_camera_that_fails_in_an_unknown_way_leaves_nobody_waiting(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(self: Camera) -> AsyncIterator[Frame]:
        raise ZeroDivisionError
        yield  # an async generator

    monkeypatch.setattr(CAMERAS["fake"], "frames", broken)

    async def run() -> None:
        hub = CameraHub()
        with pytest.raises(ZeroDivisionError):
            await take(hub.open("fake:cam", "p1"), 1)

    asyncio.run(run())
