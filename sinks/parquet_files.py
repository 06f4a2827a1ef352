"""The files of the Parquet log: their names, how one comes to be, and what one holds.

A name lists the stream-id range that the file holds of each shard, ``<shard>_<first>_<last>`` joined by
``__``, or of all shards together (``all16_…``) where that would grow too long; the footer holds the ranges
always.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import cast

import pyarrow as pa
import pyarrow.parquet as pq

from sinks.errors import SinkError
from sinks.parquet_schema import ENTRY_COLUMNS
from sinks.sink import Entry

EntryId = tuple[int, int]
"""(milliseconds, sequence) of a stream id: this is how ids are ordered."""
Ranges = Mapping[str, tuple[EntryId, EntryId]]
"""First and last entry id per stream."""

RANGES_KEY = b"nozzlewatch_streams"
"""Footer metadata: JSON object, stream → [first entry id, last entry id]."""
NAME_BYTES = 200
"""File systems allow 255 bytes for a name; the rest is for the ending and a temporary file's prefix."""

_ID = re.compile(r"(\d+)-(\d+)")
_RANGE = re.compile(r"_(\d+)-(\d+)_(\d+)-(\d+)(?=__|\.|$)")


def entry_order(entry_id: str) -> EntryId:
    """The id as numbers. Raises SinkError for what is no stream id."""
    if not (found := _ID.fullmatch(entry_id)):
        raise SinkError(f"found the entry id {entry_id!r}, expected a stream id such as 1737000000000-0")
    return int(found[1]), int(found[2])


def ranges_of(table: pa.Table) -> Ranges:
    """The stream-id range that the rows cover, per stream."""
    ranges: dict[str, tuple[EntryId, EntryId]] = {}
    for stream, entry_id in entries_of(table):
        order = entry_order(entry_id)
        first, last = ranges.get(stream, (order, order))
        ranges[stream] = min(first, order), max(last, order)
    return ranges


def file_name(ranges: Ranges) -> str:
    """The name, without ending, of the file that holds these ranges."""
    parts = [_range_text(_shard(stream), *ranges[stream]) for stream in sorted(ranges)]
    name = "__".join(parts)
    if len(name) <= NAME_BYTES:
        return name
    firsts, lasts = zip(*ranges.values(), strict=True)
    return _range_text(f"all{len(ranges)}", min(firsts), max(lasts))


def name_ranges(name: str) -> list[tuple[EntryId, EntryId]]:
    """The ranges that a name tells; empty for a file that was not named by us."""
    numbers = [tuple(map(int, found.groups())) for found in _RANGE.finditer(name)]
    return [((a, b), (c, d)) for a, b, c, d in numbers]


def newest_first(folder: Path) -> list[Path]:
    """The dataset's files by the last entry that they hold; foreign ones, which tell nothing, at the end."""
    return sorted(_files(folder), key=_last, reverse=True)


def may_hold(folder: Path, ids: Iterable[EntryId]) -> Iterator[Path]:
    """Files of a dataset that may hold one of the ids: those whose range does, and foreign ones."""
    wanted = sorted(ids)
    for path in _files(folder):
        ranges = name_ranges(path.name)
        if not ranges or any(first <= one <= last for first, last in ranges for one in wanted):
            yield path


def entries_of(table: pa.Table) -> Iterator[Entry]:
    """(stream, entry id) of each row."""
    streams, ids = (cast("list[str]", table.column(name).to_pylist()) for name in ENTRY_COLUMNS)
    return zip(streams, ids, strict=True)


def read_columns(path: Path, columns: Iterable[str]) -> pa.Table:
    """Columns of one file. Raises SinkError for a file that is no Parquet or lacks them."""
    try:
        with pq.ParquetFile(path) as file:
            return file.read(columns=list(columns))
    except (OSError, pa.ArrowException) as error:
        raise SinkError(
            f"{path}: expected a Parquet file of this log ({error}): move it elsewhere"
        ) from error


def write_whole(table: pa.Table, folder: Path, scratch: Path) -> Path:
    """Write rows as one file of ``folder``: it appears whole and durable, or not at all.

    ``scratch`` lies on the same file system and outside of every dataset. Raises OSError and ArrowException.
    """
    ranges = ranges_of(table)
    part = scratch / f"{file_name(ranges)}.parquet"
    target = _free_name(folder, file_name(ranges))
    try:
        _write_durable(table.replace_schema_metadata(_footer(table, ranges)), part)
        _make_folder(folder)
        os.replace(part, target)  # noqa: PTH105  the call that makes the file visible, by its own name
        sync_folder(folder)
    except BaseException:
        # Whoever failed tries all rows again: a file that stayed would hold them twice.
        for leftover in (part, target):
            _forget(leftover)
        raise
    return target


def sync_folder(folder: Path) -> None:
    """Make a folder's entries durable: a renamed file is only as safe as its name."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_durable(table: pa.Table, path: Path) -> None:
    with path.open("wb") as file:
        pq.write_table(table, file, compression="zstd")
        file.flush()
        os.fsync(file.fileno())


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    for parent in (folder.parent, folder.parent.parent):
        sync_folder(parent)


def _free_name(folder: Path, name: str) -> Path:
    """A name that no file has: rows once written are never replaced."""
    path, number = folder / f"{name}.parquet", 2
    while path.exists():
        path, number = folder / f"{name}__{number}.parquet", number + 1
    return path


def _forget(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # the error that led here is the one to tell; the next start clears the scratch folder


def _footer(table: pa.Table, ranges: Ranges) -> dict[bytes, bytes]:
    told = {stream: [f"{a}-{b}" for a, b in span] for stream, span in ranges.items()}
    return {**(table.schema.metadata or {}), RANGES_KEY: json.dumps(told).encode()}


def _range_text(shard: str, first: EntryId, last: EntryId) -> str:
    return f"{shard}_{first[0]}-{first[1]}_{last[0]}-{last[1]}"


def _shard(stream: str) -> str:
    """The part between braces, which is what the streams of one dataset differ in."""
    inner = re.search(r"\{(.+?)\}", stream)
    return re.sub(r"[^A-Za-z0-9]+", "-", inner[1] if inner else stream)


def _files(folder: Path) -> Iterator[Path]:
    return folder.glob("date=*/*.parquet")


def _last(path: Path) -> EntryId:
    return max((last for _, last in name_ranges(path.name)), default=(0, 0))
