"""A recording as a camera and as telemetry: the same windows as what it was made of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from ingest.align import Timing
from ingest.cameras.registry import open_camera
from ingest.errors import SourceNotFound
from ingest.farm import PrinterTable
from ingest.feed import Feed
from ingest.recordings.format import About
from ingest.recordings.writer import RecordingWriter
from ingest.records import NS_PER_S, Mark, Window
from ingest.simulate.faults import Fault, FaultKind
from ingest.simulate.recording import write_recording
from ingest.telemetry import open_telemetry
from ingest.writer import Captured
from tests.ingest.recordings import (
    BEGIN_NS,
    event,
    frame,
    line,
    read_frames,
    read_telemetry,
    reading,
    second,
    write,
)

T = TypeVar("T")


def windows(camera: str, telemetry: str) -> list[Captured]:
    """What a replay of these sources makes."""
    found: list[Captured] = []

    async def emit(captured: Sequence[Captured]) -> None:
        found.extend(captured)

    feed = Feed(PrinterTable(name="p", camera=camera, telemetry=telemetry), Timing(), Path())
    asyncio.run(feed.run(emit, None))
    assert feed.detail == ""
    return found


async def collected(items: AsyncIterator[T]) -> list[T]:
    return [item async for item in items]


def without_job(found: list[Captured]) -> list[tuple[object, ...]]:
    def told(window: Window) -> tuple[object, ...]:
        return window.index, window.frame, window.sensors, window.measured, window.marks, window.events

    return [(*told(one.window), one.frame) for one in found]


def test_a_recording_gives_the_same_windows_as_what_it_was_made_of(tmp_path: Path) -> None:
    write_recording(tmp_path, 60, [Fault(kind=FaultKind.OPEN_HEATER, at_s=20)])
    camera, log = f"images:{tmp_path}/frames", f"log:{tmp_path}/serial.log"
    pictures = asyncio.run(collected(open_camera(camera, "p").frames()))
    told = asyncio.run(collected(open_telemetry(log, "p").items()))
    path = write(tmp_path / "p.mcap", [pictures[:30], told, pictures[30:]])
    assert without_job(windows(f"recording:{path}", f"recording:{path}")) == without_job(windows(camera, log))


def test_raw_lines_come_when_they_are_wanted_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "p.mcap", [second(0)])
    source = open_telemetry(f"recording:{path}", "p")
    assert asyncio.run(collected(source.items())) == [reading(BEGIN_NS), event(BEGIN_NS, text="T:200")]
    assert read_telemetry(path)[0] == line(BEGIN_NS, "T:200")


@pytest.mark.parametrize(("part", "missing"), [("telemetry", "pictures"), ("camera", "pictures alone")])
def test_a_part_that_a_recording_does_not_hold_is_told(tmp_path: Path, part: str, missing: str) -> None:
    camera = part == "camera"
    path = write(tmp_path / "p.mcap", [[frame(BEGIN_NS)] if camera else [reading(BEGIN_NS)]])
    with pytest.raises(SourceNotFound, match=f"found (no )?{missing}"):
        read_telemetry(path) if camera else read_frames(path)


def test_estimated_times_stay_marked_and_where_they_were_laid(tmp_path: Path) -> None:
    about = About(printer="p", estimated="telemetry")
    items = [frame(BEGIN_NS + 5 * NS_PER_S), *(reading(BEGIN_NS + n * NS_PER_S) for n in range(9))]
    path = write(tmp_path / "p.mcap", [items], about)
    found = windows(f"recording:{path}", f"recording:{path}")
    assert all(one.window.marks & Mark.TIME_ESTIMATED for one in found)
    assert [n for n, one in enumerate(found) if one.frame is not None] == [5]


def test_a_clock_that_was_set_back_while_recording_loses_nothing(tmp_path: Path) -> None:
    """The recorder's own clock went on; the source was opened anew after the machine's clock was set."""
    hour_ns = 3600 * NS_PER_S
    times = [BEGIN_NS + n * NS_PER_S for n in range(4)]
    items = [[reading(at_ns), frame(at_ns, n)] for n, at_ns in enumerate(times)]
    back = [[reading(at_ns - hour_ns, 5.0), frame(at_ns - hour_ns, 9)] for at_ns in times]
    path = tmp_path / "p.mcap"
    writer = RecordingWriter(path, About(printer="p"))
    for number, pair in enumerate([*items, *back]):
        for item in pair:
            writer.add(item, BEGIN_NS + number * NS_PER_S)
    writer.finish()
    told = read_telemetry(path)
    assert [item.at_ns for item in told] == sorted(item.at_ns for item in told)
    assert len(told) == 8
    frames = read_frames(path)
    assert len(frames) == 7  # the first one after the jump bears the time of the last one before it
    assert [f.captured_ns for f in frames] == sorted({f.captured_ns for f in frames})


def test_a_picture_that_is_none_is_left_out_and_counted(tmp_path: Path) -> None:
    good = frame(BEGIN_NS)
    cut = msgspec.structs.replace(frame(BEGIN_NS + 1), jpeg=good.jpeg[:200])
    path = write(tmp_path / "p.mcap", [[good, cut, frame(BEGIN_NS)]])
    source = open_camera(f"recording:{path}", "p")
    assert asyncio.run(collected(source.frames())) == [good]
    assert source.counts == {"corrupt": 1, "duplicate": 1}
