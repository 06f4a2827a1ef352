"""A printer on a serial port, read as it speaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import ClassVar

from ingest.errors import CommandFailed, PrinterUnreachable
from ingest.records import Action, Event, SerialLine
from ingest.sources import Address, BaseSource, TelemetryItem, option_choice
from ingest.telemetry.items import to_items
from ingest.telemetry.wire.dialogue import Understood
from ingest.telemetry.wire.orders import order_card
from ingest.telemetry.wire.owned_line import OwnedLine
from ingest.telemetry.wire.port import BAUD_OPTION, disconnected, opened, option_baud, vanished
from ingest.telemetry.wire.questions import POLL_OPTION, option_poll_ns

OWNER, LISTENER = "owner", "listen"


class SerialPort(BaseSource):
    """``serial:/dev/ttyUSB0?baud=115200&poll=2&mode=owner``: a printer on a port, as live as it gets.

    The owner of a port asks what the firmware is (``M115``), for reports once a second where it can give them
    by itself (``M155 S1``, ``M154 S1``), again after every ``start``, and for one report (``M105``, ``M114``)
    where none has come for ``poll`` seconds and the printer is not busy. It asks nothing while a print from
    the printer's card runs, which it can pause, resume and cancel (M25, M24, M524). Opening a port restarts
    boards whose reset is wired to DTR, as with every other host.

    With ``mode=listen`` no byte is ever sent and nobody else is kept out. That is for a port that hears a
    printer's line, or for a second port of its board. It is not for a port that another program reads: of two
    readers each gets a part of the bytes; use ``tap:`` there. The system raises DTR and RTS of any port that
    is opened; ``stty -F PORT -hupcl`` beforehand keeps most boards from restarting by that.

    The first line is left out where it is garbled: reading began in its middle. ``counts``: ``garbled``
    lines, and ``unsent`` questions that the port did not take.
    """

    recorded: ClassVar[bool] = False
    options: ClassVar[Mapping[str, str]] = {
        **BAUD_OPTION,
        **POLL_OPTION,
        "mode": f"{OWNER} (asks for reports, the default) or {LISTENER} (sends nothing)",
    }

    def __init__(self, address: Address, printer: str) -> None:
        super().__init__(address, printer)
        self._path = address.where
        self._baud = option_baud(address)
        self._poll_ns = option_poll_ns(address)
        self._listens = option_choice(address, "mode", (OWNER, LISTENER)) == LISTENER
        self._line: OwnedLine | None = None
        self._ordering = asyncio.Lock()

    async def items(self) -> AsyncIterator[TelemetryItem]:
        """As ``Telemetry.items``. A port that vanishes gives a last event DISCONNECTED, then raises."""
        async with opened(self._path, self._baud, listens=self._listens) as port:
            line = OwnedLine(
                port.fileno(), self.facts, self._counts, None if self._listens else self._poll_ns
            )
            self._line = line
            try:
                while (data := await line.read()) is not None:
                    for at_ns, understood in line.understood(data):
                        for item in self._items_of(understood, at_ns):
                            yield item
            finally:
                self._line = None
                line.close()
        yield disconnected(self._printer, line.clock.now_ns())
        raise vanished(self._path)

    async def command(self, action: Action) -> str:
        """As ``Commandable.command``, for prints from the printer's card; one at a time."""
        if self._listens:
            raise CommandFailed(
                f"{self._path}: found mode={LISTENER}, which sends nothing, expected mode={OWNER} to {action}"
            )
        async with self._ordering:
            if self._line is None:
                raise PrinterUnreachable(
                    f"{self._path}: found no open port, expected a printer to {action}: check cable and power"
                )
            return await order_card(action, self._line)

    def _items_of(self, line: Understood, at_ns: int) -> Iterator[TelemetryItem]:
        if self.with_lines:
            yield SerialLine(printer=self._printer, at_ns=at_ns, text=line.text, sent=line.sent)
        if not line.left_out:
            yield from to_items(line.parsed, self._printer, at_ns)
            for kind, text in line.told:
                yield Event(printer=self._printer, at_ns=at_ns, kind=kind, text=text)
