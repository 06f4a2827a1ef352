"""A Bambu Lab printer in the local network: MQTT over TLS, as mqtt.md of OpenBambuAPI describes it."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from typing import ClassVar

import aiomqtt
import msgspec
from aiomqtt.exceptions import MqttConnectError

from ingest.clock import AnchoredClock
from ingest.errors import PrinterUnreachable, SourceError
from ingest.records import Action, Event, EventKind, Reading
from ingest.sources import Address, BaseSource, TelemetryItem, option_number
from ingest.telemetry.bambu.commands import Asked, refuse_senseless
from ingest.telemetry.bambu.report import Fields, events, firmware, merged, part, read, readings
from ingest.telemetry.bambu.tls import tls_context

log = logging.getLogger("nozzlewatch.ingest")

USER = "bblp"
DEFAULT_PORT = 8883
DEFAULT_SILENCE_S = 60.0
"""The strength of the Wi-Fi alone makes a printer report about every second (ha-bambulab issue 92)."""
CONNECT_S = 10.0
"""How long the broker in the printer may take for one answer, in s."""
MOST_WAITING = 1000
"""Reports that may wait to be read; more are dropped by the MQTT client, with a warning."""

_UNCHECKED = (
    "certificate accepted without a check, expected one to check it against: give ca=FILE (the maker's "
    "certificate, which is part of its slicer)"
)
_CODE = "read it anew on the printer's screen (it changes when the local mode is switched)"
_LAN = "switch it on, check its address and that its local mode (LAN) is on"


class BambuPrinter(BaseSource):
    """``bambu:10.0.0.9?serial=01S00C123456789&code=$BAMBU_CODE``: a printer of Bambu Lab, without its cloud.

    Its local mode (LAN) is to be on; ``code`` is the access code on its screen. Asks for everything once,
    when it connects: more often strains P1 printers. With ``ca=FILE`` (beside the farm file, or an absolute
    path) the printer's certificate is checked, the serial number in it included; without, any is accepted,
    which is said once in the log and in ``facts``. ``counts``: ``garbled`` messages. ``facts``: ``firmware``,
    ``certificate``.
    """

    recorded: ClassVar[bool] = False
    tells_jobs: ClassVar[bool] = True
    remote: ClassVar[bool] = True
    options: ClassVar[Mapping[str, str]] = {
        "serial": "the printer's serial number",
        "code": "its access code for the local network",
        "port": f"of MQTT over TLS, {DEFAULT_PORT} by default",
        "ca": "file with the maker's certificate, to check the printer's against",
        "silence": f"s without a report after which the printer is lost, {DEFAULT_SILENCE_S:g} by default",
    }

    def __init__(self, address: Address, printer: str) -> None:
        super().__init__(address, printer)
        self._host = _host(address.where)
        self._serial = _needed(address, "serial", "letters and digits, as on its label")
        self._code = _needed(address, "code", "the access code on its screen, best as $NAME")
        self._port = int(option_number(address, "port", DEFAULT_PORT, low=1, high=65535))
        self._silence_s = option_number(address, "silence", DEFAULT_SILENCE_S, low=0.1, high=3600)
        ca = address.options.get("ca")
        self._ca = address.base / ca if ca else None
        self._state: Fields = {}
        self._client: aiomqtt.Client | None = None  # while connected
        self._asked: list[Asked] = []
        self._ids = count(1)

    async def items(self) -> AsyncIterator[TelemetryItem]:
        """As ``Telemetry.items``. A printer that goes away gives a last event DISCONNECTED, then raises."""
        clock, connected = AnchoredClock(), False
        try:
            async with self._connected() as client:
                connected = True
                while True:
                    payload = await self._next(client)
                    for item in self._understood(payload, clock.now_ns()):
                        yield item
        except aiomqtt.MqttError as error:
            lost = self._lost(error)
        if connected:
            at_ns, text = clock.now_ns(), "printer went away"
            yield Event(printer=self._printer, at_ns=at_ns, kind=EventKind.DISCONNECTED, text=text)
        raise lost

    async def command(self, action: Action) -> str:
        """As ``Commandable.command``: what the printer reports of itself confirms it."""
        if self._client is None:
            raise PrinterUnreachable(f"{self._host}: found no connection, expected one: try again later")
        refuse_senseless(action, self._state, self._host)
        asked = Asked(action, str(next(self._ids)), self._state, self._host)
        self._asked.append(asked)
        try:
            await self._send(self._client, {"print": asked.request()}, qos=1)
            answer = await asked.answer
        except aiomqtt.MqttError as error:
            raise self._lost(error) from error
        finally:
            self._asked.remove(asked)
        if isinstance(answer, SourceError):
            raise answer
        return answer

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[aiomqtt.Client]:
        """A connection over which the printer has been asked for everything. Raises MqttError."""
        async with await self._new_client() as client:
            await client.subscribe(f"device/{self._serial}/report")
            await self._send(client, {"info": self._question("get_version")})
            await self._send(
                client, {"pushing": self._question("pushall") | {"version": 1, "push_target": 1}}
            )
            self._client = client
            try:
                yield client
            finally:
                self._client = None
                went = f"{self._host}: found that it went away meanwhile, expected an answer: look at it"
                for asked in self._asked:
                    asked.settle(PrinterUnreachable(went))

    async def _new_client(self) -> aiomqtt.Client:
        try:
            context = await asyncio.to_thread(tls_context, self._serial, self._ca)
        except OSError as error:
            raise PrinterUnreachable(
                f"{self._host}: found ca={self._ca} that cannot be read ({error}), expected a certificate in "
                "PEM: check the path"
            ) from error
        if self._ca is None and "certificate" not in self.facts:
            log.warning("%s: %s: %s", self._printer, self._host, _UNCHECKED)
        self.facts["certificate"] = "checked" if self._ca else _UNCHECKED
        return aiomqtt.Client(
            self._host,
            self._port,
            username=USER,
            password=self._code,
            tls_context=context,
            timeout=CONNECT_S,
            max_queued_incoming_messages=MOST_WAITING,
        )

    def _question(self, command: str) -> dict[str, str | int]:
        return {"sequence_id": str(next(self._ids)), "command": command}

    async def _send(self, client: aiomqtt.Client, request: Mapping[str, object], qos: int = 0) -> None:
        await client.publish(f"device/{self._serial}/request", msgspec.json.encode(request), qos=qos)

    async def _next(self, client: aiomqtt.Client) -> bytes:
        """The next message. Raises MqttError where none comes for too long."""
        try:
            async with asyncio.timeout(self._silence_s):
                message = await anext(client.messages)
        except TimeoutError as error:
            raise _Silent from error
        return message.payload if isinstance(message.payload, bytes) else b""

    def _understood(self, payload: bytes, at_ns: int) -> Iterator[TelemetryItem]:
        document = read(payload)
        if document is None:
            self._counts["garbled"] += 1
            return
        if version := firmware(document):
            self.facts["firmware"] = version
            yield self._event(EventKind.FIRMWARE, f"Bambu Lab {version}", at_ns)
        report = part(document, "print")
        before, self._state = self._state, merged(self._state, report)
        for asked in self._asked:
            asked.judge(report, self._state)
        if report.get("command") == "push_status":  # what it leaves out is as it was
            for channel, value in readings(self._state):
                yield Reading(printer=self._printer, at_ns=at_ns, channel=channel, value=value)
        for kind, text in events(before, self._state):
            yield self._event(kind, text, at_ns)

    def _event(self, kind: EventKind, text: str, at_ns: int) -> Event:
        return Event(printer=self._printer, at_ns=at_ns, kind=kind, text=text)

    def _lost(self, error: aiomqtt.MqttError) -> PrinterUnreachable:
        lost = PrinterUnreachable(f"{self._host}: {self._why(error)}")
        lost.__cause__ = error
        return lost

    def _why(self, error: aiomqtt.MqttError) -> str:
        """What was found instead of reports, what was expected and what to do."""
        cause = error.__context__  # what aiomqtt made an MqttError of
        if isinstance(error, _Silent):
            return (
                f"found no report of {self._serial} for {self._silence_s:g} s, expected one every few "
                "seconds: check the serial number, and that not too many programs are connected to it"
            )
        if isinstance(error, MqttConnectError):
            return f"found that it refuses the login ({error}), expected it to take the access code: {_CODE}"
        if isinstance(cause, ssl.SSLCertVerificationError):
            found = f"a certificate that is not that of {self._serial} ({cause.verify_message})"
            return f"found {found}, expected one that {self._ca} vouches for: check ca= and serial="
        if isinstance(cause, ConnectionRefusedError):
            return f"found nobody at port {self._port}, expected the printer: {_LAN}"
        return f"found no connection ({error}), expected the printer at port {self._port}: {_LAN}"


class _Silent(aiomqtt.MqttError):
    """Connected, and yet nothing comes."""


def _host(name: str) -> str:
    if not re.fullmatch(r"(?:[A-Za-z0-9_%:-]{1,63}\.?)+", name):
        raise SourceError(f"bambu:{name}: found {name!r}, expected the address or the name of the printer")
    return name


def _needed(address: Address, name: str, what: str) -> str:
    value = address.options.get(name, "")
    if not re.fullmatch(r"[A-Za-z0-9]+", value):
        found = f"{name}= with other signs in it" if value else f"no {name}="
        raise SourceError(f"{address}: found {found}, expected {what}")
    return value
