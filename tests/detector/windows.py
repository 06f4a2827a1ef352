"""Windows of a scripted print: channels as functions of time, nothing simulated."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec
import numpy as np

from detector.anomaly import Kind, Reason
from detector.rules import judge
from features.sequence import History
from ingest.records import (
    CHANNEL,
    CHANNELS,
    NS_PER_S,
    STEPS_PER_WINDOW,
    EventKind,
    FrameRef,
    Mark,
    Window,
    WindowEvent,
)

Script = float | Callable[[float], float]
FIRST = 1_700_000_000
"""Index of the first window: some day in 2023."""

STEP_S = 1.0 / STEPS_PER_WINDOW


def at(script: Script, seconds: float) -> float:
    return script(seconds) if callable(script) else script


def ramp(*points: tuple[float, float]) -> Callable[[float], float]:
    """Straight lines between (seconds, value) points, level outside of them."""
    seconds, values = zip(*points, strict=True)
    return lambda t: float(np.interp(t, seconds, values))


def step(at_s: float, before: float, after: float) -> Callable[[float], float]:
    return lambda t: after if t >= at_s else before


def film(
    seconds: int,
    *,
    every_s: float = 1.0,
    events: Mapping[float, tuple[EventKind, str]] | None = None,
    marks: Callable[[float], Mark] = lambda _: Mark.NONE,
    frame: Callable[[float], bool] = lambda _: False,
    telemetry: Callable[[float], bool] = lambda _: True,
    first: int = FIRST,
    **channels: Script,
) -> list[Window]:
    """One window per second in which the printer reports the given channels every ``every_s``."""
    held = np.full(len(CHANNELS), np.nan, np.float32)
    windows = []
    for second in range(seconds):
        values = np.zeros((STEPS_PER_WINDOW, len(CHANNELS)), np.float32)
        measured = np.zeros(values.shape, np.bool_)
        for number in range(STEPS_PER_WINDOW):
            t = second + number * STEP_S
            if telemetry(t) and round(t / STEP_S) % round(every_s / STEP_S) == 0:
                for name, script in channels.items():
                    held[CHANNEL[name]] = at(script, t)
                    measured[number, CHANNEL[name]] = True
            values[number] = held
        index = first + second
        windows.append(
            Window(
                printer="p",
                job="j",
                index=index,
                span_ns=NS_PER_S,
                frame=_frame(index) if frame(second) else None,
                sensors=values.tobytes(),
                measured=measured.tobytes(),
                marks=marks(second),
                events=_events(second, first, events or {}),
            )
        )
    return windows


def _frame(index: int) -> FrameRef:
    return FrameRef(camera="c", captured_ns=index * NS_PER_S, width=640, height=480)


def _events(
    second: int, first: int, events: Mapping[float, tuple[EventKind, str]]
) -> tuple[WindowEvent, ...]:
    return tuple(
        WindowEvent(first * NS_PER_S + round(t * NS_PER_S), kind, text)
        for t, (kind, text) in sorted(events.items())
        if second <= t < second + 1
    )


def judged(windows: Iterable[Window], capacity: int = 120) -> list[list[Reason]]:
    """What the rules say after each window."""
    history = History(capacity)
    said = []
    for window in windows:
        history.push(window)
        said.append(judge(history))
    return said


def largest_memory(
    windows: Iterable[Window], advance: Callable[[Any, History], tuple[Any, Any]], memory: Any
) -> int:
    """Bytes of the largest state of type ``memory`` that a rule remembers over these windows.

    Asserts that what is stored after each window and read again goes on as what never was stored.
    """
    history, state, restored, largest = History(120), None, None, 0
    for window in windows:
        history.push(window)
        state, said = advance(state, history)
        restored, same = advance(restored, history)
        stored = msgspec.msgpack.encode(restored)
        restored = msgspec.msgpack.decode(stored, type=memory)
        largest = max(largest, len(stored))
        assert (state, said) == (restored, same)
    return largest


def first_told(windows: list[Window], kind: Kind) -> tuple[float, Reason] | None:
    """Seconds (end of the window) and reason at which the rules first name the kind."""
    for window, reasons in zip(windows, judged(windows), strict=True):
        for reason in reasons:
            if reason.kind is kind:
                return (window.end_ns - windows[0].start_ns) / NS_PER_S, reason
    return None


def kinds_told(windows: list[Window]) -> set[Kind]:
    return {reason.kind for reasons in judged(windows) for reason in reasons}


PRINTING: dict[str, Script] = {
    "hotend_c": lambda t: 210.0 + 0.4 * math.sin(t),
    "hotend_target_c": 210.0,
    "hotend_power": 0.4,
    "bed_c": 60.0,
    "bed_target_c": 60.0,
    "bed_power": 0.3,
    "lines": 4.0,
    "garbled": 0.0,
    "resends": 0.0,
}


def printing(seconds: int, **changed: Any) -> list[Window]:
    """A quiet print but for what is changed: channels, or the other arguments of ``film``."""
    return film(seconds, **{**PRINTING, **changed})


def told(windows: list[Window], kind: Kind) -> tuple[float, Reason]:
    found = first_told(windows, kind)
    assert found is not None, f"{kind} was not told"
    return found


def began_s(reason: Reason) -> float:
    return reason.since_ns / NS_PER_S - FIRST
