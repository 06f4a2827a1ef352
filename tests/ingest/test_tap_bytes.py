"""Every byte goes through a tap, whoever comes and goes at either end of it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from pathlib import Path

from bench.tap import measure
from ingest.clock import AnchoredClock
from ingest.errors import PrinterUnreachable
from ingest.records import EventKind
from ingest.telemetry.wire.descriptors import MOST_WAITING_BYTES
from ingest.telemetry.wire.passage import MOST_UNHEARD_BYTES, Ear, What
from tests.ingest.tap_ends import LIMIT_S, Printer, Tapped, tapped, until

TRAFFIC_BYTES = 2_000_000
SOON_MS = 50.0
"""Far above what a tap takes (0.1 ms), far below what a host would notice (OctoPrint waits seconds)."""


def noise(size: int, seed: int) -> bytes:
    """Bytes of all values in random order."""
    return bytes(range(256)) + random.Random(seed).randbytes(size - 256)


def test_every_byte_goes_through_both_ways_unchanged_and_in_order(tmp_path: Path) -> None:
    up, down = noise(TRAFFIC_BYTES, 1), noise(TRAFFIC_BYTES, 2)

    async def run() -> tuple[bytes, bytes]:
        async with tapped(tmp_path) as setup:
            setup.printer.answers = False
            host = await setup.host()
            await asyncio.gather(host.pour(up), setup.printer.pour(down))
            printer = setup.printer.heard
            await until(lambda: len(host.heard) == len(down) and len(printer) == len(up), "all of it")
            return bytes(host.heard), bytes(printer)

    heard_by_host, heard_by_printer = asyncio.run(run())
    assert heard_by_host == down
    assert heard_by_printer == up


def test_bytes_go_through_while_nobody_reads_what_the_tap_tells(tmp_path: Path) -> None:
    async def run() -> None:
        setup = Tapped(Printer(), tmp_path / "link")
        items = setup.tap.items()
        begun = asyncio.ensure_future(anext(items))
        await until(setup.link.is_symlink)
        host = await setup.host()
        await begun
        for number in range(100):
            host.say(b"G1 X%d" % number)
            await host.hears(b"ok\n")
        await items.aclose()  # type: ignore[attr-defined]
        setup.close()
        setup.printer.close()

    asyncio.run(run())


def test_a_host_that_does_not_read_blocks_nobody_and_loses_nothing(tmp_path: Path) -> None:
    """What does not fit is left with the printer until the host reads again."""
    reports = noise(2 * MOST_WAITING_BYTES, 3)

    async def run() -> bytes:
        async with tapped(tmp_path) as setup:
            setup.printer.answers = False
            host = await setup.host()
            host.ignore()
            saying = asyncio.ensure_future(setup.printer.pour(reports))
            host.say(b"G1 X1")
            await setup.printer.hears(b"G1 X1\n")
            await asyncio.wait([saying], timeout=0.2)
            assert not saying.done()
            host.say(b"G1 X2")
            await setup.printer.hears(b"G1 X2\n")
            host.listen()
            await saying
            await until(lambda: len(host.heard) == len(reports))
            return bytes(host.heard)

    assert asyncio.run(run()) == reports


def test_a_printer_that_does_not_read_keeps_what_it_says_going(tmp_path: Path) -> None:
    commands = noise(2 * MOST_WAITING_BYTES, 4)

    async def run() -> bytes:
        async with tapped(tmp_path) as setup:
            setup.printer.answers = False
            host = await setup.host()
            setup.printer.ignore()
            saying = asyncio.ensure_future(host.pour(commands))
            await asyncio.wait([saying], timeout=0.2)
            assert not saying.done()
            setup.printer.say(b" T:20.00 /0.00")
            await host.hears(b" T:20.00 /0.00\n")
            setup.printer.listen()
            await saying
            await until(lambda: len(setup.printer.heard) == len(commands))
            return bytes(setup.printer.heard)

    assert asyncio.run(run()) == commands


def test_hosts_come_and_go_and_find_nothing_of_one_another(tmp_path: Path) -> None:
    async def run() -> None:
        async with tapped(tmp_path) as setup:
            first = await setup.host()
            first.ignore()
            setup.printer.say(b"echo:for the first one")
            await until(lambda: bool(setup.values("lines")))
            first.close()
            await setup.printer.hears(b"M155 S1\n")  # nobody is there: the tap asks
            second = await setup.host()
            setup.printer.say(b"echo:for the second one")
            await second.hears(b"echo:for the second one\n")
            assert b"first" not in second.heard

    asyncio.run(run())


def test_a_port_that_vanishes_hangs_the_host_up_and_both_come_back(tmp_path: Path) -> None:
    async def run() -> None:
        async with tapped(tmp_path) as setup:
            host = await setup.host()
            setup.printer.close()
            await until(lambda: host.hung_up and setup.error is not None)
            assert isinstance(setup.error, PrinterUnreachable)
            assert setup.events(EventKind.DISCONNECTED) == ["port vanished"]
            assert not setup.link.is_symlink()
        async with tapped(tmp_path) as again:
            await again.host()

    asyncio.run(run())


def test_a_tap_delays_a_line_by_little_and_the_bench_says_by_how_much() -> None:
    figures = {figure.name: figure for figure in measure(round_trips=200)}
    assert set(figures) == {"tap_delay_ms", "tap_delay_ms p99"}
    for figure in figures.values():
        assert figure.baseline == "direct pty"
        assert figure.baseline_value is not None
        assert 0 < figure.value < SOON_MS


def test_copies_that_find_no_room_are_counted_and_leave_a_mark() -> None:
    async def run() -> tuple[Counter[str], list[What]]:
        counts: Counter[str] = Counter()
        ear = Ear(AnchoredClock(), counts)
        for _ in range(3):
            ear.note(What.REPLY, bytes(MOST_UNHEARD_BYTES // 2))
        ear.note(What.LOST)
        return counts, [heard.what for heard in await ear.next(LIMIT_S)]

    counts, heard = asyncio.run(run())
    assert counts == {"unheard": 2 * (MOST_UNHEARD_BYTES // 2)}
    assert heard == [What.REPLY, What.GAP, What.LOST]
