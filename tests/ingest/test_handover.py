"""From a reading thread to the event loop: the newest frame, what went wrong, and a clean end."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from ingest.cameras.decoding import handover
from ingest.cameras.decoding.handover import latest_frames
from ingest.errors import CameraUnreachable
from ingest.records import Frame
from tests.waiting import wait_until

LIMIT_S = 10.0


def frame(number: int) -> Frame:
    return Frame(printer="p1", camera="c", captured_ns=number, jpeg=b"", width=1, height=1)


def test_a_slow_reader_gets_the_newest_frame_and_the_others_are_counted() -> None:
    counts: Counter[str] = Counter()
    handed_over = threading.Event()

    def read(stopped: threading.Event) -> Iterator[Frame]:
        yield from map(frame, range(10))
        handed_over.set()
        stopped.wait(LIMIT_S)

    async def watch() -> list[int]:
        frames = latest_frames(read, "camera", counts)
        first = asyncio.ensure_future(anext(frames))
        await asyncio.sleep(0)  # the thread has begun
        handed_over.wait(LIMIT_S)  # the loop is held up, and knows of nothing yet
        seen = [(await first).captured_ns]
        await frames.aclose()
        return seen

    assert asyncio.run(watch()) == [9]
    assert counts == {"overtaken": 9}


def test_an_error_comes_after_the_last_frame() -> None:
    def read(stopped: threading.Event) -> Iterator[Frame]:
        yield frame(1)
        raise CameraUnreachable("gone")

    async def watch() -> None:
        frames = latest_frames(read, "camera", Counter())
        assert (await anext(frames)).captured_ns == 1
        with pytest.raises(CameraUnreachable, match="gone"):
            await anext(frames)

    asyncio.run(watch())


def test_a_reading_that_ends_ends_the_frames() -> None:
    async def watch() -> list[Frame]:
        return [frame async for frame in latest_frames(lambda _: iter(()), "camera", Counter())]

    assert asyncio.run(watch()) == []


def test_leaving_tells_the_thread_and_waits_for_it() -> None:
    ended = threading.Event()

    def read(stopped: threading.Event) -> Iterator[Frame]:
        yield frame(1)
        assert stopped.wait(LIMIT_S)
        ended.set()

    async def watch() -> None:
        frames = latest_frames(read, "camera", Counter())
        await anext(frames)
        await frames.aclose()

    asyncio.run(watch())
    assert ended.is_set()


def test_a_thread_that_blocks_is_left_behind_and_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handover, "LEAVE_S", 0.05)
    unblocked = threading.Event()

    def read(stopped: threading.Event) -> Iterator[Frame]:
        yield frame(1)
        unblocked.wait(LIMIT_S)
        yield frame(2)

    async def watch() -> None:
        frames = latest_frames(read, "stuck camera", Counter())
        await anext(frames)
        async with asyncio.timeout(LIMIT_S / 2):
            await frames.aclose()

    asyncio.run(watch())
    unblocked.set()  # its loop is closed by now
    wait_until(lambda: "stuck camera" not in {thread.name for thread in threading.enumerate()})
