"""The firmware's own words, sorted by what they mean for the print."""

from __future__ import annotations

import re

import numpy as np

from detector.anomaly import Kind, Reason
from detector.rules.halts import WHOLE_HISTORY_S
from detector.rules.heaters import BED, FULL_POWER, HOTEND, Heater, Stretch, described, stretch
from detector.rules.rising import went_wrong_s
from detector.rules.sensors import COLDEST_C, HOTTEST_C, impossible_steps
from features.sequence import History
from ingest.records import NS_PER_S, EventKind, Mark, WindowEvent

SAID_S = 30.0
"""What the firmware said holds for so long: a halted printer says nothing more."""

NAMED_S = 30.0
"""A halt belongs to the heater that was named so shortly before."""

RESET_S = 10.0
"""A reset is told for so long."""

HOT_BEFORE_RESET_S = 15.0
"""Heaters that had targets so shortly before a reset were printing."""

PHYSICAL_RISE_K = 10.0
"""A temperature that truly ran up to MAXTEMP lies at least so far above its target or its own start."""

HEATER_WORDS = re.compile(
    r"heating failed|thermal runaway|thermal malfunction|not heating at expected rate|heater decoupled"
    r"|preheat error|temp not matching",
    re.I,
)
"""Marlin's, Klipper's and those of Prusa's error codes."""

MAXTEMP_WORDS = re.compile(r"max\s?temp\b", re.I)
SENSOR_WORDS = re.compile(r"min\s?temp\b|adc out of range", re.I)
STALL_WORDS = re.compile(
    r"lost communication with mcu|timer too close|printer halted|kill\(\) called|mcu '[^']*' shutdown"
    r"|internal error on command|tmc '[^']*' reports error|rescheduled timer in the past",
    re.I,
)
ASKED_WORDS = re.compile(r"command request|webhooks request|m112|firmware_restart|not ready", re.I)
"""A stop that someone asked for, and Klipper while it connects: no failure of the print."""

BROKEN_OFF = re.compile(r"error\b")
"""How the end of a print begins that its printer gave up."""

BED_WORDS = re.compile(r"heater_id:\s*bed|heater_bed|\b(?:heat)?bed\b", re.I)

SAYING = (EventKind.ERROR, EventKind.HALTED, EventKind.JOB_ENDED)
"""What may carry the firmware's words: PrusaLink and Moonraker tell them with the print's end alone."""


def firmware_words(history: History) -> Reason | None:
    """The firmware named a failure: certain, and told with the temperatures around it."""
    said = _since_boot(history, SAID_S)
    for kind_of in (_thermal_kind, _stall_kind):
        for event in said:
            kind = kind_of(event, history)
            if kind is not None:
                return _told(event, kind, history)
    return None


def reset(history: History) -> Reason | None:
    """The firmware booted while heaters had targets: the print is lost."""
    starts = history.events(RESET_S, EventKind.START)
    if not starts:
        return None
    before_s = (starts[0].at_ns - history.newest.end_ns) / NS_PER_S
    halts = history.events(WHOLE_HISTORY_S, EventKind.HALTED)
    if any(halt.at_ns <= starts[0].at_ns for halt in halts):
        return None  # told already
    hot = {h.target: _target_before(h, history, before_s) for h in (HOTEND, BED)}
    channels = {target: 1.0 for target, celsius in hot.items() if celsius > 0.0}
    if not channels:
        return None
    text = (
        f"firmware restarted in the middle of a print (hotend target was {hot[HOTEND.target]:.0f} °C, "
        f"bed {hot[BED.target]:.0f} °C): power, watchdog or cable"
    )
    weights = {channel: 1.0 / len(channels) for channel in channels}
    return Reason(Kind.STALL, 1.0, starts[0].at_ns, text, weights)


def runout(history: History) -> Reason | None:
    """The filament sensor saw the end of the filament, and nobody was changing it."""
    ends = history.events(SAID_S, EventKind.RUNOUT)
    if not ends or _was_changing(history, ends[0]):
        return None
    text = "the filament sensor saw the end of the filament: nothing is extruded from here on"
    return Reason(Kind.NO_EXTRUSION, 1.0, ends[0].at_ns, text, {"e_mm": 1.0})


def _since_boot(history: History, seconds: float) -> list[WindowEvent]:
    """What was said in the last seconds, as far as the firmware has not booted since."""
    said = history.events(seconds, *SAYING, EventKind.START)
    starts = [place for place, event in enumerate(said) if event.kind is EventKind.START]
    return said[starts[-1] + 1 :] if starts else said


def _thermal_kind(event: WindowEvent, history: History) -> Kind | None:
    if HEATER_WORDS.search(event.text):
        return Kind.HEATER_FAULT
    if MAXTEMP_WORDS.search(event.text):
        return Kind.HEATER_FAULT if _rose_physically(_heater(event), history) else Kind.SENSOR_FAULT
    return Kind.SENSOR_FAULT if SENSOR_WORDS.search(event.text) else None


def _stall_kind(event: WindowEvent, history: History) -> Kind | None:
    if ASKED_WORDS.search(event.text) or _named_before(event, history):
        return None
    return Kind.STALL if _stands(event) or STALL_WORDS.search(event.text) else None


def _stands(event: WindowEvent) -> bool:
    """Whether the print stands after this event, whatever its words."""
    if event.kind is EventKind.JOB_ENDED:
        return BROKEN_OFF.match(event.text) is not None
    return event.kind is EventKind.HALTED


def _named_before(event: WindowEvent, history: History) -> bool:
    """Whether a heater or a sensor was named shortly before this event."""
    return any(
        0 <= event.at_ns - earlier.at_ns <= NAMED_S * NS_PER_S and _thermal_kind(earlier, history)
        for earlier in history.events(SAID_S + NAMED_S, *SAYING)
    )


def _told(event: WindowEvent, kind: Kind, history: History) -> Reason:
    words = event.text.strip() or event.kind.value
    if kind is Kind.STALL:
        around = f"hotend: {described(_around(HOTEND, history))}"
        return Reason(kind, 1.0, event.at_ns, f"firmware: “{words}” ({around})", {"lines": 1.0})
    heater = _heater(event)
    began_ns = _heater_began_ns if kind is Kind.HEATER_FAULT else _sensor_began_ns
    text = f"firmware: “{words}” ({heater.name}: {described(_around(heater, history))})"
    since_ns = min(began_ns(heater, history, event.at_ns), event.at_ns)
    return Reason(kind, 1.0, since_ns, text, {heater.celsius: 0.6, heater.power: 0.2, heater.target: 0.2})


def _heater(event: WindowEvent) -> Heater:
    return BED if BED_WORDS.search(event.text) else HOTEND


def _around(heater: Heater, history: History) -> Stretch | None:
    """The readings around what was said: the last ones before a halt may be half a minute old."""
    return stretch(history, heater, fresh_s=SAID_S + NAMED_S)


def _heater_began_ns(heater: Heater, history: History, otherwise_ns: int) -> int:
    """When the readings at full power began to lag, else the given time."""
    seen = _around(heater, history)
    full = seen.while_power(FULL_POWER) if seen else None
    if seen is None or full is None:
        return otherwise_ns
    return history.at_ns(went_wrong_s(seen, full, heater))


def _sensor_began_ns(heater: Heater, history: History, otherwise_ns: int) -> int:
    """The first reading of the newest that cannot be, or the first impossible step, else the given time."""
    celsius = history.series(heater.celsius)
    wrong = (celsius.values <= COLDEST_C) | (celsius.values >= HOTTEST_C)
    if len(wrong) and wrong[-1]:
        good = np.flatnonzero(~wrong)
        return history.at_ns(float(celsius.seconds[int(good[-1]) + 1 if len(good) else 0]))
    steps = impossible_steps(heater, history).seconds
    return history.at_ns(float(steps[0])) if len(steps) else otherwise_ns


def _rose_physically(heater: Heater, history: History) -> bool:
    """Whether the recorded temperature climbed to MAXTEMP the way heat does."""
    seen = _around(heater, history)
    if seen is None or seen.now_c >= HOTTEST_C or len(impossible_steps(heater, history).seconds):
        return False
    return seen.now_c - max(seen.target, float(seen.celsius.min())) >= PHYSICAL_RISE_K


def _target_before(heater: Heater, history: History, before_s: float) -> float:
    """The highest target of the heater shortly before a moment, in °C."""
    seconds, targets = history.series(heater.target)
    near = (seconds >= before_s - HOT_BEFORE_RESET_S) & (seconds < before_s)
    return float(targets[near].max(initial=0.0))


def _was_changing(history: History, event: WindowEvent) -> bool:
    """Whether the printer stood in a pause or a filament change already before the event's window."""
    before = [window for window in history.windows if window.end_ns <= event.at_ns]
    return bool(before and before[-1].marks & (Mark.PAUSED | Mark.FILAMENT_CHANGE))
