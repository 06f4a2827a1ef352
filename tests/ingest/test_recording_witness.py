"""What was recorded beside a print is replayed as it was watched: its silences and its prints."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from ingest.align import Timing
from ingest.farm import PrinterTable
from ingest.feed import Feed
from ingest.recordings.format import About
from ingest.recordings.writer import RecordingWriter
from ingest.records import NS_PER_S, Event, EventKind, Frame, Mark, Reading, Window
from ingest.sources import Item
from ingest.writer import Captured
from tests.ingest.web import jpeg

START_NS = 1_700_000_000 * NS_PER_S  # 2023-11-14T22:13:20Z
SILENT = range(20, 60)
"""Seconds in which nobody says anything."""
PRINT = range(5, 70)


def items() -> list[Item]:
    told: list[Item] = []
    for second in range(80):
        at_ns = START_NS + second * NS_PER_S
        if second == PRINT.start:
            told.append(Event(printer="p", at_ns=at_ns, kind=EventKind.JOB_STARTED, text="benchy"))
        if second == PRINT.stop:
            told.append(Event(printer="p", at_ns=at_ns, kind=EventKind.JOB_ENDED, text="done"))
        if second not in SILENT:
            told.append(Reading(printer="p", at_ns=at_ns, channel="hotend_c", value=200.0))
            picture = jpeg(second + 60)
            told.append(Frame(printer="p", camera="c", captured_ns=at_ns, jpeg=picture, width=64, height=48))
    return told


def replayed(path: Path, about: About) -> list[Window]:
    writer = RecordingWriter(path, about)
    for item in items():
        writer.add(item, item.captured_ns if isinstance(item, Frame) else item.at_ns)
    writer.finish()
    windows: list[Window] = []

    async def keep(batch: Sequence[Captured]) -> None:
        windows.extend(captured.window for captured in batch)

    source = f"recording:{path}"
    feed = Feed(PrinterTable(name="p", camera=source, telemetry=source), Timing(), Path())
    asyncio.run(feed.run(keep, None))
    return windows


def test_a_silence_that_was_recorded_live_is_one_in_the_replay(tmp_path: Path) -> None:
    windows = replayed(tmp_path / "live.mcap", About(printer="p", live="yes", tells_jobs="yes"))
    both = Mark.CAMERA_SILENT | Mark.TELEMETRY_SILENT
    silent = [window.index - windows[0].index for window in windows if window.marks & both == both]
    assert silent == list(range(SILENT.start + 19, SILENT.stop))


def test_prints_that_were_recorded_live_are_the_jobs_of_the_replay(tmp_path: Path) -> None:
    windows = replayed(tmp_path / "live.mcap", About(printer="p", live="yes", tells_jobs="yes"))
    jobs = [window.job for window in windows]
    assert jobs[: PRINT.start] == [f"{tmp_path.name}/live"] * PRINT.start
    assert set(jobs[PRINT.start :]) == {"benchy 2023-11-14T22:13:25Z"}
    idle = [bool(window.marks & Mark.IDLE) for window in windows]
    assert idle == [second not in PRINT for second in range(80)]


def test_a_print_that_ran_already_when_recording_began_keeps_its_name(tmp_path: Path) -> None:
    job = "vase 2023-11-14T20:00:00Z"
    about = About(printer="p", live="yes", tells_jobs="yes", job=job)
    windows = replayed(tmp_path / "live.mcap", about)
    assert [window.job for window in windows[: PRINT.start]] == [job] * PRINT.start
    assert windows[-1].job == "benchy 2023-11-14T22:13:25Z"


def test_holes_of_an_imported_recording_are_no_silence(tmp_path: Path) -> None:
    windows = replayed(tmp_path / "imported.mcap", About(printer="p"))
    assert not any(window.marks & (Mark.CAMERA_SILENT | Mark.TELEMETRY_SILENT) for window in windows)
    assert {window.job for window in windows} == {f"{tmp_path.name}/imported"}
