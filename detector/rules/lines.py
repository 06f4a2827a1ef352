"""What the line itself tells: errors, garbage and silence."""

from __future__ import annotations

from collections.abc import Callable

from detector.anomaly import Kind, Reason
from detector.rules.halts import stands_halted
from detector.rules.heaters import graded
from features.sequence import History, Series
from ingest.records import NS_PER_S, EventKind, Mark, Window

STORM_S = 30.0
STORM_ERRORS = 5
"""Resends and line errors within STORM_S from which the print stutters. One bad line makes one to four."""

STORM_SURE = 15
"""So many within STORM_S leave no doubt."""

GARBLED_S = 10.0
GARBLED_LEAST_LINES = 10
GARBLED_SHARE = 0.5
"""Half of the lines garbled: wrong speed, a bad cable or a fault of the USB bridge."""


def line_error_storm(history: History) -> Reason | None:
    """Many resends in a short time: the printer waits for lines, and blobs where it waits."""
    counted = _counted(history, "resends", STORM_S)
    events = history.events(STORM_S, EventKind.RESEND)
    errors = max(round(float(counted.values.sum())), len(events))
    if errors < STORM_ERRORS:
        return None
    text = (
        f"{errors} resends and line errors in {STORM_S:.0f} s: the print waits for lines that arrive broken"
    )
    began_ns = history.at_ns(float(counted.seconds[0])) if len(counted.seconds) else events[0].at_ns
    probability = graded((errors - STORM_ERRORS) / (STORM_SURE - STORM_ERRORS))
    return Reason(Kind.STALL, probability, began_ns, text, {"resends": 1.0})


def garbled_lines(history: History) -> Reason | None:
    """What arrives is no firmware's language: the watch is blind."""
    lines = float(history.series("lines").since(GARBLED_S).values.sum())
    garbled = _counted(history, "garbled", GARBLED_S)
    share = float(garbled.values.sum()) / max(lines, 1.0)
    if lines < GARBLED_LEAST_LINES or share < GARBLED_SHARE:
        return None
    text = f"{share:.0%} of {lines:.0f} lines in {GARBLED_S:.0f} s are garbled: wrong speed or bad cable"
    probability = graded((share - GARBLED_SHARE) / (1.0 - GARBLED_SHARE), least=0.8)
    since_ns = history.at_ns(float(garbled.seconds[0]))
    weights = {"garbled": 0.7, "lines": 0.3}
    return Reason(Kind.TELEMETRY_FAULT, probability, since_ns, text.replace("%", " %"), weights)


def telemetry_silent(history: History) -> Reason | None:
    """The printer says nothing any more, and it did not halt."""
    if not history.newest.marks & Mark.TELEMETRY_SILENT or stands_halted(history):
        return None
    since_ns = _silent_since_ns(history, _says_something)
    text = f"the printer has said nothing for {_seconds(history, since_ns):.0f} s: the watch is blind"
    return Reason(Kind.TELEMETRY_FAULT, 1.0, since_ns, text, {"lines": 1.0})


def camera_silent(history: History) -> Reason | None:
    """The camera sends nothing any more."""
    if not history.newest.marks & Mark.CAMERA_SILENT:
        return None
    since_ns = _silent_since_ns(history, lambda window: window.frame is not None)
    text = f"the camera has sent nothing for {_seconds(history, since_ns):.0f} s: the watch is blind"
    return Reason(Kind.CAMERA_FAULT, 1.0, since_ns, text)


def _counted(history: History, channel: str, seconds: float) -> Series:
    """The steps of the last seconds in which a counted channel counted something."""
    at, counts = history.series(channel).since(seconds)
    some = counts > 0.0
    return Series(at[some], counts[some])


def _says_something(window: Window) -> bool:
    return bool(window.events) or bool(window.mask().any())


def _silent_since_ns(history: History, says: Callable[[Window], bool]) -> int:
    """End of the last window in which something was said, else the start of the history."""
    for window in reversed(history.windows):
        if says(window):
            return window.end_ns
    return history.windows[0].start_ns


def _seconds(history: History, since_ns: int) -> float:
    return (history.newest.end_ns - since_ns) / NS_PER_S
