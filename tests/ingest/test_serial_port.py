"""A printer on a real pseudo terminal."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import pytest

from ingest.errors import PrinterUnreachable, SourceError
from ingest.records import Event, EventKind, Reading
from ingest.sources import TelemetryItem, parse_address
from ingest.telemetry import TELEMETRY
from ingest.telemetry.serial_port import SerialPort

LIMIT_S = 10.0
WHO = (
    b"FIRMWARE_NAME:Marlin 2.1.2 SOURCE_CODE_URL:x PROTOCOL_VERSION:1.0 MACHINE_TYPE:Ender EXTRUDER_COUNT:1",
    b"Cap:AUTOREPORT_POS:1",
    b"Cap:AUTOREPORT_TEMP:1",
    b"ok",
)
"""What the firmware answers to M115."""


class Printer:
    """The printer's end of a pty."""

    def __init__(self) -> None:
        self.descriptor, slave = pty.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        self._slave = slave
        self._heard = b""

    def say(self, *lines: bytes) -> None:
        os.write(self.descriptor, b"".join(line + b"\n" for line in lines))

    def hears(self, wanted: bytes) -> bool:
        """Wait until the watch has sent this, and forget what came before it."""
        while wanted not in self._heard:
            if not select.select([self.descriptor], [], [], LIMIT_S)[0]:
                return False
            self._heard += os.read(self.descriptor, 4096)
        self._heard = self._heard.partition(wanted)[2]
        return True

    def vanish(self) -> None:
        for descriptor in (self.descriptor, self._slave):
            if descriptor >= 0:
                os.close(descriptor)
        self.descriptor = self._slave = -1


@pytest.fixture
def printer() -> Iterator[Printer]:
    opened = Printer()
    yield opened
    opened.vanish()


def source_of(printer: Printer, poll: float = 60, mode: str = "owner") -> SerialPort:
    address = f"serial:{printer.path}?baud=250000&poll={poll}&mode={mode}"
    return SerialPort(parse_address(address, TELEMETRY), "p1")


async def until(items: AsyncIterator[TelemetryItem], channel: str) -> list[TelemetryItem]:
    """Items up to the first reading of a channel."""
    seen: list[TelemetryItem] = []
    async with asyncio.timeout(LIMIT_S):
        async for item in items:
            seen.append(item)
            if isinstance(item, Reading) and item.channel == channel:
                return seen
    raise AssertionError(f"the source ended before {channel}")


def talk(printer: Printer, source: SerialPort, said: list[bytes], channel: str) -> list[TelemetryItem]:
    """Let the printer say something once its port is open, and read up to a channel."""

    async def run() -> list[TelemetryItem]:
        async with aclosing(source.items()) as items:  # type: ignore[type-var]
            return await answer(items, printer, said, channel)

    return asyncio.run(run())


async def answer(
    items: AsyncIterator[TelemetryItem], printer: Printer, said: list[bytes], channel: str
) -> list[TelemetryItem]:
    heard = asyncio.ensure_future(until(items, channel))
    assert await asyncio.to_thread(printer.hears, b"M115\n")
    printer.say(*said)
    return await heard


def channels(items: list[TelemetryItem]) -> list[str]:
    return [item.channel for item in items if isinstance(item, Reading)]


def test_what_the_printer_says_is_yielded_with_times_that_do_not_run_backwards(printer: Printer) -> None:
    source = source_of(printer)
    said = [b"start", b" T:20.00 /0.00", b"Resend: 4", b"X:1.0 Y:2.0 Z:3.0 E:4.0"]
    items = talk(printer, source, said, "e_mm")
    assert not source.recorded
    assert not source.time_estimated
    assert channels(items)[:6] == ["lines", "lines", "hotend_c", "hotend_target_c", "lines", "resends"]
    assert [item.kind for item in items if isinstance(item, Event)] == [EventKind.START, EventKind.RESEND]
    assert [item.at_ns for item in items] == sorted(item.at_ns for item in items)


def test_it_asks_for_reports_at_the_start_and_after_a_restart(printer: Printer) -> None:
    async def run() -> None:
        async with aclosing(source_of(printer).items()) as items:  # type: ignore[type-var]
            await answer(items, printer, [*WHO, b"X:1 Y:2 Z:3"], "z_mm")
            assert printer.hears(b"M155 S1\nM154 S1\n")
            printer.say(b"start", b"X:1 Y:2 Z:3")
            await until(items, "z_mm")
            assert printer.hears(b"M155 S1\nM154 S1\n")

    asyncio.run(run())


def test_a_silent_printer_is_asked_again_and_again_and_nothing_else_is_sent(printer: Printer) -> None:
    async def run() -> None:
        async with aclosing(source_of(printer, poll=0.05).items()) as items:  # type: ignore[type-var]
            waiting = asyncio.ensure_future(until(items, "hotend_c"))
            assert await asyncio.to_thread(printer.hears, b"M115\nM105\nM114\nM105\nM114\n")
            printer.say(b"ok T:20.0 /0.0")
            await waiting

    asyncio.run(run())


def test_noise_is_counted_and_survived(printer: Printer) -> None:
    source = source_of(printer)
    said = [b"ok", b"\xff\xf0\x00\x81\xfd", b"T:2T:20", b" T:20.00 /0.00"]
    assert channels(talk(printer, source, said, "hotend_c")).count("garbled") == 2
    assert source.counts["garbled"] == 2


def test_a_line_whose_head_was_missed_is_no_garbled_line(printer: Printer) -> None:
    source = source_of(printer)
    said = [b"/200.0 B:60.00 /60.0 @:0", b" T:20.00 /0.00"]
    assert channels(talk(printer, source, said, "hotend_c")) == ["lines", "hotend_c"]
    assert not source.counts["garbled"]


def test_a_port_that_vanishes_says_so(printer: Printer) -> None:
    async def run() -> list[TelemetryItem]:
        async with aclosing(source_of(printer).items()) as items:  # type: ignore[type-var]
            await answer(items, printer, [b" T:20.0 /0.0"], "hotend_target_c")
            printer.vanish()
            rest: list[TelemetryItem] = []
            with pytest.raises(PrinterUnreachable, match="vanished, expected a printer: check its cable"):
                async with asyncio.timeout(LIMIT_S):
                    async for item in items:
                        rest.append(item)
            return rest

    assert [item.kind for item in asyncio.run(run()) if isinstance(item, Event)] == [EventKind.DISCONNECTED]


def test_a_port_in_use_says_so(printer: Printer) -> None:
    async def run() -> None:
        async with aclosing(source_of(printer).items()) as items:  # type: ignore[type-var]
            await answer(items, printer, [b"ok"], "lines")
            with pytest.raises(
                PrinterUnreachable, match="in use by another program, expected it free: close"
            ):
                await anext(source_of(printer).items())

    asyncio.run(run())


@pytest.mark.parametrize(
    ("path", "found"), [("/dev/ttyUSB_none", "found no such port"), ("/dev/null", "expected a serial port")]
)
def test_a_port_that_is_none_says_so(path: str, found: str) -> None:
    async def run() -> None:
        await anext(SerialPort(parse_address(f"serial:{path}", TELEMETRY), "p1").items())

    with pytest.raises(PrinterUnreachable, match=rf"{path}: .*{found}"):
        asyncio.run(run())


@pytest.mark.parametrize("option", ["baud=fast", "baud=1", "poll=0", "mode=guest"])
def test_an_option_without_sense_is_refused_when_the_address_is_read(option: str) -> None:
    with pytest.raises(SourceError, match=f"found {option.split('=', maxsplit=1)[0]}="):
        SerialPort(parse_address(f"serial:/dev/ttyUSB0?{option}", TELEMETRY), "p1")
