"""Firmware lines that hold numbers: temperature reports and positions. Pure, as ``marlin.py`` is."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ingest.telemetry.parsed import GARBLED, Line, Parsed

FULL_POWER = 127
"""``@:`` and ``B@:`` at full duty (Marlin soft PWM)."""
MOST_POWER = 255
"""Nothing reports a duty above this (8 bit PWM): a larger one is a damaged line."""
HIGHEST_C = 2000.0
"""deg C. RepRapFirmware says 2000.0 for a disconnected sensor; anything beyond is a damaged line."""

_NUMBER = r"[-+]?\d{1,7}(?:\.\d{1,17})?"  # firmware in Python says 13.199999999999985
_POSITION = re.compile(
    rf"X:\s*({_NUMBER})\s*Y:\s*({_NUMBER})\s*Z:\s*({_NUMBER})(?:\s*[A-DF-W]:\s*{_NUMBER})*"
    rf"(?:\s*E:\s*({_NUMBER}))?(?:\s+Count\b.*)?$",
    re.ASCII,
)
_FIELD = re.compile(
    rf"([A-Z]{{1,3}}\d{{0,2}}|[A-Z]{{0,3}}@\d{{0,2}}):\s*({_NUMBER}|-?nan|-?inf|\?)"
    rf"(?:\s*/\s*({_NUMBER}))?(?:\s*\(\s*{_NUMBER}\s*\))?(?:\s+|$)",  # (…) is the raw ADC value
    re.ASCII,
)
_FIELDS = re.compile(rf"(?:{_FIELD.pattern})+$", re.ASCII)
_HEATERS = (
    ("hotend_c", "hotend_target_c", ("T", "T0")),
    ("bed_c", "bed_target_c", ("B",)),
    ("chamber_c", "", ("C",)),
)
"""``T`` is the active hotend, whose target and power stand beside it; without it the first one counts."""
_POWERS = (("hotend_power", ("@", "@0")), ("bed_power", ("B@",)))

Fields = dict[str, tuple[float | None, float | None]]


def position(text: str) -> Parsed | None:
    """Projected position of M114/M154, mm. The step counts after ``Count`` are left out."""
    match = _POSITION.match(text)
    if match is None:
        return None
    named = zip(("x_mm", "y_mm", "z_mm", "e_mm"), match.groups(), strict=True)
    return Parsed(Line.POSITION, tuple((channel, float(value)) for channel, value in named if value))


def temperatures(text: str) -> Parsed | None:
    """A report of M105, M155 or a waiting M109/M190; None where the line is no such report."""
    if _FIELDS.match(text) is None:
        return None
    fields = {name: (_number(value), _number(target)) for name, value, target in _FIELD.findall(text)}
    if fields.keys().isdisjoint({"T", "T0", "B", "C"}):
        return None
    if not _plausible(fields):
        return GARBLED
    return Parsed(Line.HEATING if "W" in fields else Line.TEMPERATURE, (*_heaters(fields), *_powers(fields)))


def _number(text: str) -> float | None:
    """None for nothing, ``nan``, ``inf`` and ``?``: the firmware has no value."""
    return float(text) if text[-1:].isdigit() else None


def _plausible(fields: Fields) -> bool:
    for name, (value, target) in fields.items():
        limit = MOST_POWER if "@" in name else HIGHEST_C
        if abs(value or 0) > limit or abs(target or 0) > limit:
            return False
    return True


def _heaters(fields: Fields) -> Iterator[tuple[str, float]]:
    for channel, target_channel, names in _HEATERS:
        value, target = next((fields[name] for name in names if name in fields), (None, None))
        if value == 0 and not target:
            continue  # Klipper says 0.0 with target 0 for a sensor that it has not read yet
        if value is not None:
            yield channel, value
        if target is not None and target_channel:
            yield target_channel, target


def _powers(fields: Fields) -> Iterator[tuple[str, float]]:
    for channel, names in _POWERS:
        value = next((fields[name][0] for name in names if name in fields), None)
        if value is not None and value >= 0:
            yield channel, min(value / FULL_POWER, 1.0)
