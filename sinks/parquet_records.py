"""How rows of the Parquet log become records again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
import pyarrow as pa

from detector.anomaly import Anomaly, Evidence, Inspection, Label
from ingest.records import Record, Status
from sinks.errors import SinkError
from sinks.parquet_schema import ANOMALIES, INSPECTIONS, LABELS, STATUS

R = TypeVar("R", bound=Record)


def anomalies_of(table: pa.Table) -> list[Anomaly]:
    """The anomalies that rows hold. Raises SinkError for rows that a newer Nozzlewatch wrote."""
    return _records(ANOMALIES, table, _anomaly)


def inspections_of(table: pa.Table) -> list[Inspection]:
    """The inspections that rows hold. Raises SinkError for rows that a newer Nozzlewatch wrote."""
    return _records(INSPECTIONS, table, _inspection)


def labels_of(table: pa.Table) -> list[Label]:
    """The labels that rows hold. Raises SinkError for rows that a newer Nozzlewatch wrote."""
    return _records(LABELS, table, _label)


def statuses_of(table: pa.Table) -> list[Status]:
    """The statuses that rows hold. Raises SinkError for rows that a newer Nozzlewatch wrote."""
    return _records(STATUS, table, _status)


def _records(dataset: str, table: pa.Table, read: Callable[[dict[str, Any]], R]) -> list[R]:
    try:
        return [read(row) for row in _times_as_ints(table).to_pylist()]
    except msgspec.ValidationError as error:
        raise SinkError(
            f"{dataset}: found a row that is none of ours ({error}): update Nozzlewatch"
        ) from error


def _anomaly(row: dict[str, Any]) -> Anomaly:
    evidence = row["evidence"]
    frames = [_ref(frame) for frame in evidence["frames"]]
    channels = {one["channel"]: one["weight"] for one in evidence["channels"]}
    boxes = [tuple(box[side] for side in ("x", "y", "width", "height")) for box in row["boxes"]]
    times = {"onset_ns": row["onset"], "detected_ns": row["detected"], "at_ns": row["at"]}
    found = {"version": row["record_version"], "boxes": boxes, **times}
    found["evidence"] = msgspec.convert({"frames": frames, "channels": channels}, Evidence)
    return msgspec.convert(row | found, Anomaly)


def _inspection(row: dict[str, Any]) -> Inspection:
    pictures = [one | {"frame": _ref(one["frame"])} for one in row["pictures"]]
    found = {"version": row["record_version"], "at_ns": row["at"], "pictures": pictures}
    return msgspec.convert(row | found, Inspection)


def _label(row: dict[str, Any]) -> Label:
    found = {"version": row["record_version"], "from_ns": row["from"], "to_ns": row["to"]}
    return msgspec.convert(row | found, Label)


def _status(row: dict[str, Any]) -> Status:
    counts = {one["name"]: one["count"] for one in row["counts"]}
    found = {"version": row["record_version"], "at_ns": row["at"], "counts": counts}
    return msgspec.convert(row | found, Status)


def _ref(frame: dict[str, Any]) -> dict[str, Any]:
    return {**frame, "captured_ns": frame["captured"]}


def _times_as_ints(table: pa.Table) -> pa.Table:
    """Python's datetime has no nanoseconds: times leave Arrow as integers."""
    fields = [pa.field(field.name, _plain(field.type)) for field in table.schema]
    return table.cast(pa.schema(fields))


def _plain(type_: pa.DataType) -> pa.DataType:
    if isinstance(type_, pa.ListType):
        return pa.list_(_plain(type_.value_type))
    if isinstance(type_, pa.StructType):
        return pa.struct([pa.field(field.name, _plain(field.type)) for field in type_])
    return pa.int64() if isinstance(type_, pa.TimestampType) else type_
