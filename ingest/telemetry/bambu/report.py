"""What a Bambu Lab printer reports of itself: JSON in, values out. No I/O, no clock, never raises.

Formats: mqtt.md of OpenBambuAPI (github.com/Doridian/OpenBambuAPI). X1 printers send everything each time, P1
and A1 only what has changed, so reports are merged. Numbers may come as strings.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import TypeAlias

import msgspec

from ingest.records import EventKind

Fields: TypeAlias = Mapping[str, object]
Told: TypeAlias = tuple[EventKind, str]

LARGEST_BYTES = 1 << 20
"""A full report has 5 to 30 kB; anything beyond this is none."""

_CELSIUS = {
    "nozzle_temper": "hotend_c",
    "nozzle_target_temper": "hotend_target_c",
    "bed_temper": "bed_c",
    "bed_target_temper": "bed_target_c",
}
_SHARES = {
    "cooling_fan_speed": ("fan", 15.0),
    "spd_mag": ("feed_factor", 100.0),
    "mc_percent": ("progress", 100.0),
}
"""Channel, and what is 1.0 in it: the fan has 15 steps."""
_OTHERS = ("chamber_temper", "layer_num", "gcode_state", "subtask_name", "gcode_file", "print_error", "hms")
_KEPT = frozenset((*_CELSIUS, *_SHARES, *_OTHERS))
NO_CHAMBER_C = 5.0
"""What P1 and A1 printers report all the time: they have no sensor there (ha-bambulab issue 28)."""
PACKED = 1 << 16
"""H2 printers pack target and temperature of the chamber into one number (ha-bambulab issue 1301)."""

ACTIVE = frozenset({"PREPARE", "SLICING", "RUNNING", "PAUSE"})
"""States of ``gcode_state`` in which a print is under way."""


def read(payload: bytes) -> Fields | None:
    """The JSON object of one message; None for anything else."""
    if len(payload) > LARGEST_BYTES:
        return None
    try:
        document = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def part(document: Fields, name: str) -> Fields:
    """An object within a message; empty where it holds none of that name."""
    found = document.get(name)
    return found if isinstance(found, dict) else {}


def merged(state: Fields, report: Fields) -> Fields:
    """What is known of a printer after a report; fields that nobody needs are left out."""
    return {**state, **{name: report[name] for name in _KEPT & report.keys()}}


def gcode_state(state: Fields) -> str:
    """IDLE, PREPARE, RUNNING, PAUSE, FINISH, FAILED, …; "" where it was not told yet."""
    found = state.get("gcode_state")
    return found.upper() if isinstance(found, str) else ""


def firmware(document: Fields) -> str | None:
    """The version in an answer to ``info.get_version``: that of the module "ota"."""
    modules = part(document, "info").get("module")
    for module in modules if isinstance(modules, list) else ():
        if isinstance(module, dict) and module.get("name") == "ota" and isinstance(module.get("sw_ver"), str):
            return str(module["sw_ver"])
    return None


# Numbers


def readings(state: Fields) -> Iterator[tuple[str, float]]:
    """(channel, value) in the units of ``CHANNELS`` of all that is known."""
    for field, channel in _CELSIUS.items():
        if (value := _number(state.get(field))) is not None:
            yield channel, value
    if (chamber_c := _number(state.get("chamber_temper"))) is not None and chamber_c != NO_CHAMBER_C:
        yield "chamber_c", chamber_c % PACKED if chamber_c >= PACKED else chamber_c
    for field, (channel, full) in _SHARES.items():
        if (value := _number(state.get(field))) is not None:
            yield channel, value / full
    layer = _number(state.get("layer_num"))
    if layer is not None and layer >= 1:  # counted from 1; 0 before the first one
        yield "layer", layer - 1


def _number(value: object) -> float | None:
    """A number, also one that came as a string; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


# Events

_RUNOUT = re.compile(r"0300_8004|07[0-9A-F]{2}_8011|HMS_(?:07|18)[0-9A-F]{2}_2[0-9A-F]00_0002_0001")
"""The filament ran out: at the spool holder, in an AMS (print errors), in a slot of an AMS (HMS). From the
texts at wiki.bambulab.com/en/hms/home; that the printer went on with another slot is another code."""
_CANCELLED = frozenset({"0300_400C", "0500_400E"})
""""The task was canceled": told seconds after FAILED."""
UNVERIFIED = "HMS_0500_0500_0001_0007"
""""MQTT command verification failed": firmware of 2025 and later takes commands in developer mode only."""


def events(before: Fields, after: Fields) -> Iterator[Told]:
    """What has happened between two states, in the printer's own codes."""
    yield from _job_events(before, after)
    for code in error_codes(after):
        if code not in error_codes(before):
            yield _error_kind(code), code


def error_codes(state: Fields) -> tuple[str, ...]:
    """Errors that stand, as people look them up: 0300_8004 (print error), HMS_0700_2000_0002_0001."""
    code = hex_code(state.get("print_error"))
    hms = state.get("hms")
    entries = [entry for entry in hms if isinstance(entry, dict)] if isinstance(hms, list) else []
    return (
        *([code] if code else ()),
        *(f"HMS_{hex_code(e.get('attr'))}_{hex_code(e.get('code'))}" for e in entries),
    )


def hex_code(value: object) -> str:
    """32 bits as people look them up (0300_8004); "" for 0 and for what is no number."""
    number = _number(value)
    digits = f"{int(number) & 0xFFFF_FFFF:08X}" if number else ""
    return f"{digits[:4]}_{digits[4:]}" if digits else ""


def _job_events(before: Fields, after: Fields) -> Iterator[Told]:
    was, now = gcode_state(before), gcode_state(after)
    other = was in ACTIVE and _job(before) not in ("", _job(after))
    if now in ACTIVE and (was not in ACTIVE or other):
        yield EventKind.JOB_STARTED, _job(after)
    if now == "PAUSE" and was != "PAUSE":
        yield EventKind.PAUSED, now
    if was == "PAUSE" and now == "RUNNING":
        yield EventKind.RESUMED, now
    if was in ACTIVE and now not in ACTIVE:
        yield EventKind.JOB_ENDED, now


def _job(state: Fields) -> str:
    """The print's name: that of the task, else of its file."""
    name, file = state.get("subtask_name"), state.get("gcode_file")
    if isinstance(name, str) and name:
        return name
    return PurePath(file).name.partition(".")[0] if isinstance(file, str) else ""


def _error_kind(code: str) -> EventKind:
    if code in _CANCELLED:
        return EventKind.CANCELLED
    return EventKind.RUNOUT if _RUNOUT.fullmatch(code) else EventKind.ERROR
