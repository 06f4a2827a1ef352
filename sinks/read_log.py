"""Reads the Parquet log back, while it is being written or long after, from a path or an URI.

Times are ns UTC, ``since`` inclusive and ``until`` exclusive; None is no limit. Only the days in question are
opened.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from detector.anomaly import Anomaly, Inspection, Kind, Label
from ingest.records import Status
from sinks.errors import SinkError
from sinks.log_compaction import replaced_files
from sinks.log_folder import LOCK, LogFolder, open_folder
from sinks.parquet_records import anomalies_of, inspections_of, labels_of, statuses_of
from sinks.parquet_schema import ANOMALIES, INSPECTIONS, LABELS, SCHEMAS, SCORES, STATUS, TIME, day_of
from sinks.parquet_versions import newest

TRIES = 5
"""How often a reader begins anew when files go under its hands: they do so once in minutes."""


def read_anomalies(
    root: Path | str,
    *,
    since: int | None = None,
    until: int | None = None,
    printer: str | None = None,
    kind: Kind | None = None,
    latest_only: bool = True,
) -> list[Anomaly]:
    """Anomalies told of within the span, by onset; of each the latest revision in it, or all revisions.

    ``since`` and ``until`` (ns UTC) go by when a revision was told (``at_ns``): with ``until`` in the past,
    an anomaly shows as it was known then. Raises SinkError where there is no log or a newer one.
    """
    chosen = _within("at", since, until) & _equal("printer", printer)
    chosen &= _equal("kind", None if kind is None else kind.value)
    found = anomalies_of(_read(root, ANOMALIES, chosen, since, until))
    found.sort(key=lambda one: (one.onset_ns, one.id, one.revision))
    return list({one.id: one for one in found}.values()) if latest_only else found


def read_scores(
    root: Path | str,
    *,
    since: int | None = None,
    until: int | None = None,
    printer: str | None = None,
    job: str | None = None,
) -> pa.Table:
    """Scores of the windows that start within the span (ns UTC), by printer and start.

    Columns as in ``SCHEMAS["scores"]``. Raises SinkError where there is no log or a newer one.
    """
    chosen = _within("start", since, until) & _equal("printer", printer) & _equal("job", job)
    table = _read(root, SCORES, chosen, since, until)
    return table.sort_by([("printer", "ascending"), ("start", "ascending")])


def read_inspections(
    root: Path | str,
    *,
    since: int | None = None,
    until: int | None = None,
    printer: str | None = None,
    job: str | None = None,
) -> list[Inspection]:
    """What was said of the parts whose print ended within the span (ns UTC), by that time.

    Raises SinkError where there is no log or a newer one.
    """
    chosen = _within("at", since, until) & _equal("printer", printer) & _equal("job", job)
    found = inspections_of(_read(root, INSPECTIONS, chosen, since, until))
    return sorted(found, key=lambda one: (one.at_ns, one.printer, one.job))


def read_labels(
    root: Path | str, *, since: int | None = None, until: int | None = None, printer: str | None = None
) -> list[Label]:
    """What users said of stretches that begin within the span (ns UTC), in the order in which they said it.

    Of one anomaly or stretch the last word counts. Raises SinkError where there is no log or a newer one.
    """
    chosen = _within("from", since, until) & _equal("printer", printer)
    return labels_of(_read(root, LABELS, chosen, since, until).sort_by("said"))


def read_statuses(
    root: Path | str, *, since: int | None = None, until: int | None = None, source: str | None = None
) -> list[Status]:
    """How the parts were within the span (ns UTC), by time.

    Raises SinkError where there is no log or a newer one.
    """
    chosen = _within("at", since, until) & _equal("source", source)
    return statuses_of(_read(root, STATUS, chosen, since, until).sort_by("at"))


def _read(
    root: Path | str, dataset: str, chosen: pc.Expression, since: int | None, until: int | None
) -> pa.Table:
    folder = open_folder(root)
    try:
        _check_folder(folder)
        return read_rows(folder, dataset, chosen, since, until)
    except (OSError, pa.ArrowException) as error:
        raise SinkError(
            f"{folder.where(dataset)}: cannot read the log ({error}): move what is no part of it away"
        ) from error


def read_rows(
    folder: LogFolder, dataset: str, chosen: pc.Expression, since: int | None = None, until: int | None = None
) -> pa.Table:
    """Rows of the days in question, each once, whatever is merged meanwhile. Raises OSError, SinkError."""
    for _ in range(TRIES):
        try:
            found = [one for one in folder.files(dataset) if _in_days(one.day, since, until)]
            gone = set(replaced_files(folder, found))
            rows = newest(folder, dataset, [one.path for one in found if one.path not in gone], chosen)
            if set(found) <= set(folder.files(dataset)):
                return rows
        except FileNotFoundError:
            continue  # merged into another file, or too old by now
    raise SinkError(f"{folder.where(dataset)}: found files that go while they are read: try again")


def _check_folder(folder: LogFolder) -> None:
    if not folder.holds(""):
        raise SinkError(
            f"{folder.told}: found no folder, expected a log with scores/ and anomalies/: check the path"
        )
    if not any(folder.holds(name) for name in (*SCHEMAS, LOCK)):
        raise SinkError(
            f"{folder.told}: found a folder that is no log, expected scores/ and anomalies/ in it: "
            "check the path"
        )


def _within(column: str, since: int | None, until: int | None) -> pc.Expression:
    chosen = pc.scalar(True)
    if since is not None:
        chosen &= pc.field(column) >= pa.scalar(since, TIME)
    if until is not None:
        chosen &= pc.field(column) < pa.scalar(until, TIME)
    return chosen


def _in_days(day: str, since: int | None, until: int | None) -> bool:
    return (since is None or day >= day_of(since)) and (until is None or day <= day_of(until))


def _equal(column: str, value: Any) -> pc.Expression:
    return pc.scalar(True) if value is None else pc.field(column) == value
