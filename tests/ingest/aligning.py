"""What arrives at an aligner, second by second, and the windows that it makes of it."""

from __future__ import annotations

from ingest.align import Aligner, Timing
from ingest.records import (
    CHANNEL,
    NS_PER_S,
    Event,
    EventKind,
    Frame,
    Reading,
    Window,
)
from ingest.writer import Captured

S = NS_PER_S
T0 = 1_000 * S
HOTEND = CHANNEL["hotend_c"]
LINES = CHANNEL["lines"]


def aligner(*, camera: bool = True, telemetry: bool = True, lateness_s: float = 2.0) -> Aligner:
    timing = Timing(lateness_ns=int(lateness_s * S))
    return Aligner("ender", "job", timing, camera=camera, telemetry=telemetry)


def reading(at_s: float, value: float = 200.0, channel: str = "hotend_c") -> Reading:
    return Reading(printer="ender", at_ns=T0 + int(at_s * S), channel=channel, value=value)


def frame(at_s: float) -> Frame:
    at_ns = T0 + int(at_s * S)
    return Frame(printer="ender", camera="c", captured_ns=at_ns, jpeg=b"%d" % at_ns, width=1, height=1)


def event(at_s: float, kind: EventKind, text: str = "") -> Event:
    return Event(printer="ender", at_ns=T0 + int(at_s * S), kind=kind, text=text)


def at(seconds: float) -> int:
    return T0 + int(seconds * S)


def add(one: Aligner, *items: Frame | Reading | Event, late_s: float = 0.0) -> None:
    """Add items as if each had arrived ``late_s`` after its own time."""
    for item in items:
        own_ns = item.captured_ns if isinstance(item, Frame) else item.at_ns
        one.add(item, own_ns + int(late_s * S))


def windows(emitted: list[Captured]) -> list[Window]:
    return [captured.window for captured in emitted]
