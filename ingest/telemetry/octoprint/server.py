"""One OctoPrint server: the login, the push socket and the commands, as I/O alone.

https://docs.octoprint.org/en/master/api/general.html. The push socket is SockJS's raw websocket: each text
message is one JSON object. It knows no API keys, so a passive login turns the key into a session for it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import msgspec
from aiohttp import ClientWebSocketResponse, ClientWSTimeout, WSMsgType

from ingest.errors import CommandFailed, PrinterUnreachable
from ingest.http import OK, UNAUTHORIZED, base_url, open_session, told_as
from ingest.records import Action
from ingest.sources import Address
from ingest.telemetry.octoprint.wire import (
    LONGEST_PUSH,
    SUBSCRIPTION,
    Connection,
    Push,
    Refusal,
    Session,
    SystemInfo,
    read,
)

HEARTBEAT_S = 20.0
"""After so long without a message the server is pinged; it is gone where half that time brings no answer."""
READY_S = 40.0
"""How long login, facts and the first state may take together."""
FIRST_STATE_S = 10.0
"""How long OctoPrint may take to send the state to a session that it knows; it sends it at once."""
CLOSE_S = 1.0
"""How long a server may take to say goodbye."""
LONGEST_ANSWER = 256 * 1024
"""Bytes of an answer to a question that are read."""

NO_CONTENT = 204
REFUSED = frozenset({400, 403})
"""Answers to a login whose key OctoPrint does not know: 403 before version 1.8.3, 400 (as a POST without any
login) since then."""

_ORDERS: Mapping[Action, dict[str, str]] = {
    Action.PAUSE: {"command": "pause", "action": "pause"},
    Action.RESUME: {"command": "pause", "action": "resume"},
    Action.CANCEL: {"command": "cancel"},
}


@asynccontextmanager
async def connected(address: Address, facts: dict[str, str], counts: Counter[str]) -> AsyncIterator[Server]:
    """A server that knows us and is about to push. Raises PrinterUnreachable saying what to do.

    What it says of the printer goes into ``facts``; ``counts["unreadable"]`` counts messages that are not as
    the documentation says.
    """
    async with open_session(address, leaves_home=False) as session:
        server = Server(address, session, facts, counts)
        try:
            await server.open()
            yield server
        finally:
            await server.close()


class Server:
    """A session with one OctoPrint, opened and closed by ``connected``."""

    def __init__(
        self, address: Address, session: aiohttp.ClientSession, facts: dict[str, str], counts: Counter[str]
    ) -> None:
        self._facts, self._counts = facts, counts
        self._address = address
        self._url = base_url(address)
        self._key = {"X-Api-Key": address.options["key"]}
        self._session = session
        self._socket: ClientWebSocketResponse | None = None
        self._first: Push | None = None  # the state that came with the connection

    async def open(self) -> None:
        """Log in, learn the facts, subscribe and wait for the first state."""
        with told_as(PrinterUnreachable, self._address):
            async with asyncio.timeout(READY_S):
                session = await self._login()
                await self._learn()
                self._socket = await self._push_socket()
                await self._introduce(session)
                await self._socket.send_str(_json({"subscribe": SUBSCRIPTION}))
                self._first = await self._first_state()

    async def close(self) -> None:
        if self._socket is not None:
            await self._socket.close()

    async def next_push(self) -> Push:
        """The next message. Raises PrinterUnreachable when the connection is lost."""
        first, self._first = self._first, None
        if first is not None:
            return first
        with told_as(PrinterUnreachable, self._address):
            push = await self._receive()
            if push.reauth_required is not None:  # the session ran out, or the user was changed
                await self._introduce(await self._login())
            return push

    async def order(self, action: Action) -> None:
        """Ask for an action. Raises CommandFailed with OctoPrint's words, PrinterUnreachable."""
        with told_as(PrinterUnreachable, self._address):
            status, body = await self._ask("POST", "job", _ORDERS[action])
        if status != NO_CONTENT:
            raise CommandFailed(f"{self._address}: found that OctoPrint refused: {_words(status, body)}")

    # Parts

    async def _login(self) -> str:
        """Turn the key into a session for the socket: "user:session"."""
        status, body = await self._ask("POST", "login", {"passive": True})
        user = read(body, Session)
        if status == OK and user is not None and user.name and user.session:
            return f"{user.name}:{user.session}"
        raise PrinterUnreachable(f"{self._address}: {_why_no_login(status, body)}")

    async def _learn(self) -> None:
        """What OctoPrint tells of the printer, as far as the key may ask for it."""
        _, body = await self._ask("GET", "connection")
        connection = read(body, Connection) or Connection()
        _, body = await self._ask("GET", "system/info")  # for administrators alone
        info = read(body, SystemInfo) or SystemInfo()
        known = {
            "port": connection.current.port,
            "printer profile": connection.profile,
            "firmware": info.systeminfo.get("printer.firmware"),
        }
        self._facts.update({name: str(value) for name, value in known.items() if value})

    async def _push_socket(self) -> ClientWebSocketResponse:
        try:
            return await self._session.ws_connect(
                f"{self._url}/sockjs/websocket",
                heartbeat=HEARTBEAT_S,
                max_msg_size=LONGEST_PUSH,
                timeout=ClientWSTimeout(ws_close=CLOSE_S),
            )
        except aiohttp.WSServerHandshakeError as error:
            raise PrinterUnreachable(
                f"{self._address}: found that OctoPrint's push socket is refused ({error.status}), expected "
                "a websocket: let the proxy before OctoPrint pass websockets on (/sockjs)"
            ) from error

    async def _introduce(self, session: str) -> None:
        await self._open_socket.send_str(_json({"auth": session}))

    async def _first_state(self) -> Push:
        """Wait until OctoPrint sends a state: it sends none to a user who may not see it."""
        try:
            async with asyncio.timeout(FIRST_STATE_S):
                while True:
                    push = await self._receive()
                    if push.connected is not None:
                        self._facts["version"] = f"OctoPrint {push.connected.version}"
                    if push.history is not None:
                        return push
        except TimeoutError as error:
            raise PrinterUnreachable(
                f"{self._address}: found that OctoPrint knows the key and yet sends no state, expected one: "
                'give the key\'s user the permission "Status" (Settings > Access Control)'
            ) from error

    async def _receive(self) -> Push:
        while True:
            message = await self._open_socket.receive()
            if message.type is not WSMsgType.TEXT:
                raise PrinterUnreachable(
                    f"{self._address}: found that the connection ended, expected it to stay: is OctoPrint "
                    "restarting, or the network down?"
                )
            push = read(message.data, Push)
            if push is not None:
                return push
            self._counts["unreadable"] += 1

    @property
    def _open_socket(self) -> ClientWebSocketResponse:
        assert self._socket is not None  # noqa: S101 - ``open`` has set it
        return self._socket

    async def _ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """Status and body of an answer. The key goes to this server alone: no redirect is followed."""
        if self._session.closed:
            raise aiohttp.ServerDisconnectedError
        url = f"{self._url}/api/{path}"
        async with self._session.request(
            method, url, json=body, headers=self._key, allow_redirects=False
        ) as response:
            answer = bytearray()
            async for data in response.content.iter_any():
                answer += data
                if len(answer) > LONGEST_ANSWER:
                    break
            return response.status, bytes(answer)


def _json(message: object) -> str:
    return msgspec.json.encode(message).decode()


def _why_no_login(status: int, body: bytes) -> str:
    """What was found instead of a login, what was expected and what to do."""
    if status in REFUSED or (status == OK and read(body, Session) is not None):
        return (
            "found that OctoPrint does not know the key, expected one of its keys after #key=: make one in "
            "OctoPrint under Settings > Application Keys"
        )
    if status == UNAUTHORIZED:
        return (
            "found that a server before OctoPrint asks for a login of its own, expected the right one: give "
            "user=NAME&password=… beside the key"
        )
    found = f"found an answer that is not OctoPrint's ({_words(status, body)})"
    return f"{found}, expected its API: check the address and the port"


def _words(status: int, body: bytes) -> str:
    """OctoPrint's own words for why not, or the status where it has none."""
    refusal = read(body, Refusal)
    return refusal.error if refusal is not None and refusal.error else f"HTTP status {status}"
