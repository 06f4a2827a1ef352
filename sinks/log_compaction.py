"""Makes few large, sorted files of the many small ones that a log that is written every few seconds has.

A merge is one new file, whose footer names those that it replaces, in the place of them. Whoever reads counts
the others for nothing as long as both are there (``read_log``); and where one step can put the whole day's
folder in the place of the old one (``log_place``), both are never there. A merge that was killed is finished
at the next start. Scores are sorted by printer, job and window, all others by stream id.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from sinks import parquet_files as files
from sinks.errors import SinkError
from sinks.log_folder import PARQUET, LogFile, LogFolder, days
from sinks.log_place import Place
from sinks.parquet_schema import SCHEMAS, SCORES
from sinks.parquet_versions import newest, read_newest

log = logging.getLogger("nozzlewatch.sinks")

SIZES = (1 << 20, 32 << 20)
"""Files below the first, and below the second of these sizes (bytes) are merged among each other."""
MANY = 32
"""So many files of a size, and they are merged: each row is written anew about three times."""
SMALL_SHARE = 10
"""A closed day that is merged already is merged again when its newer files are a tenth of it."""
LEFT_ALONE = 4
"""The newest files of a dataset: what is pending after a death is looked for in them."""
MERGE_ROWS = 500_000
"""Rows that are held in memory at once: about 200 MB."""
SORTED_BY = {SCORES: ("printer", "job", "index")}
ROOM_FACTOR = 2
"""A merge wants so many times the bytes of its files free: they go when it is done."""


class Merge(NamedTuple):
    """Files of one day that become one."""

    dataset: str
    files: tuple[LogFile, ...]

    @property
    def size(self) -> int:
        return sum(one.size for one in self.files)


def plan_merges(
    dataset: str, found: Sequence[LogFile], today: str, *, left_alone: int = LEFT_ALONE
) -> list[Merge]:
    """What is to be merged now. ``today`` ("YYYY-MM-DD") is still being written."""
    latest = sorted(found, key=files.last_of)[-left_alone:] if left_alone else []
    old = [one for one in found if one not in latest]
    merges = []
    for day, mine in days(old):
        chosen = _of_open_day(mine) if day >= today else _of_closed_day(mine)
        if len(chosen) > 1:
            merges.append(Merge(dataset, tuple(chosen)))
    return merges


def _of_open_day(found: list[LogFile]) -> list[LogFile]:
    """The files of a size of which there are many."""
    for low, high in zip((-1, *SIZES), SIZES, strict=False):
        chosen = [one for one in found if low < one.size <= high]
        if len(chosen) >= MANY:
            return chosen
    return []


def _of_closed_day(found: list[LogFile]) -> list[LogFile]:
    """All files, unless nearly everything is in large ones already."""
    small = [one for one in found if one.size <= SIZES[-1]]
    rest = sum(one.size for one in found) - sum(one.size for one in small)
    worth = len(small) >= MANY or sum(one.size for one in small) * SMALL_SHARE >= rest
    return found if worth else []


def merge(place: Place, wanted: Merge) -> LogFile:
    """Write the rows of a merge as one file, in the place of its files. Raises OSError and SinkError.

    Where this fails or dies, the files are there as they were; a killed one may leave some of them beside the
    new one, see ``finish_merges``.
    """
    free = place.free_bytes()
    if free is not None and free < wanted.size * ROOM_FACTOR:
        wants = f"expected {wanted.size * ROOM_FACTOR // 1_000_000} MB free to merge files"
        raise SinkError(f"{place.folder.told}: found too little room, {wants}: make room, nothing is lost")
    day = wanted.files[0].folder
    ranges = files.joined(_footer_ranges(place.folder, one) for one in wanted.files)
    schema = files.footer(SCHEMAS[wanted.dataset], ranges, [one.name for one in wanted.files])
    part = place.scratch / f"merge-{files.file_name(ranges)}{PARQUET}"
    try:
        with files.writing(part, schema, wanted.dataset) as writer:
            for table in _sorted_rows(place.folder, wanted):
                writer.write_table(table.cast(schema), files.ROW_GROUP)
        size = part.stat().st_size
        with place.lock:
            target = files.free_name(place.folder, day, ranges)
            place.replace(part, target, [one.path for one in wanted.files])
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return LogFile(target, size)


def finish_merges(place: Place) -> int:
    """Remove files that a killed merge had replaced; returns how many. Raises OSError, SinkError."""
    gone = [path for dataset in SCHEMAS for path in replaced_files(place.folder, place.folder.files(dataset))]
    place.remove(gone)
    return len(gone)


def replaced_files(folder: LogFolder, found: Sequence[LogFile]) -> list[str]:
    """Paths of files that count for nothing, as another one of them holds their rows.

    Only days with more than one file are looked into. Raises OSError, SinkError.
    """
    gone = []
    for _, mine in days(list(found)):
        paths = {one.path for one in mine}
        for one in mine if len(mine) > 1 else ():
            with files.opened(folder, one.path) as file:
                names = files.replaced_by(file.schema_arrow)
            gone += [path for name in names if (path := f"{one.folder}/{name}") in paths]
    return gone


def _footer_ranges(folder: LogFolder, one: LogFile) -> files.Ranges:
    with files.opened(folder, one.path) as file:
        return files.footer_ranges(file.schema_arrow)


def _sorted_rows(folder: LogFolder, wanted: Merge) -> Iterator[pa.Table]:
    """All rows in order, at most about MERGE_ROWS at once."""
    if wanted.dataset not in SORTED_BY:
        for one in sorted(wanted.files, key=files.last_of):
            yield read_newest(folder, wanted.dataset, one.path)
        return
    order: list[tuple[str, Literal["ascending", "descending"]]]
    order = [(name, "ascending") for name in SORTED_BY[wanted.dataset]]
    for chosen in _printers(folder, wanted):
        yield newest(folder, wanted.dataset, [one.path for one in wanted.files], chosen).sort_by(order)


def _printers(folder: LogFolder, wanted: Merge) -> Iterator[pc.Expression]:
    """Conditions that part the rows by printer, in order, into shares of about MERGE_ROWS."""
    counts: dict[str | None, int] = {}
    for one in wanted.files:
        with files.opened(folder, one.path) as file:
            for batch in file.iter_batches(columns=["printer"]):
                names, numbers = pc.value_counts(batch.column("printer")).flatten()
                for name, number in zip(names.to_pylist(), numbers.tolist(), strict=True):
                    counts[name] = counts.get(name, 0) + int(number or 0)
    if sum(counts.values()) <= MERGE_ROWS:
        yield pc.scalar(True)
        return
    if counts.pop(None, 0):
        yield pc.field("printer").is_null()
    known, taken = sorted(name for name in counts if name is not None), 0
    rest = iter(known)
    while share := list(islice(rest, _share(known[taken:], counts))):
        taken += len(share)
        yield (pc.field("printer") >= share[0]) & (pc.field("printer") <= share[-1])


def _share(names: Sequence[str], counts: dict[str | None, int]) -> int:
    """How many of the first printers have about MERGE_ROWS rows together; one at the least."""
    rows = 0
    for place, name in enumerate(names):
        rows += counts[name]
        if rows > MERGE_ROWS:
            return max(1, place)
    return len(names)
