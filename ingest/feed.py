"""One printer's sources, read and aligned: recorded ones in the order of time, live ones as they come."""

from __future__ import annotations

import asyncio
import logging
import random
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from pathlib import Path

import msgspec

from ingest.align import Aligner, Timing
from ingest.cameras import open_camera
from ingest.clock import AnchoredClock
from ingest.errors import CameraUnreachable, PrinterUnreachable, SourceError
from ingest.farm import PrinterTable
from ingest.records import NS_PER_S, Frame, Health
from ingest.sources import Camera, Item, Telemetry
from ingest.telemetry import open_telemetry
from ingest.writer import Captured

log = logging.getLogger("nozzlewatch.ingest")
Emit = Callable[[Sequence[Captured]], Awaitable[None]]

RETRY_FIRST_S, RETRY_MOST_S = 1.0, 30.0
"""Waits between two tries to reach a source that has gone: doubled from the first up to the most."""

LIVE_JOB = "live"
"""The job of a live print, as long as nothing tells one print from the next."""

TICK_S = 0.1
"""How often a live printer's windows are looked through for some that are over, in s."""


class Feed:
    """One printer: reads its sources and hands out its windows. ``health`` and ``detail`` say how it goes."""

    def __init__(self, printer: PrinterTable, timing: Timing, base: Path) -> None:
        self.name = printer.name
        self.camera = open_camera(printer.camera, printer.name, base) if printer.camera else None
        self.telemetry = open_telemetry(printer.telemetry, printer.name, base) if printer.telemetry else None
        self.health, self.detail = Health.OK, ""
        self._lost: dict[str, str] = {}  # live sources that are away, with what they said last
        live = not self.recorded
        self.aligner = Aligner(
            printer.name,
            job_of(printer, base) if self.recorded else LIVE_JOB,
            timing,
            # A hole in a recording is no silence: the recorder may have been off.
            camera=live and self.camera is not None,
            telemetry=live and self.telemetry is not None,
        )

    @property
    def recorded(self) -> bool:
        return any(source.recorded for source in (self.camera, self.telemetry) if source is not None)

    def counts(self) -> dict[str, int]:
        """What was left out so far, by reason."""
        total = Counter(self.aligner.counts)
        for source in (self.camera, self.telemetry):
            total.update(dict(source.counts) if source is not None else {})
        return dict(total)

    async def run(self, emit: Emit, speed: float | None) -> None:
        """Read until the sources end (recorded) or for ever (live). ``speed`` None: as fast as it goes."""
        try:
            await (self._replay(emit, speed) if self.recorded else self._watch(emit))
            self.health = Health.ENDED
        except SourceError as error:
            self.health, self.detail = Health.DOWN, str(error)

    async def _replay(self, emit: Emit, speed: float | None) -> None:
        pace = _Pace(speed)
        async with aclosing(merged(self.camera, self.telemetry)) as items:
            async for at_ns, item in items:
                await pace.wait_for(at_ns)
                estimated = not isinstance(item, Frame) and bool(
                    self.telemetry and self.telemetry.time_estimated
                )
                self.aligner.add(item, at_ns, estimated=estimated)
                await emit(self.aligner.advance(at_ns))
        await emit(self.aligner.close())

    async def _watch(self, emit: Emit) -> None:
        clock = AnchoredClock()
        self.aligner.begin(clock.now_ns())
        async with asyncio.TaskGroup() as group:
            if self.camera is not None:
                group.create_task(self._keep_reading("camera", self.camera.frames, clock))
            if self.telemetry is not None:
                group.create_task(self._keep_reading("telemetry", self.telemetry.items, clock))
            while True:
                await emit(self.aligner.advance(clock.now_ns()))
                await asyncio.sleep(TICK_S)

    async def _keep_reading(
        self, what: str, read: Callable[[], AsyncIterator[Item]], clock: AnchoredClock
    ) -> None:
        """Read a live source for ever; when it is lost warn once, try again, and say when it is back."""
        wait_s = RETRY_FIRST_S
        while True:
            try:
                async for item in read():
                    if what in self._lost:
                        self._found(what)
                        wait_s = RETRY_FIRST_S
                    self.aligner.add(item, clock.now_ns())
            except (CameraUnreachable, PrinterUnreachable) as error:
                self._lose(what, str(error))
            await asyncio.sleep(wait_s * random.uniform(0.8, 1.2))  # noqa: S311 - jitter, no secret
            wait_s = min(2 * wait_s, RETRY_MOST_S)

    def _lose(self, what: str, why: str) -> None:
        if what not in self._lost:
            log.warning("%s: %s lost: %s; trying again", self.name, what, why)
        self._lost[what] = why
        self._tell_lost()

    def _found(self, what: str) -> None:
        log.warning("%s: %s is back", self.name, what)
        del self._lost[what]
        self._tell_lost()

    def _tell_lost(self) -> None:
        self.health = Health.DEGRADED if self._lost else Health.OK
        self.detail = "; ".join(self._lost.values())


class _Pace:
    """Lets recorded items go at ``speed`` times their own pace; None lets them go at once."""

    def __init__(self, speed: float | None) -> None:
        self._speed = speed
        self._began: tuple[float, int] | None = None

    async def wait_for(self, at_ns: int) -> None:
        if self._speed is None:
            return
        now_s = asyncio.get_running_loop().time()
        began_s, first_ns = self._began = self._began or (now_s, at_ns)
        due_s = began_s + (at_ns - first_ns) / NS_PER_S / self._speed
        if due_s > now_s:
            await asyncio.sleep(due_s - now_s)


def job_of(printer: PrinterTable, base: Path) -> str:
    """The job of a recording: its file's name and its folder's, for instance "benchy/serial"."""
    address = (printer.telemetry or printer.camera).partition(":")[2].partition("?")[0]
    path = (base / address).resolve()
    return f"{path.parent.name}/{path.stem}"


async def merged(
    camera: Camera | None, telemetry: Telemetry | None
) -> AsyncGenerator[tuple[int, Item], None]:
    """Items of recorded sources in the order of their times, each with its time on the common axis, ns.

    A source whose times are only estimated (a folder at a fixed rate, a log without stamps) is laid so that
    it begins with the other one.
    """
    frames = _Ahead(camera.frames() if camera is not None else None)
    items = _Ahead(telemetry.items() if telemetry is not None else None)
    await frames.step()
    await items.step()
    if frames.item is not None and items.item is not None:
        apart_ns = frames.at_ns - items.at_ns
        if camera is not None and camera.time_estimated:
            frames.shift_ns = -apart_ns
        elif telemetry is not None and telemetry.time_estimated:
            items.shift_ns = apart_ns
    while frames.item is not None or items.item is not None:
        # Of equal times the telemetry goes first: it says what the picture shows.
        first = frames if items.item is None or (frames.item and frames.at_ns < items.at_ns) else items
        yield first.at_ns, first.shifted()
        await first.step()


class _Ahead:
    """A source with its next item in hand, on a shifted time axis."""

    def __init__(self, source: AsyncIterator[Item] | None) -> None:
        self.item: Item | None = None
        self.shift_ns = 0
        self._source = source

    async def step(self) -> None:
        self.item = await anext(self._source, None) if self._source is not None else None

    @property
    def at_ns(self) -> int:
        if self.item is None:
            return 0
        own_ns = self.item.captured_ns if isinstance(self.item, Frame) else self.item.at_ns
        return own_ns + self.shift_ns

    def shifted(self) -> Item:
        """The item with its time on the common axis."""
        item = self.item
        assert item is not None  # noqa: S101 - asked for only while there is one
        if isinstance(item, Frame):
            return msgspec.structs.replace(item, captured_ns=self.at_ns)
        return msgspec.structs.replace(item, at_ns=self.at_ns)
