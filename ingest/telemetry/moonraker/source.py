"""A printer that runs Klipper, read through Moonraker.

Written from Moonraker's documentation: "Introduction" (Websocket setup), "Server Administration" (Identify
Connection, Query Server Info), "Printer Administration" (subscriptions, Print Job Management), "JSON-RPC
notifications" and "Authorization and Authentication".
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

from ingest.clock import AnchoredClock
from ingest.errors import CommandFailed, PrinterUnreachable
from ingest.http import HTTP_OPTIONS, base_url, open_session
from ingest.offsets import OffsetEstimator
from ingest.records import COUNTED, NS_PER_S, Action, Event, EventKind, Reading, SerialLine
from ingest.sources import Address, BaseSource, TelemetryItem, option_number
from ingest.telemetry.marlin import Line, parse
from ingest.telemetry.moonraker.objects import Objects
from ingest.telemetry.moonraker.rpc import Message, Refused, Rpc, connected
from ingest.telemetry.moonraker.state import READY, PrintState, Told
from ingest.telemetry.values import number, words

DEFAULT_SILENCE_S = 10.0
SHORTEST_SILENCE_S, LONGEST_SILENCE_S = 0.1, 300.0
LOOK_AGAIN_S = 2.0
"""How often Klipper's state is asked for while it is not ready ("Websocket setup")."""
WHOLE_NS = NS_PER_S
"""Updates name only what has changed; once in this time everything known is told, as serial reports do."""

METHODS = {
    Action.PAUSE: "printer.print.pause",
    Action.RESUME: "printer.print.resume",
    Action.CANCEL: "printer.print.cancel",
}
OURSELVES = {"client_name": "Nozzlewatch", "version": "1", "type": "other", "url": ""}
"""What "Identify Connection" asks for, for people who look at Moonraker's log."""
AWAY = ("disconnected", "startup")
"""States in which Klipper has forgotten who subscribed."""
UPDATE_PARAMS = 2
KLIPPY = {
    "notify_klippy_ready": READY,
    "notify_klippy_shutdown": "shutdown",
    "notify_klippy_disconnected": "disconnected",
}


class Moonraker(BaseSource):
    """``moonraker:http://HOST:7125#key=…``: a printer with Klipper, about four updates a second.

    Klipper's stamps are laid on our axis (``ingest.offsets``); what bears none counts from its arrival. Its
    state and its print are followed over losses of the connection, so nothing is told twice. ``facts``:
    firmware, service, host. ``counts``: ``garbled`` messages, ``unknown`` states, ``dropped`` notifications.
    """

    tells_jobs: ClassVar[bool] = True
    options: ClassVar[Mapping[str, str]] = {
        "key": "Moonraker's API key; not needed where it trusts this machine",
        "silence": "s without a word after which the printer counts as lost, 10 by default",
        **HTTP_OPTIONS,
    }

    def __init__(self, address: Address, printer: str) -> None:
        super().__init__(address, printer)
        self._url = base_url(address) + "/websocket"
        self._silence_s = option_number(
            address, "silence", DEFAULT_SILENCE_S, low=SHORTEST_SILENCE_S, high=LONGEST_SILENCE_S
        )
        self._print = PrintState()
        self._objects: Objects | None = None  # None while there is no subscription
        self._rpc: Rpc | None = None  # while ``items`` is being read
        self._times = _Times()
        self._whole_ns = 0  # when everything known was told last
        self._updated_s = 0.0  # when the last update came, s of the loop

    @property
    def counts(self) -> Mapping[str, int]:
        """What was left out so far, by reason."""
        return {**self._counts, "unknown": self._print.unknown} if self._print.unknown else self._counts

    async def items(self) -> AsyncIterator[TelemetryItem]:
        """As ``Telemetry.items``. Raises PrinterUnreachable also where the key is wrong."""
        self._times, self._objects, self._whole_ns = _Times(), None, 0
        async with (
            open_session(self._address, read_s=self._silence_s, leaves_home=False) as session,
            connected(session, self._url, str(self._address), self._silence_s, self._counts) as rpc,
        ):
            await rpc.ask("server.connection.identify", self._introduction())
            self._rpc = rpc
            try:
                while True:
                    for item in await self._next(rpc):
                        yield item
                    rpc.pulse()
            finally:
                self._rpc = None

    async def command(self, action: Action) -> str:
        """As ``Commandable.command``: confirmed by Klipper's own ``print_stats``."""
        rpc = self._rpc
        if rpc is None:
            raise PrinterUnreachable(
                f"{self._address}: found no connection to Moonraker, expected one: check that it runs"
            )
        refusal = self._print.refusal(action)
        if refusal is not None:
            raise CommandFailed(f"{self._address}: {action}: {refusal}: nothing was sent")
        answer = await rpc.send(METHODS[action])
        try:
            return await self._confirmed(action, rpc, answer)
        finally:
            answer.cancel()

    async def _confirmed(self, action: Action, rpc: Rpc, answer: asyncio.Future[Message]) -> str:
        """A script that parks the tool may still run when Klipper says that the print is paused."""
        while (confirmation := self._print.confirmation(action)) is None:
            refusal = answer.result().refusal if answer.done() else None
            if refusal is not None:
                raise CommandFailed(f"{self._address}: {action}: found the refusal {refusal!r}, expected ok")
            if rpc.lost:
                raise PrinterUnreachable(rpc.lost)
            await rpc.changed.wait()
        return confirmation

    def _introduction(self) -> dict[str, object]:
        key = self._address.options.get("key")
        return {**OURSELVES, "api_key": key} if key else dict(OURSELVES)

    @property
    def _live(self) -> bool:
        return self._print.klippy == READY and self._objects is not None

    async def _next(self, rpc: Rpc) -> list[TelemetryItem]:
        """What comes next: an update, a line, or a look at Klipper's state while it is not ready."""
        if self._live:
            return await self._understood(rpc, await self._update(rpc))
        items = await self._look(rpc)
        if items or self._live:
            return items
        return await self._understood(rpc, await rpc.notification(LOOK_AGAIN_S))

    async def _update(self, rpc: Rpc) -> Message:
        """Raises PrinterUnreachable where Klipper says nothing any more, whatever else Moonraker tells."""
        left_s = self._updated_s + self._silence_s - asyncio.get_running_loop().time()
        message = await rpc.notification(max(left_s, 0.0))
        if message is None:
            raise rpc.silent()
        return message

    async def _look(self, rpc: Rpc) -> list[TelemetryItem]:
        """Ask for Klipper's state, and subscribe once it is ready."""
        service = await rpc.ask("server.info")
        items: list[TelemetryItem] = []
        if service.get("klippy_state") != self._print.klippy:
            items += await self._klippy_is(rpc, service.get("klippy_state"))
        items += self._learned("service", f"Moonraker {words(service.get('moonraker_version'))}")
        if self._print.klippy == READY:
            items += await self._subscribed(rpc)
        return items

    async def _klippy_is(self, rpc: Rpc, state: object) -> list[TelemetryItem]:
        """Klipper has, or may have, changed its state: it says itself why."""
        if state in AWAY:
            self._objects = None
        info = await _unless_refused(rpc, "printer.info")
        reason = info.get("state_message") if info.get("state") == state else ""  # it may have gone on since
        items = self._events(self._print.klippy_is(state, reason))
        if version := words(info.get("software_version")):
            items += self._learned("firmware", f"Klipper {version}")
            self.facts["host"] = words(info.get("hostname")) or "unnamed"
        return items

    def _learned(self, fact: str, text: str) -> list[TelemetryItem]:
        """A fact that is new goes out as an event."""
        if self.facts.get(fact) == text:
            return []
        self.facts[fact] = text
        return self._events([(EventKind.FIRMWARE, text)])

    async def _subscribed(self, rpc: Rpc) -> list[TelemetryItem]:
        """Everything there is to know; nothing where Klipper has gone again in the meantime."""
        listed = (await _unless_refused(rpc, "printer.objects.list")).get("objects")
        names = listed if isinstance(listed, list) else []
        objects = Objects(name for name in names if isinstance(name, str))
        answer = await _unless_refused(rpc, "printer.objects.subscribe", {"objects": objects.wanted})
        if not answer:
            return []
        self._objects = objects
        return self._updated([answer.get("status"), answer.get("eventtime")])

    async def _understood(self, rpc: Rpc, message: Message | None) -> list[TelemetryItem]:
        match message:
            case Message(method="notify_status_update", params=params):
                return self._updated(params)
            case Message(method="notify_gcode_response", params=[str(text), *_]):
                return list(self._said(text))
            case Message(method=str(method)) if method in KLIPPY:
                return await self._klippy_is(rpc, KLIPPY[method])
        return []  # of files, of the machine, of updates: nothing of the print

    def _updated(self, params: Sequence[object]) -> list[TelemetryItem]:
        """An update of what was subscribed to: ``[status, eventtime]``."""
        if self._objects is None or len(params) < UPDATE_PARAMS:
            return []
        self._updated_s = asyncio.get_running_loop().time()
        status, at_ns = self._objects.asked_for(params[0]), self._times.stamped_ns(params[1])
        values = self._objects.take(status)
        if self._live and at_ns - self._whole_ns >= WHOLE_NS:
            self._whole_ns = at_ns
            values = [*(told for told in values if told[0] in COUNTED), *self._objects.all()]
        readings = [
            Reading(printer=self._printer, at_ns=at_ns, channel=channel, value=value)
            for channel, value in values
        ]
        return [*readings, *self._events(self._print.take(status), at_ns)]

    def _said(self, text: str) -> Iterator[TelemetryItem]:
        """Klipper's words on its terminal. That it halts or is ready again is told by its state."""
        at_ns = self._times.now_ns()
        for line in text.splitlines():
            if self.with_lines:
                yield SerialLine(printer=self._printer, at_ns=at_ns, text=line)
            parsed = parse(line)
            if parsed.event is not None and parsed.line in (Line.ERROR, Line.ACTION):
                kind, reason = parsed.event
                kind = EventKind.ERROR if kind is EventKind.HALTED else kind
                yield Event(printer=self._printer, at_ns=at_ns, kind=kind, text=reason)

    def _events(self, told: Iterable[Told], at_ns: int | None = None) -> list[TelemetryItem]:
        at_ns = self._times.now_ns() if at_ns is None else at_ns
        return [Event(printer=self._printer, at_ns=at_ns, kind=kind, text=text) for kind, text in told]


async def _unless_refused(
    rpc: Rpc, method: str, params: Mapping[str, object] | None = None
) -> dict[str, object]:
    """An answer that Klipper gives, empty where it is not there to give one."""
    try:
        return await rpc.ask(method, params)
    except Refused:
        return {}


class _Times:
    """Times of items on our axis, ns, that never run backwards."""

    def __init__(self) -> None:
        self._clock, self._offset = AnchoredClock(), OffsetEstimator()
        self._last_ns = 0

    def now_ns(self) -> int:
        """Of what bears no stamp: its arrival."""
        self._last_ns = max(self._last_ns, self._clock.now_ns())
        return self._last_ns

    def stamped_ns(self, eventtime: object) -> int:
        """Of what Klipper stamped, in s of its host's monotonic clock."""
        stamp_s = number(eventtime)
        if stamp_s is None:
            return self.now_ns()
        at_ns = self._offset.at_ns(round(stamp_s * NS_PER_S), self._clock.now_ns())
        self._last_ns = max(self._last_ns, at_ns)
        return self._last_ns
