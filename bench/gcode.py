"""How fast G-code is read on one core, and how near its filament and time come to the slicer's own words.

    python -m bench.gcode

tells it per file of ``gcode/*.gcode`` in the folder of real data (NOZZLEWATCH_DATA), else of a generated one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from bench.figure import Figure, ms_side_by_side
from bench.machine import data_dir
from ingest.telemetry.gcode.file import layer_times, read_lines, slicer_filament_mm
from ingest.telemetry.gcode.interpreter import GCode

LINES = 10_000
"""Lines of a file whose reading is timed; the filament is that of the whole file."""
GENERATED_LAYERS, POINTS_PER_LAYER = 50, 400
BYTES_PER_MB = 1e6
MS_PER_S = 1000

_SLICER_TIME = re.compile(r"; estimated printing time \(normal mode\) = (.*)")
_UNIT_S = {"d": 86_400, "h": 3600, "m": 60, "s": 1}


class Sample(NamedTuple):
    """A file to read."""

    name: str
    lines: list[str]


class Speed(NamedTuple):
    """MB/s of the interpreter, and of only splitting the same lines at their blanks."""

    own: float
    splitting: float


def measure() -> Iterator[Figure]:
    """The speed of the slowest file and the largest error of the filament (a share)."""
    files = samples()
    slowest = min(speed(file.lines) for file in files)
    yield Figure("gcode_mb_per_s", slowest.own, "MB/s", "splitting the same lines", slowest.splitting)
    errors = [error for file in files if (error := filament_error(file.lines)) is not None]
    yield Figure("filament_error_max", max(map(abs, errors)), "share")


def samples() -> list[Sample]:
    """The real files where there are any, else a generated one."""
    paths = sorted((data_dir() / "gcode").glob("*.gcode"))
    return [Sample(path.stem, list(read_lines(path))) for path in paths] or [
        Sample("generated", list(generated()))
    ]


def speed(lines: list[str]) -> Speed:
    """How fast the first lines are read."""
    timed = lines[:LINES]
    size_mb = sum(len(line.encode()) for line in timed) / BYTES_PER_MB

    def interpret() -> None:
        gcode = GCode()
        for line in timed:
            gcode.take(line)

    def split() -> None:
        for line in timed:
            line.split()

    per_file_ms = ms_side_by_side(interpret, split, each=1, baseline_each=1)
    return Speed(*(size_mb / (ms / MS_PER_S) for ms in per_file_ms))


def filament_error(lines: list[str]) -> float | None:
    """Our filament over the slicer's, less 1; None where the slicer says nothing.

    Ours is that of the layers: slicers do not count what custom G-code pushes before the first one (the
    purge line) either.
    """
    told_mm = slicer_filament_mm(lines)
    return sum(layer.filament_mm for layer in layer_times(lines)) / told_mm - 1 if told_mm else None


def time_error(lines: list[str]) -> float | None:
    """Our time over that of PrusaSlicer or Slic3r PE, less 1; None where the file has none of theirs."""
    found = next((found for line in lines if (found := _SLICER_TIME.match(line))), None)
    if found is None:
        return None
    told_s = sum(int(number) * _UNIT_S[unit] for number, unit in re.findall(r"(\d+)([dhms])", found[1]))
    return whole(lines).time_s / told_s - 1


def whole(lines: list[str]) -> GCode:
    """The state at a file's end."""
    gcode = GCode()
    for line in lines:
        gcode.take(line)
    return gcode


def generated() -> Iterator[str]:
    """A round tower in absolute E, with a purge line, retractions and the filament that it says it takes."""
    yield from ("M82\n", "G1 X100 Y5 Z0.3 E20 F1500\n")
    e_mm = used_mm = 0.0
    for layer in range(GENERATED_LAYERS):
        yield from (f";LAYER:{layer}\n", "G92 E0\n", f"G1 Z{0.2 * (layer + 1):.2f} F600\n")
        e_mm = 0.0
        for point in range(POINTS_PER_LAYER):
            angle = math.tau * point / POINTS_PER_LAYER
            e_mm += 0.03
            yield f"G1 X{100 + 30 * math.cos(angle):.3f} Y{100 + 30 * math.sin(angle):.3f} E{e_mm:.5f}\n"
        yield from (f"G1 E{e_mm - 1:.5f} F2400\n", f"G1 E{e_mm:.5f}\n", "G1 F1800\n")
        used_mm += e_mm
    yield f"; filament used [mm] = {used_mm:.2f}\n"


def main() -> None:
    for name, lines in samples():
        own, splitting = speed(lines)
        whole_mm = whole(lines).filament_mm
        layers_mm = sum(layer.filament_mm for layer in layer_times(lines))
        print(
            f"{name:56s} {own:5.1f} MB/s (splitting {splitting:.0f})"
            f"  {layers_mm:8.2f} mm in layers, {whole_mm - layers_mm:5.2f} mm before"
            f"  filament {_percent(filament_error(lines), 4)}  time {_percent(time_error(lines), 1)}"
        )


def _percent(share: float | None, digits: int) -> str:
    return "untold" if share is None else f"{share:+.{digits}%}"


if __name__ == "__main__":
    main()
