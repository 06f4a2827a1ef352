"""A tap on a real pty, with a printer behind it and hosts before it that the test speaks for."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import tty
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

from ingest.errors import SourceError
from ingest.records import Event, EventKind, Reading
from ingest.sources import TelemetryItem, parse_address
from ingest.telemetry import TELEMETRY
from ingest.telemetry.tap import Tap

LIMIT_S = 15.0
ANSWERS: dict[bytes, tuple[bytes, ...]] = {
    b"M105": (b"ok T:20.00 /0.00 B:20.00 /0.00 @:0 B@:0",),
    b"M115": (
        b"FIRMWARE_NAME:Marlin 2.1.2 (Dec 17 2022) SOURCE_CODE_URL:x PROTOCOL_VERSION:1.0 MACHINE_TYPE:Ender",
        b"Cap:AUTOREPORT_TEMP:1",
        b"Cap:AUTOREPORT_POS:0",
        b"ok",
    ),
}


async def until(condition: Callable[[], bool], what: str = "") -> None:
    """Wait in the event loop until a condition holds, with a limit."""
    async with asyncio.timeout(LIMIT_S):
        while not condition():
            await asyncio.sleep(0.005)
    assert condition(), what


class End:
    """One end of a line: says bytes and keeps what it hears. ``reading`` False: it takes nothing in."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.heard = bytearray()
        self.hung_up = False
        os.set_blocking(descriptor, False)
        self.listen()

    def listen(self) -> None:
        asyncio.get_running_loop().add_reader(self.descriptor, self._readable)

    def ignore(self) -> None:
        asyncio.get_running_loop().remove_reader(self.descriptor)

    def say(self, *lines: bytes) -> None:
        self.say_bytes(b"".join(line + b"\n" for line in lines))

    def say_bytes(self, data: bytes) -> None:
        assert os.write(self.descriptor, data) == len(data)

    async def pour(self, data: bytes) -> None:
        """Say more than the line takes at once."""
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(self.descriptor, rest[:4096]) :]
            except BlockingIOError:
                await asyncio.sleep(0.001)
            else:
                await asyncio.sleep(0)

    async def hears(self, wanted: bytes) -> None:
        """Wait until this was heard, and forget it and what came before it."""
        await until(lambda: wanted in self.heard, f"{wanted!r} in {bytes(self.heard[-500:])!r}")
        del self.heard[: self.heard.index(wanted) + len(wanted)]

    def close(self) -> None:
        if self.descriptor >= 0:
            self.ignore()
            os.close(self.descriptor)
            self.descriptor = -1

    def _readable(self) -> None:
        try:
            data = os.read(self.descriptor, 65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.heard += data
        self.take(data)
        if not data:
            self.hung_up = True
            self.ignore()

    def take(self, data: bytes) -> None:
        """React to what was heard."""


class Printer(End):
    """The printer's end. While it ``answers`` it says "ok" to each line, as ANSWERS say it."""

    def __init__(self) -> None:
        self.answers = True
        self.lines: list[bytes] = []
        self._begun = b""
        descriptor, self._port = pty.openpty()
        tty.setraw(self._port)
        self.path = os.ttyname(self._port)
        super().__init__(descriptor)

    def take(self, data: bytes) -> None:
        *lines, self._begun = (self._begun + data).split(b"\n")
        for line in lines:
            self.lines.append(line)
            if self.answers:
                self.say(*self.answer(line))

    def answer(self, line: bytes) -> tuple[bytes, ...]:
        return ANSWERS.get(line, (b"ok",))

    def close(self) -> None:
        super().close()
        if self._port >= 0:
            os.close(self._port)
            self._port = -1


AnyEnd = TypeVar("AnyEnd", bound=End)


class Tapped:
    """A tap that is being read: its source, its printer, where hosts find it, and what it has told so far."""

    def __init__(self, printer: Printer, link: Path, options: str = "", port: Path | None = None) -> None:
        self.printer, self.link = printer, link
        address = parse_address(f"tap:{port or printer.path}?link={link}{options}", TELEMETRY)
        self.tap = Tap(address, "p1")
        self.items: list[TelemetryItem] = []
        self.error: SourceError | None = None
        self._hosts: list[End] = []

    async def read(self) -> None:
        """Read the source until it is lost or this is cancelled."""
        try:
            async for item in self.tap.items():
                self.items.append(item)
        except SourceError as error:
            self.error = error

    async def host(self, kind: type[AnyEnd] = End, *, greets: bool = True) -> AnyEnd:  # type: ignore[assignment]
        """A host at the link. One that ``greets`` has been let through: the printer has heard it."""
        host = kind(os.open(self.link, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))
        self._hosts.append(host)
        if greets:
            self.printer.heard.clear()
            host.say(b"M110 N0")
            await self.printer.hears(b"M110 N0\n")
            if self.printer.answers:
                await host.hears(b"ok\n")
        return host

    def events(self, *kinds: EventKind) -> list[str]:
        """The words of all events of these kinds so far."""
        return [item.text for item in self.items if isinstance(item, Event) and item.kind in kinds]

    def values(self, channel: str) -> list[float]:
        """The values of a channel so far."""
        return [item.value for item in self.items if isinstance(item, Reading) and item.channel == channel]

    async def tells(self, kind: EventKind, text: str = "") -> None:
        """Wait for an event that holds these words."""
        await until(lambda: any(text in words for words in self.events(kind)), f"{kind} {text}")

    async def reads(self, channel: str, value: float) -> None:
        """Wait until a channel had this value."""
        await until(
            lambda: value in self.values(channel), f"{channel} {value} in {self.values(channel)[-5:]}"
        )

    def close(self) -> None:
        for host in self._hosts:
            host.close()


@contextlib.asynccontextmanager
async def tapped(
    folder: Path,
    options: str = "&baud=115200",
    printer: Printer | None = None,
    port: Path | None = None,
) -> AsyncIterator[Tapped]:
    """A tap that is read until the end of the block; ``port`` is another's, in the printer's place."""
    setup = Tapped(printer or Printer(), folder / "link", options, port)
    reading = asyncio.ensure_future(setup.read())
    try:
        await until(lambda: setup.link.is_symlink() or setup.error is not None, "the link")
        yield setup
    finally:
        setup.close()
        reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
        setup.printer.close()
