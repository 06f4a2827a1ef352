"""A finished klippy.log as a recorded telemetry source."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from pathlib import Path
from typing import ClassVar, NamedTuple

from ingest.clock import SteadyStamps
from ingest.errors import SourceNotFound
from ingest.records import NS_PER_S
from ingest.sources import TelemetryItem
from ingest.telemetry.klippy.live import KlippySource
from ingest.telemetry.klippy.words import KlippyWords, Stamp, clean, stamp
from ingest.telemetry.lines import LineCutter
from ingest.telemetry.marlin import decode

CHUNK_BYTES = 1 << 16
LINES_PER_TURN = 500
"""Lines between two moments at which other tasks may run."""

_EXPECTED = "expected a klippy.log, in which Klipper writes Stats lines"


class KlippyFile(KlippySource):
    """``klippylog:PATH``: readings and events from a klippy.log that is to be replayed or imported.

    Stats lines bear the host's monotonic clock; "Start printer at" lines hold it beside UTC and so anchor
    what follows them, and what precedes the first of them. Lines between take the time of the last such line.
    A log without a start ends when the file was last written, and ``time_estimated`` is True.
    ``counts``: ``garbled`` lines and ``clock_jump``, how often the host's UTC was set back and time went on
    from where it was.
    """

    recorded: ClassVar[bool] = True

    async def items(self) -> AsyncIterator[TelemetryItem]:
        clock, words = KlippyClock(self._anchor()), KlippyWords()
        for number, line in enumerate(_lines(self._path)):
            if number % LINES_PER_TURN == 0:
                await asyncio.sleep(0)
            for item in self._understood(line, words, clock.at_ns(line)):
                yield item
            if clock.jumps:
                self._counts["clock_jump"] = clock.jumps

    def _anchor(self) -> Anchor:
        """How the log's first lines are placed. Raises SourceNotFound where there is no klippy.log."""
        try:
            anchor = first_anchor(_lines(self._path), self._path.stat().st_mtime)
        except OSError as error:
            found = f"a file that cannot be read ({error.strerror})"
            raise SourceNotFound(f"{self._path}: found {found}, {_EXPECTED}: check the path") from error
        if anchor is None:
            found = "no line that Klipper writes"
            raise SourceNotFound(
                f"{self._path}: found {found}, {_EXPECTED}: for logs of serial traffic write log:"
            )
        self.time_estimated = anchor.estimated
        return anchor


class Anchor(NamedTuple):
    """``offset_s`` is UTC less the host's monotonic clock; ``clock_s`` the clock of the log's first stamp."""

    offset_s: float
    clock_s: float
    estimated: bool = False


def first_anchor(lines: Iterable[str], written_s: float) -> Anchor | None:
    """Where a log begins in time; None where no line bears any. ``written_s``: the file's last change, UTC.

    What stands before the first start ends there at the latest: the host may have booted in between.
    """
    first: Stamp | None = None
    last_s = 0.0
    for found in filter(None, map(stamp, map(clean, lines))):
        first = first or found
        if found.utc_s is not None:
            return Anchor(found.utc_s - max(found.clock_s, last_s), first.clock_s)
        last_s = found.clock_s
    return first and Anchor(written_s - last_s, first.clock_s, estimated=True)


class KlippyClock:
    """The times of a log's lines, ns UTC, never backwards; ``jumps`` counts where they would have gone."""

    def __init__(self, anchor: Anchor) -> None:
        self._steady = SteadyStamps()
        self._offset_s = anchor.offset_s
        self._at_ns = self._steady.steady(_ns(anchor.clock_s + anchor.offset_s))

    @property
    def jumps(self) -> int:
        return self._steady.jumps

    def at_ns(self, line: str) -> int:
        """The time of the next line."""
        found = stamp(clean(line))
        if found is not None:
            if found.utc_s is not None:
                self._offset_s = found.utc_s - found.clock_s
            self._at_ns = self._steady.steady(_ns(found.clock_s + self._offset_s))
        return self._at_ns


def _ns(seconds: float) -> int:
    return round(seconds * 10) * (NS_PER_S // 10)  # Klipper writes tenths of a second


def _lines(path: Path) -> Iterator[str]:
    """The file's lines, with no more than a chunk in memory."""
    cutter = LineCutter()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield from map(decode, cutter.feed(chunk))
    yield from map(decode, cutter.rest())
