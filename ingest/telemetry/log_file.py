"""Logs of serial traffic as a telemetry source: Pronterface, terminal programs, OctoPrint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import ClassVar

from ingest.errors import SourceError, SourceNotFound
from ingest.records import EventKind, SerialLine
from ingest.sources import Address, BaseSource, TelemetryItem
from ingest.telemetry.items import to_items
from ingest.telemetry.lines import LineCutter
from ingest.telemetry.logs.formats import LogFormat, recognise
from ingest.telemetry.logs.words import Heard
from ingest.telemetry.marlin import decode
from ingest.telemetry.parsed import Line

CHUNK_BYTES = 1 << 16
LINES_TO_RECOGNISE = 20_000
"""A log whose first lines up to here hold nothing of a printer is none."""
LINES_PER_TURN = 500
"""Lines between two moments at which other tasks may run."""

_EXPECTED = (
    "expected a log of a printer's serial traffic (a terminal program's, Pronterface's, or OctoPrint's "
    "serial.log or octoprint.log)"
)


class LogFile(BaseSource):
    """``log:PATH?start=2024-05-01T12:00:00Z``: readings and events from a log of serial traffic.

    The format is recognised by content. Stamps without a time zone are read as UTC. ``start`` gives what
    the log lacks: the day where its stamps are bare times of day, the day or the moment of the first line
    where it has none (without it 2000-01-01T00:00:00Z); full stamps stand as they are. ``time_estimated`` is
    set before the first item: True where the lines have no stamps of their own. ``counts``: ``garbled``
    lines and ``clock_jump``, how often the log's clock was set back and time went on from where it was.
    """

    recorded: ClassVar[bool] = True
    options: ClassVar[Mapping[str, str]] = {"start": "ISO 8601 day or moment of the first line, UTC"}

    def __init__(self, address: Address, printer: str) -> None:
        super().__init__(address, printer)
        self._path = Path(address.where)
        self._start = _start(address)

    async def items(self) -> AsyncIterator[TelemetryItem]:
        log = self._recognised()(self._start)
        self.time_estimated = log.time_estimated
        anything = False
        for number, heard in enumerate(log.heard(self._lines)):
            if number % LINES_PER_TURN == 0:
                await asyncio.sleep(0)
            anything = anything or heard.parsed.line is not Line.HOST
            self._count(heard, log)
            if anything or not _is_goodbye(heard):
                for item in self._items_of(heard):
                    yield item
        if not anything:
            raise SourceNotFound(
                f"{self._path}: found no line that a printer sent, {_EXPECTED}: {_advice(self._path)}"
            )

    def _items_of(self, heard: Heard) -> Iterator[TelemetryItem]:
        if self.with_lines and (line := heard.on_the_wire) is not None:
            text, sent = line
            yield SerialLine(printer=self._printer, at_ns=heard.at_ns, text=text, sent=sent)
        yield from to_items(heard.parsed, self._printer, heard.at_ns)

    def _count(self, heard: Heard, log: LogFormat) -> None:
        if not heard.parsed.known:
            self._counts["garbled"] += 1
        if log.jumps:
            self._counts["clock_jump"] = log.jumps

    def _recognised(self) -> type[LogFormat]:
        """The log's format. Raises SourceNotFound where there is no log or nothing of a printer in it."""
        try:
            log = recognise(islice(self._lines(), LINES_TO_RECOGNISE))
        except OSError as error:
            raise SourceNotFound(
                f"{self._path}: found {_found(error)}, {_EXPECTED}: check the path"
            ) from error
        if log is None:
            found = "no line that a printer sent" if self._path.stat().st_size else "an empty file"
            raise SourceNotFound(f"{self._path}: found {found}, {_EXPECTED}: {_advice(self._path)}")
        return log

    def _lines(self) -> Iterator[str]:
        """The file's lines from its beginning, with no more than a chunk in memory."""
        cutter = LineCutter()
        with self._path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                for line in cutter.feed(chunk):
                    yield decode(line).rstrip("\r")
        for line in cutter.rest():
            yield decode(line).rstrip("\r")


def _is_goodbye(heard: Heard) -> bool:
    """A host notes that it is not connected: before the printer's first word that tells nothing."""
    event = heard.parsed.event
    return event is not None and event[0] is EventKind.DISCONNECTED


def _found(error: OSError) -> str:
    if isinstance(error, IsADirectoryError):
        return "a folder"
    if isinstance(error, FileNotFoundError):
        return "no such file"
    return f"a file that cannot be read ({error.strerror})"


def _advice(path: Path) -> str:
    if path.suffix.lower() in (".gcode", ".gco", ".g"):
        return "this looks like the model's G-code; give the log that was written while it was printed"
    return (
        "check that logging was on (OctoPrint: Settings, Serial Connection, Log communication to serial.log)"
    )


def _start(address: Address) -> date | None:
    text = address.options.get("start")
    try:
        if text is None:
            return None
        return (
            date.fromisoformat(text)
            if "T" not in text.upper() and ":" not in text
            else datetime.fromisoformat(text)
        )
    except ValueError as error:
        raise SourceError(
            f"{address}: found start={text!r}, expected a day or a moment in ISO 8601: "
            "write it like 2024-05-01T12:00:00Z"
        ) from error
