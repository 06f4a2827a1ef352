"""G-code files: their lines, what each layer takes, and what their slicer says of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from ingest.errors import SourceError, SourceNotFound
from ingest.telemetry.gcode.interpreter import GCode
from ingest.telemetry.gcode.words import LONGEST_LINE

BINARY_MAGIC = b"GCDE"
"""Beginning of Prusa's binary G-code (libbgcode)."""
MM_PER_M = 1000.0

_USED = re.compile(
    r"(?P<form>;\s*(?:total )?filament (?:used|length)(?P<label> \[mm\])?\s*[:=])(?P<amounts>[^(]*)",
    re.IGNORECASE,
)
_AMOUNT = re.compile(r"([0-9]{1,9}(?:\.[0-9]*)?)\s*(mm|m)?\b")


class Layer(msgspec.Struct, frozen=True):
    """One layer of a file, with the time that it is expected to take. ``z_mm`` as in Layers."""

    index: int
    z_mm: float | None
    time_s: float
    filament_mm: float


def read_lines(path: Path) -> Iterator[str]:
    """The lines of a G-code file, in pieces where they are endless.

    Raises SourceNotFound where there is no such file, SourceError where it cannot be read as text.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(BINARY_MAGIC)) == BINARY_MAGIC:
                raise SourceError(
                    f"{path}: found binary G-code, expected text: export it without 'Supports binary G-code'"
                )
            file.seek(0)
            while line := file.readline(LONGEST_LINE):
                yield line.decode("utf-8", "replace")
    except FileNotFoundError as error:
        raise SourceNotFound(f"{path}: found no such file, expected G-code: check the path") from error
    except OSError as error:
        raise SourceError(f"{path}: found {error.strerror}, expected G-code: check the file") from error


def layer_times(lines: Iterable[str]) -> list[Layer]:
    """The layers in the order of printing, as GCode understands them.

    Where comments tell the layers, what comes before the first (the purge line) is in none of them. What
    comes after the last is part of it. A file that prints one object after the other may name a layer
    several times.
    """
    gcode = GCode()
    layers: list[Layer] = []
    start = _moment(gcode)
    for line in lines:
        before = _moment(gcode)
        gcode.take(line)
        if gcode.layers.begun > before.begun:
            layers.extend(_between(start, before))
            if gcode.layers.told and not before.told:
                layers.clear()  # they were counted by height
            start = before
    layers.extend(_between(start, _moment(gcode)))
    return layers


def slicer_filament_mm(lines: Iterable[str]) -> float | None:
    """The filament that the slicer says it used, mm, all tools together; None where it says nothing.

    Read wherever in the file it stands, the first form that occurs:
    PrusaSlicer and Orca ``; filament used [mm] = 873.21, 12.00``, Slic3r and its Prusa edition
    ``; filament used = 430.4mm (1.0cm3)``, Bambu ``; total filament length [mm] : 180.09``, Cura
    ``;Filament used: 1.2m, 0.8m``, Simplify3D ``;   Filament length: 1442.7 mm (1.44 m)``.
    The first two count what they draw, not what custom G-code pushes, such as a purge line: so compare
    with the sum over ``layer_times``, not with ``GCode.filament_mm``.
    """
    told_mm: dict[str, float] = {}
    for line in lines:
        found = _USED.match(line) if line.startswith(";") else None
        for number, unit in _AMOUNT.findall(found["amounts"]) if found else ():
            if found and (unit or found["label"]):
                mm = float(number) * (MM_PER_M if unit == "m" else 1.0)
                told_mm[found["form"]] = told_mm.get(found["form"], 0.0) + mm
    return next(iter(told_mm.values()), None)


class _Moment(NamedTuple):
    begun: int
    told: bool
    number: int | None
    z_mm: float | None
    time_s: float
    filament_mm: float


def _moment(gcode: GCode) -> _Moment:
    layers = gcode.layers
    return _Moment(layers.begun, layers.told, layers.number, layers.z_mm, gcode.time_s, gcode.filament_mm)


def _between(start: _Moment, end: _Moment) -> Iterator[Layer]:
    """The layer that ended, if there was one."""
    if end.number is not None:
        yield Layer(
            index=end.number,
            z_mm=end.z_mm,
            time_s=end.time_s - start.time_s,
            filament_mm=end.filament_mm - start.filament_mm,
        )
