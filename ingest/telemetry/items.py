"""One understood line as the readings and events that a telemetry source yields."""

from __future__ import annotations

from collections.abc import Iterator

from ingest.records import Event, EventKind, Reading
from ingest.sources import TelemetryItem
from ingest.telemetry.parsed import Line, Parsed


def to_items(parsed: Parsed, printer: str, at_ns: int) -> Iterator[TelemetryItem]:
    """Everything that a line tells, at ``at_ns``: its counts first, then its readings, then its event.

    Each received line counts as 1 in ``lines``; a garbled one also in ``garbled``, a resend request or line
    error also in ``resends``. What the host said (``Line.HOST``) counts in none of them.
    """
    for channel in _counts(parsed):
        yield Reading(printer=printer, at_ns=at_ns, channel=channel, value=1.0)
    for channel, value in parsed.readings:
        yield Reading(printer=printer, at_ns=at_ns, channel=channel, value=value)
    if parsed.event is not None:
        kind, text = parsed.event
        yield Event(printer=printer, at_ns=at_ns, kind=kind, text=text)


def _counts(parsed: Parsed) -> Iterator[str]:
    if parsed.line is Line.HOST:
        return
    yield "lines"
    if not parsed.known:
        yield "garbled"
    if parsed.event is not None and parsed.event[0] is EventKind.RESEND:
        yield "resends"
