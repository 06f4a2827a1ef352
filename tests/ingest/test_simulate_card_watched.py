"""A simulated printer prints from its card; an owned port and a tap watch it and give it orders, for real."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ingest.records import Action, EventKind
from ingest.simulate.card import Card
from ingest.simulate.farm import READY, run_farm
from ingest.simulate.printer import Start
from ingest.simulate.simulated import SimulatedPrinter
from tests.ingest.tap_ends import tapped, until
from tests.ingest.test_serial_port_modes import Watched, watch

RUN_S = 60.0
WARM_C = 100.0
MOVE = "G1 X{} Y10 E0.1 F6000\n"  # some 90 ms each
LONG = f"M104 S{WARM_C:g}\nM83\n" + "".join(MOVE.format(2 * (n % 2)) for n in range(2_000))
SHORT = LONG[: LONG.index(MOVE.format(0)) + 5 * len(MOVE.format(0))]
ORDERED = [EventKind.PAUSED, EventKind.RESUMED, EventKind.CANCELLED, EventKind.JOB_ENDED]


@asynccontextmanager
async def printing(folder: Path, *, host_actions: bool) -> AsyncIterator[SimulatedPrinter]:
    """A printer with a card at ``folder/p.tty``, in this event loop."""
    card = Card({"LONG.GCO": LONG, "SHORT.GCO": SHORT}, host_actions=host_actions)
    printer, stop = SimulatedPrinter("p", 1, start=Start.IDLE, card=card), asyncio.Event()
    farm = asyncio.ensure_future(run_farm(folder, [printer], RUN_S, stop))
    await until((folder / READY).exists)
    try:
        yield printer
    finally:
        stop.set()
        await farm


async def stands(printer: SimulatedPrinter) -> None:
    """Wait until the moves that were planned are done, and look whether more come."""
    planner = printer.printer.planner
    await until(lambda: planner.is_idle, "the head to stand")
    at_s = printer.now_s
    await until(lambda: printer.now_s > at_s + 0.5)
    assert planner.is_idle


async def moves(printer: SimulatedPrinter) -> None:
    await until(lambda: not printer.printer.planner.is_idle, "the head to move")


def test_an_owned_port_sees_and_commands_a_print_that_was_started_at_the_screen(tmp_path: Path) -> None:
    async def run() -> None:
        async with printing(tmp_path, host_actions=False) as printer:
            watched = Watched(str(tmp_path / "p.tty"))
            reading = watch(watched)
            await until(lambda: watched.reads("hotend_c") and watched.reads("x_mm"))
            printer.print_from_card("long.gco")
            await until(lambda: (EventKind.JOB_STARTED, "LONG.GCO") in watched.events())
            await moves(printer)

            assert "and no further" in await watched.source.command(Action.PAUSE)
            await stands(printer)
            assert printer.printer.hotend.target_c == WARM_C
            assert (await watched.source.command(Action.RESUME)).startswith("SD printing byte")
            await moves(printer)
            assert watched.reads("progress")
            assert await watched.source.command(Action.CANCEL) == "Not SD printing"
            assert printer.printer.hotend.target_c == 0.0
            await stands(printer)

            kinds = [kind for kind, _ in watched.events()]
            assert kinds[kinds.index(EventKind.JOB_STARTED) + 1 :] == ORDERED
            printer.print_from_card("short.gco")
            await until(lambda: (EventKind.JOB_ENDED, "Done printing file") in watched.events())
            reading.cancel()
            await asyncio.wait([reading])

    asyncio.run(run())


def test_a_tap_sees_and_commands_a_print_from_the_card_that_its_host_started(tmp_path: Path) -> None:
    async def run() -> None:
        async with (
            printing(tmp_path, host_actions=True) as printer,
            tapped(tmp_path, port=tmp_path / "p.tty") as setup,
        ):
            host = await setup.host(greets=False)
            for command in (b"M110 N0", b"M23 long.gco", b"M24"):
                host.say(command)
                await host.hears(b"ok\n")
            await setup.tells(EventKind.JOB_STARTED, "LONG.GCO")
            await moves(printer)
            host.heard.clear()
            setup.items.clear()

            assert await setup.tap.command(Action.PAUSE) == "//action:pause"
            await host.hears(b"//action:pause\n")
            await stands(printer)
            assert await setup.tap.command(Action.RESUME) == "//action:resume"
            await host.hears(b"//action:resume\n")
            await moves(printer)
            assert await setup.tap.command(Action.CANCEL) == "Not SD printing"
            await host.hears(b"//action:cancel\n")
            await stands(printer)
            assert printer.printer.hotend.target_c == 0.0
            assert host.heard.count(b"ok") == 0, "the oks were the tap's"
            host.say(b"M105")
            await host.hears(b"ok T:")
            await setup.tells(EventKind.JOB_ENDED)
            assert [len(setup.events(kind)) for kind in ORDERED] == [1, 1, 1, 1]

    asyncio.run(run())


def test_a_tap_finds_a_print_that_was_started_at_the_screen(tmp_path: Path) -> None:
    async def run() -> None:
        async with (
            printing(tmp_path, host_actions=False) as printer,
            tapped(tmp_path, port=tmp_path / "p.tty") as setup,
        ):
            await until(lambda: bool(setup.values("hotend_c")))
            printer.print_from_card("LONG.GCO")
            await setup.tells(EventKind.JOB_STARTED, "LONG.GCO")
            assert "and no further" in await setup.tap.command(Action.PAUSE)
            await stands(printer)
            assert await setup.tap.command(Action.CANCEL) == "Not SD printing"
            await setup.tells(EventKind.JOB_ENDED)

    asyncio.run(run())
