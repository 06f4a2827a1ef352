"""Reading a Bambu Lab printer in a test, and what was heard of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

from ingest.errors import SourceError
from ingest.records import Event, EventKind, Reading
from ingest.sources import Commandable, TelemetryItem, parse_address
from ingest.telemetry import TELEMETRY
from ingest.telemetry.bambu.source import BambuPrinter

SERIAL, CODE = "01P00A123456789", "8aC4dE2f"
LIMIT_S = 15.0


def source_of(port: int, options: str = "", *, serial: str = SERIAL, code: str = CODE) -> BambuPrinter:
    address = f"bambu:127.0.0.1?serial={serial}&code={code}&port={port}{options}"
    source = BambuPrinter(parse_address(address, TELEMETRY), "p1")
    assert isinstance(source, Commandable)
    return source


class Heard:
    """What was read of a source so far, and the error that ended it."""

    def __init__(self) -> None:
        self.items: list[TelemetryItem] = []
        self.error: Exception | None = None

    async def read(self, source: BambuPrinter) -> None:
        try:
            async with aclosing(source.items()) as items:  # type: ignore[type-var]
                async for item in items:
                    self.items.append(item)
        except SourceError as error:
            self.error = error

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(LIMIT_S):
            while not condition():
                await asyncio.sleep(0.01)

    def channel(self, name: str) -> list[float]:
        return [i.value for i in self.items if isinstance(i, Reading) and i.channel == name]

    def events(self) -> list[tuple[EventKind, str]]:
        return [(i.kind, i.text) for i in self.items if isinstance(i, Event)]

    def kinds(self) -> list[EventKind]:
        return [kind for kind, _ in self.events()]


@asynccontextmanager
async def reading(source: BambuPrinter) -> AsyncIterator[Heard]:
    heard = Heard()
    task = asyncio.create_task(heard.read(source))
    try:
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
