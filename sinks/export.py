"""Anomalies in one file, in the format that the next program wants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from detector.anomaly import Anomaly
from ingest.errors import UsageError
from sinks.anomaly_text import to_dict
from sinks.json_text import as_json
from sinks.parquet_rows import to_table
from sinks.parquet_schema import ANOMALIES, ENTRY_COLUMNS
from sinks.sink import Delivered


class Format(StrEnum):
    """What an export can be."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


def format_of(out: Path) -> Format:
    """The format that a file's name asks for. Raises UsageError for other names."""
    try:
        return Format(out.suffix.removeprefix("."))
    except ValueError as error:
        known = ", ".join(f".{one}" for one in Format)
        raise UsageError(f"found the name {out.name!r}, expected one that ends in {known}") from error


def export(anomalies: Sequence[Anomaly], out: Path, chosen: Format) -> None:
    """Write anomalies into one file. CSV has no place for evidence and boxes; the others hold everything.

    Raises UsageError where the file cannot be written.
    """
    writers: dict[Format, Callable[[], object]] = {
        Format.JSON: lambda: out.write_bytes(as_json([to_dict(anomaly) for anomaly in anomalies])),
        Format.CSV: lambda: pa_csv.write_csv(_table(anomalies).drop(["evidence", "boxes"]), out),
        Format.PARQUET: lambda: pa_parquet.write_table(_table(anomalies), out),
    }
    try:
        writers[chosen]()
    except OSError as error:
        raise UsageError(f"{out}: found {error.strerror or error}, expected a file to write") from error


def _table(anomalies: Sequence[Anomaly]) -> pa.Table:
    rows = [Delivered("", "", anomaly) for anomaly in anomalies]
    return to_table(ANOMALIES, rows).drop([*ENTRY_COLUMNS, "pictures"])
