"""How records become rows of the Parquet log: column by column, a batch at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa

from detector.anomaly import Anomaly, InspectedPicture, Inspection, Kind, Label, Scores
from ingest.records import FrameRef, Status
from sinks.errors import SinkError
from sinks.parquet_files import entry_order
from sinks.parquet_schema import (
    ANOMALIES,
    FRAME,
    INSPECTIONS,
    LABELS,
    SCHEMAS,
    SCORES,
    STATUS,
    TIME,
    p_column,
)
from sinks.sink import Delivered, Told

Columns: TypeAlias = dict[str, Any]
"""Column → its values, a list or what Arrow takes for one."""
NS_PER_MS = 1_000_000


def to_table(
    dataset: str,
    delivered: Iterable[Delivered[Told]],
    pictures: Callable[[Anomaly], Iterable[str]] = lambda _: (),
) -> pa.Table:
    """Rows of one dataset, in the given order. Raises SinkError for values that their column cannot hold.

    ``pictures`` tells the paths of the frames that are kept of an anomaly.
    """
    rows = list(delivered)
    records: list[Any] = [one.record for one in rows]
    try:
        columns: Columns = {
            "stream": [one.stream for one in rows],
            "entry_id": [one.entry_id for one in rows],
            "record_version": [record.version for record in records],
        }
        columns |= _COLUMNS[dataset](records)
        if dataset == LABELS:
            columns["said"] = [entry_order(one.entry_id)[0] * NS_PER_MS for one in rows]
        if dataset == ANOMALIES:
            columns["pictures"] = [list(pictures(record)) for record in records]
        schema = SCHEMAS[dataset]
        return pa.Table.from_arrays([_array(columns[f.name], f.type) for f in schema], schema=schema)
    except (pa.ArrowException, ValueError, OverflowError, TypeError) as error:
        entries = ", ".join(f"{one.stream} {one.entry_id}" for one in rows[:3])
        raise SinkError(
            f"{dataset}: found values that their columns cannot hold ({error}) in {entries}…"
        ) from error


def _array(values: Any, type_: pa.DataType) -> pa.Array[Any]:
    return values if isinstance(values, pa.Array) else pa.array(values, type_)


def _of_print(records: Sequence[Any]) -> Columns:
    return {"printer": [one.printer for one in records], "job": [one.job for one in records]}


def _judged(records: Sequence[Any]) -> Columns:
    return _of_print(records) | {"model": [one.model for one in records]}


def _scores(records: Sequence[Scores]) -> Columns:
    told = [one.probabilities for one in records]
    index = np.array([one.index for one in records], np.int64)
    span_ns = np.array([one.span_ns for one in records], np.int64)
    columns: Columns = {
        p_column(kind): pa.array(np.array([p.get(kind, 0.0) for p in told], np.float32)) for kind in Kind
    }
    return _judged(records) | columns | {
        "index": pa.array(index),
        "span_ns": pa.array(span_ns),
        "start": pa.array([one.start_ns for one in records], TIME),
        "novelty": [one.novelty for one in records],
        "frame": _frames([one.frame for one in records]),
        "frame_lost": [one.frame_lost for one in records],
        "marks": [int(one.marks) for one in records],
        "quality": [int(one.quality) for one in records],
    }  # fmt: skip


def _frames(frames: Sequence[FrameRef | None]) -> pa.Array[Any]:
    known = [
        (None, None, None, None) if one is None else (one.camera, one.captured_ns, one.width, one.height)
        for one in frames
    ]
    columns = zip(*known, strict=True) if known else ((),) * 4
    arrays = [pa.array(list(column), field.type) for column, field in zip(columns, FRAME, strict=True)]
    missing = pa.array([one is None for one in frames], pa.bool_())
    return pa.StructArray.from_arrays(arrays, fields=list(FRAME), mask=missing)


def _anomalies(records: Sequence[Anomaly]) -> Columns:
    return _judged(records) | {
        "id": [one.id for one in records],
        "revision": [one.revision for one in records],
        "kind": [one.kind.value for one in records],
        "state": [one.state.value for one in records],
        "severity": [one.severity for one in records],
        "score": [one.score for one in records],
        "onset": [one.onset_ns for one in records],
        "detected": [one.detected_ns for one in records],
        "at": [one.at_ns for one in records],
        "text": [one.text for one in records],
        "evidence": [_evidence(one) for one in records],
        "boxes": [[box._asdict() for box in one.boxes] for one in records],
    }


def _evidence(anomaly: Anomaly) -> dict[str, object]:
    weights = [{"channel": name, "weight": share} for name, share in anomaly.evidence.channels.items()]
    return {"frames": [_frame(ref) for ref in anomaly.evidence.frames], "channels": weights}


def _inspections(records: Sequence[Inspection]) -> Columns:
    return _judged(records) | {
        "at": [one.at_ns for one in records],
        "verdict": [one.verdict for one in records],
        "sound": [one.sound for one in records],
        "probability": [one.probability for one in records],
        "pictures": [[_picture(picture) for picture in one.pictures] for one in records],
        "text": [one.text for one in records],
    }


def _picture(one: InspectedPicture) -> dict[str, object]:
    return msgspec.structs.asdict(one) | {"frame": _frame(one.frame)}


def _frame(ref: FrameRef) -> dict[str, object]:
    return {"camera": ref.camera, "captured": ref.captured_ns, "width": ref.width, "height": ref.height}


def _labels(records: Sequence[Label]) -> Columns:
    return _of_print(records) | {
        "kind": [None if one.kind is None else one.kind.value for one in records],
        "from": [one.from_ns for one in records],
        "to": [one.to_ns for one in records],
        "anomaly": [one.anomaly for one in records],
        "text": [one.text for one in records],
    }


def _statuses(records: Sequence[Status]) -> Columns:
    return {
        "source": [one.source for one in records],
        "printer": [one.printer for one in records],
        "health": [one.health.value for one in records],
        "at": [one.at_ns for one in records],
        "detail": [one.detail for one in records],
        "counts": [[{"name": n, "count": c} for n, c in one.counts.items()] for one in records],
    }


_COLUMNS: dict[str, Callable[[Sequence[Any]], Columns]] = {
    SCORES: _scores,
    ANOMALIES: _anomalies,
    INSPECTIONS: _inspections,
    LABELS: _labels,
    STATUS: _statuses,
}
"""One row per dataset, as in ``parquet_schema``."""
