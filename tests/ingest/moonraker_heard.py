"""Reading a printer through a protocol fake of Moonraker in a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ingest.sources import parse_address
from ingest.telemetry import TELEMETRY
from ingest.telemetry.moonraker.source import Moonraker
from tests.fakes.moonraker import FakeMoonraker
from tests.ingest.heard import Heard, reading, until

KEY = "8f3ad0c1b2e94a5f"


def source_of(server: FakeMoonraker, options: str = "") -> Moonraker:
    return source_at(server.url, options)


def source_at(url: str, options: str = "") -> Moonraker:
    return Moonraker(parse_address(f"moonraker:{url}#{options}", TELEMETRY), "p1")


@asynccontextmanager
async def served(key: str = "") -> AsyncIterator[FakeMoonraker]:
    server = FakeMoonraker(key)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def watched(options: str = "", key: str = "") -> AsyncIterator[tuple[FakeMoonraker, Heard]]:
    """A printer that stands by, and a source that has subscribed to it."""
    async with served(key) as server, reading(source_of(server, options)) as heard:
        await until(lambda: "bed_c" in heard.last(), "the first readings")
        yield server, heard
