"""One printer's sources, read and aligned: recorded ones in the order of time, live ones as they come."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path

import msgspec

from ingest.align import Aligner, Timing
from ingest.cameras.motion import Motion
from ingest.cameras.registry import open_camera
from ingest.clock import AnchoredClock
from ingest.errors import SourceError
from ingest.farm import PrinterTable
from ingest.jobs import IDLE_JOB, Change, JobTracker, is_print
from ingest.part import PartCamera
from ingest.reconnect import Connection, Link, keep_reading
from ingest.records import NS_PER_S, Action, Frame, Health
from ingest.sources import Camera, Commandable, Item, Telemetry
from ingest.telemetry import open_telemetry
from ingest.writer import Captured

log = logging.getLogger("nozzlewatch.ingest")
Emit = Callable[[Sequence[Captured]], Awaitable[None]]

OpenCamera = Callable[[str, str, Path], Camera]

RECORDING_ENDS = "the recording ends"
LATE_S = 0.001
"""A look at the windows comes this much after one has ended, in s: a timer may go off a little early."""


class Feed:
    """One printer: reads its sources and hands out its windows. ``health`` and ``detail`` say how it goes.

    ``running`` and ``idle`` are as in ``JobTracker``. ``listener``, where one is set, gets
    every item of a live printer with its arrival, ns.
    """

    def __init__(
        self,
        printer: PrinterTable,
        timing: Timing,
        base: Path,
        *,
        cameras: OpenCamera = open_camera,
        running: str = "",
        idle: str = IDLE_JOB,
    ) -> None:
        self.name = printer.name
        self.camera = cameras(printer.camera, printer.name, base) if printer.camera else None
        self.telemetry = open_telemetry(printer.telemetry, printer.name, base) if printer.telemetry else None
        part = cameras(printer.surface_camera, printer.name, base) if printer.surface_camera else None
        self._part = PartCamera(part, printer.name) if part is not None else None
        self._part_is_due = asyncio.Event()  # a print has ended, and the next one has not begun
        self.listener: Callable[[Item, int], None] | None = None
        self._span_ns, self._lateness_ns = timing.span_ns, timing.lateness_ns
        self._ended: Health | None = None
        self._why = ""
        self._connections: dict[str, Connection] = {}
        self.recorded = printer.recorded
        live = not self.recorded
        self._tracker = JobTracker(
            tells_jobs=self.telemetry is not None and self.telemetry.tells_jobs,
            running=running,
            idle=job_of(printer, base) if self.recorded else idle,
        )
        self._tells = not self.recorded  # whether prints are to be told apart by what the telemetry says
        self._motion = Motion() if self.telemetry is None and not self.recorded else None
        self.aligner = Aligner(
            printer.name,
            self._tracker.job,
            timing,
            # A hole in a recording is no silence: the recorder may have been off.
            camera=live and self.camera is not None,
            telemetry=live and self.telemetry is not None,
        )

    @property
    def health(self) -> Health:
        lost = any(connection.link is Link.LOST for connection in self._connections.values())
        return self._ended or (Health.DEGRADED if lost else Health.OK)

    @property
    def detail(self) -> str:
        return self._why or "; ".join(c.why for c in self._connections.values() if c.why)

    @property
    def told(self) -> Callable[[Action], Awaitable[str]] | None:
        """How this printer is told something, None where it cannot be."""
        return self.telemetry.command if isinstance(self.telemetry, Commandable) else None

    def counts(self) -> dict[str, int]:
        """What was left out so far, by reason."""
        total = Counter(self.aligner.counts)
        for source in (self.camera, self.telemetry, self._part):
            total.update(dict(source.counts) if source is not None else {})
        return dict(total)

    async def run(self, emit: Emit, speed: float | None) -> None:
        """Read until the sources end (recorded) or for ever (live). ``speed`` None: as fast as it goes."""
        try:
            await (self._replay(emit, speed) if self.recorded else self._watch(emit))
            self._ended = Health.ENDED
        except SourceError as error:
            self._ended, self._why = Health.DOWN, str(error)

    async def _replay(self, emit: Emit, speed: float | None) -> None:
        pace, begun = _Pace(speed), False
        async with aclosing(merged(self.camera, self.telemetry)) as items:
            async for at_ns, item in items:
                await pace.wait_for(at_ns)
                begun = begun or self._begin_replay()
                estimated = not isinstance(item, Frame) and bool(
                    self.telemetry and self.telemetry.time_estimated
                )
                self.aligner.add(item, at_ns, estimated=estimated)
                self._follow(item)
                await emit(self.aligner.advance(at_ns))
        # A print that nobody watched is over with its recording; what was watched tells its own ends.
        await emit(self.aligner.close("" if self._tells else RECORDING_ENDS))

    def _begin_replay(self) -> bool:
        """Sources are open: what was recorded live is replayed as live, its silences and prints too."""
        made = {"camera": self.camera, "telemetry": self.telemetry}
        live = {what: source is not None and source.witness is not None for what, source in made.items()}
        self.aligner.expect(camera=live["camera"], telemetry=live["telemetry"])
        witness = self.telemetry.witness if self.telemetry is not None else None
        if witness is not None:
            tells_jobs, job = witness
            self._tells = True
            self._tracker = JobTracker(tells_jobs=tells_jobs, running=job, idle=self._tracker.job)
            self.aligner.change_job(Change(0, self._tracker.job, idle=False))
        return True

    async def _watch(self, emit: Emit) -> None:
        clock = AnchoredClock()
        self.aligner.begin(clock.now_ns())
        deliver = partial(self._deliver, clock)
        async with asyncio.TaskGroup() as group:
            if self.camera is not None:
                group.create_task(self._keep_reading("camera", self.camera.frames, deliver))
            if self.telemetry is not None:
                group.create_task(self._keep_reading("telemetry", self.telemetry.items, deliver))
            if self._part is not None:
                group.create_task(self._keep_looking(self._part, clock))
            while True:
                await emit(self.aligner.advance(clock.now_ns()))
                await asyncio.sleep(self._until_next_window_s(clock.now_ns()))

    async def _keep_reading(
        self, what: str, read: Callable[[], AsyncIterator[Item]], deliver: Callable[[Item], None]
    ) -> None:
        connection = self._connections[what] = Connection()
        await keep_reading(f"{self.name}: {what}", connection, read, deliver)

    async def _keep_looking(self, part: PartCamera, clock: AnchoredClock) -> None:
        """Take a picture of each finished part, unless the next print begins before it has come."""
        while True:
            await self._part_is_due.wait()
            frame = await part.picture()
            if frame is not None and self._part_is_due.is_set():
                self.aligner.add_part(frame, clock.now_ns())
            self._part_is_due.clear()

    def _deliver(self, clock: AnchoredClock, item: Item) -> None:
        now_ns = clock.now_ns()
        self.aligner.add(item, now_ns)
        self._follow(item)
        if self.listener is not None:
            self.listener(item, now_ns)

    def _follow(self, item: Item) -> None:
        """Note where one print ends and the next begins."""
        if isinstance(item, Frame):
            change = self._follow_picture(item)
        else:
            change = self._tracker.take(item) if self._tells else None
        if change is not None:
            log.info("%s: %s", self.name, change)
            self.aligner.change_job(change)
            over = change.idle and is_print(change.job)
            (self._part_is_due.set if over else self._part_is_due.clear)()

    def _follow_picture(self, frame: Frame) -> Change | None:
        moves = self._motion.moves(frame.jpeg) if self._motion is not None else None
        return None if moves is None else self._tracker.moved(moves, frame.captured_ns)

    def _until_next_window_s(self, now_ns: int) -> float:
        """How long until the watermark passes the end of a window: not one look more than there is to see."""
        watermark_ns = now_ns - self._lateness_ns
        return (self._span_ns - watermark_ns % self._span_ns) / NS_PER_S + LATE_S


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
    camera: Camera | None, telemetry: Telemetry | None, *, camera_later_ns: int = 0
) -> AsyncGenerator[tuple[int, Item], None]:
    """Items of recorded sources in the order of their times, each with its time on the common axis, ns.

    A source whose times are only estimated (a folder at a fixed rate, a log without stamps) is laid so that
    it begins with the other one. After that the camera is moved by ``camera_later_ns``.
    """
    frames = _Ahead(camera.frames() if camera is not None else None)
    items = _Ahead(telemetry.items() if telemetry is not None else None)
    await frames.step()
    await items.step()
    if frames.item is not None and items.item is not None:
        apart_ns = frames.at_ns - items.at_ns
        if camera is not None and camera.time_estimated:
            frames.shift_ns = -apart_ns
        elif telemetry is not None and telemetry.time_estimated and not telemetry.laid:
            items.shift_ns = apart_ns
    frames.shift_ns += camera_later_ns
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
