"""How well camera and telemetry are lined up: two printers whose ways and clocks are known.

At each beat a printer says a line and its camera exposes a picture. The lines and the pictures take known
ways to the watch; what the farm file is told of them is their constant part alone. The error is the distance
between a beat's line and its picture within the windows.
"""

from __future__ import annotations

import asyncio
import os
import random
import statistics
import time
import tty
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from bench.figure import Figure
from bench.load import numbered, picture
from ingest.align import Timing
from ingest.farm import PrinterTable
from ingest.feed import Feed
from ingest.records import NS_PER_S
from ingest.writer import Captured

BEAT_S = 0.5
SAYS = b"//action:paused beat\n"
"""A line that becomes an event: windows keep the exact time of these."""


class Way(NamedTuple):
    """How a beat reaches the watch."""

    name: str
    camera_s: float  # exposure, encoding and buffers: known to the farm file
    serial_s: float  # likewise
    jitter_s: float  # what the camera's network adds, up to this
    clock_s: float | None  # the camera's own clock minus ours; None: it stamps nothing


WAYS = (
    Way("webcam", camera_s=0.35, serial_s=0.0, jitter_s=0.03, clock_s=None),
    Way("wireless", camera_s=0.12, serial_s=0.08, jitter_s=0.4, clock_s=-5400.0),
)


async def errors_ms(seconds: float, seed: int = 1) -> dict[str, list[float]]:
    """Distance of each beat's picture from its line after alignment, ms, by printer."""
    app = web.Application()

    async def stream(request: web.Request) -> web.StreamResponse:
        return await _stream(request, random.Random(seed))

    app.router.add_get("/{camera}", stream)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        port = runner.addresses[0][1]
        told = await asyncio.gather(*(_watched(way, place, port, seconds) for place, way in enumerate(WAYS)))
    finally:
        await runner.cleanup()
    return {way.name: errors for way, errors in zip(WAYS, told, strict=True)}


def measure(seconds: float = 60.0) -> list[Figure]:
    """``align_error_ms``: the largest distance, beside the median."""
    errors = [error for told in asyncio.run(errors_ms(seconds)).values() for error in told]
    return [Figure("align_error_ms", max(errors), "ms", "median", statistics.median(errors))]


async def _watched(way: Way, place: int, port: int, seconds: float) -> list[float]:
    master, slave = os.openpty()
    tty.setraw(slave)
    printer = PrinterTable(
        name=way.name,
        camera=f"mjpeg:http://127.0.0.1:{port}/{place}#fps=10",
        telemetry=f"serial:{os.ttyname(slave)}?mode=listen",
    )
    timing = Timing(
        span_ns=int(BEAT_S * NS_PER_S),
        camera_delay_ns=int(way.camera_s * NS_PER_S),
        telemetry_delay_ns=int(way.serial_s * NS_PER_S),
    )
    windows: list[Captured] = []

    async def keep(batch: Sequence[Captured]) -> None:
        windows.extend(batch)

    feed = asyncio.create_task(Feed(printer, timing, Path()).run(keep, None))
    speaking = asyncio.create_task(_speak(way, master))
    await asyncio.sleep(seconds + timing.lateness_ns / NS_PER_S)
    for task in (feed, speaking):
        task.cancel()
    await asyncio.gather(feed, speaking, return_exceptions=True)
    for end in (master, slave):
        os.close(end)
    return _distances_ms(windows)


def _distances_ms(windows: Sequence[Captured]) -> list[float]:
    """Each event's distance from the nearest picture; the first seconds, while sources open, are left out."""
    frames = [captured.frame.captured_ns for captured in windows if captured.frame is not None]
    events = [event.at_ns for captured in windows for event in captured.window.events]
    first = max(frames[0], events[0]) + 4 * NS_PER_S
    last = min(frames[-1], events[-1])
    return [
        min(abs(at_ns - frame_ns) for frame_ns in frames) / 1e6 for at_ns in events if first <= at_ns <= last
    ]


async def _speak(way: Way, master: int) -> None:
    async for _ in _beats(way.serial_s):
        os.write(master, SAYS)


async def _stream(request: web.Request, chance: random.Random) -> web.StreamResponse:
    way = WAYS[int(request.match_info["camera"])]
    jpeg = picture(1)
    response = web.StreamResponse(headers={"Content-Type": "multipart/x-mixed-replace; boundary=b"})
    await response.prepare(request)
    number = 0
    async for beat_s in _beats(way.camera_s):
        number += 1
        await asyncio.sleep(min(chance.expovariate(4 / way.jitter_s), way.jitter_s))
        stamp = "" if way.clock_s is None else f"X-Timestamp: {beat_s + way.camera_s + way.clock_s:.6f}\r\n"
        head = f"--b\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg) + 12}\r\n{stamp}\r\n"
        try:
            await response.write(head.encode() + numbered(jpeg, number) + b"\r\n")
        except ConnectionResetError:
            break
    return response


async def _beats(delay_s: float) -> AsyncIterator[float]:
    """Wake up ``delay_s`` after each beat, and say when the beat was, s UTC: the same beats everywhere."""
    beat_s = (time.time() // BEAT_S + 1) * BEAT_S
    while True:
        await asyncio.sleep(max(beat_s + delay_s - time.time(), 0.0))
        yield beat_s
        beat_s += BEAT_S
