"""JSON-RPC 2.0 over Moonraker's websocket: questions, answers and notifications.

Written from "Introduction" (JSON-RPC API Overview, Primary websocket) and "JSON-RPC notifications" of
Moonraker's documentation. One task reads; any task may send.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import aiohttp
import msgspec
from aiohttp import ClientWSTimeout, WSMsgType

from ingest.errors import PrinterUnreachable
from ingest.http import why

FORBIDDEN = (401, 403)
CLOSE_S = 1.0
"""How long a connection may take to end, in s; a server that is gone does not answer."""
HEARTBEAT_SHARE = 2 / 3
"""Of the time without a word: then a ping is sent, whose answer may take half as long again."""
MOST_WAITING = 1000
"""Notifications that may wait while a question is open: four minutes of status updates."""

Socket = aiohttp.ClientWebSocketResponse[Any]
CHECK_KEY = (
    "expected the right key: set key= to Moonraker's API key (curl http://HOST:7125/access/api_key there)"
)


class Message(msgspec.Struct, frozen=True):
    """Anything that Moonraker sends: a notification has a method, an answer an id."""

    method: str | None = None
    params: list[Any] = []
    id: Any = None
    result: Any = None
    error: dict[str, Any] | None = None

    @property
    def refusal(self) -> str | None:
        """Why the request was refused, in the printer's own words; None where it was not."""
        return None if self.error is None else str(self.error.get("message") or "no reason given")


class Refused(PrinterUnreachable):
    """Moonraker answers a question that every session asks with an error."""


_decoder = msgspec.json.Decoder(Message)
_encoder = msgspec.json.Encoder()


class Rpc:
    """One connection. ``where`` names the printer in errors; ``changed`` is pulsed with every answer."""

    def __init__(self, socket: Socket, where: str, silence_s: float, counts: Counter[str]) -> None:
        self.changed = asyncio.Event()
        self.lost = ""  # why the connection is of no use any more
        self._socket, self._where = socket, where
        self._silence_s, self._counts = silence_s, counts
        self._ids = count(1)
        self._open: dict[int, asyncio.Future[Message]] = {}
        self._told: deque[Message] = deque()

    async def send(self, method: str, params: Mapping[str, object] | None = None) -> asyncio.Future[Message]:
        """Ask without waiting; the answer, an error included, comes while somebody reads."""
        number = next(self._ids)
        request = {"jsonrpc": "2.0", "method": method, "params": params or {}, "id": number}
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(lambda _: self._open.pop(number, None))
        self._open[number] = answer
        try:
            await self._socket.send_str(_encoder.encode(request).decode())
        except (aiohttp.ClientError, OSError) as error:
            answer.cancel()
            raise self._unreachable(f"{type(error).__name__} while asking {method}") from error
        return answer

    async def ask(self, method: str, params: Mapping[str, object] | None = None) -> dict[str, Any]:
        """The answer to a question of the task that reads. Raises Refused and PrinterUnreachable."""
        answer = await self.send(method, params)
        try:
            async with asyncio.timeout(self._silence_s):
                while not answer.done():
                    await self._receive()
        except TimeoutError as error:
            raise self._unreachable(f"no answer to {method} for {self._silence_s:g} s") from error
        finally:
            answer.cancel()
        message = answer.result()
        if message.refusal is not None:
            raise _refused(self._where, method, message)
        return message.result if isinstance(message.result, dict) else {}

    async def notification(self, limit_s: float) -> Message | None:
        """The next notification; None where none comes within the limit. Raises PrinterUnreachable."""
        try:
            async with asyncio.timeout(limit_s):
                while not self._told:
                    await self._receive()
        except TimeoutError:
            return None
        return self._told.popleft()

    def silent(self) -> PrinterUnreachable:
        """The error for a connection that lives while nothing comes of the printer."""
        return self._unreachable(f"no status update for {self._silence_s:g} s though Klipper is ready")

    def end(self) -> None:
        """Nobody reads any more: whoever waits for an answer is to know."""
        self.lost = self.lost or f"{self._where}: found the connection ended, expected it to be read"
        self.pulse()

    def pulse(self) -> None:
        """Let everyone who waits look again."""
        self.changed.set()
        self.changed.clear()

    async def _receive(self) -> None:
        received = await self._socket.receive()
        if received.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            self._take(received.data)
        elif isinstance(received.data, TimeoutError) or isinstance(self._socket.exception(), TimeoutError):
            raise self._unreachable(f"no answer to a ping for {self._silence_s:g} s")
        else:
            raise self._unreachable(f"the connection closed (code {self._socket.close_code})")

    def _take(self, data: bytes) -> None:
        try:
            message = _decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._counts["garbled"] += 1
            return
        if message.method is None:
            self._answered(message)
        elif len(self._told) < MOST_WAITING:
            self._told.append(message)
        else:
            self._counts["dropped"] += 1

    def _answered(self, message: Message) -> None:
        answer = self._open.get(message.id) if isinstance(message.id, int) else None
        if answer is not None and not answer.done():
            answer.set_result(message)
        self.pulse()

    def _unreachable(self, found: str) -> PrinterUnreachable:
        self.lost = (
            f"{self._where}: found {found}, expected Moonraker: check that it runs and is on the network"
        )
        self.pulse()
        return PrinterUnreachable(self.lost)


@asynccontextmanager
async def connected(
    session: aiohttp.ClientSession, url: str, where: str, silence_s: float, counts: Counter[str]
) -> AsyncIterator[Rpc]:
    """An open connection, closed at the end. Raises PrinterUnreachable where none comes about in time.

    A ping goes out wherever nothing came for a while, so that a connection that died is noticed within
    ``silence_s``.
    """
    socket = await _connect(session, url, where, silence_s)
    rpc = Rpc(socket, where, silence_s, counts)
    try:
        yield rpc
    finally:
        rpc.end()
        await socket.close()


async def _connect(session: aiohttp.ClientSession, url: str, where: str, silence_s: float) -> Socket:
    try:
        async with asyncio.timeout(silence_s):
            return await session.ws_connect(
                url,
                heartbeat=silence_s * HEARTBEAT_SHARE,
                timeout=ClientWSTimeout(ws_close=CLOSE_S),
                decode_text=False,
            )
    except aiohttp.WSServerHandshakeError as error:
        if error.status in FORBIDDEN:
            raise PrinterUnreachable(f"{where}: found HTTP {error.status}, {CHECK_KEY}") from error
        found = f"found HTTP {error.status}, expected Moonraker's websocket"
        raise PrinterUnreachable(f"{where}: {found}: check the host and the port (7125)") from error
    except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
        raise PrinterUnreachable(f"{where}: {why(error)}") from error


def _refused(where: str, method: str, message: Message) -> Refused:
    code = (message.error or {}).get("code")
    if code in FORBIDDEN:
        return Refused(f"{where}: found {message.refusal!r} ({code}), {CHECK_KEY}")
    return Refused(f"{where}: found {message.refusal!r} ({code}), expected an answer to {method}")
