"""Reading a printer through a protocol fake of PrusaLink in a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ingest.sources import parse_address
from ingest.telemetry import TELEMETRY
from ingest.telemetry.prusalink.source import PrusaLink
from tests.fakes.prusalink import FakePrusaLink
from tests.ingest.heard import Heard, reading, until

KEY, PASSWORD = "yLwCaCqRmD3mrDp", "J7Xkq9wPz2"


def source_of(server: FakePrusaLink, options: str = "") -> PrusaLink:
    address = f"prusalink:{server.url}#poll=0.02{options}"
    return PrusaLink(parse_address(address, TELEMETRY), "p1")


@asynccontextmanager
async def served(key: str = "", password: str = "") -> AsyncIterator[FakePrusaLink]:
    server = FakePrusaLink(key, password)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def watched() -> AsyncIterator[tuple[FakePrusaLink, PrusaLink, Heard]]:
    async with served() as server:
        source = source_of(server)
        async with reading(source) as heard:
            await until(lambda: "bed_c" in heard.last(), "the first readings")
            yield server, source, heard
