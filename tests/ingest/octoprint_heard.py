"""What ``News`` makes of messages of OctoPrint that a test writes itself."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from ingest.records import Event, EventKind, Reading
from ingest.sources import TelemetryItem
from ingest.telemetry.octoprint.news import News
from ingest.telemetry.octoprint.wire import Push, read

NOW_NS = 1_770_120_000_000_000_000


def heard(news: News, at_ns: int = NOW_NS, **message: Any) -> list[TelemetryItem]:
    push = read(json.dumps(message), Push)
    assert push is not None
    return list(news.take(push, at_ns))


def events(items: list[TelemetryItem]) -> list[tuple[EventKind, str]]:
    return [(item.kind, item.text) for item in items if isinstance(item, Event)]


def readings(items: list[TelemetryItem]) -> dict[str, float]:
    """The last value of each channel."""
    return {item.channel: item.value for item in items if isinstance(item, Reading)}


def state(text: str, **flags: bool) -> dict[str, Any]:
    return {"text": text, "flags": {"operational": True, **flags}}


def begun(**history: Any) -> News:
    news = News("p", {}, Counter())
    news.begin()
    heard(news, history={"state": state("Operational"), **history})
    return news


PRINTING = {"state": state("Printing", printing=True), "job": {"file": {"name": "cube.gcode"}}}
