"""Events as JSON for those outside: what goes to Kafka, and the schemas that say so.

The keys are the records' own fields (see ``detector/anomaly.py`` and ``ingest/records.py``); times are
integers, ns since 1970 UTC, beyond the 2**53 that JavaScript counts exactly. ``docs/schemas/`` holds what
``schema`` gives: ``python -m sinks.event_json docs/schemas`` writes it anew, a test compares.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from detector.anomaly import Anomaly, Scores
from ingest.errors import RecordError
from ingest.records import Record, Status
from ingest.stream import key


class Topic(NamedTuple):
    """A stream that is passed on, under the name that it has outside."""

    name: str  # behind the prefix: "nozzlewatch.status"
    kind: type[Anomaly | Scores | Status]


TOPICS: dict[str, Topic] = {
    "anomalies": Topic("anomalies", Anomaly),
    "scores": Topic("scores", Scores),
    "statuses": Topic("status", Status),
}
"""By the stream's name, as in ``nw:anomalies:{3}``."""
DEAD = "dead"
"""The topic of what could not be read, behind the prefix."""

MEANINGS: dict[str, dict[str, str]] = {
    "Anomaly": {
        "version": "major version of the record; a newer one may mean something else",
        "id": "the anomaly's name, the same over all its revisions; found again in a replay, the same again",
        "printer": "the printer's name",
        "job": "the print job",
        "kind": "which failure it is",
        "state": "opened, updated or closed",
        "revision": "1 when opened, then one more with each change; the newest is the whole truth",
        "severity": "highest probability so far, 0..1",
        "score": "probability at this revision, 0..1",
        "onset_ns": "when the failure began, event time, ns since 1970 UTC",
        "detected_ns": "when it was found, event time, ns since 1970 UTC",
        "at_ns": "when this revision was told, event time, ns since 1970 UTC",
        "text": "why, in words that a person reads",
        "evidence": "what it rests on",
        "boxes": "where in the picture",
        "model": "version of what judged",
    },
    "Evidence": {
        "version": "major version of the record",
        "frames": "the frames behind the judgement",
        "channels": "the telemetry channels behind the judgement with their weights, which add up to 1",
    },
    "FrameRef": {
        "version": "major version of the record",
        "camera": "the camera's name",
        "captured_ns": "when the frame was captured, ns since 1970 UTC",
        "width": "width of the picture, pixels",
        "height": "height of the picture, pixels",
    },
    "Scores": {
        "version": "major version of the record; a newer one may mean something else",
        "printer": "the printer's name",
        "job": "the print job",
        "index": "the window's number: its start divided by its span",
        "span_ns": "length of the window, ns",
        "probabilities": "probability by kind, 0..1; a kind that is absent has 0",
        "novelty": "distance of the picture from the print's own past, standard deviations; null: not judged",
        "frame": "the window's frame; null: the camera said nothing",
        "frame_lost": "there was a frame, but it was gone before it was judged",
        "marks": (
            "what is to be known of the window, a sum of: 1 camera silent, 2 telemetry silent, 4 paused, "
            "8 filament change, 16 override, 32 first layer, 64 windows missing before it, 128 clock jump, "
            "256 times estimated, 512 camera frozen, 1024 no print is running"
        ),
        "model": "version of what judged",
        "quality": "what kept the picture from being judged, a sum of bits; 0: nothing did",
    },
    "Status": {
        "version": "major version of the record; a newer one may mean something else",
        "source": "which part it is: ingest, detector/0, sink/log, …",
        "at_ns": "when it was told, wall clock, ns since 1970 UTC",
        "health": "how the part is: ok, degraded, down, ended",
        "printer": "the printer that is spoken of; null: the whole part",
        "detail": "why, in words; may be empty",
        "counts": "what was counted since the part began: windows, drops by reason, …",
    },
}
"""What each field of each record means, with its unit."""

_encoder = msgspec.json.Encoder()


class _Header(msgspec.Struct):
    version: int


def relayed_streams(shards: Sequence[int]) -> list[str]:
    """The streams that the relay reads."""
    return [key(name, shard) for name in TOPICS for shard in shards]


def encode_event(record: Record) -> bytes:
    """The record as a JSON object, UTF-8."""
    return _encoder.encode(record)


def decode_event(data: bytes, stream: str) -> Anomaly | Scores | Status:
    """Read an event of a stream ("scores"). Fields that are not known are passed over.

    Raises RecordError for what is no JSON, is no such record, or has a newer major version.
    """
    kind = TOPICS[stream].kind
    known = kind.__struct_defaults__[kind.__struct_fields__.index("version")]
    try:
        version = msgspec.json.decode(data, type=_Header).version
        if version > known:
            raise RecordError(
                f"{kind.__name__}: found version {version}, expected at most {known}: "
                "a newer Nozzlewatch wrote this; update this one"
            )
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        found = f"found {len(data)} bytes that are no such record ({error})"
        raise RecordError(f"{kind.__name__}: {found}") from error


def key_of(record: Anomaly | Scores | Status) -> str:
    """What keeps its order: the printer, and for a status the part that tells it."""
    return record.part if isinstance(record, Status) else record.printer


def schema(stream: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a stream's events, each field with its meaning and unit."""
    name, kind = TOPICS[stream]
    made = msgspec.json.schema(kind)
    for title, part in made["$defs"].items():
        if "description" in part:
            part["description"] = " ".join(part["description"].replace("``", "").split())
        for field, told in part.get("properties", {}).items():
            told["description"] = MEANINGS[title][field]
    version = made["$defs"][kind.__name__]["properties"]["version"]
    version["const"] = version["default"]
    made["$defs"][kind.__name__]["required"].insert(0, "version")
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:nozzlewatch:{name}:{version['const']}",
        "title": f"An event of the topic nozzlewatch.{name}",
    }
    return head | made


def schema_file(stream: str) -> tuple[str, str]:
    """The name and the text of a stream's file in ``docs/schemas``."""
    text = json.dumps(schema(stream), indent=2, ensure_ascii=False)
    return f"nozzlewatch.{TOPICS[stream].name}.json", f"{text}\n"


def main(folder: Path) -> None:
    """Write all schemas into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for stream in TOPICS:
        name, text = schema_file(stream)
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
