"""``python -m bench.receivers``: an HTTP and an SMTP server that note when each alert came to them.

Its first line on standard output is JSON with the ports; GET /seen gives [[channel, id, ns UTC], …]. It is a
process of its own, so that it takes no time from what is measured.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time

from aiohttp import web

ID = re.compile(rb"Id: (bench-\d+)|\d+ printers: ([a-z]+)")
"""An anomaly's id, or the kind that a group is told of."""


END_OF_MAIL = b"\r\n.\r\n"


class Seen:
    """What came, and when its request began."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str, int]] = []

    def note(self, channel: str, body: bytes, at_ns: int) -> None:
        found = ID.search(body)
        if found:
            self.rows.append((channel, (found[1] or found[2]).decode(), at_ns))

    async def post(self, request: web.Request) -> web.Response:
        at_ns = time.time_ns()
        self.note(request.path.strip("/"), await request.read(), at_ns)
        return web.Response()

    async def seen(self, _: web.Request) -> web.Response:
        return web.json_response(self.rows)


class Mailbox(asyncio.Protocol):
    """As much of an SMTP server as a sender needs: a full one in Python takes longer for a mail than it."""

    def __init__(self, seen: Seen) -> None:
        self._seen, self._got, self._in_mail = seen, b"", False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 bench\r\n")

    def data_received(self, data: bytes) -> None:
        self._got += data
        end = END_OF_MAIL if self._in_mail else b"\r\n"
        if not self._got.endswith(end):
            return
        got, self._got = self._got, b""
        if self._in_mail:
            self._seen.note("mail", got, time.time_ns())
        self._in_mail = not self._in_mail and got.upper().startswith(b"DATA")
        self._transport.write(b"354 go on\r\n" if self._in_mail else b"250 OK\r\n")


async def main() -> None:
    """Serve until standard input ends."""
    seen, loop = Seen(), asyncio.get_running_loop()
    app = web.Application(client_max_size=50_000_000)
    app.router.add_get("/seen", seen.seen)
    app.router.add_post("/{channel:.*}", seen.post)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    smtp = await loop.create_server(lambda: Mailbox(seen), "127.0.0.1", 0)
    ports = {"http": runner.addresses[0][1], "smtp": smtp.sockets[0].getsockname()[1]}
    sys.stdout.write(f"{json.dumps(ports)}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
