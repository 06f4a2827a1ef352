"""One printer's sources: recorded ones merged by time, live ones lost and found again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from ingest.align import Timing
from ingest.cameras.registry import open_camera
from ingest.farm import PrinterTable
from ingest.feed import Feed, Item, job_of, merged
from ingest.records import NS_PER_S, Frame, Health, Mark, Window
from ingest.telemetry import open_telemetry
from ingest.writer import Captured
from tests.ingest.live_sources import Wire, plug_in
from tests.waiting import wait_until

MADE = datetime(2026, 1, 1, tzinfo=UTC)
MADE_S = int(MADE.timestamp())
EPOCH_2000_S = 946_684_800  # where sources begin that say nothing of their time
JPEG = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
SILENCE_S = 0.3
QUICK = Timing(span_ns=NS_PER_S // 10, lateness_ns=0)


def pictures(folder: Path, names: Sequence[str]) -> str:
    folder.mkdir()
    for name in names:
        (folder / f"{name}.jpg").write_bytes(JPEG)
    return f"images:{folder}"


def stamped_log(path: Path, seconds: Sequence[float], begin_s: float = MADE_S) -> str:
    """A log as OctoPrint writes it: a report at each of these seconds."""
    lines = []
    for number, at_s in enumerate(seconds):
        moment = datetime.fromtimestamp(begin_s + at_s, UTC)
        stamp = f"{moment:%Y-%m-%d %H:%M:%S},{moment.microsecond // 1000:03d}"
        lines.append(f"{stamp} - Recv: T:{200 + number}.00 /215.00 B:60.00 /60.00 @:64 B@:20\n")
    path.write_text("".join(lines))
    return f"log:{path}"


def bare_log(path: Path, reports: int) -> str:
    """A log without stamps."""
    path.write_text(
        "".join(f"T:{200 + n}.00 /215.00 B:60.00 /60.00 @:64 B@:20\nok\n" for n in range(reports))
    )
    return f"log:{path}"


def merge(camera: str, telemetry: str) -> list[tuple[float, Item]]:
    """All items with their time on the common axis, s."""

    async def read() -> list[tuple[float, Item]]:
        sources = open_camera(camera, "p"), open_telemetry(telemetry, "p")
        return [(at_ns / NS_PER_S, item) async for at_ns, item in merged(*sources)]

    return asyncio.run(read())


def own_s(item: Item) -> float:
    return (item.captured_ns if isinstance(item, Frame) else item.at_ns) / NS_PER_S


def begins(items: Sequence[tuple[float, Item]]) -> tuple[float, float]:
    """When the first frame and the first word of the printer are, s."""
    frame = next(at_s for at_s, item in items if isinstance(item, Frame))
    word = next(at_s for at_s, item in items if not isinstance(item, Frame))
    return frame, word


def test_recorded_items_come_in_order_of_time_and_bear_it(tmp_path: Path) -> None:
    camera = pictures(tmp_path / "frames", [str(MADE_S + n) for n in (0, 2, 3, 7)])
    items = merge(camera, stamped_log(tmp_path / "serial.log", (1, 2, 4, 9)))
    times = [at_s for at_s, _ in items]
    assert times == sorted(times)
    assert times == [own_s(item) for _, item in items]
    order = "".join("f" if isinstance(item, Frame) else "t" for _, item in items)
    assert [len(run) for run in order.split("t") if run] == [1, 2, 1]  # the frames between the reports


def test_of_equal_times_the_telemetry_goes_first(tmp_path: Path) -> None:
    camera = pictures(tmp_path / "frames", [str(MADE_S)])
    items = merge(camera, stamped_log(tmp_path / "serial.log", (0, 1)))
    at_once = [isinstance(item, Frame) for at_s, item in items if at_s == MADE_S]
    assert len(at_once) > 1
    assert at_once.index(True) == len(at_once) - 1


def test_pictures_at_a_fixed_rate_begin_with_the_log(tmp_path: Path) -> None:
    camera = pictures(tmp_path / "frames", ["frame_0", "frame_1", "frame_2"])
    items = merge(f"{camera}?fps=0.5", stamped_log(tmp_path / "serial.log", (5, 6, 20)))
    assert begins(items) == (MADE_S + 5, MADE_S + 5)
    assert [own_s(item) - MADE_S for _, item in items if isinstance(item, Frame)] == [5, 7, 9]


def test_a_log_without_stamps_begins_with_the_pictures_times(tmp_path: Path) -> None:
    camera = pictures(tmp_path / "frames", [str(MADE_S + n) for n in range(3)])
    items = merge(camera, bare_log(tmp_path / "bare.log", 3))
    assert begins(items) == (MADE_S, MADE_S)
    assert [own_s(item) for _, item in items if isinstance(item, Frame)] == [MADE_S + n for n in range(3)]


def test_real_times_of_both_are_kept_however_far_they_are_apart(tmp_path: Path) -> None:
    camera = pictures(tmp_path / "frames", [str(MADE_S + n) for n in range(3)])
    items = merge(camera, stamped_log(tmp_path / "serial.log", (3600, 3601)))
    assert begins(items) == (MADE_S, MADE_S + 3600)


def test_two_sources_without_times_begin_together(tmp_path: Path) -> None:
    camera = pictures(tmp_path / "frames", ["frame_0", "frame_1"])
    items = merge(camera, bare_log(tmp_path / "bare.log", 3))
    assert begins(items)[0] == begins(items)[1] >= EPOCH_2000_S


def test_windows_of_estimated_times_say_so_and_others_do_not(tmp_path: Path) -> None:
    bare = windows_of(PrinterTable(name="p", telemetry=bare_log(tmp_path / "bare.log", 5)))
    assert all(window.marks & Mark.TIME_ESTIMATED for window in bare if window.mask().any())
    stamped = windows_of(PrinterTable(name="p", telemetry=stamped_log(tmp_path / "s.log", range(5))))
    assert not any(window.marks & Mark.TIME_ESTIMATED for window in stamped)


def windows_of(printer: PrinterTable) -> list[Window]:
    told: list[Captured] = []

    async def emit(batch: Sequence[Captured]) -> None:
        told.extend(batch)

    feed = Feed(printer, Timing(), Path())
    asyncio.run(feed.run(emit, None))
    assert feed.health is Health.ENDED
    return [captured.window for captured in told]


def test_a_recording_that_cannot_be_read_is_down_and_says_why(tmp_path: Path) -> None:
    feed = Feed(PrinterTable(name="p", telemetry=f"log:{tmp_path}/gone.log"), Timing(), Path())
    asyncio.run(feed.run(_ignore, None))
    assert feed.health is Health.DOWN
    assert "gone.log: found no such file" in feed.detail


async def _ignore(batch: Sequence[Captured]) -> None:
    assert not batch


@pytest.mark.parametrize(
    ("camera", "telemetry", "job"),
    [
        ("images:a/benchy", "", "a/benchy"),
        ("images:a/benchy", "log:b/serial.log?start=2024-01-01", "b/serial"),
        ("video:cube.mp4?fps=1", "", "prints/cube"),
    ],
)
def test_a_recording_is_the_job_of_its_files_and_its_folders_name(
    camera: str, telemetry: str, job: str
) -> None:
    assert job_of(PrinterTable(name="p", camera=camera, telemetry=telemetry), Path("/prints")) == job


class Live:
    """A live feed at work, with everything that it has told."""

    def __init__(self, feed: Feed, camera: Wire, printer: Wire) -> None:
        self.feed, self.camera, self.printer = feed, camera, printer
        self.windows: list[Window] = []

    async def emit(self, batch: Sequence[Captured]) -> None:
        self.windows += [captured.window for captured in batch]

    async def until(self, condition: Callable[[], bool], what: str) -> None:
        await asyncio.to_thread(wait_until, condition, 10, what)

    async def window(self, what: str, fits: Callable[[Window], bool]) -> None:
        """Wait until a window that comes from now on fits."""
        begun = len(self.windows)
        await self.until(lambda: any(fits(window) for window in self.windows[begun:]), what)


Scenario = Callable[[Live], Awaitable[None]]
Run = Callable[[Scenario], Live]


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a scenario beside a live feed of both sources that is quick to try again and to call silence."""
    monkeypatch.setattr("ingest.reconnect.RETRY_FIRST_S", 0.01)
    monkeypatch.setattr("ingest.marks.TELEMETRY_SILENCE_S", SILENCE_S)
    monkeypatch.setattr("ingest.marks.CAMERA_SILENCE_S", SILENCE_S)
    wires = plug_in(monkeypatch)

    def run(scenario: Scenario) -> Live:
        printer = PrinterTable(name="ender", camera="fake:eye", telemetry="fake:port")
        one = Live(Feed(printer, QUICK, Path()), *wires)

        async def both() -> None:
            feeding = asyncio.create_task(one.feed.run(one.emit, None))
            await scenario(one)
            assert not feeding.done()
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)

        asyncio.run(both())
        return one

    return run


def spoken(window: Window) -> bool:
    return bool(window.mask().any())


def test_a_lost_printer_is_warned_of_once_told_as_silent_and_welcomed_once(
    live: Run, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "nozzlewatch.ingest")

    async def scenario(one: Live) -> None:
        one.printer.say()
        await one.window("a reading", spoken)
        assert one.feed.health is Health.OK
        one.printer.lose()
        await one.until(lambda: one.printer.tries >= 4, "three more tries")
        assert one.feed.health is Health.DEGRADED
        assert "found nothing, expected a wire" in one.feed.detail
        await one.window("silence", lambda window: bool(window.marks & Mark.TELEMETRY_SILENT))
        one.printer.mend()
        one.printer.say()
        await one.window("a reading", lambda window: spoken(window) and window.marks == Mark.NONE | camera)
        assert (one.feed.health, one.feed.detail) == (Health.OK, "")

    camera = Mark.CAMERA_SILENT  # it is there, and says nothing all the time
    one = live(scenario)
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "ender: telemetry lost: fake:port: found nothing, expected a wire; trying again",
        "ender: telemetry is back",
    ]
    indices = [window.index for window in one.windows]
    assert indices == list(range(indices[0], indices[0] + len(indices)))  # none left out meanwhile


def test_a_feed_is_degraded_until_the_last_of_its_lost_sources_is_back(
    live: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(one: Live) -> None:
        one.camera.lose()
        one.printer.lose()
        await one.until(lambda: one.feed.detail.count("found nothing") == 2, "both to be lost")
        one.camera.mend()
        one.camera.say()
        await one.window("a frame", lambda window: window.frame is not None)
        assert one.feed.health is Health.DEGRADED
        assert one.feed.detail == "fake:port: found nothing, expected a wire"
        one.printer.mend()
        one.printer.say()
        await one.window("a reading", spoken)
        assert one.feed.health is Health.OK

    live(scenario)
    told = sorted(record.getMessage().partition(" lost")[0] for record in caplog.records)
    assert told == ["ender: camera", "ender: camera is back", "ender: telemetry", "ender: telemetry is back"]


def test_live_sources_that_never_say_anything_are_told_as_silent(live: Run) -> None:
    silent = Mark.CAMERA_SILENT | Mark.TELEMETRY_SILENT

    async def scenario(one: Live) -> None:
        await one.window("silence", lambda window: window.marks & silent == silent)

    assert live(scenario).windows[0].marks == Mark.NONE
