"""The columns of the Parquet log.

Five datasets: ``scores``, ``anomalies``, ``inspections``, ``labels``, ``status``. Every column bears its
meaning and unit as field metadata; the schema bears ``nozzlewatch_schema_version``. All columns are nullable,
so that a file from before a column existed can be read beside newer ones.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import pyarrow as pa

from detector.anomaly import Anomaly, Inspection, Kind, Label, Scores
from ingest.records import NS_PER_S, Record, Status
from sinks.errors import SinkError
from sinks.sink import Told

SCHEMA_VERSION = 2
"""Rises when a column changes its meaning or goes, or is never null from then on; a new column alone does not
raise it. Each rise is a step in ``parquet_versions``."""
VERSION_KEY = b"nozzlewatch_schema_version"

TIME = pa.timestamp("ns", tz="UTC")
DAY_S = 86_400
DAY_NS = DAY_S * NS_PER_S
SCORES, ANOMALIES, INSPECTIONS, LABELS, STATUS = "scores", "anomalies", "inspections", "labels", "status"

DATASETS: dict[type[Told], str] = {
    Scores: SCORES,
    Anomaly: ANOMALIES,
    Inspection: INSPECTIONS,
    Label: LABELS,
    Status: STATUS,
}
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
_ENTRY = [
    _field("stream", pa.string(), "the stream that the record came over, with its shard"),
    _field("entry_id", pa.string(), "the record's id in that stream"),
    _field("record_version", pa.int32(), "major version of the record"),
]
_PRINT = [
    _field("printer", pa.string(), "the printer's name"),
    _field("job", pa.string(), "the print job"),
]
_JUDGED = [*_ENTRY, *_PRINT, _field("model", pa.string(), "version of what judged")]
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
    _field("pictures", pa.list_(pa.string()), "frames kept beside: paths from the log's folder on"),
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
_LABEL = [
    _field("kind", pa.string(), "which failure it was; null: nothing was wrong"),
    _field("from", TIME, "start of the stretch that is spoken of", "ns UTC"),
    _field("to", TIME, "its end", "ns UTC"),
    _field("anomaly", pa.string(), "id of the anomaly that is spoken of; null: of the stretch alone"),
    _field("text", pa.string(), "what was said"),
    _field("said", TIME, "when it was said: the time in the entry's id", "ns UTC, whole ms"),
]
COUNT = pa.struct(
    [
        _field("name", pa.string(), "what is counted"),
        _field("count", pa.int64(), "how many since the part began", "count"),
    ]
)
_STATUS = [
    _field("source", pa.string(), "which part speaks: ingest, detector/0, sink/log, ..."),
    _field("printer", pa.string(), "of which printer; null: of the whole part"),
    _field("health", pa.string(), "ok, degraded, down or ended"),
    _field("at", TIME, "when it was said", "ns UTC"),
    _field("detail", pa.string(), "in words"),
    _field("counts", pa.list_(COUNT), "what it has counted"),
]
_METADATA: dict[bytes | str, bytes | str] = {VERSION_KEY: str(SCHEMA_VERSION).encode()}
SCHEMAS: dict[str, pa.Schema] = {
    dataset: pa.schema(columns, metadata=_METADATA)
    for dataset, columns in {
        SCORES: _JUDGED + _SCORES,
        ANOMALIES: _JUDGED + _ANOMALY,
        INSPECTIONS: _JUDGED + _INSPECTION,
        LABELS: _ENTRY + _PRINT + _LABEL,
        STATUS: _ENTRY + _STATUS,
    }.items()
}


def dataset_of(record: Record) -> str:
    """The dataset that a record belongs to. Raises SinkError for records that the log does not hold."""
    dataset = DATASETS.get(type(record))  # type: ignore[arg-type]  # an odd one is what is asked for
    if dataset is None:
        known = ", ".join(kind.__name__ for kind in DATASETS)
        raise SinkError(f"Parquet log: found a {type(record).__name__}, expected one of {known}")
    return dataset


def at_ns_of(record: Told) -> int:
    """The record's own time, ns UTC: what its partition and its age go by."""
    if isinstance(record, Scores):
        return record.start_ns
    return record.from_ns if isinstance(record, Label) else record.at_ns


def date_of(record: Told) -> str:
    """The partition, "YYYY-MM-DD": the UTC day of the record's own time. Raises SinkError."""
    return day_of(at_ns_of(record))


def day_of(at_ns: int) -> str:
    """The UTC day of a time, "YYYY-MM-DD". Raises SinkError for what is beyond the calendar."""
    try:
        return _day(at_ns // DAY_NS)
    except (ValueError, OverflowError, OSError) as error:
        raise SinkError(f"found the time {at_ns} ns, expected ns since 1970 UTC") from error


@lru_cache(maxsize=64)
def _day(number: int) -> str:
    """The n-th day since 1970. Raises ValueError, OverflowError or OSError beyond the calendar."""
    return datetime.fromtimestamp(number * DAY_S, UTC).date().isoformat()
