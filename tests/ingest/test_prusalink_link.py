"""PrusaLink's connection and its commands: logins, busy printers, silence, refusals."""

from __future__ import annotations

import asyncio

import pytest

from ingest.errors import CommandFailed, PrinterUnreachable
from ingest.records import Action, EventKind
from ingest.sources import Commandable
from tests.fakes.prusalink import USER
from tests.ingest.heard import lost_by, reading, until
from tests.ingest.prusalink_heard import KEY, PASSWORD, served, source_of, watched


@pytest.mark.parametrize("options", [f"&key={KEY}", f"&user={USER}&password={PASSWORD}"])
def test_the_key_or_the_login_lets_in(options: str) -> None:
    async def run() -> None:
        async with served(KEY, PASSWORD) as server, reading(source_of(server, options)) as heard:
            await until(lambda: len(heard.values("bed_c")) > 2)

    asyncio.run(run())


@pytest.mark.parametrize("options", ["", "&key=not-the-one", f"&user={USER}&password=not-the-one"])
def test_a_wrong_key_says_so_and_stands_in_no_message(options: str) -> None:
    async def run() -> str:
        async with served(KEY, PASSWORD) as server:
            return str(await lost_by(source_of(server, options)))

    message = asyncio.run(run())
    assert "found HTTP 401, expected to be let in: set key= to PrusaLink's API key" in message
    assert "not-the-one" not in message


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_printer_is_asked_again(status: int) -> None:
    async def run() -> None:
        async with watched() as (server, source, heard):
            server.status = status
            await until(lambda: source.counts.get("unanswered", 0) > 2)
            heard.forget()
            server.status = 0
            await until(lambda: heard.values("bed_c"))
            assert heard.lost is None

    asyncio.run(run())


def test_a_busy_printer_is_left_alone_for_as_long_as_it_asks() -> None:
    async def run() -> None:
        async with watched() as (server, source, _):
            server.status, server.headers = 429, {"Retry-After": "1"}
            await until(lambda: source.counts.get("unanswered"))
            asked, began_s = len(server.said), asyncio.get_running_loop().time()
            await until(lambda: len(server.said) > asked)
            assert asyncio.get_running_loop().time() - began_s > 0.9

    asyncio.run(run())


@pytest.mark.parametrize("trouble", ["status", "silent"])
def test_a_printer_that_gives_no_answer_is_lost_after_a_while(trouble: str) -> None:
    async def run() -> str:
        async with served() as server, reading(source_of(server, "&silence=1")) as heard:
            await until(lambda: heard.values("bed_c"))
            setattr(server, trouble, 503)
            await until(lambda: heard.lost)
            server.silent = False
            return str(heard.lost)

    found = {
        "status": "found HTTP 503, expected 200: the printer is busy",
        "silent": "found no answer in time",
    }
    assert found[trouble] in asyncio.run(run())


def test_a_server_that_is_no_prusalink_says_so() -> None:
    async def run() -> str:
        async with served() as server:
            server.status = 404
            return str(await lost_by(source_of(server)))

    assert "found HTTP 404 for /api/version, expected PrusaLink's API v1" in asyncio.run(run())


def test_what_cannot_be_understood_is_counted_never_raised() -> None:
    bodies = [b"{", b"[]", b"[" * 5000, b"\xff\xfe", b'{"printer": 5, "job": []}', b"x" * 300_000]

    async def run() -> None:
        async with watched() as (server, source, heard):
            for body in bodies:
                before = sum(source.counts.values())
                server.body = body
                await until(lambda: sum(source.counts.values()) > before)  # noqa: B023
            server.body = b""
            server.printer |= {"state": "DANCING", "temp_nozzle": "hot", "flow": True, "speed": 10**400}
            heard.forget()
            await until(lambda: len(heard.values("bed_c")) > 1)
            assert "hotend_c" not in heard.last()
            assert set(source.counts) == {"garbled", "unanswered", "unknown"}
            assert heard.kinds() == []

    asyncio.run(run())


@pytest.mark.parametrize(
    ("action", "state", "seen", "sent", "after"),
    [
        (Action.PAUSE, "PRINTING", EventKind.JOB_STARTED, "PUT /api/v1/job/420/pause", "PAUSED"),
        (Action.RESUME, "PAUSED", EventKind.PAUSED, "PUT /api/v1/job/420/resume", "PRINTING"),
        (Action.CANCEL, "PAUSED", EventKind.PAUSED, "DELETE /api/v1/job/420", "STOPPED"),
    ],
)
def test_a_command_is_confirmed_by_the_state_that_follows(
    action: Action, state: str, seen: EventKind, sent: str, after: str
) -> None:
    async def run() -> str:
        async with watched() as (server, source, heard):
            assert isinstance(source, Commandable)
            server.prints("b.gcode")
            server.printer["state"] = state
            await until(lambda: heard.kinds()[-1:] == [seen])
            told = await asyncio.wait_for(source.command(action), 5)
            assert sent in server.said
            return told

    assert asyncio.run(run()) == f"state: {after} b.gcode"


def test_a_printer_is_asked_one_thing_at_a_time() -> None:
    async def run() -> None:
        async with watched() as (server, source, heard):
            server.prints("b.gcode")
            await until(heard.kinds)
            server.slow_s = 0.05
            await until(lambda: server.at_once)
            await asyncio.wait_for(source.command(Action.PAUSE), 5)
            assert server.most_at_once == 1

    asyncio.run(run())


def test_a_command_that_makes_no_sense_is_refused_before_anything_is_sent() -> None:
    async def run() -> None:
        async with watched() as (server, source, _):
            for action in Action:
                with pytest.raises(CommandFailed, match="found the printer IDLE, expected it to be"):
                    await source.command(action)
            assert all(asked.startswith("GET") for asked in server.said)
        with pytest.raises(PrinterUnreachable, match="found no connection"):
            await source.command(Action.PAUSE)

    asyncio.run(run())


def test_a_refusal_is_told_in_the_printers_words() -> None:
    async def run() -> None:
        async with served() as server:
            source = source_of(server, "&poll=5")
            server.prints("b.gcode")
            async with reading(source) as heard:
                await until(heard.kinds)
                server.printer["state"] = "BUSY"  # since the last poll
                with pytest.raises(CommandFailed, match=r"found HTTP 409 \(409: Conflict\), expected 204"):
                    await source.command(Action.PAUSE)
                server.status = 503
                with pytest.raises(CommandFailed, match="found HTTP 503, expected 200: the printer is busy"):
                    await source.command(Action.PAUSE)

    asyncio.run(run())


def test_a_command_that_is_never_confirmed_waits_until_it_is_cancelled() -> None:
    async def run() -> None:
        async with watched() as (server, source, heard):
            server.obeys = False
            server.prints("b.gcode")
            await until(heard.kinds)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(source.command(Action.PAUSE), 0.2)
            server.obeys = True
            assert "PAUSED" in await asyncio.wait_for(source.command(Action.PAUSE), 5)

    asyncio.run(run())


def test_a_command_whose_printer_goes_away_says_so() -> None:
    async def run() -> None:
        async with served() as server:
            source, server.obeys = source_of(server, "&silence=1"), False
            server.prints("b.gcode")
            async with reading(source) as heard:
                await until(heard.kinds)
                asked = asyncio.create_task(source.command(Action.PAUSE))
                await until(lambda: any(said.startswith("PUT") for said in server.said))
                await server.stop()
                with pytest.raises((PrinterUnreachable, CommandFailed)):
                    await asyncio.wait_for(asked, 5)

    asyncio.run(run())
