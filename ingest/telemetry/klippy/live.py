"""Klipper's log as a live telemetry source: it needs no more than to read a file on the same machine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import ClassVar

from ingest.clock import AnchoredClock
from ingest.errors import PrinterUnreachable
from ingest.records import Event, EventKind, SerialLine
from ingest.sources import Address, BaseSource, TelemetryItem
from ingest.telemetry.items import to_items
from ingest.telemetry.klippy.tail import BEGINNING, READ_BYTES, Place, end_of, look
from ingest.telemetry.klippy.words import KlippyWords, clean
from ingest.telemetry.lines import LineCutter
from ingest.telemetry.marlin import decode

POLL_S = 0.5
"""s between two looks into the log; Klipper writes once a second."""
GONE_S = 5.0
"""A log may be away for so long while it is rotated, in s."""


class KlippySource(BaseSource):
    """What the live and the recorded log have in common: one path, and what a line tells."""

    def __init__(self, address: Address, printer: str) -> None:
        super().__init__(address, printer)
        self._path = Path(address.where)

    def _understood(self, line: str, words: KlippyWords, at_ns: int) -> Iterator[TelemetryItem]:
        if self.with_lines:
            yield SerialLine(printer=self._printer, at_ns=at_ns, text=clean(line))
        parsed = words.parse(line)
        if not parsed.known:
            self._counts["garbled"] += 1
        if parsed.event is not None and parsed.event[0] is EventKind.FIRMWARE:
            self.facts["firmware"] = parsed.event[1]
        yield from to_items(parsed, self._printer, at_ns)


class KlippyLog(KlippySource):
    """``klippy:/home/pi/printer_data/logs/klippy.log``: follows the log of a running Klipper.

    Only what is written from now on counts; where there is no log yet, all of one that turns up. It may be
    rotated (Klipper does so at midnight), truncated and replaced. A line's time is that of its arrival, up to
    half a second late. Prints are told only where Klipper prints from its virtual SD card, and without their
    names. ``counts``: ``garbled`` lines. ``facts``: ``firmware``, once Klipper has started anew.
    """

    recorded: ClassVar[bool] = False

    def __init__(self, address: Address, printer: str) -> None:
        super().__init__(address, printer)
        self._place: Place | None = None

    async def items(self) -> AsyncIterator[TelemetryItem]:
        """As ``Telemetry.items``. A log that vanishes gives a last event DISCONNECTED, then raises."""
        clock, cutter, words = AnchoredClock(), LineCutter(), KlippyWords()
        await self._begin()
        while (data := await self._look()) is not None:
            at_ns = clock.now_ns()
            for line in cutter.feed(data):
                for item in self._understood(decode(line), words, at_ns):
                    yield item
            if len(data) < READ_BYTES:
                await asyncio.sleep(POLL_S)
        yield Event(
            printer=self._printer, at_ns=clock.now_ns(), kind=EventKind.DISCONNECTED, text="log vanished"
        )
        raise PrinterUnreachable(
            f"{self._path}: found that the log vanished, expected Klipper's: check that it runs"
        )

    async def _begin(self) -> None:
        """Find the place to read from. A log that was read before is read on, with nothing left out."""
        try:
            end = await asyncio.to_thread(end_of, self._path)
        except OSError as error:
            self._place = self._place or BEGINNING
            raise PrinterUnreachable(f"{self._path}: {_refusal(error)}") from error
        self._place = self._place or end

    async def _look(self) -> bytes | None:
        """What is new in the log; None where it has been away for ``GONE_S``."""
        place = self._place or BEGINNING
        until_s = asyncio.get_running_loop().time() + GONE_S
        while True:
            try:
                data, self._place = await asyncio.to_thread(look, self._path, place)
            except OSError:
                if asyncio.get_running_loop().time() > until_s:
                    return None
                await asyncio.sleep(POLL_S)
            else:
                return data


def _refusal(error: OSError) -> str:
    """What was found instead of a log, what was expected and what to do."""
    if isinstance(error, FileNotFoundError):
        return (
            "found no such file, expected Klipper's log: start Klipper, or give the path that its service "
            "names with -l (often ~/printer_data/logs/klippy.log)"
        )
    return f"found a file that cannot be read ({error.strerror}), expected Klipper's log: check its rights"
