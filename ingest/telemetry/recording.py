"""The telemetry of a recording: ``recording:FILE.mcap``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import msgspec

from ingest.clock import SteadyStamps
from ingest.errors import SourceNotFound
from ingest.recordings.reader import Arrival, Recording
from ingest.records import Event, Reading, SerialLine
from ingest.sources import Address, BaseSource, TelemetryItem


class RecordedTelemetry(BaseSource):
    """Readings, events and, ``with_lines``, raw lines of a recording at their own times.

    ``time_estimated`` where they were estimated when the recording was made. ``counts``: what ``Recording``
    has left out, and ``clock_jump``, how often the clock was set back and time went on from where it was.
    """

    recorded: ClassVar[bool] = True
    laid: ClassVar[bool] = True
    options: ClassVar[Mapping[str, str]] = {}

    def __init__(self, address: Address, printer: str) -> None:
        super().__init__(address, printer)
        self._stamps = SteadyStamps()

    async def items(self) -> AsyncIterator[TelemetryItem]:
        """As ``Telemetry.items``. Raises SourceError for what is no recording."""
        self._stamps = SteadyStamps()
        recording = await asyncio.to_thread(self._opened)
        batches = recording.read(recording.telemetry, self._printer)
        while (items := await asyncio.to_thread(self._next, batches)) is not None:
            for item in items:
                if self.with_lines or not isinstance(item, SerialLine):
                    yield item
        self._counts.update(recording.counts)

    def _opened(self) -> Recording:
        recording = Recording(Path(self._address.where))
        if not recording.telemetry:
            raise SourceNotFound(
                f"{self._address}: found pictures alone, expected telemetry: give it as camera alone"
            )
        if recording.about is not None:
            self.time_estimated = "telemetry" in recording.about.estimated.split()
            self.witness = recording.about.witness
            self.facts["recorded from"] = recording.about.telemetry
        return recording

    def _next(self, batches: Iterator[list[Arrival]]) -> list[TelemetryItem] | None:
        batch = next(batches, None)
        if batch is None:
            return None
        contents = (arrival.content for arrival in batch)
        items = [self._steady(c) for c in contents if isinstance(c, Reading | Event | SerialLine)]
        if self._stamps.jumps:
            self._counts["clock_jump"] = self._stamps.jumps
        return items

    def _steady(self, item: TelemetryItem) -> TelemetryItem:
        at_ns = self._stamps.steady(item.at_ns)
        return item if at_ns == item.at_ns else msgspec.structs.replace(item, at_ns=at_ns)
