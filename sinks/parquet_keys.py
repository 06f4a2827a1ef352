"""What the log remembers of its rows, so that a row told again under another entry id is no second row.

A row's key is a group and a number: scores (printer, job) and index; anomalies the id and the revision;
inspections (printer, job); status (source, printer) and its time; a label the entry that said it, as a user
may say the same thing again. Numbers of a group follow each other, so what is kept of a print is mostly one
stretch, however long it is.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from detector.anomaly import Anomaly, Inspection, Label, Scores
from ingest.records import Status
from sinks import parquet_files as files
from sinks.log_folder import LogFolder
from sinks.parquet_schema import ANOMALIES, DATASETS, ENTRY_COLUMNS, INSPECTIONS, LABELS, SCORES, STATUS
from sinks.sink import Delivered, Told

Ints: TypeAlias = npt.NDArray[np.int64]
Key: TypeAlias = tuple[str, Hashable, int]
"""(dataset, group, number)"""

GROUPS_KEPT = 50_000
"""Prints, and anomalies, whose rows are remembered: the newest ones, about 400 bytes each."""
STRETCHES_KEPT = 128
"""Of each of them the newest stretches of numbers without a gap."""
ROWS_READ = 200_000
"""Rows per dataset whose keys are read back at start: with 300 printers at a window a second eleven minutes.
A detector that restarts tells again at most its recovery horizon, which is two."""

_GROUP_COLUMNS: dict[str, tuple[tuple[str, ...], str | None]] = {
    SCORES: (("printer", "job"), "index"),
    ANOMALIES: (("id",), "revision"),
    INSPECTIONS: (("printer", "job"), None),
    LABELS: (ENTRY_COLUMNS, None),
    STATUS: (("source", "printer"), "at"),
}
"""The columns of a group and of its number, where it has one."""

_KEYS: dict[type[Told], Callable[[Any], Key]] = {
    Scores: lambda one: (SCORES, (one.record.printer, one.record.job), one.record.index),
    Anomaly: lambda one: (ANOMALIES, (one.record.id,), one.record.revision),
    Inspection: lambda one: (INSPECTIONS, (one.record.printer, one.record.job), 0),
    Label: lambda one: (LABELS, (one.stream, one.entry_id), 0),
    Status: lambda one: (STATUS, (one.record.source, one.record.printer), one.record.at_ns),
}


def key_of(delivered: Delivered[Told]) -> Key:
    """What makes the row the same row under whatever entry id."""
    return _KEYS[type(delivered.record)](delivered)


class SeenKeys:
    """Keys of rows: of the newest ``groups`` groups the newest ``stretches`` stretches of numbers."""

    def __init__(self, groups: int | None = None, stretches: int | None = None) -> None:
        self._groups = GROUPS_KEPT if groups is None else groups
        self._stretches = STRETCHES_KEPT if stretches is None else stretches
        self._bounds: OrderedDict[tuple[str, Hashable], list[int]] = OrderedDict()
        """Group → begin and end of its stretches, ascending; a begin belongs to it, an end does not."""

    def __contains__(self, key: Key) -> bool:
        bounds = self._bounds.get(key[:2])
        return bounds is not None and bisect_right(bounds, key[2]) % 2 == 1

    def __len__(self) -> int:
        """How many groups are remembered."""
        return len(self._bounds)

    def add(self, key: Key, count: int = 1) -> None:
        """Remember a key and those of the ``count - 1`` numbers after it.

        What was not added to for the longest makes room.
        """
        group, begin = key[:2], key[2]
        bounds = self._bounds.get(group)
        if bounds is None:
            self._bounds[group] = [begin, begin + count]
            if len(self._bounds) > self._groups:
                self._bounds.popitem(last=False)
            return
        self._bounds.move_to_end(group)
        if bounds[-1] == begin:  # the next window of a print: nearly always so
            bounds[-1] = begin + count
            return
        left, right = bisect_left(bounds, begin), bisect_right(bounds, begin + count)
        bounds[left:right] = [begin] * (left % 2 == 0) + [begin + count] * (right % 2 == 0)
        del bounds[: -2 * self._stretches]


def read_keys(folder: LogFolder, seen: SeenKeys) -> None:
    """Remember the keys of the newest rows of every dataset. Raises OSError and SinkError."""
    for dataset in dict.fromkeys(DATASETS.values()):
        rows, chosen = 0, []
        for one in sorted(folder.files(dataset), key=files.last_of, reverse=True):
            chosen.append(one.path)
            with files.opened(folder, one.path) as file:
                rows += file.metadata.num_rows
            if rows >= ROWS_READ:
                break
        for path in reversed(chosen):
            for key, count in _stretches_in(folder, dataset, path):
                seen.add(key, count)


def _stretches_in(folder: LogFolder, dataset: str, path: str) -> Iterator[tuple[Key, int]]:
    """The keys of a file as (first key, how many numbers follow each other from it on)."""
    group, number = _GROUP_COLUMNS[dataset]
    with files.opened(folder, path) as file:
        for batch in file.iter_batches(columns=[*group, *([number] if number else [])]):
            numbers = _numbers(batch, number)
            begins = _begins(batch, group, numbers)
            counts = np.diff([*begins.tolist(), len(batch)]).tolist()
            firsts = batch.take(begins)
            groups = zip(*(firsts.column(name).to_pylist() for name in group), strict=True)
            for one, begin, count in zip(groups, begins.tolist(), counts, strict=True):
                yield (dataset, one, int(numbers[begin])), count


def _numbers(batch: pa.RecordBatch, number: str | None) -> Ints:
    if number is None:
        return np.zeros(len(batch), np.int64)
    return batch.column(number).cast(pa.int64()).to_numpy(zero_copy_only=False)


def _begins(batch: pa.RecordBatch, group: Sequence[str], numbers: Ints) -> Ints:
    """Rows where the group is another one than in the row before, or the number not the next one."""
    if len(batch) < 2:  # noqa: PLR2004  nothing to compare
        return np.arange(len(batch))
    breaks = np.diff(numbers) != 1
    for name in group:
        column: Any = batch.column(name)
        same = pc.fill_null(pc.equal(column[1:], column[:-1]), False)
        breaks |= ~np.asarray(same, bool)
    return np.concatenate([[0], np.flatnonzero(breaks) + 1])
