"""Pausing, resuming and cancelling through a tap and through an owned port, confirmed by what is seen."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ingest.errors import CommandFailed, PrinterUnreachable
from ingest.records import Action, EventKind
from tests.ingest.tap_ends import End, Printer, Tapped, tapped, until
from tests.ingest.test_tap import BEGINNING, draw, send


class CardPrinter(Printer):
    """A printer that prints from its card, as Marlin 2.1 does without host actions."""

    byte, size, prints, paused = 100, 10_000, True, False

    def answer(self, line: bytes) -> tuple[bytes, ...]:
        if line == b"M25":
            self.paused = True
        elif line == b"M24":
            self.paused = False
        elif line == b"M524":
            self.prints = False
        elif line == b"M27":
            self.byte += 0 if self.paused else 512
            return self._state(), b"ok"
        elif line.startswith(b"M23"):
            return b"File opened: BENCHY.GCO Size: 10000", b"File selected", b"ok"
        return super().answer(line)

    def _state(self) -> bytes:
        if not self.prints:
            return b"Not SD printing"
        return b"SD printing byte %d/%d" % (self.byte, self.size)


class StreamingHost(End):
    """A host that streams a print and acts on ``//action:`` lines, as OctoPrint and Pronterface do."""

    prints, cancelled, moves = True, False, 0

    def take(self, data: bytes) -> None:
        if b"//action:" in data:
            self.prints = b"//action:resume" in data
            self.cancelled = b"//action:cancel" in data

    async def stream(self) -> None:
        """One line after the other, each once the last one has its "ok", until it is cancelled."""
        while not self.cancelled:
            if self.prints:
                self.moves += 1
                await send(self, b"G1 X%d Y10 E%.1f" % (10 + self.moves % 2, 10 + 0.4 * self.moves))
            await asyncio.sleep(0.01)
        await send(self, b"M104 S0", b"M84")


async def streaming(setup: Tapped) -> StreamingHost:
    """A host in the middle of its print."""
    host = await setup.host(StreamingHost)
    await send(host, *BEGINNING)
    await draw(host, 3)
    await setup.tells(EventKind.JOB_STARTED)
    return host


def test_a_streamed_print_is_paused_resumed_and_cancelled_by_its_host(tmp_path: Path) -> None:
    async def run() -> None:
        async with tapped(tmp_path) as setup, asyncio.TaskGroup() as group:
            host = await streaming(setup)
            group.create_task(host.stream())
            assert "stopped sending moves" in await setup.tap.command(Action.PAUSE)
            assert not host.prints
            assert "the host sent G1" in await setup.tap.command(Action.RESUME)
            await setup.tells(EventKind.PAUSED, "//action:pause")
            await setup.tells(EventKind.RESUMED, "//action:resume")
            assert "stopped sending moves" in await setup.tap.command(Action.CANCEL)
            await setup.tells(EventKind.CANCELLED)
            await setup.tells(EventKind.JOB_ENDED)

    asyncio.run(run())


def test_a_host_that_goes_on_has_not_paused(tmp_path: Path) -> None:
    """Cura, for one, does not know host actions: there is no false word that it stopped."""

    async def run() -> None:
        async with tapped(tmp_path) as setup:
            host = await streaming(setup)
            order = asyncio.ensure_future(setup.tap.command(Action.PAUSE))
            for _ in range(20):
                await draw(host, 1)
                await asyncio.wait([order], timeout=0.1)
            assert not order.done()
            order.cancel()
            assert setup.events(EventKind.PAUSED) == []

    asyncio.run(run())


def test_an_action_never_falls_into_a_line_of_the_printers(tmp_path: Path) -> None:
    async def run() -> None:
        async with tapped(tmp_path) as setup:
            host = await streaming(setup)
            setup.printer.say_bytes(b" T:210.00 /21")
            await host.hears(b" T:210.00 /21")
            order = asyncio.ensure_future(setup.tap.command(Action.PAUSE))
            await asyncio.wait([order], timeout=0.1)
            setup.printer.say_bytes(b"0.00\n")
            await host.hears(b"0.00\n//action:pause\n")
            await order

    asyncio.run(run())


def test_where_nothing_prints_nothing_can_be_paused(tmp_path: Path) -> None:
    async def run() -> None:
        async with tapped(tmp_path) as setup:
            await setup.host()
            with pytest.raises(CommandFailed, match=r"found no print.*nothing to pause"):
                await setup.tap.command(Action.PAUSE)
            printing = await streaming(setup)
            await send(printing, b"G1 X1")
            with pytest.raises(CommandFailed, match="expected a paused print"):
                await setup.tap.command(Action.RESUME)
        with pytest.raises(PrinterUnreachable, match="found no open port"):
            await setup.tap.command(Action.PAUSE)

    asyncio.run(run())


def test_a_card_print_is_told_to_the_firmware_and_the_host_gets_no_ok_of_it(tmp_path: Path) -> None:
    async def run() -> None:
        async with tapped(tmp_path, printer=CardPrinter()) as setup:
            host = await setup.host()
            await send(host, b"M23 BENCHY.GCO", b"M24")
            await setup.tells(EventKind.JOB_STARTED, "BENCHY.GCO")
            host.heard.clear()
            assert "and no further" in await setup.tap.command(Action.PAUSE)
            await host.hears(b"//action:paused\n")
            assert b"ok" not in host.heard
            await send(host, b"M105")
            assert (await setup.tap.command(Action.RESUME)).startswith("SD printing byte")
            assert await setup.tap.command(Action.CANCEL) == "Not SD printing"
            await setup.tells(EventKind.JOB_ENDED)
            await host.hears(b"//action:cancel\n")
            assert host.heard.count(b"ok") == 0

    asyncio.run(run())


def test_a_host_in_the_middle_of_something_is_not_disturbed(tmp_path: Path) -> None:
    """The firmware is told between the host's lines, when it owes the host no answer."""

    async def run() -> None:
        async with tapped(tmp_path, printer=CardPrinter()) as setup:
            host = await setup.host()
            await send(host, b"M23 BENCHY.GCO", b"M24")
            await setup.tells(EventKind.JOB_STARTED)
            host.say_bytes(b"M11")
            await setup.printer.hears(b"M11")
            order = asyncio.ensure_future(setup.tap.command(Action.CANCEL))
            await asyncio.wait([order], timeout=0.2)
            assert b"M27" not in setup.printer.heard
            host.say_bytes(b"7 hello\n")
            await order
            assert setup.printer.lines[-4:-1] == [b"M117 hello", b"M27", b"M524"]

    asyncio.run(run())


def test_without_a_host_a_card_print_that_nobody_told_of_is_found_and_paused(tmp_path: Path) -> None:
    async def run() -> None:
        async with tapped(tmp_path, printer=CardPrinter()) as setup:
            assert "and no further" in await setup.tap.command(Action.PAUSE)
            await setup.tells(EventKind.PAUSED, "M25")

    asyncio.run(run())


def test_a_printer_that_vanishes_ends_the_order(tmp_path: Path) -> None:
    async def run() -> None:
        async with tapped(tmp_path) as setup:
            await streaming(setup)
            order = asyncio.ensure_future(setup.tap.command(Action.RESUME))
            setup.tap.with_lines = True
            setup.printer.close()
            with pytest.raises((PrinterUnreachable, CommandFailed)):
                await order
            await until(lambda: setup.error is not None)

    asyncio.run(run())
