"""A live camera and a live printer that the test speaks for."""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import AsyncIterator
from typing import ClassVar

import pytest

from ingest.cameras.registry import CAMERAS
from ingest.errors import CameraUnreachable, PrinterUnreachable, SourceError
from ingest.records import Frame, Reading
from ingest.sources import Address, BaseSource
from ingest.telemetry import TELEMETRY


class Wire:
    """What the test lets a source say; ``lose`` makes it unreachable until ``mend``."""

    def __init__(self) -> None:
        self.said: queue.SimpleQueue[float] = queue.SimpleQueue()
        self.cut = False
        self.tries = 0  # how often somebody tried to reach the source

    def say(self, value: float = 200.0) -> None:
        self.said.put(value)

    def lose(self) -> None:
        self.cut = True

    def mend(self) -> None:
        self.cut = False


class _Live(BaseSource):
    wire: ClassVar[Wire]
    gone: ClassVar[type[SourceError]]

    def __init__(self, address: Address, printer: str) -> None:
        super().__init__(address, printer)
        self._name = str(address)

    async def _values(self) -> AsyncIterator[tuple[int, float]]:
        self.wire.tries += 1
        while not self.wire.cut:
            if self.wire.said.empty():
                await _a_moment()
            else:
                yield time.time_ns(), self.wire.said.get()
        raise self.gone(f"{self._name}: found nothing, expected a wire")


class FakeCamera(_Live):
    gone = CameraUnreachable

    def picture(self, at_ns: int) -> bytes:
        return b"%d" % at_ns

    async def frames(self) -> AsyncIterator[Frame]:
        async for at_ns, _ in self._values():
            jpeg = self.picture(at_ns)
            yield Frame(
                printer=self._printer, camera=self._name, captured_ns=at_ns, jpeg=jpeg, width=1, height=1
            )


class FakePrinter(_Live):
    gone = PrinterUnreachable

    async def items(self) -> AsyncIterator[Reading]:
        async for at_ns, value in self._values():
            yield Reading(printer=self._printer, at_ns=at_ns, channel="hotend_c", value=value)


def plug_in(monkeypatch: pytest.MonkeyPatch) -> tuple[Wire, Wire]:
    """Register ``fake:`` as a camera and as a printer; the wires of both."""
    FakeCamera.wire, FakePrinter.wire = Wire(), Wire()
    monkeypatch.setitem(CAMERAS, "fake", FakeCamera)
    monkeypatch.setitem(TELEMETRY, "fake", FakePrinter)
    return FakeCamera.wire, FakePrinter.wire


async def _a_moment() -> None:
    """Let the other tasks run."""
    await asyncio.sleep(0.005)
