"""Events as JSON: the published schemas say what is sent, field by field, and reading is strict."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator, ValidationError

from detector.anomaly import Box, Kind, Scores, State
from ingest.errors import RecordError
from ingest.records import Health, Mark, Status
from sinks.event_headers import Recent, entry_of, told_by
from sinks.event_json import TOPICS, decode_event, encode_event, key_of, schema, schema_file

DOCS = Path(__file__).parents[2] / "docs" / "schemas"
Make = Callable[..., Any]


def status(**fields: Any) -> Status:
    told = {
        "source": "ingest",
        "at_ns": 7,
        "health": Health.OK,
        "printer": "voron-2",
        "counts": {"windows": 3},
    }
    return Status(**told | fields)


def published(stream: str) -> Draft202012Validator:
    told = json.loads((DOCS / schema_file(stream)[0]).read_text())
    Draft202012Validator.check_schema(told)
    return Draft202012Validator(told)


@pytest.mark.parametrize("stream", TOPICS)
def test_the_published_schema_has_every_field_that_the_records_have(stream: str) -> None:
    name, text = schema_file(stream)
    assert (DOCS / name).read_text() == text, "write it anew: python -m sinks.event_json docs/schemas"


@pytest.mark.parametrize("stream", TOPICS)
def test_every_field_of_a_published_schema_has_its_meaning(stream: str) -> None:
    parts = schema(stream)["$defs"].values()
    fields = [field for part in parts for field in part.get("properties", {}).values()]
    assert fields
    assert all(field["description"] for field in fields)


def test_the_schema_names_every_mark_that_a_window_can_bear() -> None:
    told = schema("scores")["$defs"]["Scores"]["properties"]["marks"]["description"]
    assert all(f" {mark.value} " in told for mark in Mark if mark)


def test_every_event_validates(scores: Make, anomaly: Make) -> None:
    told = [
        ("scores", scores(1)),
        ("scores", scores(2, novelty=None, frame=None, frame_lost=True, probabilities={})),
        ("scores", scores(3, probabilities=dict.fromkeys(Kind, 0.5), novelty=float("nan"))),
        *(("anomalies", anomaly(n, kind=kind)) for n, kind in enumerate(Kind)),
        *(("anomalies", anomaly(state=state, boxes=(), text="\u2603 \U0001f525 <b>")) for state in State),
        *(("statuses", status(health=health)) for health in Health),
        ("statuses", status(printer=None, detail="waits", counts={})),
    ]
    for stream, record in told:
        published(stream).validate(json.loads(encode_event(record)))


def test_what_is_no_such_event_does_not_validate(scores: Make, anomaly: Make) -> None:
    good = json.loads(encode_event(scores(1)))
    for bad in (
        good | {"printer": 7},
        good | {"version": 2},
        {key: value for key, value in good.items() if key != "index"},
        json.loads(encode_event(anomaly())),
    ):
        with pytest.raises(ValidationError):
            published("scores").validate(bad)


def test_an_event_reads_back_as_the_record_it_was(scores: Make, anomaly: Make) -> None:
    told = [("scores", scores(1, novelty=0.1)), ("anomalies", anomaly(boxes=(Box(0.1, 1 / 3, 0.3, 1e-9),)))]
    for stream, record in [*told, ("statuses", status())]:
        assert decode_event(encode_event(record), stream) == record


def test_fields_of_a_later_nozzlewatch_are_passed_over(scores: Make) -> None:
    later = json.loads(encode_event(scores(1))) | {"humidity": 0.4}
    assert decode_event(json.dumps(later).encode(), "scores") == scores(1)


def test_what_is_none_of_ours_is_refused_with_what_was_found(scores: Make, anomaly: Make) -> None:
    told = json.loads(encode_event(scores(1)))
    for data, words in (
        (b"", "no such record"),
        (b"\xff\xfe{}", "no such record"),
        (b"[1, 2]", "no such record"),
        (json.dumps(told | {"index": "7"}).encode(), r"\$.index"),
        (json.dumps(told | {"index": 7.5}).encode(), r"\$.index"),
        (json.dumps(told | {"version": 2}).encode(), "found version 2, expected at most 1"),
        (json.dumps({"version": 9}).encode(), "found version 9, expected at most 1"),
        (encode_event(anomaly()), "no such record"),
    ):
        with pytest.raises(RecordError, match=words):
            decode_event(data, "scores")


def test_the_key_is_the_printer_and_of_a_status_its_part(scores: Make, anomaly: Make) -> None:
    assert key_of(scores(1)) == key_of(anomaly()) == "voron-2"
    assert key_of(status()) == "ingest/voron-2"
    assert key_of(status(printer=None, source="detector/0")) == "detector/0"


def test_a_message_that_passes_an_entry_on_has_that_entry_and_another_its_place() -> None:
    headers = told_by("farm", ("nw:scores:{3}", "1770-2"))
    assert entry_of(headers, "nozzlewatch.scores", 5, 77) == ("nw:scores:{3}", "1770-2")
    own = ("kafka:nozzlewatch.scores:{5}", "77-0")
    for odd in (
        {},
        {"nw-stream": b"nw:scores:{3}"},
        headers | {"nw-entry": b"../x"},
        headers | {"nw-stream": b"\xff"},
    ):
        assert entry_of(odd, "nozzlewatch.scores", 5, 77) == own


def test_what_is_sent_twice_is_known_again_by_farm_stream_and_entry() -> None:
    recent = Recent(limit=3)
    first = list(told_by("a", ("nw:scores:{0}", "1-0")).items())
    assert recent.is_new(first)
    assert not recent.is_new(first)
    assert recent.is_new(list(told_by("b", ("nw:scores:{0}", "1-0")).items()))
    assert recent.is_new(list(told_by("a", ("nw:scores:{1}", "1-0")).items()))
    assert recent.is_new(None)
    assert recent.is_new(None)
    assert recent.is_new(list(told_by("a", ("nw:scores:{0}", "2-0")).items()))
    assert recent.is_new(first), "it keeps no more than it may"


def test_a_record_that_gains_a_field_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Humid(Scores, frozen=True, kw_only=True):
        humidity: float = 0.0

    monkeypatch.setitem(TOPICS, "scores", TOPICS["scores"]._replace(kind=Humid))
    assert msgspec.structs.fields(Humid)[-1].name == "humidity"
    with pytest.raises(KeyError):
        schema("scores")
