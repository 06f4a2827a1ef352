"""Recordings whose recorder was killed, and recorders whose disk is full."""

from __future__ import annotations

import asyncio
import logging
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ingest.errors import NozzlewatchError
from ingest.recordings.format import About
from ingest.recordings.reader import Recording
from ingest.recordings.recorder import Recorder
from ingest.records import EventKind, Frame
from tests.ingest.recordings import begin, own_ns, read_frames, read_telemetry, second
from tests.waiting import wait_until

ROOT = Path(__file__).parent.parent.parent
QUICK_S = 0.02
LIMIT_S = 20.0
DISK_BYTES = 1 << 20

BUSY = """
import asyncio, itertools, sys
from pathlib import Path
from ingest.recordings.format import About
from ingest.recordings.recorder import Recorder
from tests.ingest.recordings import own_ns, second

async def record(path):
    async with Recorder(path, About(printer="p"), write_s=0.001) as recorder:
        for number in itertools.count():
            for item in second(number):
                recorder.take(item, own_ns(item))
            await asyncio.sleep(0.0005)

asyncio.run(record(Path(sys.argv[1])))
"""
"""A process that records as fast as it can, until it is killed."""


def told(path: Path) -> int:
    """How many messages a recording holds; 0 for one that cannot be read yet."""
    try:
        recording = Recording(path)
    except NozzlewatchError:
        return 0
    return sum(map(len, recording.read([*recording.cameras, *recording.telemetry], "p")))


@pytest.mark.parametrize("size", [2_000, 50_000, 300_000])
def test_a_recording_whose_recorder_was_killed_is_read_to_its_last_whole_chunk(
    tmp_path: Path, size: int
) -> None:
    path = tmp_path / "p.mcap"
    with subprocess.Popen([sys.executable, "-c", BUSY, str(path)], cwd=ROOT) as recorder:
        wait_until(lambda: path.exists() and path.stat().st_size >= size, LIMIT_S, f"{size} bytes")
        written = told(path)
        recorder.send_signal(signal.SIGKILL)
    frames, telemetry = read_frames(path), read_telemetry(path)
    assert len(frames) + len(telemetry) >= written > 0
    expected = [item for n in range(len(frames) + 1) for item in second(n)]
    assert frames == [item for item in expected if isinstance(item, Frame)][: len(frames)]
    assert telemetry == [item for item in expected if not isinstance(item, Frame)][: len(telemetry)]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("only root can mount a small file system")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Leave no room on a disk; the file that takes it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 4096):
                pass
        except OSError:
            return filler
    raise AssertionError("the disk took everything")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            await asyncio.sleep(0.005)


def test_a_full_disk_pauses_recording_and_room_lets_it_go_on(
    small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = small_disk / "p.mcap"

    async def record() -> Recorder:
        async with Recorder(path, About(printer="p"), write_s=QUICK_S) as recorder:
            take(recorder, 0)
            await until(lambda: told(path) == 4)
            filler = fill(small_disk)
            while not recorder.counts["unrecorded"]:
                take(recorder, 1)
                await asyncio.sleep(QUICK_S)
            assert told(path) >= 4  # readable while it is paused, too
            filler.unlink()
            await until(lambda: len(caplog.records) == 2)
            take(recorder, 1000)
        return recorder

    with caplog.at_level(logging.WARNING):
        recorder = asyncio.run(record())
    assert recorder.whole
    lost = recorder.counts["unrecorded"]
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "recording pauses: No space left on device; it goes on by itself",
        f"recording goes on; {lost} items were not recorded",
    ]
    assert Recording(path).counts == {}
    telemetry = read_telemetry(path)
    assert telemetry[-3:] == [item for item in second(1000) if not isinstance(item, Frame)]
    assert [i.kind for i in telemetry if getattr(i, "kind", None) is EventKind.UNRECORDED]
    taken = sum(recorder.counts[what] for what in ("frames", "readings", "events", "lines"))
    assert told(path) == taken + 1  # and the event that tells of the gap


def take(recorder: Recorder, number: int) -> None:
    for item in second(number):
        recorder.take(item, own_ns(item))


def test_a_disk_that_stays_full_leaves_a_file_that_is_read(
    small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = small_disk / "p.mcap"

    async def record() -> Recorder:
        async with Recorder(path, About(printer="p"), write_s=QUICK_S) as recorder:
            take(recorder, 0)
            await until(lambda: told(path) == 4)
            fill(small_disk)
            while not recorder.counts["unrecorded"]:
                take(recorder, 1)
                await asyncio.sleep(QUICK_S)
        return recorder

    recorder = asyncio.run(record())
    assert not recorder.whole
    assert "ended without its index" in caplog.records[-1].getMessage()
    assert path.stat().st_size == recorder.size
    assert told(path) >= 4
    assert Recording(path).counts == {}


def test_what_a_full_disk_did_not_take_is_written_when_there_is_room(small_disk: Path) -> None:
    writer = begin(small_disk / "p.mcap", [second(0)])
    filler = fill(small_disk)
    for number in range(1, 40):
        for item in second(number):
            writer.add(item, own_ns(item))
    writer.end_chunk()
    with pytest.raises(OSError, match="No space"):
        writer.write()
    assert told(writer.path) == 4
    filler.unlink()
    writer.finish()
    assert told(writer.path) == 4 * 40
