"""Reads G-code into a toolpath: every move with the time that the interpreter of real prints gives it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

import numpy as np

from ingest.simulate.jobs.features import Flags, feature_of, guess_features
from ingest.simulate.jobs.parts import number_parts
from ingest.simulate.toolpath import BED_MM, NO_PART, Bytes, Feature, Floats, Order, Toolpath
from ingest.telemetry.gcode.interpreter import GCode
from ingest.telemetry.gcode.words import read_command

NO_ORDERS = frozenset(
    {
        "G0", "G1", "G2", "G3", "G10", "G11", "G20", "G21", "G90", "G91", "G92",
        "M82", "M83", "M200", "M201", "M203", "M204", "M205", "M207", "M208",
    }
)  # fmt: skip
"""Moves and what says how moves are meant: times and flow contain them already."""
LEAST_JUMP_MM = 1e-6
PURGE_WIDTH_MM, PURGE_LENGTH_MM = 4.0, 30.0
"""What is first laid as narrow and as long as this, where no comment tells where the print begins."""


def read_job(lines: Iterable[str], bed_mm: tuple[float, float] = BED_MM) -> Toolpath:
    """The moves of a G-code file and its orders by print time.

    Every move or dwell that takes time is a move; arcs are chords. Times and ``melted_mm_s`` contain the
    job's own M220 and M221. ``orders`` are the other commands as written, without comments, a G4 too (its
    time is in the path already). Where G28 or G92 puts the head elsewhere, a move of no time goes there.
    Parts are numbered from 0 as they are begun; purge lines, skirts and brims have ``NO_PART``.
    Never raises; a file without any move is one that stands still for a moment.
    """
    log = _Log()
    for line in lines:
        log.take(line)
    return log.toolpath(bed_mm)


class _Log:
    """What the interpreter said after each move."""

    def __init__(self) -> None:
        self._gcode = GCode()
        self._orders: list[Order] = []
        self._at = (0.0, 0.0, 0.0)
        self._rows: list[tuple[float, ...]] = [(0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0)]
        self._words: list[str | None] = []

    def take(self, line: str) -> None:
        """Take a line; note the move or the order that it is."""
        gcode = self._gcode
        before_s = gcode.time_s
        gcode.take(line)
        if gcode.time_s > before_s:
            self._note()
            if not gcode.path_mm and not gcode.extruded_mm:
                self._order(line, before_s)
        elif not line.startswith(("G1", ";")):
            self._order(line, before_s)

    def _note(self) -> None:
        gcode, layers = self._gcode, self._gcode.layers
        self._at = (gcode.x, gcode.y, gcode.z)
        self._rows.append(
            (gcode.time_s, *self._at, gcode.filament_mm, gcode.flow_factor, layers.number or 0, layers.told)
        )
        self._words.append(layers.feature)

    def _order(self, line: str, at_s: float) -> None:
        command = read_command(line)
        if command and command.code not in NO_ORDERS:
            self._orders.append(Order(at_s, line.partition(";")[0].strip()))
        gcode = self._gcode
        if (
            max(abs(gcode.x - self._at[0]), abs(gcode.y - self._at[1]), abs(gcode.z - self._at[2]))
            > LEAST_JUMP_MM
        ):
            self._note()

    def toolpath(self, bed_mm: tuple[float, float]) -> Toolpath:
        """All that was taken."""
        if not self._words:
            self._gcode.dwell(1.0)
            self._note()
        rows = np.array(self._rows)
        times_s, points, told = rows[:, 0], rows[:, 1:4], rows[1:, 7] > 0
        melted_mm_s = _melted(times_s, rows[:, 4], rows[1:, 5])
        layer = (rows[1:, 6] - min(rows[1:, 6].min(), 0.0)).astype(np.int32)  # Cura counts rafts below 0
        prints = (melted_mm_s > 0) & (np.abs(np.diff(points[:, :2], axis=0)).max(1) > 0)
        feature = _features(self._words)
        if not feature[prints].any():
            feature = guess_features(points, prints, layer)
        feature[(melted_mm_s > 0) & _before_print(told, prints, points)] = Feature.PURGE
        loose = (feature == Feature.PURGE) | (feature == Feature.BRIM)
        part = number_parts(points, prints & ~loose)
        part[loose] = NO_PART
        return Toolpath(times_s, points, melted_mm_s, layer, feature, part, tuple(self._orders), bed_mm)


def _melted(times_s: Floats, filament_mm: Floats, flow: Floats) -> Floats:
    spans_s = np.diff(times_s)
    return np.diff(filament_mm) * flow / np.where(spans_s > 0, spans_s, np.inf)


def _features(words: list[str | None]) -> Bytes:
    known = {word: feature_of(word) for word in set(words)}
    return np.array([known[word] for word in words], np.uint8)


def _before_print(told: Flags, prints: Flags, points: Floats) -> Flags:
    """Which moves come before the print proper: before the first layer that comments tell.

    Without such comments, the first unbroken lines as long as they are narrow and long.
    """
    if told.any():
        return ~told
    before = np.zeros(len(prints), np.bool_)
    at = np.flatnonzero(prints)
    if len(at):
        runs = np.split(at, np.flatnonzero(np.diff(at) > 1) + 1)
        narrow = takewhile(lambda run: _is_narrow(points[run[0] : run[-1] + 2, :2]), runs)
        before[: max((run[-1] + 1 for run in narrow), default=0)] = True
    return before


def _is_narrow(path: Floats) -> bool:
    size_mm = np.ptp(path, axis=0)
    return bool(size_mm.min() < PURGE_WIDTH_MM and size_mm.max() > PURGE_LENGTH_MM)
