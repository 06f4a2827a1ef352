"""A port that is owned, with a card's print or a simulated printer behind it, and one only listened to."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest
import serial

from ingest.errors import CommandFailed, PrinterUnreachable
from ingest.records import Action, Event, EventKind, Reading, SerialLine
from ingest.simulate.demo import idle_printers
from ingest.simulate.farm import run_farm
from ingest.sources import TelemetryItem, parse_address
from ingest.telemetry import TELEMETRY
from ingest.telemetry.serial_port import SerialPort
from tests.ingest.tap_ends import LIMIT_S, Printer, until
from tests.ingest.test_tap_orders import CardPrinter


class Watched:
    """A serial source that is being read, and what it has told."""

    def __init__(self, path: str, options: str = "") -> None:
        self.source = SerialPort(parse_address(f"serial:{path}?baud=115200{options}", TELEMETRY), "p1")
        self.source.with_lines = True
        self.items: list[TelemetryItem] = []

    async def read(self) -> None:
        async with aclosing(self.source.items()) as items:  # type: ignore[type-var]
            async for item in items:
                self.items.append(item)

    def events(self) -> list[tuple[EventKind, str]]:
        return [(item.kind, item.text) for item in self.items if isinstance(item, Event)]

    def reads(self, channel: str) -> bool:
        return any(isinstance(item, Reading) and item.channel == channel for item in self.items)

    def lines(self, *, sent: bool) -> list[str]:
        return [item.text for item in self.items if isinstance(item, SerialLine) and item.sent is sent]


def watch(watched: Watched) -> asyncio.Task[None]:
    return asyncio.ensure_future(watched.read())


def test_a_listener_sends_no_byte_keeps_nobody_out_and_tells_what_it_hears() -> None:
    async def run() -> None:
        printer = Printer()
        watched = Watched(printer.path, "&mode=listen&poll=0.05")
        reading = watch(watched)

        def told() -> bool:  # what is said before the port is open is heard by nobody
            printer.say(b"start", b" T:20.00 /0.00", b"FIRMWARE_NAME:Marlin MACHINE_TYPE:X", b"ok")
            return watched.source.facts.get("firmware") == "Marlin"

        await until(told)
        serial.Serial(printer.path, 115200, exclusive=True).close()
        assert watched.reads("hotend_c")
        with pytest.raises(CommandFailed, match="mode=listen, which sends nothing"):
            await watched.source.command(Action.PAUSE)
        reading.cancel()
        await asyncio.wait([reading])
        assert printer.heard == b""
        printer.close()

    asyncio.run(run())


def test_raw_lines_of_both_sides_are_told_in_order() -> None:
    async def run() -> Watched:
        printer = Printer()
        watched = Watched(printer.path)
        reading = watch(watched)
        await until(lambda: "M155 S1" in watched.lines(sent=True))
        reading.cancel()
        await asyncio.wait([reading])
        printer.close()
        return watched

    watched = asyncio.run(run())
    assert watched.lines(sent=True)[:2] == ["M115", "M155 S1"]
    assert watched.lines(sent=False)[1:3] == ["Cap:AUTOREPORT_TEMP:1", "Cap:AUTOREPORT_POS:0"]
    assert [item.at_ns for item in watched.items] == sorted(item.at_ns for item in watched.items)


def test_nothing_is_asked_while_a_print_from_the_card_runs() -> None:
    async def run() -> None:
        printer = CardPrinter()
        watched = Watched(printer.path, "&poll=0.05")
        reading = watch(watched)
        await printer.hears(b"M105\n")
        printer.say(b"File opened: CUBE.GCO Size: 999", b"File selected")
        await until(lambda: (EventKind.JOB_STARTED, "CUBE.GCO") in watched.events())
        asked = len(printer.lines)
        await asyncio.wait([reading], timeout=0.4)  # eight times as long as it waits otherwise
        assert len(printer.lines) <= asked + 2  # what was on its way
        printer.say(b"Done printing file")
        await until(lambda: (EventKind.JOB_ENDED, "Done printing file") in watched.events())
        printer.heard.clear()
        await printer.hears(b"M105\n")
        reading.cancel()
        await asyncio.wait([reading])
        printer.close()

    asyncio.run(run())


def test_a_print_from_the_card_is_paused_resumed_and_cancelled() -> None:
    async def run() -> None:
        printer = CardPrinter()
        watched = Watched(printer.path)
        with pytest.raises(PrinterUnreachable, match="found no open port"):
            await watched.source.command(Action.PAUSE)
        reading = watch(watched)
        await printer.hears(b"M155 S1\n")
        assert "and no further" in await watched.source.command(Action.PAUSE)
        assert (await watched.source.command(Action.RESUME)).startswith("SD printing byte")
        assert watched.reads("progress")
        assert await watched.source.command(Action.CANCEL) == "Not SD printing"
        with pytest.raises(CommandFailed, match="nothing to pause"):
            await watched.source.command(Action.PAUSE)
        kinds = [kind for kind, _ in watched.events()]
        assert kinds[1:] == [
            EventKind.JOB_STARTED,
            EventKind.PAUSED,
            EventKind.RESUMED,
            EventKind.CANCELLED,
            EventKind.JOB_ENDED,
        ]
        reading.cancel()
        await asyncio.wait([reading])
        printer.close()

    asyncio.run(run())


class NoCard(Printer):
    """Firmware without a card reader."""

    def answer(self, line: bytes) -> tuple[bytes, ...]:
        return (b'echo:Unknown command: "M27"', b"ok") if line == b"M27" else super().answer(line)


@pytest.mark.parametrize(
    ("kind", "found"), [(NoCard, "Unknown command"), (Printer, "found no word on the card")]
)
def test_a_printer_without_a_card_refuses(kind: type[Printer], found: str) -> None:
    async def run() -> None:
        printer = kind()
        watched = Watched(printer.path)
        reading = watch(watched)
        await printer.hears(b"M155 S1\n")
        with pytest.raises(CommandFailed, match=found):
            await watched.source.command(Action.PAUSE)
        reading.cancel()
        await asyncio.wait([reading])
        printer.close()

    asyncio.run(run())


def test_a_simulated_printer_introduces_itself_and_reports(tmp_path: Path) -> None:
    async def run() -> None:
        stop = asyncio.Event()
        farm = asyncio.ensure_future(run_farm(tmp_path, idle_printers(1, seed=1), 60.0, stop))
        await until((tmp_path / "ready").exists)
        watched = Watched(str(tmp_path / "printer-1.tty"))
        reading = watch(watched)
        async with asyncio.timeout(LIMIT_S):
            await until(lambda: watched.reads("hotend_c") and watched.reads("x_mm"))
        assert watched.source.facts["machine"] == "Nozzlewatch Simulated"
        assert watched.lines(sent=True)[-2:] == ["M155 S1", "M154 S1"]
        reading.cancel()
        await asyncio.wait([reading])
        stop.set()
        await farm

    asyncio.run(run())
