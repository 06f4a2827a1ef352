"""A printer behind OctoPrint, as OctoPrint tells it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import ClassVar

from ingest.clock import AnchoredClock
from ingest.errors import CommandFailed, PrinterUnreachable, SourceError
from ingest.http import HTTP_OPTIONS, base_url
from ingest.offsets import OffsetEstimator
from ingest.records import NS_PER_S, Action, Event, EventKind
from ingest.sources import Address, BaseSource, TelemetryItem
from ingest.telemetry.octoprint.news import UNDER_WAY, News
from ingest.telemetry.octoprint.server import Server, connected
from ingest.telemetry.octoprint.wire import Push

WANTED = {Action.PAUSE: "PAUSED", Action.RESUME: "PRINTING", Action.CANCEL: "OPERATIONAL"}
"""The state, as OctoPrint names it, that an action leads to."""


class OctoPrint(BaseSource):
    """``octoprint:http://HOST:5000#key=APIKEY``: a printer that OctoPrint drives.

    OctoPrint pushes what it hears and does, twice a second: the terminal's lines where the key may see them
    (its user needs the permission "Terminal"), temperatures of its own otherwise, height, progress, job and
    state. Commands go through OctoPrint too and are confirmed by the state that it reports. ``counts``:
    ``garbled`` lines of the printer, and ``unreadable`` messages of OctoPrint.
    """

    tells_jobs: ClassVar[bool] = True
    options: ClassVar[Mapping[str, str]] = {
        "key": "API key, made in OctoPrint under Settings > Application Keys",
        **HTTP_OPTIONS,
    }

    def __init__(self, address: Address, printer: str) -> None:
        super().__init__(address, printer)
        base_url(address)
        if not address.options.get("key"):
            raise SourceError(f"{address}: found no key, expected #key=…: {self.options['key']}")
        self._news = News(printer, self.facts, self._counts)
        self._server: Server | None = None
        self._told = asyncio.Event()  # wakes who waits for the next message; never left set

    async def items(self) -> AsyncIterator[TelemetryItem]:
        """As ``Telemetry.items``. A server that goes away gives a last event DISCONNECTED, then raises."""
        clock = AnchoredClock()
        self._news.begin()
        try:
            async with connected(self._address, self.facts, self._counts) as self._server:
                times = _Times(clock)
                while True:
                    push = await self._server.next_push()
                    for item in self._news.take(push, times.at_ns(push), with_lines=self.with_lines):
                        yield item
                    self._wake()
        except PrinterUnreachable:
            if self._server is not None:
                lost = "the connection to OctoPrint was lost"
                yield Event(
                    printer=self._printer, at_ns=clock.now_ns(), kind=EventKind.DISCONNECTED, text=lost
                )
            raise
        finally:
            self._server = None
            self._wake()

    async def command(self, action: Action) -> str:
        """As ``Commandable.command``: what is returned is the state that OctoPrint reports ("Paused")."""
        server = self._server
        if server is None:
            raise self._away()
        await server.order(action)
        while self._news.state != WANTED[action]:
            if self._news.state not in UNDER_WAY:
                found = f"found the printer {self._news.words!r} after OctoPrint had taken the order"
                raise CommandFailed(f"{self._address}: {found}, expected {WANTED[action].lower()}")
            await self._told.wait()
            if self._server is not server:
                raise self._away()
        return self._news.words

    def _wake(self) -> None:
        self._told.set()
        self._told.clear()

    def _away(self) -> PrinterUnreachable:
        return PrinterUnreachable(
            f"{self._address}: found no connection to OctoPrint, expected one: check that it runs"
        )


class _Times:
    """When messages were sent, on our axis. OctoPrint stamps the regular ones with a clock of its own."""

    def __init__(self, clock: AnchoredClock) -> None:
        self._clock, self._offsets = clock, OffsetEstimator()
        self._last_ns = 0

    def at_ns(self, push: Push) -> int:
        """The time of a message that has just arrived, ns, not before that of an earlier one."""
        arrival_ns = self._clock.now_ns()
        stamp_s = push.current.server_time if push.current is not None else None
        sent_ns = arrival_ns
        if stamp_s is not None:
            sent_ns = self._offsets.at_ns(round(stamp_s * NS_PER_S), arrival_ns)
        self._last_ns = max(self._last_ns, sent_ns)
        return self._last_ns
