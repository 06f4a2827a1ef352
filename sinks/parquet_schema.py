"""The columns of the Parquet log, and how a record becomes a row and a row a record.

Three datasets: ``scores``, ``anomalies``, ``inspections``. Every column bears its meaning and unit as field
metadata; the schema bears ``nozzlewatch_schema_version``. All columns are nullable, so that a file from
before a column existed can be read beside newer ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec
import pyarrow as pa

from detector.anomaly import Anomaly, Evidence, InspectedPicture, Inspection, Kind, Scores
from ingest.records import NS_PER_S, FrameRef, Record
from sinks.errors import SinkError
from sinks.sink import Delivered, Told

SCHEMA_VERSION = 1
"""Rises when a column changes its meaning or goes; a new column alone does not raise it."""
VERSION_KEY = b"nozzlewatch_schema_version"

TIME = pa.timestamp("ns", tz="UTC")
SCORES, ANOMALIES, INSPECTIONS = "scores", "anomalies", "inspections"

KEY_COLUMNS = {
    SCORES: ("printer", "job", "index"),
    ANOMALIES: ("id", "revision"),
    INSPECTIONS: ("printer", "job"),
}
R = TypeVar("R", bound=Record)
Key = tuple[str, str, int] | tuple[str, int] | tuple[str, str]
"""What makes a row the same row: the values of its KEY_COLUMNS."""
ENTRY_COLUMNS = ("stream", "entry_id")


def p_column(kind: Kind) -> str:
    """The scores' column of a kind's probability."""
    return f"p_{kind.value}"


def _field(name: str, type_: pa.DataType, meaning: str, unit: str = "") -> pa.Field[Any]:
    return pa.field(name, type_, metadata={"meaning": meaning, "unit": unit})


FRAME = pa.struct(
    [
        _field("camera", pa.string(), "the camera's name"),
        _field("captured", TIME, "when the frame was captured", "ns UTC"),
        _field("width", pa.int32(), "width of the picture", "pixels"),
        _field("height", pa.int32(), "height of the picture", "pixels"),
    ]
)
WEIGHT = pa.struct(
    [
        _field("channel", pa.string(), "a telemetry channel, its unit in its name"),
        _field("weight", pa.float64(), "its share in the judgement; all add up to 1", "0..1"),
    ]
)
BOX = pa.struct(
    [
        _field(side, pa.float64(), f"{side} of the box", "picture = 1")
        for side in ("x", "y", "width", "height")
    ]
)
EVIDENCE = pa.struct(
    [
        _field("frames", pa.list_(FRAME), "the frames behind the judgement"),
        _field("channels", pa.list_(WEIGHT), "the telemetry channels behind the judgement"),
    ]
)
_COMMON = [
    _field("stream", pa.string(), "the stream that the record came over, with its shard"),
    _field("entry_id", pa.string(), "the record's id in that stream"),
    _field("record_version", pa.int32(), "major version of the record"),
    _field("printer", pa.string(), "the printer's name"),
    _field("job", pa.string(), "the print job"),
    _field("model", pa.string(), "version of what judged"),
]
_SCORES = [
    _field("index", pa.int64(), "the window's number: start divided by span", "windows since 1970"),
    _field("span_ns", pa.int64(), "length of the window", "ns"),
    _field("start", TIME, "start of the window, event time", "ns UTC"),
    *(_field(p_column(k), pa.float32(), f"probability of {k.value}; 0 where not told", "0..1") for k in Kind),
    _field(
        "novelty", pa.float32(), "distance from the print's own past; null: not judged", "standard deviations"
    ),
    _field("frame", FRAME, "the window's frame; null: the camera said nothing"),
    _field("frame_lost", pa.bool_(), "there was a frame, but it was gone before it was judged"),
    _field("marks", pa.int32(), "what is to be known of the window: bits of ingest.records.Mark", "bit set"),
    _field("quality", pa.int32(), "what kept the picture from being judged: bits of Quality", "bit set"),
]
_ANOMALY = [
    _field("id", pa.string(), "the anomaly's name, the same over all its revisions"),
    _field("revision", pa.int32(), "1 when opened, then one more with each change", "count"),
    _field("kind", pa.string(), "which failure it is"),
    _field("state", pa.string(), "opened, updated or closed"),
    _field("severity", pa.float64(), "highest probability so far", "0..1"),
    _field("score", pa.float64(), "probability at this revision", "0..1"),
    _field("onset", TIME, "when the failure began, event time", "ns UTC"),
    _field("detected", TIME, "when it was found, event time", "ns UTC"),
    _field("at", TIME, "when this revision was told, event time", "ns UTC"),
    _field("text", pa.string(), "why, in words"),
    _field("evidence", EVIDENCE, "what it rests on"),
    _field("boxes", pa.list_(BOX), "where in the picture"),
]
_PICTURE = pa.struct(
    [
        _field("frame", FRAME, "the picture"),
        _field("label", pa.string(), "its class; null: none of these"),
        _field("nearest", pa.string(), "the class that it is nearest to"),
        _field("probability", pa.float64(), "of the nearest class", "0..1"),
        _field("unlikeness", pa.float64(), "from 1 on none of the classes; null: not known", "share"),
    ]
)
_INSPECTION = [
    _field("at", TIME, "end of the print, event time", "ns UTC"),
    _field("verdict", pa.string(), "class of the finished part, none of these, or empty: no picture"),
    _field("sound", pa.bool_(), "the verdict is no defect"),
    _field("probability", pa.float64(), "of the verdict; null where it is no class", "0..1"),
    _field("pictures", pa.list_(_PICTURE), "what was said of each picture"),
    _field("text", pa.string(), "the verdict in words"),
]
_METADATA: dict[bytes | str, bytes | str] = {VERSION_KEY: str(SCHEMA_VERSION).encode()}
SCHEMAS: dict[str, pa.Schema] = {
    SCORES: pa.schema(_COMMON + _SCORES, metadata=_METADATA),
    ANOMALIES: pa.schema(_COMMON + _ANOMALY, metadata=_METADATA),
    INSPECTIONS: pa.schema(_COMMON + _INSPECTION, metadata=_METADATA),
}


def dataset_of(record: Record) -> str:
    """The dataset that a record belongs to. Raises SinkError for records that the log does not hold."""
    if isinstance(record, Scores):
        return SCORES
    if isinstance(record, Anomaly):
        return ANOMALIES
    if isinstance(record, Inspection):
        return INSPECTIONS
    raise SinkError(f"Parquet log: found a {type(record).__name__}, expected Scores, Anomaly or Inspection")


def row_key(record: Told) -> Key:
    """What makes the record's row the same row under whatever entry id."""
    if isinstance(record, Scores):
        return record.printer, record.job, record.index
    if isinstance(record, Anomaly):
        return record.id, record.revision
    return record.printer, record.job


def date_of(record: Told) -> str:
    """The partition, "YYYY-MM-DD": the UTC day of the record's own time. Raises SinkError."""
    at_ns = record.start_ns if isinstance(record, Scores) else record.at_ns
    try:
        return datetime.fromtimestamp(at_ns // NS_PER_S, UTC).date().isoformat()
    except (ValueError, OverflowError, OSError) as error:
        raise SinkError(f"{record.printer}: found the time {at_ns} ns, expected ns since 1970 UTC") from error


def to_table(dataset: str, delivered: Iterable[Delivered[Told]]) -> pa.Table:
    """Rows of one dataset, in the given order. Raises SinkError for values that their column cannot hold."""
    rows = [_row(one) for one in delivered]
    try:
        return pa.Table.from_pylist(rows, schema=SCHEMAS[dataset])
    except (pa.ArrowException, ValueError, OverflowError, TypeError) as error:
        entries = ", ".join(f"{row['stream']} {row['entry_id']}" for row in rows[:3])
        raise SinkError(
            f"{dataset}: found values that their columns cannot hold ({error}) in {entries}…"
        ) from error


def _row(delivered: Delivered[Told]) -> dict[str, object]:
    record = delivered.record
    common = {
        "stream": delivered.stream,
        "entry_id": delivered.entry_id,
        "record_version": record.version,
        "printer": record.printer,
        "job": record.job,
        "model": record.model,
    }
    return common | _own_columns(record)


def _own_columns(record: Told) -> dict[str, object]:
    if isinstance(record, Scores):
        return _scores_row(record)
    return _anomaly_row(record) if isinstance(record, Anomaly) else _inspection_row(record)


def _scores_row(scores: Scores) -> dict[str, object]:
    row: dict[str, object] = {p_column(kind): scores.probabilities.get(kind, 0.0) for kind in Kind}
    return row | {
        "index": scores.index,
        "span_ns": scores.span_ns,
        "start": scores.start_ns,
        "novelty": scores.novelty,
        "frame": None if scores.frame is None else _frame(scores.frame),
        "frame_lost": scores.frame_lost,
        "marks": int(scores.marks),
        "quality": scores.quality,
    }


def _anomaly_row(anomaly: Anomaly) -> dict[str, object]:
    weights = [{"channel": name, "weight": share} for name, share in anomaly.evidence.channels.items()]
    return {
        "id": anomaly.id,
        "revision": anomaly.revision,
        "kind": anomaly.kind.value,
        "state": anomaly.state.value,
        "severity": anomaly.severity,
        "score": anomaly.score,
        "onset": anomaly.onset_ns,
        "detected": anomaly.detected_ns,
        "at": anomaly.at_ns,
        "text": anomaly.text,
        "evidence": {"frames": [_frame(ref) for ref in anomaly.evidence.frames], "channels": weights},
        "boxes": [box._asdict() for box in anomaly.boxes],
    }


def _inspection_row(inspection: Inspection) -> dict[str, object]:
    return {
        "at": inspection.at_ns,
        "verdict": inspection.verdict,
        "sound": inspection.sound,
        "probability": inspection.probability,
        "pictures": [_picture(one) for one in inspection.pictures],
        "text": inspection.text,
    }


def _picture(one: InspectedPicture) -> dict[str, object]:
    return msgspec.structs.asdict(one) | {"frame": _frame(one.frame)}


def _frame(ref: FrameRef) -> dict[str, object]:
    return {"camera": ref.camera, "captured": ref.captured_ns, "width": ref.width, "height": ref.height}


def anomalies_of(table: pa.Table) -> list[Anomaly]:
    """The anomalies that rows hold. Raises SinkError for rows that a newer Nozzlewatch wrote."""
    return _records(ANOMALIES, table, _anomaly)


def inspections_of(table: pa.Table) -> list[Inspection]:
    """The inspections that rows hold. Raises SinkError for rows that a newer Nozzlewatch wrote."""
    return _records(INSPECTIONS, table, _inspection)


def _records(dataset: str, table: pa.Table, read: Callable[[dict[str, Any]], R]) -> list[R]:
    try:
        return [read(row) for row in _times_as_ints(table).to_pylist()]
    except msgspec.ValidationError as error:
        raise SinkError(
            f"{dataset}: found a row that is none of ours ({error}): update Nozzlewatch"
        ) from error


def _inspection(row: dict[str, Any]) -> Inspection:
    pictures = [one | {"frame": _ref(one["frame"])} for one in row["pictures"]]
    found = {"version": row["record_version"], "at_ns": row["at"], "pictures": pictures}
    return msgspec.convert(row | found, Inspection)


def _ref(frame: dict[str, Any]) -> dict[str, Any]:
    return {**frame, "captured_ns": frame["captured"]}


def _anomaly(row: dict[str, Any]) -> Anomaly:
    evidence = row["evidence"]
    frames = [_ref(frame) for frame in evidence["frames"]]
    channels = {one["channel"]: one["weight"] for one in evidence["channels"]}
    boxes = [tuple(box[side] for side in ("x", "y", "width", "height")) for box in row["boxes"]]
    times = {"onset_ns": row["onset"], "detected_ns": row["detected"], "at_ns": row["at"]}
    found = {"version": row["record_version"], "boxes": boxes, **times}
    found["evidence"] = msgspec.convert({"frames": frames, "channels": channels}, Evidence)
    return msgspec.convert(row | found, Anomaly)


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
