"""What a tap learns from what a host and its printer say to each other."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from ingest.records import NS_PER_S, Event, EventKind, Reading, SerialLine
from ingest.simulate.demo import idle_printers
from ingest.simulate.farm import run_farm
from tests.ingest.tap_ends import End, Tapped, tapped, until

BEGINNING = (b"M104 S210", b"G28", b"M109 S210", b"G92 E0", b"G1 Z0.2 F1200", b"G1 X10 Y10 F3000")


async def send(host: End, *lines: bytes) -> None:
    """Send lines as hosts do: each when the last one has its "ok"."""
    for line in lines:
        host.say(line)
        await host.hears(b"ok")


async def draw(host: End, moves: int, z: float = 0.2) -> None:
    """Extrude along a zigzag: 10 mm and 0.4 mm of filament each."""
    for number in range(moves):
        await send(host, b"G1 X%d Y10 Z%.2f E%.1f" % (20 if number % 2 else 10, z, 0.4 * (number + 1)))


def test_temperatures_come_from_whatever_the_printer_answers(tmp_path: Path) -> None:
    async def run() -> None:
        async with tapped(tmp_path) as setup:
            host = await setup.host()
            host.say(b"M105")
            await setup.reads("hotend_c", 20.0)
            setup.printer.say(b" T:199.50 /210.00 B:59.00 /60.00 @:64 B@:127")
            await setup.reads("hotend_c", 199.5)
            await setup.reads("bed_power", 1.0)

    asyncio.run(run())


def test_g_code_tells_motion_layer_fan_and_factors(tmp_path: Path) -> None:
    async def run() -> None:
        async with tapped(tmp_path) as setup:
            host = await setup.host()
            await send(host, *BEGINNING, b"M106 S127.5", b"M220 S80", b"M221 S90", b"M73 P40")
            await setup.reads("feed_mm_s", 40.0)  # 3000 mm/min at 80 %
            await draw(host, 20)
            await send(host, b"M400")
            await setup.reads("layer", 0.0)
            await setup.reads("fan", 0.5)
            await setup.reads("feed_factor", 0.8)
            await setup.reads("flow_factor", 0.9)
            await setup.reads("progress", 0.4)
            await setup.reads("e_mm", 8.0)
            await until(lambda: max(setup.values("extrusion_mm_s"), default=0.0) > 0)
            await until(lambda: max(setup.values("melt_w"), default=0.0) > 0)
            await draw(host, 2, z=0.4)
            await setup.reads("layer", 1.0)

    asyncio.run(run())


def test_a_fast_print_is_told_at_a_bounded_rate(tmp_path: Path) -> None:
    async def run() -> Tapped:
        async with tapped(tmp_path) as setup:
            host = await setup.host()
            await send(host, *BEGINNING)
            setup.items.clear()
            async with asyncio.timeout(10):
                while not setup.items or setup.items[-1].at_ns - setup.items[0].at_ns < 2 * NS_PER_S:
                    await draw(host, 10)
            return setup

    setup = asyncio.run(run())
    span_s = (setup.items[-1].at_ns - setup.items[0].at_ns) / NS_PER_S
    told = Counter(item.channel for item in setup.items if isinstance(item, Reading))
    assert max(told.values()) <= 4 * span_s + 2
    oks = setup.printer.lines.count(b"M105") + len(setup.printer.lines)
    assert 0.9 * oks < sum(setup.values("lines")) + len(BEGINNING) + 20 < 1.3 * oks


def test_raw_lines_of_both_sides_go_ahead_of_what_they_tell(tmp_path: Path) -> None:
    async def run() -> None:
        async with tapped(tmp_path) as setup:
            host = await setup.host()
            setup.tap.with_lines = True
            setup.items.clear()
            await send(host, b"M104 S205")
            await until(lambda: any(isinstance(item, SerialLine) and not item.sent for item in setup.items))
            seen = [
                item.text if isinstance(item, SerialLine) else getattr(item, "channel", "")
                for item in setup.items
            ]
            assert seen.index("M104 S205") < seen.index("hotend_target_c")
            assert [item.at_ns for item in setup.items] == sorted(item.at_ns for item in setup.items)

    asyncio.run(run())


def test_the_firmware_is_told_once_and_stands_among_the_facts(tmp_path: Path) -> None:
    async def run() -> None:
        async with tapped(tmp_path) as setup:
            await setup.tells(EventKind.FIRMWARE)
            host = await setup.host()
            host.say(b"M115")
            await host.hears(b"ok\n")
            await send(host, b"M105")
            await setup.reads("hotend_c", 20.0)
            assert setup.events(EventKind.FIRMWARE) == ["Marlin 2.1.2 (Dec 17 2022), Ender"]
            facts = setup.tap.facts
            assert (facts["firmware"], facts["machine"]) == ("Marlin 2.1.2 (Dec 17 2022)", "Ender")
            assert facts["capabilities"] == "AUTOREPORT_TEMP"

    asyncio.run(run())


def test_without_a_host_it_asks_and_with_one_it_does_not(tmp_path: Path) -> None:
    async def run() -> None:
        async with tapped(tmp_path, "&baud=115200&poll=0.05") as setup:
            await setup.printer.hears(b"M115\nM155 S1\nM105\n")
            host = await setup.host()
            before = setup.printer.lines.count(b"M105")
            await asyncio.wait([asyncio.ensure_future(draw(host, 50))])
            await until(lambda: len(setup.printer.lines) >= before + 50)
            assert setup.printer.lines.count(b"M105") == before
            host.close()
            await setup.printer.hears(b"M155 S1\nM105\n")

    asyncio.run(run())


def test_a_streamed_print_begins_with_filament_and_ends_when_all_is_switched_off(tmp_path: Path) -> None:
    async def run() -> None:
        async with tapped(tmp_path) as setup:
            host = await setup.host()
            await send(host, *BEGINNING)
            assert setup.events(EventKind.JOB_STARTED) == []
            await draw(host, 3)
            await setup.tells(EventKind.JOB_STARTED)
            await send(host, b"M600", b"M104 S0", b"M140 S0", b"G28 X0")
            assert setup.events(EventKind.FILAMENT_CHANGE) == ["M600"]
            await send(host, b"M84")
            await setup.tells(EventKind.JOB_ENDED)
            assert setup.events(EventKind.JOB_STARTED) == [""]

    asyncio.run(run())


@pytest.mark.parametrize(
    ("said", "ended"), [(b"start", "start"), (b"//action:cancel", "//action:cancel"), (b"", "the host left")]
)
def test_a_streamed_print_ends_with_its_host_its_printer_or_a_word(
    tmp_path: Path, said: bytes, ended: str
) -> None:
    async def run() -> None:
        async with tapped(tmp_path) as setup:
            host = await setup.host()
            await send(host, *BEGINNING)
            await draw(host, 3)
            await setup.tells(EventKind.JOB_STARTED)
            if said:
                setup.printer.say(said)
            else:
                host.close()
            await setup.tells(EventKind.JOB_ENDED, ended)

    asyncio.run(run())


def test_damaged_lines_are_counted_once_they_are_understood(tmp_path: Path) -> None:
    """What the printer asks for again was not taken: the filament counts when it was."""

    async def run() -> None:
        async with tapped(tmp_path) as setup:
            host = await setup.host()
            await send(host, *BEGINNING, b"M83", b"G1 X11 E1")
            await setup.reads("e_mm", 1.0)
            setup.printer.answers = False
            host.say(b"N9 G1 X12 E1*1")
            await setup.printer.hears(b"*1\n")
            setup.printer.say(b"Error:checksum mismatch, Last Line: 8", b"Resend: 9", b"ok")
            await host.hears(b"ok\n")
            setup.printer.answers = True
            await send(host, b"N9 G1 X12 E1*33", b"G1 X13")
            await setup.reads("x_mm", 13.0)
            await setup.reads("e_mm", 2.0)
            assert max(setup.values("e_mm")) == 2.0
            assert sum(setup.values("resends")) == 2  # the error and the request

    asyncio.run(run())


def test_noise_is_counted_and_survived(tmp_path: Path) -> None:
    async def run() -> None:
        async with tapped(tmp_path) as setup:
            host = await setup.host()
            setup.printer.say(b"\xff\xf0\x00\x81\xfd", b"T:2T:20", b" T:20.00 /0.00")
            host.say(b"\xff\x00\xfe" * 50)
            await until(lambda: setup.tap.counts["garbled"] == 2)
            await send(host, b"M105")
            assert [item for item in setup.items if isinstance(item, Event)]

    asyncio.run(run())


def test_a_host_works_with_a_simulated_printer_through_the_tap(tmp_path: Path) -> None:
    """The firmware boots when the tap opens its port, not when the host comes, whose hello it answers."""

    async def run() -> None:
        stop = asyncio.Event()
        farm = asyncio.ensure_future(run_farm(tmp_path, idle_printers(1, seed=1), 60.0, stop))
        await until((tmp_path / "ready").exists)
        async with tapped(tmp_path, port=tmp_path / "printer-1.tty") as setup:
            await setup.tells(EventKind.START)
            host = await setup.host(greets=False)
            await send(host, b"N0 M110 N0*125", b"M115", b"M155 S1", b"M104 S50")
            await host.hears(b" T:")
            await setup.reads("hotend_target_c", 50.0)
            assert setup.tap.facts["machine"] == "Nozzlewatch Simulated"
            assert setup.events(EventKind.START) == ["start"]
        stop.set()
        await farm

    asyncio.run(run())
