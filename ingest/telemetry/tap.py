"""A printer behind its host: Nozzlewatch stands between the two and hears what both say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, closing
from pathlib import Path
from typing import ClassVar

from ingest.errors import PrinterUnreachable, SourceError
from ingest.records import Action
from ingest.sources import Address, BaseSource, TelemetryItem
from ingest.telemetry.wire.host_pty import HostPty
from ingest.telemetry.wire.port import disconnected, opened, option_baud, vanished
from ingest.telemetry.wire.questions import POLL_OPTION, option_poll_ns
from ingest.telemetry.wire.tapped_line import TappedLine


class Tap(BaseSource):
    """``tap:/dev/ttyUSB0?link=/run/printers/ender``: between a printer's port and its host.

    The host (OctoPrint, Pronterface, Cura, …) opens the link instead of the port. Every byte goes through,
    both ways, unchanged and at once; what is learned comes from copies. Hosts come and go; while none is
    there, temperatures are asked for here, as ``serial:`` does. When the port vanishes the host's end is hung
    up, as if its own cable were pulled, and the link is taken away; both are back when the port is.

    With ``baud`` the port runs at that speed, whatever the host sets at the link. Without it the port starts
    at 115200 and takes on each speed that a host sets, before that host's next byte. The board restarts when
    the tap opens the port (DTR), not when a host opens the link: a host that waits for "start" must be set to
    say hello itself, as OctoPrint and Pronterface do.

    Commands reach the print that a host streams through that host (``//action:pause``, …), and one from the
    card through M25, M24 and M524, whose "ok" the host does not get.

    ``counts``: ``garbled`` lines; ``unheard`` bytes that went through without being understood, for want of
    time.
    """

    recorded: ClassVar[bool] = False
    options: ClassVar[Mapping[str, str]] = {
        "link": "where hosts find the printer, an absolute path: made while the port is open",
        "baud": "bits per second of the port; without it those that the host sets, 115200 at first",
        **POLL_OPTION,
    }

    def __init__(self, address: Address, printer: str) -> None:
        super().__init__(address, printer)
        self._path = address.where
        self._link = _option_link(address)
        self._baud = option_baud(address)
        self._follows = "baud" not in address.options
        self._poll_ns = option_poll_ns(address)
        self._line: TappedLine | None = None
        self._ordering = asyncio.Lock()

    async def items(self) -> AsyncIterator[TelemetryItem]:
        """As ``Telemetry.items``. A port that vanishes gives a last event DISCONNECTED, then raises."""
        async with opened(self._path, self._baud) as port:
            with closing(HostPty(self._link, self._path)) as pty:
                line = TappedLine(
                    self._printer,
                    self.facts,
                    self._counts,
                    port=port,
                    pty=pty,
                    follows=self._follows,
                    poll_ns=self._poll_ns,
                )
                with closing(line):
                    self._line = line
                    try:
                        async with aclosing(line.items(lambda: self.with_lines)) as items:
                            async for item in items:
                                yield item
                    finally:
                        self._line = None
        yield disconnected(self._printer, line.clock.now_ns())
        raise vanished(self._path)

    async def command(self, action: Action) -> str:
        """As ``Commandable.command``; one at a time."""
        async with self._ordering:
            if self._line is None:
                raise PrinterUnreachable(
                    f"{self._path}: found no open port, expected a printer to {action}: check cable and power"
                )
            return await self._line.command(action)


def _option_link(address: Address) -> Path:
    found = address.options.get("link", "")
    link = Path(found)
    if not link.is_absolute():
        raise SourceError(
            f"{address}: found link={found!r}, expected an absolute path where hosts find the printer: "
            f"for instance {address}?link=/run/printers/ender"
        )
    return link
