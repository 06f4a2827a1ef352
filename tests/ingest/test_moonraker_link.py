"""Moonraker's connection and its commands: keys, losses, silence, Klipper's own states, refusals."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from ingest.errors import CommandFailed, PrinterUnreachable
from ingest.records import Action, EventKind
from ingest.sources import Commandable
from tests.fakes.moonraker import FakeMoonraker
from tests.ingest.heard import lost_by, reading, until
from tests.ingest.moonraker_heard import KEY, served, source_at, source_of, watched
from tests.ingest.web import serving

SHUTDOWN = "MCU 'mcu' shutdown: Timer too close\nThis often indicates the host computer is overloaded."


def test_the_key_lets_in() -> None:
    async def run() -> FakeMoonraker:
        async with watched(f"key={KEY}", KEY) as (server, _):
            return server

    said = asyncio.run(run()).said
    assert [method for method, _ in said] == [
        "server.connection.identify",
        "server.info",
        "printer.info",
        "printer.objects.list",
        "printer.objects.subscribe",
    ]
    assert "temperature_sensor raspberry_pi" not in said[-1][1]["objects"]


@pytest.mark.parametrize("options", ["", "key=not-the-one"])
def test_a_wrong_key_says_so_and_stands_in_no_message(options: str) -> None:
    async def run() -> str:
        async with served(KEY) as server:
            return str(await lost_by(source_of(server, options)))

    message = asyncio.run(run())
    assert "found 'Unauthorized' (401), expected the right key: set key=" in message
    assert "not-the-one" not in message


def test_the_key_follows_no_redirect_to_another_machine() -> None:
    async def run() -> str:
        async with served(KEY) as other:

            async def redirect(_: web.Request) -> web.StreamResponse:
                raise web.HTTPTemporaryRedirect(f"{other.url}/websocket")

            async with serving(redirect) as url:
                lost = await lost_by(source_at(url, f"key={KEY}"))
            assert other.said == []
            assert f"found a redirect to {other.url}, expected the machine that the address names" in str(
                lost
            )
            return str(lost)

    assert KEY not in asyncio.run(run())


def test_a_redirect_on_the_same_machine_is_followed() -> None:
    async def run() -> None:
        async with served(KEY) as server, reading(source_at(f"{server.url}/moved", f"key={KEY}")) as heard:
            await until(lambda: heard.values("bed_c"))

    asyncio.run(run())


def test_a_shutdown_is_told_once_in_klippers_words_and_ends_the_print() -> None:
    async def run() -> None:
        async with watched() as (server, heard):
            await server.prints("b.gcode")
            await server.shuts_down(SHUTDOWN)
            await server.change(print_stats={"state": "paused"}, fan={"speed": 0.25})
            await until(lambda: heard.last()["fan"] == 0.25)
            await server.klippy_leaves()
            await until(lambda: EventKind.DISCONNECTED in heard.kinds())
            server.objects["print_stats"]["state"] = "standby"
            await server.klippy_is_ready()
            await until(lambda: EventKind.START in heard.kinds())
            assert heard.events(EventKind.FIRMWARE) == [
                (EventKind.JOB_STARTED, "b.gcode"),
                (EventKind.HALTED, "MCU 'mcu' shutdown: Timer too close"),
                (EventKind.JOB_ENDED, "shutdown"),
                (EventKind.DISCONNECTED, "Klipper is disconnected"),
                (EventKind.START, "Printer is ready"),
            ]
            await until(lambda: server.subscribers == 1)
            heard.forget()
            await server.change(fan={"speed": 0.5})
            await until(lambda: heard.values("fan"))

    asyncio.run(run())


def test_a_printer_that_is_shut_down_when_it_is_met_says_so_and_is_watched_once_it_is_ready() -> None:
    async def run() -> None:
        async with served() as server:
            server.klippy, server.message = "shutdown", SHUTDOWN
            async with reading(source_of(server)) as heard:
                await until(heard.kinds)
                assert heard.kinds() == [EventKind.HALTED]
                await server.klippy_is_ready()
                await until(lambda: heard.values("bed_c"))
                assert heard.kinds() == [EventKind.HALTED, EventKind.START]

    asyncio.run(run())


def test_klipper_that_is_not_there_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.telemetry.moonraker.source.LOOK_AGAIN_S", 0.01)

    async def run() -> None:
        async with served() as server:
            server.klippy = "disconnected"
            async with reading(source_of(server)) as heard:
                await until(lambda: server.methods().count("server.info") > 2)
                server.klippy = "ready"  # and no notification of it
                await until(lambda: heard.values("bed_c"))

    asyncio.run(run())


def test_a_restarted_server_is_lost_and_can_be_read_anew() -> None:
    async def run() -> None:
        async with served() as server:
            source = source_of(server)
            for _ in range(2):
                async with reading(source) as heard:
                    await until(lambda: heard.values("bed_c"))
                    await server.stop()
                    await until(lambda: heard.lost)
                    assert isinstance(heard.lost, PrinterUnreachable)
                    assert "expected Moonraker: check that it runs" in str(heard.lost)
                await server.start()

    asyncio.run(run())


def test_a_connection_that_died_is_noticed_by_a_ping_where_there_is_nothing_to_hear(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ingest.telemetry.moonraker.source.LOOK_AGAIN_S", 60.0)

    async def run() -> str:
        async with served() as server:
            server.klippy = "disconnected"
            async with reading(source_of(server, "silence=1")) as heard:
                # from this answer on it only listens: silence before it would be a question without an answer
                await until(lambda: server.methods()[-2:] == ["printer.info", "server.info"])
                server.silent = True
                await until(lambda: heard.lost)
                return str(heard.lost)

    assert "found no answer to a ping for 1 s" in asyncio.run(run())


def test_klipper_that_says_nothing_is_noticed_even_where_moonraker_talks_on() -> None:
    async def run() -> None:
        async with watched("silence=1") as (server, heard):
            while heard.lost is None:
                await server.broadcast("notify_proc_stat_update", [{"cpu_temp": 50.0}])
                await asyncio.sleep(0.01)
            assert "found no status update for 1 s though Klipper is ready" in str(heard.lost)

    asyncio.run(run())


def test_what_cannot_be_understood_is_counted_never_raised() -> None:
    async def run() -> None:
        async with served() as server:
            source = source_of(server)
            async with reading(source) as heard:
                await until(lambda: heard.values("bed_c"))
                for text in ("{", "[1]", '"word"', "[" * 5000, '{"method": 5}'):
                    await server.send_raw(text)
                await server.broadcast("notify_status_update", [["no status"], "late"])
                await server.broadcast(
                    "notify_status_update", [{"extruder": 5, "unheard of": {"a": 1}}, 1e308]
                )
                await server.broadcast("notify_status_update")
                await server.broadcast("notify_gcode_response", [{"no": "line"}])
                await server.change(
                    extruder={"temperature": "hot", "target": None, "power": True},
                    heater_bed={"temperature": 10**400},
                    motion_report={"live_position": ["x"], "live_velocity": {}},
                    print_stats={"state": "dancing", "info": 5},
                )
                await server.change(fan={"speed": 0.5})
                await until(lambda: heard.last()["fan"] == 0.5)
                assert source.counts == {"garbled": 5, "unknown": 1}
                assert heard.last()["hotend_c"] == 24.5
                assert heard.kinds() == []

    asyncio.run(run())


@pytest.mark.parametrize(
    ("action", "state", "after"),
    [
        (Action.PAUSE, "printing", "paused"),
        (Action.RESUME, "paused", "printing"),
        (Action.CANCEL, "printing", "cancelled"),
        (Action.CANCEL, "paused", "cancelled"),
    ],
)
def test_a_command_is_confirmed_by_the_printers_own_state(action: Action, state: str, after: str) -> None:
    async def run() -> str:
        async with served() as server:
            await server.prints("b.gcode", state=state) if state == "printing" else None
            server.objects["print_stats"] |= {"state": state, "filename": "b.gcode"}
            source = source_of(server)
            assert isinstance(source, Commandable)
            async with reading(source) as heard:
                await until(heard.kinds)
                told = await asyncio.wait_for(source.command(action), 5)
                assert server.said[-1] == (f"printer.print.{action}", {})
                return told

    assert asyncio.run(run()) == f"print_stats: {after} b.gcode"


def test_a_command_that_makes_no_sense_is_refused_before_anything_is_sent() -> None:
    async def run() -> None:
        async with served() as server:
            source = source_of(server)
            with pytest.raises(PrinterUnreachable, match="found no connection to Moonraker"):
                await source.command(Action.PAUSE)
            async with reading(source) as heard:
                await until(lambda: heard.values("bed_c"))
                for action in Action:
                    with pytest.raises(CommandFailed, match="found the printer standby, expected it to be"):
                        await source.command(action)
                await server.shuts_down(SHUTDOWN)
                await until(heard.kinds)
                with pytest.raises(CommandFailed, match=r"state 'shutdown' .*Timer too close"):
                    await source.command(Action.CANCEL)
            assert not any(method.startswith("printer.print") for method in server.methods())

    asyncio.run(run())


def test_a_refusal_is_told_in_the_printers_words() -> None:
    async def run() -> None:
        async with served() as server:
            source = source_of(server)
            server.refusal = "Must home axis first"
            async with reading(source) as heard:
                await server.prints("b.gcode")
                await until(heard.kinds)
                with pytest.raises(CommandFailed, match="found the refusal 'Must home axis first'"):
                    await asyncio.wait_for(source.command(Action.PAUSE), 5)

    asyncio.run(run())


def test_a_command_that_is_never_confirmed_waits_until_it_is_cancelled() -> None:
    async def run() -> None:
        async with served() as server:
            source, server.obeys = source_of(server), False
            async with reading(source) as heard:
                await server.prints("b.gcode")
                await until(heard.kinds)
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(source.command(Action.PAUSE), 0.2)
                server.obeys = True
                assert "paused" in await asyncio.wait_for(source.command(Action.PAUSE), 5)

    asyncio.run(run())


def test_a_command_whose_printer_goes_away_says_so() -> None:
    async def run() -> None:
        async with served() as server:
            source, server.obeys = source_of(server), False
            async with reading(source) as heard:
                await server.prints("b.gcode")
                await until(heard.kinds)
                asked = asyncio.create_task(source.command(Action.PAUSE))
                await until(lambda: "printer.print.pause" in server.methods())
                await server.stop()
                with pytest.raises(PrinterUnreachable, match="expected Moonraker"):
                    await asyncio.wait_for(asked, 5)

    asyncio.run(run())
