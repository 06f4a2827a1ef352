"""A table of readings as a telemetry source: ``csv:FILE?start=2024-05-01T12:00:00Z``."""

from __future__ import annotations

import asyncio
import csv
import logging
import math
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import IO, ClassVar, NamedTuple

from ingest.cameras.images import DEFAULT_START, option_start_ns, parse_time_ns
from ingest.clock import SteadyStamps
from ingest.errors import SourceError, SourceNotFound
from ingest.records import CHANNEL, NS_PER_S, Reading
from ingest.sources import Address, BaseSource, TelemetryItem

log = logging.getLogger(__name__)

TIMES = ("time", "timestamp", "datetime", "date_time", "date", "elapsed", "elapsed_s", "seconds", "time_s")
"""Names of the column that holds the times; the first of these that is there."""

ALIASES: Mapping[str, str] = {
    **dict.fromkeys(("hotend", "nozzle", "extruder", "tool0", "t0", "tool", "temp"), "hotend_c"),
    **dict.fromkeys(
        ("target", "hotend_target", "nozzle_target", "extruder_target", "tool0_target"), "hotend_target_c"
    ),
    **dict.fromkeys(("nozzle_power", "extruder_power", "heater_power"), "hotend_power"),
    **dict.fromkeys(("bed", "heater_bed", "heatbed"), "bed_c"),
    **dict.fromkeys(("bed_target", "heater_bed_target", "heatbed_target"), "bed_target_c"),
    "heater_bed_power": "bed_power",
    "chamber": "chamber_c",
    **{axis: f"{axis}_mm" for axis in "xyze"},
    "fan_speed": "fan",
    "feedrate": "feed_factor",
    "flow": "flow_factor",
    "flowrate": "flow_factor",
}
"""What others call our channels, as ``_plain`` writes a name."""

OLDEST_NS = 946_684_800 * NS_PER_S
"""2000-01-01: a smaller number is no moment but the time since the beginning, in s."""

LONGEST_LINE = 1 << 16
ROWS_PER_TURN = 500
"""Rows between two moments at which other tasks may run."""

_FILLERS = re.compile(r"(_(actual|temperature|temp|c|degc|celsius|percent|pct))+$")


class _Column(NamedTuple):
    """A column that holds a channel: its place in the row and what its values are multiplied by."""

    place: int
    channel: str
    factor: float


class CsvFile(BaseSource):
    """Readings from a CSV file with the columns ``time`` and channels, by our names or common others.

    Columns are separated by commas, semicolons or tabs. Times are epoch numbers (s, ms, µs, ns) or ISO 8601,
    UTC without a zone; small numbers are seconds since the beginning, which ``start`` names. A column whose
    name holds ``%`` is divided by 100. Empty cells say nothing. ``counts``: ``garbled`` cells, ``untimed``
    rows, and ``clock_jump``; ``facts`` name the columns that are not understood.
    """

    recorded: ClassVar[bool] = True
    options: ClassVar[Mapping[str, str]] = {
        "start": f"time of the beginning, where times count from it, ISO 8601 (default {DEFAULT_START})"
    }

    def __init__(self, address: Address, printer: str) -> None:
        super().__init__(address, printer)
        self._path = Path(address.where)
        self._start_ns = option_start_ns(address)
        self._stamps = SteadyStamps()
        self._columns: list[_Column] = []

    async def items(self) -> AsyncIterator[TelemetryItem]:
        """As ``Telemetry.items``. Raises SourceNotFound, and SourceError for a file that is no such table."""
        self._stamps = SteadyStamps()
        anything = False
        for number, (at_ns, row) in enumerate(self._timed_rows()):
            if number % ROWS_PER_TURN == 0:
                await asyncio.sleep(0)
            for reading in self._readings(at_ns, row):
                anything = True
                yield reading
        if not anything:
            raise SourceNotFound(f"{self._address}: found no reading, expected rows with a time and values")

    def _timed_rows(self) -> Iterator[tuple[int, list[str]]]:
        try:
            with self._path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
                rows, time_place = self._table(file)
                for row in rows:
                    if row and (at_ns := self._time(row, time_place)) is not None:
                        yield at_ns, row
        except OSError as error:
            raise SourceNotFound(
                f"{self._address}: found {error.strerror}, expected a CSV file: check the path"
            ) from error
        except csv.Error as error:
            raise SourceError(f"{self._address}: found {error}, expected a CSV file") from error

    def _table(self, file: IO[str]) -> tuple[Iterator[list[str]], int]:
        """The rows below the head, and the place of the time. Raises SourceError for a head without sense."""
        head_line = file.readline(LONGEST_LINE)
        delimiter = max(",;\t", key=head_line.count)
        names = next(csv.reader([head_line], delimiter=delimiter), [])
        plain = [_plain(name) for name in names]
        times = [plain.index(name) for name in TIMES if name in plain]
        self._columns, unknown = _understood(names, plain, times)
        if not times or not self._columns:
            raise SourceError(
                f"{self._address}: found the columns {', '.join(names)[:200] or 'none'}, expected time and "
                f"at least one of {', '.join(CHANNEL)}: name them so in the first line"
            )
        if unknown:
            self.facts["columns not understood"] = ", ".join(unknown)
            log.warning("%s: columns not understood: %s", self._address, self.facts["columns not understood"])
        return csv.reader(iter(lambda: file.readline(LONGEST_LINE), ""), delimiter=delimiter), times[0]

    def _time(self, row: list[str], place: int) -> int | None:
        """When a row was, ns; None, which is counted, where it does not say."""
        try:
            at_ns = parse_time_ns(row[place])
        except (ValueError, IndexError, OverflowError):
            self._counts["untimed"] += 1
            return None
        if at_ns < OLDEST_NS:
            self.time_estimated = "start" not in self._address.options
            at_ns += self._start_ns
        at_ns = self._stamps.steady(at_ns)
        if self._stamps.jumps:
            self._counts["clock_jump"] = self._stamps.jumps
        return at_ns

    def _readings(self, at_ns: int, row: list[str]) -> Iterator[Reading]:
        for place, channel, factor in self._columns:
            cell = row[place].strip() if place < len(row) else ""
            if cell.lower() in ("", "nan", "null", "none"):
                continue
            try:
                value = float(cell.replace(",", ".")) * factor  # 21,5 where semicolons separate
            except ValueError:
                value = math.inf
            if math.isfinite(value):
                yield Reading(printer=self._printer, at_ns=at_ns, channel=channel, value=value)
            else:
                self._counts["garbled"] += 1


def _understood(names: list[str], plain: list[str], times: list[int]) -> tuple[list[_Column], list[str]]:
    """The columns that hold channels, the first where two hold one, and the names of the others."""
    columns: dict[str, _Column] = {}
    unknown = []
    for place, (name, simple) in enumerate(zip(names, plain, strict=True)):
        channel = _channel(simple)
        if channel is not None and channel not in columns:
            columns[channel] = _Column(place, channel, 0.01 if "%" in name else 1.0)
        elif place not in times[:1]:
            unknown.append(name[:40])
    return list(columns.values()), unknown


def _channel(name: str) -> str | None:
    if name in CHANNEL:
        return name
    bare = _FILLERS.sub("", name)
    return bare if bare in CHANNEL else ALIASES.get(name) or ALIASES.get(bare)


def _plain(name: str) -> str:
    """A column's name in small letters without its unit in brackets: "Bed Temp (°C)" is bed_temp."""
    return re.sub(r"[^a-z0-9]+", "_", re.sub(r"[(\[].*?[)\]]|%", "", name).strip().lower()).strip("_")
