"""A Prusa printer, read through PrusaLink.

Written from PrusaLink's OpenAPI description (``spec/openapi.yaml`` of Prusa-Link-Web, 1.0.0-draft): paths
``/api/version``, ``/api/v1/info``, ``/api/v1/status``, ``/api/v1/job`` and ``/api/v1/job/{id}``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import ClassVar

from ingest.clock import AnchoredClock
from ingest.errors import CommandFailed, PrinterUnreachable
from ingest.http import HTTP_OPTIONS, base_url, open_session
from ingest.records import Action, Event, EventKind, Reading
from ingest.sources import Address, BaseSource, TelemetryItem, option_number
from ingest.telemetry.prusalink.client import NO_CONTENT, OK, Client, Garbled, NoAnswer
from ingest.telemetry.prusalink.state import Answer, PrintState, Told, part, readings
from ingest.telemetry.values import words

DEFAULT_POLL_S = 2.0
SHORTEST_POLL_S, LONGEST_POLL_S = 0.02, 60.0
DEFAULT_SILENCE_S = 10.0
SHORTEST_SILENCE_S, LONGEST_SILENCE_S = 0.1, 300.0

COMMANDS = {
    Action.PAUSE: ("PUT", "/api/v1/job/{}/pause"),
    Action.RESUME: ("PUT", "/api/v1/job/{}/resume"),
    Action.CANCEL: ("DELETE", "/api/v1/job/{}"),
}


class PrusaLink(BaseSource):
    """``prusalink:http://HOST#key=…`` (or ``user`` and ``password``): one question every ``poll`` seconds.

    What a printer tells counts from its arrival. One that is busy (429, 5xx) or misses a question is asked
    again until ``silence`` has passed. Its print is followed over losses of the connection, so nothing is
    told twice. ``facts``: service, firmware, name, host. ``counts``: ``unanswered`` questions, ``garbled``
    answers, ``unknown`` states.
    """

    tells_jobs: ClassVar[bool] = True
    options: ClassVar[Mapping[str, str]] = {
        "key": "API key of PrusaLink",
        "poll": "s from one question to the next, 2 by default",
        "silence": "s without an answer after which the printer counts as lost, 10 by default",
        **HTTP_OPTIONS,
    }

    def __init__(self, address: Address, printer: str) -> None:
        super().__init__(address, printer)
        base_url(address)  # a URL without sense is told where the farm file is read
        self._poll_s = option_number(
            address, "poll", DEFAULT_POLL_S, low=SHORTEST_POLL_S, high=LONGEST_POLL_S
        )
        self._silence_s = option_number(
            address, "silence", DEFAULT_SILENCE_S, low=SHORTEST_SILENCE_S, high=LONGEST_SILENCE_S
        )
        self._print = PrintState()
        self._clock = AnchoredClock()
        self._client: Client | None = None  # while ``items`` is being read
        self._polled = asyncio.Event()  # pulsed after every answer, and when there are to be no more
        self._heard_s = self._due_s = 0.0  # when the last answer came, when to ask next; s of the loop

    @property
    def counts(self) -> Mapping[str, int]:
        """What was left out so far, by reason."""
        return {**self._counts, "unknown": self._print.unknown} if self._print.unknown else self._counts

    async def items(self) -> AsyncIterator[TelemetryItem]:
        """As ``Telemetry.items``. Raises PrinterUnreachable also where the login or the key is wrong."""
        self._clock = AnchoredClock()
        async with open_session(self._address, read_s=self._silence_s) as session:
            client = Client(session, self._address, self._silence_s)
            for item in await self._introduced(client):
                yield item
            self._client = client
            try:
                while True:
                    for item in await self._next(client):
                        yield item
                    self._pulse()
            finally:
                self._client = None
                self._pulse()

    async def command(self, action: Action) -> str:
        """As ``Commandable.command``: confirmed by the state that the printer tells after it."""
        client = self._client
        if client is None:
            raise PrinterUnreachable(
                f"{self._address}: found no connection, expected PrusaLink: check that the printer is on"
            )
        refusal = self._print.refusal(action)
        if refusal is not None:
            raise CommandFailed(f"{self._address}: {action}: {refusal}: nothing was sent")
        await self._tell(client, action)
        while (confirmation := self._print.confirmation(action)) is None:
            if self._client is not client:
                raise PrinterUnreachable(
                    f"{self._address}: found it lost after {action}, expected its answer"
                )
            await self._polled.wait()
        return confirmation

    async def _tell(self, client: Client, action: Action) -> None:
        method, path = COMMANDS[action]
        try:
            status, body = await client.request(method, path.format(self._print.job))
        except NoAnswer as error:
            raise CommandFailed(f"{self._address}: {action}: {error}") from error
        if status not in (OK, NO_CONTENT):
            said = words(body.decode("utf-8", "replace"))
            raise CommandFailed(f"{self._address}: {action}: found HTTP {status} ({said}), expected 204")

    async def _introduced(self, client: Client) -> list[TelemetryItem]:
        """What the printer is; raises PrinterUnreachable where nothing answers at all."""
        try:
            version, info = await client.get("/api/version"), await client.get("/api/v1/info")
        except NoAnswer as error:
            raise client.unreachable(str(error)) from error
        self._heard_s = asyncio.get_running_loop().time()
        firmware = words(version.get("firmware")) or words(version.get("printer"))
        facts = {
            "service": words(version.get("text")),
            "firmware": firmware,
            "name": words(info.get("name")),
            "host": words(info.get("hostname")) or words(version.get("hostname")),
        }
        known, self.facts = self.facts, {name: fact for name, fact in facts.items() if fact}
        told = f"{facts['service']} {firmware}".strip()
        return [] if known == self.facts else self._events([(EventKind.FIRMWARE, told)], self._clock.now_ns())

    async def _next(self, client: Client) -> list[TelemetryItem]:
        """What the printer says when it is asked at the next turn; nothing where it does not answer."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._due_s - loop.time()))
        self._due_s = loop.time() + self._poll_s
        try:
            told = await self._asked(client)
        except NoAnswer as error:
            self._counts["garbled" if isinstance(error, Garbled) else "unanswered"] += 1
            self._due_s = max(self._due_s, loop.time() + min(error.wait_s, self._silence_s))
            if loop.time() - self._heard_s >= self._silence_s:
                raise client.unreachable(str(error)) from error
            return []
        self._heard_s = loop.time()
        return told

    async def _asked(self, client: Client) -> list[TelemetryItem]:
        """Readings and events of one status, with the name of a print that begins."""
        status = await client.get("/api/v1/status")
        at_ns = self._clock.now_ns()
        name = _file_of(await client.get("/api/v1/job")) if self._print.begins(status) else ""
        told = [
            Reading(printer=self._printer, at_ns=at_ns, channel=channel, value=value)
            for channel, value in readings(status)
        ]
        return [*told, *self._events(self._print.take(status, name), at_ns)]

    def _events(self, told: Iterable[Told], at_ns: int) -> list[TelemetryItem]:
        return [Event(printer=self._printer, at_ns=at_ns, kind=kind, text=text) for kind, text in told]

    def _pulse(self) -> None:
        """Let a command that waits look again."""
        self._polled.set()
        self._polled.clear()


def _file_of(job: Answer) -> str:
    file = part(job, "file")
    return words(file.get("display_name")) or words(file.get("name"))
