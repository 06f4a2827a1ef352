"""The recorder writes soon, never blocks, and says what it could not write."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

from ingest.errors import SourceNotFound
from ingest.recordings import recorder as recorders
from ingest.recordings import writer as writers
from ingest.recordings.format import About
from ingest.recordings.reader import Recording
from ingest.recordings.recorder import Recorder
from ingest.records import NS_PER_S, EventKind, Frame
from ingest.sources import Item
from tests.ingest.recordings import BEGIN_NS, event, own_ns, read_frames, read_telemetry, reading, second

LIMIT_S = 10.0
QUICK_S = 0.02


async def until(condition: Callable[[], bool], what: str) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            await asyncio.sleep(0.005)
    assert condition(), what


def readable(path: Path) -> int:
    """How many messages are in the file by now."""
    try:
        recording = Recording(path)
    except SourceNotFound:
        return 0
    return sum(map(len, recording.read([*recording.cameras, *recording.telemetry], "p")))


def test_what_was_taken_is_in_the_file_soon_and_at_the_end_the_file_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "p.mcap"

    async def record() -> Recorder:
        async with Recorder(path, About(printer="p"), write_s=QUICK_S) as recorder:
            for item in second(0):
                recorder.take(item, own_ns(item))
            await until(lambda: readable(path) == 4, "the first second in the file")
            for item in second(1):
                recorder.take(item, own_ns(item))
        return recorder

    recorder = asyncio.run(record())
    assert recorder.whole
    assert recorder.size == path.stat().st_size
    assert recorder.counts == {"frames": 2, "readings": 2, "events": 2, "lines": 2}
    telemetry = [item for n in range(2) for item in second(n)[:3]]
    assert read_telemetry(path) == telemetry
    assert len(read_frames(path)) == 2
    assert Recording(path).counts == {}


def test_what_comes_faster_than_the_disk_takes_it_is_counted_and_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(recorders, "MAX_WAITING_BYTES", 50_000)
    monkeypatch.setattr(writers, "CHUNK_BYTES", 5_000)
    path = tmp_path / "p.mcap"
    items: list[Item] = [item for n in range(200) for item in second(n)]
    last = reading(BEGIN_NS + 999 * NS_PER_S)

    async def record() -> Recorder:
        async with Recorder(path, About(printer="p"), write_s=QUICK_S) as recorder:
            for item in items:  # at once: nothing is written meanwhile
                recorder.take(item, own_ns(item))
            before = recorder.size
            await until(lambda: "recording goes on" in caplog.text, "it to go on")
            assert recorder.size > before + 50_000, "the disk has taken what waited"
            recorder.take(last, own_ns(last))
        return recorder

    with caplog.at_level(logging.WARNING):
        recorder = asyncio.run(record())
    lost = recorder.counts["unrecorded"]
    *told, gap, final = read_telemetry(path)
    assert (gap.kind, gap.text) == (EventKind.UNRECORDED, f"{lost} items were not recorded")
    assert final == last
    assert told == [item for item in items[: len(items) - lost] if not isinstance(item, Frame)]
    assert sum(recorder.counts.values()) == len(items) + 1
    assert [record.message.partition(": ")[2] for record in caplog.records] == [
        "recording pauses: the disk takes it too slowly; it goes on by itself",
        f"recording goes on; {lost} items were not recorded",
    ]


def test_nothing_taken_leaves_a_file_that_says_so(tmp_path: Path) -> None:
    async def record() -> Recorder:
        async with Recorder(tmp_path / "p.mcap", About(printer="p")) as recorder:
            pass
        return recorder

    recorder = asyncio.run(record())
    assert recorder.whole and not recorder.counts
    recorder.discard()
    assert not (tmp_path / "p.mcap").exists()


def test_times_that_cannot_be_written_are_counted(tmp_path: Path) -> None:
    async def record() -> Recorder:
        async with Recorder(tmp_path / "p.mcap", About(printer="p")) as recorder:
            recorder.take(event(-1), BEGIN_NS)
        return recorder

    assert asyncio.run(record()).counts == {"events": 1, "out_of_range": 1}
