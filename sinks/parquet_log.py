"""The Parquet log: every score, every revision of every anomaly and every inspection, each once.

    ROOT/scores/date=YYYY-MM-DD/*.parquet       by the window's start
    ROOT/anomalies/date=YYYY-MM-DD/*.parquet    by the time of the revision
    ROOT/inspections/date=YYYY-MM-DD/*.parquet  by the end of the print

Nothing is lost: an entry is acknowledged after its file is durable. Nothing is doubled:

- the same entry again: ``recover`` reads the entry ids back from the files whose ranges hold them, which is
  exact, also after a death between two files;
- the same row under a new entry id (the detector told it again): the keys of the last ``KEYS_KEPT`` rows of
  each dataset are remembered, over restarts too. A row that is told again later than that is a second row.

A file is written in ``ROOT/.writing`` and renamed when it is durable, so a reader sees whole files only.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, cast

import pyarrow as pa

from sinks import parquet_files as files
from sinks.errors import SinkError
from sinks.parquet_schema import (
    ENTRY_COLUMNS,
    KEY_COLUMNS,
    SCHEMAS,
    Key,
    dataset_of,
    date_of,
    row_key,
    to_table,
)
from sinks.sink import Batch, Delivered, Entry, Told

KEYS_KEPT = 200_000
"""Rows per dataset: over an hour of 50 printers at one window a second, in about 50 MB. A detector that
restarts tells again at most its recovery horizon, which is minutes."""
SCRATCH, LOCK = ".writing", ".lock"


class Part(NamedTuple):
    """The rows that go into one file."""

    dataset: str
    date: str  # YYYY-MM-DD


class ParquetLog:
    """A Sink that appends to a log folder. One writer per folder; readers come and go as they like."""

    def __init__(self, root: Path) -> None:
        """Open or make the log; clears what a killed writer left. Raises SinkError."""
        self._root = root
        self._scratch = root / SCRATCH
        self._buffers: dict[Part, list[pa.Table]] = {}
        self._buffered: dict[str, set[Key]] = {dataset: set() for dataset in SCHEMAS}
        try:
            self._lock = _locked(root)
        except OSError as error:
            raise SinkError(_unwritable(root, error)) from error
        try:
            self._written = self._begin()
        except BaseException:
            os.close(self._lock)
            raise

    def take(self, batch: Batch) -> None:
        """Keep rows in memory until ``flush``, less those that the log holds; all of the batch or none."""
        new = self._without_known(batch)
        parts: dict[Part, list[Delivered[Told]]] = {}
        for delivered in new.values():
            files.entry_order(delivered.entry_id)
            part = Part(dataset_of(delivered.record), date_of(delivered.record))
            parts.setdefault(part, []).append(delivered)
        tables = {part: to_table(part.dataset, rows) for part, rows in parts.items()}
        # From here on nothing raises: the batch is taken as a whole.
        for part, table in tables.items():
            self._buffers.setdefault(part, []).append(table)
        for dataset, key in new:
            self._buffered[dataset].add(key)

    def flush(self) -> None:
        """Write one file per dataset and day. Raises SinkError; what is not written yet stays buffered."""
        for part in sorted(self._buffers):
            self._write(part)

    def recover(self, pending: Batch) -> set[Entry]:
        """Those of ``pending`` whose row the log holds, be it under this entry id or another one."""
        held: set[Entry] = set()
        for dataset, written in self._written.items():
            mine = [one for one in pending if dataset_of(one.record) == dataset]
            entries = {(one.stream, one.entry_id) for one in mine}
            held |= entries & self._entries_around(dataset, entries)
            held |= {(one.stream, one.entry_id) for one in mine if row_key(one.record) in written}
        return held

    def close(self) -> None:
        """Flush, then let another writer have the folder."""
        try:
            self.flush()
        finally:
            os.close(self._lock)

    def _begin(self) -> dict[str, RecentKeys]:
        try:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch.mkdir(exist_ok=True)
        except OSError as error:
            raise SinkError(_unwritable(self._root, error)) from error
        return {dataset: _recent(self._root, dataset) for dataset in SCHEMAS}

    def _without_known(self, batch: Batch) -> dict[tuple[str, Key], Delivered[Told]]:
        new: dict[tuple[str, Key], Delivered[Told]] = {}
        for delivered in batch:
            dataset, key = dataset_of(delivered.record), row_key(delivered.record)
            if key not in self._written[dataset] and key not in self._buffered[dataset]:
                new.setdefault((dataset, key), delivered)
        return new

    def _write(self, part: Part) -> None:
        table = pa.concat_tables(self._buffers[part])
        folder = self._root / part.dataset / f"date={part.date}"
        try:
            files.write_whole(table, folder, self._scratch)
        except (OSError, pa.ArrowException) as error:
            raise SinkError(_unwritable(folder, error)) from error
        keys = _keys(part.dataset, table)
        self._written[part.dataset].add(keys)
        self._buffered[part.dataset].difference_update(keys)
        del self._buffers[part]

    def _entries_around(self, dataset: str, entries: set[Entry]) -> set[Entry]:
        """All entries of the files that may hold one of the given."""
        orders = [files.entry_order(entry_id) for _, entry_id in entries]
        found: set[Entry] = set()
        for path in files.may_hold(self._root / dataset, orders):
            found.update(files.entries_of(files.read_columns(path, ENTRY_COLUMNS)))
        return found


class RecentKeys:
    """The newest keys, at most ``limit`` of them."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._keys: OrderedDict[Key, None] = OrderedDict()

    def __contains__(self, key: Key) -> bool:
        return key in self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, keys: Iterable[Key]) -> None:
        """Add the newest keys; the oldest make room."""
        self._keys.update(dict.fromkeys(keys))
        while len(self._keys) > self._limit:
            self._keys.popitem(last=False)


def _recent(root: Path, dataset: str) -> RecentKeys:
    """The keys of the newest files, as many as are remembered."""
    newest: list[list[Key]] = []
    for path in files.newest_first(root / dataset):
        newest.append(_keys(dataset, files.read_columns(path, KEY_COLUMNS[dataset])))
        if sum(map(len, newest)) >= KEYS_KEPT:
            break
    recent = RecentKeys(KEYS_KEPT)
    for keys in reversed(newest):
        recent.add(keys)
    return recent


def _keys(dataset: str, table: pa.Table) -> list[Key]:
    columns = [table.column(name).to_pylist() for name in KEY_COLUMNS[dataset]]
    return cast("list[Key]", list(zip(*columns, strict=True)))


def _locked(root: Path) -> int:
    """A lock that ends with the process, however it ends. Raises SinkError when another writer has it."""
    root.mkdir(parents=True, exist_ok=True)
    handle = os.open(root / LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise SinkError(
            f"{root}: another process writes to this log: end it or choose another folder"
        ) from error
    return handle


def _unwritable(path: Path, error: Exception) -> str:
    return (
        f"{path}: cannot write the log ({error}): make room or allow writing; nothing taken is lost meanwhile"
    )
