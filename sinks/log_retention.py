"""Lets old days of the log go, by age and by size, and pictures of false alarms before those of true ones.

What goes is planned without touching anything; a day is gone in one step. A day is as old as what was last
written into it: the rows of a print that was recorded a year ago and watched today are of today.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import pyarrow.compute as pc

from detector.anomaly import Label
from ingest.records import NS_PER_S
from sinks.log_folder import LogFile, days
from sinks.log_pictures import FRAMES, JPEG, file_stem
from sinks.log_place import Place
from sinks.log_settings import Retention
from sinks.parquet_records import labels_of
from sinks.parquet_schema import LABELS, SCHEMAS
from sinks.read_log import read_rows

KEPT = (*SCHEMAS, FRAMES)


class Gone(NamedTuple):
    """What retention lets go."""

    folders: list[str]  # whole days, oldest first
    pictures: list[str]  # single pictures of days that stay


def plan_retention(
    found: Mapping[str, Sequence[LogFile]], labels: Iterable[Label], wanted: Retention, today: date
) -> Gone:
    """What goes, of the files of each dataset (FRAMES among them). ``today``'s never does."""
    sizes = {dataset: _day_sizes(files, today) for dataset, files in found.items()}
    gone = [one for dataset, files in found.items() for one in _too_old(dataset, files, wanted, today)]
    gone += [one for dataset in sizes for one in _too_large(dataset, sizes[dataset], found, gone, wanted)]
    gone += _too_much(sizes, found, gone, wanted)
    folders = sorted({f"{dataset}/date={day}" for dataset, day in gone}, key=lambda one: one[-10:])
    return Gone(folders, _false_pictures(found.get(FRAMES, ()), labels, folders, wanted, today))


def apply_retention(place: Place, wanted: Retention, now_ns: int) -> Gone:
    """Remove what goes by now. Raises OSError and SinkError."""
    found = {dataset: place.folder.files(dataset, JPEG if dataset == FRAMES else "") for dataset in KEPT}
    today = datetime.fromtimestamp(now_ns // NS_PER_S, UTC).date()
    labels = labels_of(read_rows(place.folder, LABELS, pc.scalar(True)).sort_by("said"))
    gone = plan_retention(found, labels, wanted, today)
    for path in gone.folders:
        with place.lock:
            place.remove_folder(path)
    if gone.pictures:
        place.remove(gone.pictures)
    return gone


_Day = tuple[str, str]
"""(dataset, day)"""


def _day_sizes(files: Sequence[LogFile], today: date) -> dict[str, int]:
    """Bytes of each day before today, oldest first."""
    return {day: sum(one.size for one in mine) for day, mine in days(list(files)) if day < today.isoformat()}


def _too_old(dataset: str, files: Sequence[LogFile], wanted: Retention, today: date) -> list[_Day]:
    kept_days = _days_of(dataset, wanted)
    if not kept_days:
        return []
    first = _first_kept(today, kept_days)
    return [(dataset, day) for day, mine in days(list(files)) if max(map(_age_of, mine)) < first]


def _age_of(file: LogFile) -> str:
    """The date from which a file's age is counted."""
    return max(file.day, file.written)


def _too_large(
    dataset: str,
    sizes: Mapping[str, int],
    found: Mapping[str, Sequence[LogFile]],
    gone: Sequence[_Day],
    wanted: Retention,
) -> list[_Day]:
    limit = getattr(wanted, f"{dataset}_bytes", 0)
    left = {(dataset, day): size for day, size in sizes.items() if (dataset, day) not in gone}
    total = _bytes(found[dataset]) - sum(sizes[day] for name, day in gone if name == dataset)
    return _until(list(left.items()), total, limit)


def _too_much(
    sizes: Mapping[str, Mapping[str, int]],
    found: Mapping[str, Sequence[LogFile]],
    gone: Sequence[_Day],
    wanted: Retention,
) -> list[_Day]:
    """Days that go as the whole log is too large; of what is kept for ever none do."""
    total = sum(map(_bytes, found.values())) - sum(sizes[dataset][day] for dataset, day in set(gone))
    left = [
        ((dataset, day), size)
        for dataset in sizes
        for day, size in sizes[dataset].items()
        if (dataset, day) not in gone and _days_of(dataset, wanted)
    ]
    return _until(sorted(left, key=lambda one: one[0][1]), total, wanted.max_bytes)


def _until(candidates: Sequence[tuple[_Day, int]], total: int, limit: int) -> list[_Day]:
    """So many of the first candidates that the total is within the limit; 0 is none."""
    gone: list[_Day] = []
    for day, size in candidates:
        if not limit or total <= limit:
            break
        gone.append(day)
        total -= size
    return gone


def _false_pictures(
    pictures: Sequence[LogFile],
    labels: Iterable[Label],
    folders: Sequence[str],
    wanted: Retention,
    today: date,
) -> list[str]:
    """Pictures of anomalies whose last label says that nothing was wrong, once they are old enough."""
    if not wanted.false_frames_days:
        return []
    last = {label.anomaly: label.kind for label in labels if label.anomaly}
    false = {file_stem(anomaly) for anomaly, kind in last.items() if kind is None}
    first = _first_kept(today, wanted.false_frames_days)
    return [
        one.path
        for one in pictures
        if _age_of(one) < first and one.folder not in folders and one.name.rpartition("-")[0] in false
    ]


def _days_of(dataset: str, wanted: Retention) -> int:
    return int(getattr(wanted, f"{dataset}_days"))


def _first_kept(today: date, kept_days: int) -> str:
    return (today - timedelta(days=kept_days)).isoformat()


def _bytes(files: Sequence[LogFile]) -> int:
    return sum(one.size for one in files)
