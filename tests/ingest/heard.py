"""What a telemetry source says while it is read in the background, and waiting for it with a limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

from ingest.errors import SourceError
from ingest.records import Event, EventKind, Reading, SerialLine
from ingest.sources import Telemetry, TelemetryItem

LIMIT_S = 10.0


class Heard:
    """Everything that was said so far; ``lost`` is the error with which the source gave up."""

    def __init__(self) -> None:
        self.items: list[TelemetryItem] = []
        self.lost: SourceError | None = None

    def values(self, channel: str) -> list[float]:
        return [item.value for item in self.items if isinstance(item, Reading) and item.channel == channel]

    def last(self) -> dict[str, float]:
        """The newest value of every channel."""
        return {item.channel: item.value for item in self.items if isinstance(item, Reading)}

    def events(self, *leave_out: EventKind) -> list[tuple[EventKind, str]]:
        return [
            (item.kind, item.text)
            for item in self.items
            if isinstance(item, Event) and item.kind not in leave_out
        ]

    def kinds(self) -> list[EventKind]:
        return [kind for kind, _ in self.events(EventKind.FIRMWARE)]

    def lines(self) -> list[str]:
        return [item.text for item in self.items if isinstance(item, SerialLine)]

    def forget(self) -> None:
        self.items.clear()


async def until(condition: Callable[[], object], what: str = "") -> None:
    """Return as soon as the condition holds; fails after LIMIT_S."""
    try:
        async with asyncio.timeout(LIMIT_S):
            while not condition():
                await asyncio.sleep(0.002)
    except TimeoutError as error:
        raise AssertionError(f"waited {LIMIT_S:g} s in vain for {what or condition}") from error


@asynccontextmanager
async def reading(source: Telemetry) -> AsyncIterator[Heard]:
    """Read a source until the block ends or the source is lost; what else it raises ends the block."""
    heard = Heard()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(_read(source, heard))
        yield heard
        task.cancel()


async def _read(source: Telemetry, heard: Heard) -> None:
    try:
        async with aclosing(source.items()) as items:  # type: ignore[type-var]
            async for item in items:
                heard.items.append(item)
    except SourceError as error:
        heard.lost = error


async def lost_by(source: Telemetry) -> SourceError:
    """The error with which a source gives up."""
    async with reading(source) as heard:
        await until(lambda: heard.lost, "the source to give up")
    assert heard.lost is not None
    return heard.lost
