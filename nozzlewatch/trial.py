"""Tries one camera or one printer: what it gives, how fast, and what it says of itself."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import AsyncIterator
from typing import NamedTuple, TypeVar

from ingest.clock import AnchoredClock
from ingest.errors import SourceError
from ingest.records import COUNTED, NS_PER_S, Event, EventKind, Frame, Reading
from ingest.sources import Camera, Item, Telemetry, without_login

FIRST_S = 15.0
"""How long a source may take to give something: boards boot for up to 10 s when their port is opened."""
LOOK_S = 3.0
"""How long it is looked at from then on, to tell its rate and what it says of itself."""
MOST_ITEMS = 2000

T = TypeVar("T", bound=Item)


class Timed(NamedTuple):
    """An item with its arrival, ns."""

    item: Item
    arrival_ns: int


async def try_camera(camera: Camera) -> str:
    """Size, rate and latency of a camera's pictures. Raises SourceError where it gives none in time."""
    timed, opened_s = await _look(camera.frames())
    frames = _frames(timed)
    size_kb = statistics.mean(len(frame.jpeg) for frame in frames) / 1024
    told = [f"{frames[-1].width}x{frames[-1].height}", f"{size_kb:.0f} KiB a frame"]
    if not camera.recorded:
        told += [*_rate(timed, "frames/s"), f"first frame after {opened_s:.1f} s", *_latency(timed)]
    return ", ".join([*told, *_facts(camera.facts)])


async def first_frame(camera: Camera) -> Frame:
    """A camera's first picture. Raises SourceError where it gives none in time."""
    timed, _ = await _look(camera.frames(), most=1)
    return _frames(timed)[0]


async def try_printer(telemetry: Telemetry) -> str:
    """What a printer says. Raises SourceError where it says nothing in time."""
    timed, opened_s = await _look(telemetry.items())
    values = {r.item.channel: r.item.value for r in timed if isinstance(r.item, Reading)}
    events = [one.item for one in timed if isinstance(one.item, Event)]
    if not values and not events:
        raise SourceError("found no line of a printer, expected temperatures")
    told = [f"{name} {value:g}" for name, value in values.items() if name not in COUNTED]
    told += [f"{event.kind}: {event.text}" for event in events if event.kind is EventKind.JOB_STARTED]
    if not telemetry.recorded:
        told.append(f"first word after {opened_s:.1f} s")
    return ", ".join([*told, *_facts(telemetry.facts)])


def failed(address: str, error: SourceError) -> str:
    """Why a source gave nothing, with its address (which may hold a login) where the error has none."""
    shown = without_login(address)
    where = shown.partition("?")[0].partition(":")[2]
    return str(error) if where in str(error) else f"{shown}: {error}"


def _frames(timed: list[Timed]) -> list[Frame]:
    frames = [one.item for one in timed if isinstance(one.item, Frame)]
    if not frames:
        raise SourceError("found nothing to read, expected at least one frame")
    return frames


async def _look(items: AsyncIterator[T], most: int = MOST_ITEMS) -> tuple[list[Timed], float]:
    """The items of the first seconds, at most so many, and how long the first one took, s."""
    loop, clock = asyncio.get_running_loop(), AnchoredClock()
    began_s, timed = loop.time(), list[Timed]()
    try:
        async with asyncio.timeout(FIRST_S) as limit:
            async for item in items:
                timed.append(Timed(item, clock.now_ns()))
                if len(timed) == 1:
                    first_s = loop.time()
                    limit.reschedule(first_s + LOOK_S)
                if len(timed) >= most:
                    break
    except TimeoutError:
        if not timed:
            raise SourceError(
                f"found nothing within {FIRST_S:g} s, expected it to say something: "
                "is it switched on and connected, and is the speed (baud) right?"
            ) from None
    except SourceError:
        if not timed:
            raise
    return timed, (first_s - began_s) if timed else 0.0


def _rate(timed: list[Timed], unit: str) -> list[str]:
    span_ns = timed[-1].arrival_ns - timed[0].arrival_ns
    return [f"{(len(timed) - 1) * NS_PER_S / span_ns:.1f} {unit}"] if span_ns > 0 else []


def _latency(timed: list[Timed]) -> list[str]:
    """How long pictures were under way, where their source knows when they were taken."""
    ways_ms = [(one.arrival_ns - one.item.captured_ns) / 1e6 for one in timed if isinstance(one.item, Frame)]
    typical_ms = statistics.median(ways_ms)
    return [f"under way for {typical_ms:.0f} ms"] if typical_ms >= 1 else []


def _facts(facts: dict[str, str]) -> list[str]:
    return [f"{name.replace('_', ' ')} {fact}" for name, fact in facts.items() if fact]
