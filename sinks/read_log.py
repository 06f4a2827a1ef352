"""Reads the Parquet log back, while it is being written or long after.

Times are ns UTC, ``since`` inclusive and ``until`` exclusive; None is no limit. Only the days in question are
opened.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from detector.anomaly import Anomaly, Inspection, Kind
from ingest.records import NS_PER_S
from sinks.errors import SinkError
from sinks.parquet_log import LOCK
from sinks.parquet_schema import (
    ANOMALIES,
    INSPECTIONS,
    SCHEMA_VERSION,
    SCHEMAS,
    SCORES,
    TIME,
    VERSION_KEY,
    anomalies_of,
    inspections_of,
)

_DATE = pa.field("date", pa.date32())


def read_anomalies(
    root: Path,
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
    root: Path,
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
    root: Path,
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


def _read(root: Path, dataset: str, chosen: pc.Expression, since: int | None, until: int | None) -> pa.Table:
    schema, folder = SCHEMAS[dataset], root / dataset
    if not root.is_dir():
        raise SinkError(
            f"{root}: found no folder, expected a log with scores/ and anomalies/: check the path"
        )
    if not any((root / name).exists() for name in (*SCHEMAS, LOCK)):
        raise SinkError(
            f"{root}: found a folder that is no log, expected scores/ and anomalies/ in it: check the path"
        )
    if not folder.is_dir():
        return schema.empty_table()
    days = _days(since, until)
    try:
        log = _open(folder, schema)
        _check_versions(log, days)
        return log.to_table(columns=schema.names, filter=days & chosen)
    except (OSError, pa.ArrowException) as error:
        raise SinkError(
            f"{folder}: cannot read the log ({error}): move what is no part of it away"
        ) from error


def _open(folder: Path, schema: pa.Schema) -> ds.Dataset:
    partitioning = ds.partitioning(pa.schema([_DATE]), flavor="hive")
    return ds.dataset(folder, schema=schema.append(_DATE), format="parquet", partitioning=partitioning)


def _check_versions(log: ds.Dataset, days: pc.Expression) -> None:
    for fragment in log.get_fragments(filter=days):
        version = int((fragment.physical_schema.metadata or {}).get(VERSION_KEY, b"0"))
        if version > SCHEMA_VERSION:
            path = getattr(fragment, "path", "?")
            raise SinkError(
                f"{path}: found log version {version}, expected {SCHEMA_VERSION}: update Nozzlewatch"
            )


def _within(column: str, since: int | None, until: int | None) -> pc.Expression:
    chosen = pc.scalar(True)
    if since is not None:
        chosen &= pc.field(column) >= pa.scalar(since, TIME)
    if until is not None:
        chosen &= pc.field(column) < pa.scalar(until, TIME)
    return chosen


def _days(since: int | None, until: int | None) -> pc.Expression:
    chosen = pc.scalar(True)
    if since is not None:
        chosen &= pc.field("date") >= pa.scalar(_day(since), pa.date32())
    if until is not None:
        chosen &= pc.field("date") <= pa.scalar(_day(until), pa.date32())
    return chosen


def _day(at_ns: int) -> date:
    return datetime.fromtimestamp(at_ns // NS_PER_S, UTC).date()


def _equal(column: str, value: Any) -> pc.Expression:
    return pc.scalar(True) if value is None else pc.field(column) == value
