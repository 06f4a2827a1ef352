"""The Parquet log: scores, revisions of anomalies, inspections, labels and statuses, each once.

    ROOT/scores/date=YYYY-MM-DD/*.parquet       by the window's start
    ROOT/anomalies/date=YYYY-MM-DD/*.parquet    by the time of the revision
    ROOT/inspections/date=YYYY-MM-DD/*.parquet  by the end of the print
    ROOT/labels/date=YYYY-MM-DD/*.parquet       by the start of what is spoken of
    ROOT/status/date=YYYY-MM-DD/*.parquet       by the time of the status
    ROOT/frames/date=YYYY-MM-DD/*.jpg           frames of anomalies, see ``log_pictures``

Nothing is lost: an entry is acknowledged after its file is durable. Nothing is doubled:

- the same entry again: ``recover`` reads the entry ids back from the files whose ranges hold them, which is
  exact, also after a death between two files;
- the same row under a new entry id (the detector told it again): what the log holds of each print and anomaly
  is remembered (``parquet_keys``), over restarts too.

Files appear whole (``log_place``), so a reader sees whole rows only. Small ones become large ones in the
background, and old ones go (``log_upkeep``).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from detector.anomaly import Anomaly
from sinks import parquet_files as files
from sinks.errors import SinkError
from sinks.log_compaction import finish_merges
from sinks.log_folder import LOCK, PARQUET, SCRATCH
from sinks.log_pictures import FrameStore, Pictures
from sinks.log_place import Place, open_place, unwritable
from sinks.parquet_keys import Key, SeenKeys, key_of, read_keys
from sinks.parquet_rows import to_table
from sinks.parquet_schema import SCORES, date_of
from sinks.sink import Batch, Delivered, Entry, Told

__all__ = ["LOCK", "SCRATCH", "ParquetLog"]


class Part(NamedTuple):
    """The rows that go into one file."""

    dataset: str
    date: str  # YYYY-MM-DD


@dataclass
class Buffer:
    """Rows that are taken and not durable yet."""

    tables: list[pa.Table] = field(default_factory=list)
    ranges: list[files.Ranges] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)


class ParquetLog:
    """A Sink that appends to a log folder. One writer per folder; readers come and go as they like."""

    def __init__(
        self, root: Path | str, *, frames: FrameStore | None = None, min_free_bytes: int = 0
    ) -> None:
        """Open or make the log (a path, or an URI); clears what a killed writer left. Raises SinkError.

        ``frames`` is where pictures of anomalies come from. Writing stops where less than ``min_free_bytes``
        are free, so that the stores on the same disk live on.
        """
        self.place: Place = open_place(root)
        self._min_free = min_free_bytes
        self._buffers: dict[Part, Buffer] = {}
        self._seen = SeenKeys()
        self._pictures = Pictures(self.place, frames)
        try:
            finish_merges(self.place)
            read_keys(self.place.folder, self._seen)
        except OSError as error:
            self.place.close()
            raise SinkError(unwritable(self.place.folder.told, error)) from error
        except BaseException:
            self.place.close()
            raise

    def take(self, batch: Batch) -> None:
        """Keep rows in memory until ``flush``, less those that the log holds; all of the batch or none."""
        parts: dict[Part, dict[Key, Delivered[Told]]] = {}
        for key, delivered in self._new(batch).items():
            parts.setdefault(Part(key[0], date_of(delivered.record)), {})[key] = delivered
        ranges = {part: _ranges(rows.values()) for part, rows in parts.items()}
        self._pictures.fetch([one for rows in parts.values() for one in rows.values()])
        tables = {part: to_table(part.dataset, rows.values(), self._paths) for part, rows in parts.items()}
        # From here on nothing raises: the batch is taken as a whole.
        for part, rows in parts.items():
            buffer = self._buffers.setdefault(part, Buffer())
            buffer.tables.append(tables[part])
            buffer.ranges.append(ranges[part])
            buffer.keys.extend(rows)
            for key in rows:
                self._seen.add(key)

    def flush(self) -> None:
        """Write one file per dataset and day. Raises SinkError; what is not written yet stays buffered."""
        if not self._buffers:
            return
        self._want_room()
        try:
            self._pictures.write()  # before the rows that name them
        except OSError as error:
            raise SinkError(unwritable(self.place.folder.told, error)) from error
        for part in sorted(self._buffers):
            self._write(part)

    def recover(self, pending: Batch) -> set[Entry]:
        """Those of ``pending`` whose row the log holds, be it under this entry id or another one."""
        buffered = {key for buffer in self._buffers.values() for key in buffer.keys}
        held: set[Entry] = set()
        unknown: dict[str, set[Entry]] = {}
        for one in pending:
            key, entry = key_of(one), (one.stream, one.entry_id)
            if key in self._seen and key not in buffered:
                held.add(entry)
            else:
                unknown.setdefault(key[0], set()).add(entry)
        try:
            return held.union(*(self._held(dataset, entries) for dataset, entries in unknown.items()))
        except OSError as error:
            raise SinkError(unwritable(self.place.folder.told, error)) from error

    def close(self) -> None:
        """Flush, then let another writer have the folder."""
        try:
            self.flush()
        finally:
            self.place.close()

    def _new(self, batch: Batch) -> dict[Key, Delivered[Told]]:
        seen = self._seen
        new: dict[Key, Delivered[Told]] = {}
        for delivered in batch:
            key = key_of(delivered)
            if key not in seen:
                new.setdefault(key, delivered)
        return new

    def _paths(self, anomaly: Anomaly) -> Iterable[str]:
        try:
            return self._pictures.paths(anomaly)
        except OSError as error:
            raise SinkError(unwritable(self.place.folder.told, error)) from error

    def _want_room(self) -> None:
        free = self.place.free_bytes()
        if free is not None and free < self._min_free:
            # The same words at every try: one alert, not one per megabyte.
            found = f"found less free than the {self._min_free // 1_000_000} MB that are to stay so"
            raise SinkError(unwritable(self.place.folder.told, found))

    def _write(self, part: Part) -> None:
        buffer, day = self._buffers[part], f"{part.dataset}/date={part.date}"
        table = pa.concat_tables(buffer.tables)
        if part.dataset == SCORES:  # what is looked for lies together
            table = table.sort_by([(name, "ascending") for name in ("printer", "job", "index")])
        ranges = files.joined(buffer.ranges)
        path = self.place.scratch / f"{files.file_name(ranges)}{PARQUET}"
        try:
            with files.writing(path, files.footer(table.schema, ranges), part.dataset) as writer:
                writer.write_table(table, files.ROW_GROUP)
            with self.place.lock:
                self.place.publish(path, files.free_name(self.place.folder, day, ranges))
        except (OSError, pa.ArrowException) as error:
            path.unlink(missing_ok=True)
            raise SinkError(unwritable(self.place.folder.where(day), error)) from error
        del self._buffers[part]

    def _held(self, dataset: str, entries: set[Entry]) -> set[Entry]:
        """Those of the entries that the files of a dataset hold."""
        orders = [files.entry_order(entry_id) for _, entry_id in entries]
        found: set[Entry] = set()
        with self.place.lock:
            for one in files.may_hold(self.place.folder.files(dataset), orders):
                found |= files.held_entries(self.place.folder, one.path, entries)
        return found


def _ranges(delivered: Iterable[Delivered[Told]]) -> files.Ranges:
    return files.ranges_of((one.stream, one.entry_id) for one in delivered)
