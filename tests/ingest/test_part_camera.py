"""The surface camera: opened when a print ends, for one picture, and never in the way of the watch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import ClassVar

import pytest

from ingest.align import Timing
from ingest.cameras.registry import CAMERAS
from ingest.errors import CameraUnreachable
from ingest.farm import PrinterTable
from ingest.feed import Feed
from ingest.part import PartCamera
from ingest.records import NS_PER_S, Event, EventKind, Frame, Mark, Window
from ingest.sources import BaseSource
from ingest.telemetry import TELEMETRY
from ingest.writer import Captured
from tests.ingest.live_sources import FakeCamera, FakePrinter, Wire, plug_in
from tests.waiting import wait_until

TIMING = Timing(span_ns=NS_PER_S // 10, lateness_ns=0)


class PartEye(FakeCamera):
    """A camera of its own, beside the printer's."""

    wire: ClassVar[Wire]


class Service(FakePrinter):
    """Says when prints begin and end: 1 is a beginning, 0 an end."""

    tells_jobs = True

    async def items(self) -> AsyncIterator[Event]:
        async for at_ns, value in self._values():
            kind = EventKind.JOB_STARTED if value else EventKind.JOB_ENDED
            yield Event(printer=self._printer, at_ns=at_ns, kind=kind, text="cube")


class Live:
    """A live feed with a surface camera at work."""

    def __init__(self, camera: Wire, service: Wire, part: Wire) -> None:
        self.camera, self.service, self.part = camera, service, part
        self.windows: list[Window] = []
        self.frames: list[Frame] = []
        addresses = {"camera": "fake:eye", "telemetry": "fake:service", "surface_camera": "part:eye"}
        self.feed = Feed(PrinterTable(name="ender", **addresses), TIMING, Path())

    async def emit(self, batch: Sequence[Captured]) -> None:
        self.windows += [captured.window for captured in batch]
        self.frames += [captured.frame for captured in batch if captured.frame is not None]

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        await asyncio.to_thread(wait_until, condition, 10, what)

    async def window(self, what: str, fits: Callable[[Window], bool]) -> None:
        """Wait until a window that comes from now on fits."""
        begun = len(self.windows)
        await self.until(lambda: any(fits(window) for window in self.windows[begun:]), what)

    def of_surface(self) -> list[Window]:
        return [window for window in self.windows if window.frame is not None and window.frame.of_surface]


Run = Callable[[Callable[[Live], Awaitable[None]]], Live]


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a scenario beside a live feed with all three sources."""
    camera, _ = plug_in(monkeypatch)
    PartEye.wire, Service.wire = Wire(), Wire()
    monkeypatch.setitem(CAMERAS, "part", PartEye)
    monkeypatch.setitem(TELEMETRY, "fake", Service)

    def run(scenario: Callable[[Live], Awaitable[None]]) -> Live:
        one = Live(camera, Service.wire, PartEye.wire)

        async def both() -> None:
            feeding = asyncio.create_task(one.feed.run(one.emit, None))
            await scenario(one)
            assert not feeding.done()
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)

        asyncio.run(both())
        return one

    return run


def prints(window: Window) -> bool:
    return window.job.startswith("cube ") and not window.marks & Mark.IDLE


def is_over(window: Window) -> bool:
    return window.job.startswith("cube ") and bool(window.marks & Mark.IDLE)


async def begin(one: Live) -> None:
    one.service.say(1)
    await one.window("a print", prints)


async def end(one: Live) -> None:
    one.service.say(0)
    await one.window("its end", is_over)


def test_when_a_print_ends_one_picture_of_its_part_comes_in_an_idle_window(live: Run) -> None:
    async def scenario(one: Live) -> None:
        await begin(one)
        assert one.part.tries == 0
        one.part.say()
        await end(one)
        await one.until(lambda: bool(one.of_surface()), "a picture of the part")
        one.part.say()
        one.camera.say()
        await one.window("a frame of its own", lambda w: w.frame is not None and not w.frame.of_surface)

    one = live(scenario)
    (window,) = one.of_surface()
    assert is_over(window)
    assert [frame.camera for frame in one.frames].count("surface") == 1
    assert one.part.tries == 1
    assert one.feed.counts().get("surface_missed", 0) == 0


def test_a_printer_that_stands_idle_at_the_start_has_no_part_to_look_at(live: Run) -> None:
    async def scenario(one: Live) -> None:
        one.service.say(0)
        await begin(one)

    assert live(scenario).part.tries == 0


def test_a_surface_camera_that_never_answers_is_given_up_warned_of_and_counted(
    live: Run, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ingest.part.LIMIT_S", 0.3)

    async def scenario(one: Live) -> None:
        await begin(one)
        await end(one)
        await one.until(lambda: one.part.tries == 1, "it to be opened")
        await one.window("the watch to go on meanwhile", is_over)
        await one.until(lambda: one.feed.counts().get("surface_missed") == 1, "it to be given up")
        await one.window("the watch to go on", is_over)

    one = live(scenario)
    assert one.of_surface() == []
    (warned,) = [record.getMessage() for record in caplog.records if "surface camera" in record.getMessage()]
    assert warned.startswith("ender: surface camera: found no picture within 0.3 s, expected one")


def test_a_surface_camera_that_cannot_be_reached_is_tried_again_at_the_next_prints_end(live: Run) -> None:
    async def scenario(one: Live) -> None:
        one.part.lose()
        await begin(one)
        await end(one)
        await one.until(lambda: one.feed.counts().get("surface_missed") == 1, "it to be given up")
        one.part.mend()
        one.part.say()
        await begin(one)
        await end(one)
        await one.until(lambda: bool(one.of_surface()), "a picture of the part")

    one = live(scenario)
    assert one.part.tries == 2
    assert one.feed.detail == ""  # the printer is watched as well as ever


def test_a_picture_that_comes_when_the_next_print_has_begun_is_not_taken(live: Run) -> None:
    async def scenario(one: Live) -> None:
        await begin(one)
        await end(one)
        await one.until(lambda: one.part.tries == 1, "it to be opened")
        one.service.say(1)
        await one.window("the next print", prints)
        one.part.say()
        await one.until(one.part.said.empty, "the picture to be taken")
        one.camera.say()
        await one.window("a frame", lambda window: window.frame is not None)

    assert live(scenario).of_surface() == []


class Odd(BaseSource):
    """Does something that no camera may do."""

    def __init__(self, does: Exception | None) -> None:
        self._does = does

    async def frames(self) -> AsyncIterator[Frame]:
        for odd in [self._does] if self._does else []:
            raise odd
            yield


@pytest.mark.parametrize(
    ("does", "told"),
    [
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
        (CameraUnreachable("found nobody"), "found nobody"),
        (None, "found that it ended"),
    ],
)
def test_whatever_a_surface_camera_does_is_told_and_counted(
    does: Exception | None, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    camera = PartCamera(Odd(does), "ender")
    assert asyncio.run(camera.picture()) is None
    assert camera.counts == {"surface_missed": 1}
    assert told in caplog.records[-1].getMessage()
