"""What an OctoPrint, or what stands in its place, may do that the real one does not do on demand."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from ingest.errors import PrinterUnreachable, SourceError
from ingest.records import EventKind
from ingest.sources import TelemetryItem
from ingest.telemetry import open_telemetry
from ingest.telemetry.octoprint import server as octoprint_link

KEY = "k3y"
LIMIT_S = 10.0
HISTORY = {"history": {"state": {"text": "Operational", "flags": {"operational": True}}}}
STARTED = {"event": {"type": "PrintStarted", "payload": {"name": "cube.gcode"}}}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FakeOctoPrint:
    """As much of OctoPrint's protocol as a session takes. ``pushes`` follow the first login on the socket,
    ``later`` the next ones."""

    def __init__(self, *pushes: dict[str, Any], later: tuple[dict[str, Any], ...] = ()) -> None:
        self.pushes, self.later = pushes, later
        self.sessions: list[str] = []  # as the socket was told them
        self.logins = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/sockjs/websocket":
            return await self._push(request)
        if request.path != "/api/login":
            return web.json_response({"error": "not allowed"}, status=403)
        assert request.headers["X-Api-Key"] == KEY
        self.logins += 1
        return web.json_response({"name": "farm", "session": f"s{self.logins}"})

    async def _push(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            said = json.loads(message.data)
            if "auth" in said:
                self.sessions.append(said["auth"])
                for push in self.pushes if len(self.sessions) == 1 else self.later:
                    await socket.send_json(push)
        return socket


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[str]:
    """The URL of a server that answers every request in this way."""
    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def first(url: str, options: str = "") -> list[TelemetryItem]:
    """The first item of the source."""
    source = open_telemetry(f"octoprint:{url}#key={KEY}{options}", "p")
    async with asyncio.timeout(LIMIT_S), aclosing(source.items()) as items:
        return [await anext(items)]


def refusal(handler: Handler) -> str:
    """Why the source gave up on such a server."""

    async def ask() -> str:
        async with served(handler) as url:
            with pytest.raises(PrinterUnreachable) as refused:
                await first(url)
            return str(refused.value)

    text = asyncio.run(ask())
    assert KEY not in text
    return text


def test_an_address_without_a_key_is_a_mistake() -> None:
    with pytest.raises(SourceError, match=r"found no key.*Application Keys"):
        open_telemetry("octoprint:http://127.0.0.1:5000", "p")


def test_a_session_that_ran_out_is_renewed_and_reading_goes_on() -> None:
    fake = FakeOctoPrint(HISTORY, {"reauthRequired": {"reason": "stale"}}, later=(STARTED,))

    async def read() -> list[TelemetryItem]:
        async with served(fake.answer) as url:
            return await first(url)

    (told,) = asyncio.run(read())
    assert fake.sessions == ["farm:s1", "farm:s2"]
    assert told.kind is EventKind.JOB_STARTED


def test_a_server_that_is_no_octoprint_is_called_so() -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(text="<html>It works!</html>", content_type="text/html")

    assert "not OctoPrint's (HTTP status 200)" in refusal(answer)


def test_nobody_there_says_what_to_check() -> None:
    async def ask() -> None:
        async with served(FakeOctoPrint().answer) as url:
            pass
        await first(url)

    with pytest.raises(PrinterUnreachable, match=r"found nobody at 127\.0\.0\.1"):
        asyncio.run(ask())


def test_a_login_of_a_server_before_octoprint_is_asked_for_and_used() -> None:
    fake = FakeOctoPrint(HISTORY, STARTED)
    wanted = f"Basic {b64encode(b'me:secret').decode()}"

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.headers.get("Authorization") != wanted:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="proxy"'})
        return await fake.answer(request)

    async def read() -> list[TelemetryItem]:
        async with served(answer) as url:
            return await first(url, "&user=me&password=secret")

    assert "give user=NAME&password=" in refusal(answer)
    assert asyncio.run(read())


def test_the_key_follows_no_redirect() -> None:
    seen: list[str] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request.path)
        raise web.HTTPTemporaryRedirect("/elsewhere")

    assert "HTTP status 307" in refusal(answer)
    assert seen == ["/api/login"]


def test_the_session_follows_no_redirect_to_another_machine() -> None:
    fake, other = FakeOctoPrint(HISTORY, STARTED), FakeOctoPrint(HISTORY, STARTED)

    async def ask() -> str:
        async with served(other.answer) as elsewhere:

            async def answer(request: web.Request) -> web.StreamResponse:
                if request.path.startswith("/sockjs"):
                    raise web.HTTPTemporaryRedirect(f"{elsewhere}/sockjs/websocket")
                return await fake.answer(request)

            async with served(answer) as url:
                with pytest.raises(PrinterUnreachable, match=f"found a redirect to {elsewhere}") as refused:
                    await first(url)
        return str(refused.value)

    assert KEY not in asyncio.run(ask())
    assert other.sessions == []


def test_a_key_that_may_not_see_the_state_is_told_which_permission_it_lacks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(octoprint_link, "FIRST_STATE_S", 0.2)
    assert 'permission "Status"' in refusal(FakeOctoPrint().answer)


def test_a_proxy_that_passes_no_websockets_on_is_called_so() -> None:
    fake = FakeOctoPrint()

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path.startswith("/sockjs"):
            return web.Response(status=400, text='Can "Upgrade" only to "WebSocket".')
        return await fake.answer(request)

    assert "pass websockets on" in refusal(answer)


def test_an_answer_without_an_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(octoprint_link, "READY_S", 0.3)

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.01)

    assert "no answer in time" in refusal(answer)


def test_messages_that_are_not_as_documented_are_counted_and_reading_goes_on() -> None:
    fake = FakeOctoPrint({"history": 3}, HISTORY, {"current": []}, STARTED)

    async def read() -> tuple[list[TelemetryItem], int]:
        async with served(fake.answer) as url:
            source = open_telemetry(f"octoprint:{url}#key={KEY}", "p")
            async with asyncio.timeout(LIMIT_S), aclosing(source.items()) as items:
                return [await anext(items)], source.counts["unreadable"]

    told, unreadable = asyncio.run(read())
    assert told[0].text == "cube.gcode"
    assert unreadable == 2
