"""A folder of pictures as a camera: ``images:DIR?fps=1&start=ISO8601&csv=FILE``.

Times come from a CSV (columns ``file`` and ``time``), else from the files' names (epoch numbers such as
1620685388.jpg, stamps such as cam_2021-05-10_22-23-08.jpg), else from a fixed rate in natural order of the
names. A counter such as frame_000789.jpg is no time. Times without a zone are UTC.
"""

from __future__ import annotations

import asyncio
import csv
import logging
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import ClassVar, TypeAlias

from ingest.cameras.jpeg import MAX_BYTES, jpeg_size, to_jpeg
from ingest.errors import SourceError, SourceNotFound
from ingest.records import NS_PER_S, Frame
from ingest.sources import Address, BaseSource, option_number

log = logging.getLogger(__name__)

Timed: TypeAlias = tuple[int, Path]

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
DEFAULT_START = "2000-01-01T00:00:00Z"
"""Where the time axis of pictures begins that say nothing of their time."""
DEFAULT_FPS = 1.0
FPS_LOW, FPS_HIGH = 1e-5, 1000.0
"""From one picture a day to a high-speed camera, pictures per s."""
NAMES_WITH_TIME = 0.5
"""Share of the names that must carry a time for the names to be trusted with it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLAUSIBLE_NS = (946_684_800 * NS_PER_S, 4_102_444_800 * NS_PER_S)  # the years 2000 to 2100
_EPOCH_LIMITS = ((10**11, NS_PER_S), (10**14, 10**6), (10**17, 10**3))  # numbers below are s, ms, µs; else ns
_EPOCH_NAME = re.compile(r"\d{10,19}(\.\d{1,9})?")
_STAMP = re.compile(
    r"(?<!\d)(\d{4})[-_.]?(\d\d)[-_.]?(\d\d)[T _-]{0,3}(\d\d)[-_.:h]?(\d\d)[-_.:m]?(\d\d)"
    r"(?:[.,]?(\d{3}|\d{6}|\d{9}))?(Z|\+\d\d:?\d\d|-\d\d:\d\d)?(?!\d)"
)
_LOST_PLUS = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:?\d\d)$")


class LeftOut(Counter[str]):
    """Pictures that a source has left out, by reason; the first of each reason is told in the log."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self._source = source

    def add(self, reason: str, what: str) -> None:
        """One more left out for this reason; ``what`` names the first one."""
        self[reason] += 1
        if self[reason] == 1:
            log.warning("%s: left out %s (%s); further ones are only counted", self._source, what, reason)


class ImageFolder(BaseSource):
    """The pictures of a folder in the order of their times; a JPEG's bytes go out untouched.

    Left out and counted: ``corrupt``, ``too_large`` (see ingest.cameras.jpeg), ``duplicate`` (a time that was
    already yielded), ``untimed`` (no row in the CSV, or a name without a time among names with one).
    """

    recorded: ClassVar[bool] = True
    options: ClassVar[Mapping[str, str]] = {
        "fps": "pictures per second where nothing else tells their times (default 1)",
        "start": f"time of the first picture then, ISO 8601 (default {DEFAULT_START})",
        "csv": "a CSV file with the columns file and time (epoch s, ms, µs, ns or ISO 8601)",
    }

    def __init__(self, address: Address, printer: str) -> None:
        super().__init__(address, printer)
        self._fps = option_number(address, "fps", DEFAULT_FPS, low=FPS_LOW, high=FPS_HIGH)
        self._start_ns = option_start_ns(address)
        self._counts = self._left_out = LeftOut(str(address))
        self.time_estimated = False  # known when the names have been read

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield each usable picture once. Raises SourceNotFound, and SourceError for a CSV that is none."""
        last_ns: int | None = None
        for at_ns, path in await asyncio.to_thread(self._timed):
            if at_ns == last_ns:
                self._left_out.add("duplicate", path.name)
                continue
            frame = await asyncio.to_thread(self._read, at_ns, path)
            if frame is not None:
                last_ns = at_ns
                yield frame

    def _read(self, at_ns: int, path: Path) -> Frame | None:
        try:
            with path.open("rb") as file:
                jpeg = to_jpeg(data) if len(data := file.read(MAX_BYTES + 1)) <= MAX_BYTES else "too_large"
        except OSError as error:
            raise SourceError(f"{path}: found {error.strerror}, expected a readable picture") from error
        if isinstance(jpeg, str):
            self._left_out.add(jpeg, path.name)
            return None
        width, height = jpeg_size(jpeg)
        return Frame(
            printer=self._printer,
            camera=str(self._address),
            captured_ns=at_ns,
            jpeg=jpeg,
            width=width,
            height=height,
        )

    def _timed(self) -> list[Timed]:
        """Every picture with its time, in order of time; equal times keep the order of the names."""
        pictures = self._pictures()
        if "csv" in self._address.options:
            times = self._csv_times(pictures)
        else:
            times = {path: time for path in pictures if (time := name_time_ns(path.stem)) is not None}
            self.time_estimated = len(times) < NAMES_WITH_TIME * len(pictures)
            if self.time_estimated:
                self.time_estimated = "start" not in self._address.options
                return [(self._start_ns + round(n * NS_PER_S / self._fps), p) for n, p in enumerate(pictures)]
        for path in pictures:
            if path not in times:
                self._left_out.add("untimed", path.name)
        return sorted(((times[path], path) for path in pictures if path in times), key=lambda timed: timed[0])

    def _pictures(self) -> list[Path]:
        folder = Path(self._address.where)
        if not folder.is_dir():
            found = "a file" if folder.exists() else "nothing"
            raise SourceNotFound(
                f"{self._address}: found {found}, expected a folder of pictures: check the path"
                + (" (a film is named video:FILE)" if folder.exists() else "")
            )
        pictures = [path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file()]
        if not pictures:
            raise SourceNotFound(
                f"{self._address}: found no picture, expected files ending in {', '.join(sorted(SUFFIXES))}: "
                "name the folder that holds them (subfolders are not read)"
            )
        return sorted(pictures, key=lambda path: natural_key(path.name))

    def _csv_times(self, pictures: list[Path]) -> dict[Path, int]:
        """Times by the CSV; rows that name no picture of the folder are passed over."""
        table = self._csv_path()
        here = {path.name: path for path in pictures}
        times: dict[Path, int] = {}
        try:
            with table.open(encoding="utf-8-sig", newline="") as file:
                for row in self._rows(file, table):
                    if (path := here.get(row["file"] or "")) is not None:
                        times[path] = _row_time_ns(row, table)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise SourceError(f"{table}: found {error}, expected a CSV file in UTF-8") from error
        if not times:
            raise SourceNotFound(
                f"{table}: found no row that names a picture of {self._address.where}, "
                f"expected names such as {pictures[0].name!r} in the column file"
            )
        return times

    def _csv_path(self) -> Path:
        """The CSV beside the pictures, or where its path leads from here."""
        given = Path(self._address.options["csv"])
        beside = Path(self._address.where) / given
        for path in (beside, given):
            if path.is_file():
                return path
        raise SourceNotFound(f"{self._address}: found no file {beside} or {given}, expected csv= to name one")

    @staticmethod
    def _rows(file: object, table: Path) -> csv.DictReader[str]:
        rows = csv.DictReader(file)  # type: ignore[call-overload]
        if not {"file", "time"} <= set(rows.fieldnames or ()):
            raise SourceError(
                f"{table}: found the columns {rows.fieldnames or 'none'}, expected file and time: "
                "name them so in its first line, separated by commas"
            )
        return rows  # type: ignore[no-any-return]


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sorts frame_2 before frame_10: digits by their value, the rest as text."""
    return [(int(part), part) if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)]


def name_time_ns(stem: str) -> int | None:
    """The time that a file's name carries, ns UTC; None for a name without one (a counter is none)."""
    if (stamp := _STAMP.search(stem)) is not None and (at_ns := _stamp_ns(stamp)) is not None:
        return at_ns
    if _EPOCH_NAME.fullmatch(stem):
        at_ns = _epoch_ns(Decimal(stem))
        return at_ns if _plausible(at_ns) else None
    return None


def parse_time_ns(text: str) -> int:
    """An epoch number (s, ms, µs or ns, told by its size) or ISO 8601 as ns UTC. Raises ValueError."""
    try:
        return _epoch_ns(Decimal(text.strip()))
    except (InvalidOperation, OverflowError):
        # A "+" in an address is read as a space.
        return _datetime_ns(datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", text.strip())))


def option_start_ns(address: Address) -> int:
    """The option ``start`` of an address, ns UTC. Raises SourceError for what is no time."""
    text = address.options.get("start", DEFAULT_START)
    try:
        return parse_time_ns(text)
    except ValueError as error:
        raise SourceError(
            f"{address}: found start={text!r}, expected ISO 8601 such as 2021-05-10T22:23:08Z"
        ) from error


def _row_time_ns(row: Mapping[str, str | None], table: Path) -> int:
    try:
        return parse_time_ns(row["time"] or "")
    except ValueError as error:
        raise SourceError(
            f"{table}: found time {row['time']!r} for {row['file']!r}, expected an epoch number or ISO 8601"
        ) from error


def _epoch_ns(number: Decimal) -> int:
    unit = next((unit for limit, unit in _EPOCH_LIMITS if abs(number) < limit), 1)
    return int(number * unit)


def _stamp_ns(stamp: re.Match[str]) -> int | None:
    *parts, fraction, zone = stamp.groups()
    iso = "{}-{}-{}T{}:{}:{}".format(*parts) + (zone or "")
    try:
        at_ns = _datetime_ns(datetime.fromisoformat(iso)) + int((fraction or "").ljust(9, "0"))
    except ValueError:
        return None
    return at_ns if _plausible(at_ns) else None


def _datetime_ns(time: datetime) -> int:
    since = (time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


def _plausible(at_ns: int) -> bool:
    return _PLAUSIBLE_NS[0] <= at_ns < _PLAUSIBLE_NS[1]
