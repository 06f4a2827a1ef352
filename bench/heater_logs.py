"""What a heater does while it holds a temperature, as rows at 1 Hz, and the figures that describe a machine.

Real rows are those of Klipper's log (``klippy_stats.csv``: time, target, temperature in tenths, duty).
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float64]

HOT_C = 100.0
REACHED_K = 2.0  # so near, the target is reached …
SETTLED_ROWS = 60  # … and from so many rows on it is held
LOST_K = 5.0  # so far off, something is wrong with the machine: what follows is not holding
TAIL_ROWS = 10  # dropped at the end of every stretch: it may have ended because something went wrong
LEAST_ROWS = 60
GAP_S = 2.5
PRINTING_BUFFER_S = 0.3  # motion that is queued while a print runs
ROOM_C = 25.0  # assumed for real machines, and for simulated ones likewise


class Holding(NamedTuple):
    """A stretch of rows, one a second, in which a target is held. ``error_k`` and ``duty`` [rows]."""

    is_printing: bool
    target_c: float
    error_k: Floats
    duty: Floats
    bed_error_k: Floats  # empty where the bed is off
    bed_duty: Floats


class Trace(NamedTuple):
    """A machine in one state, printing or hot and idle, in figures: means over its stretches by length."""

    sigma_k: float
    mean_k: float
    lag_1: float  # autocorrelation of the error after a second
    lag_10: float
    duty_per_k: float  # mean duty over the excess above the room, 1/K
    duty_sigma: float
    bed_sigma_k: float  # nan: no bed
    bed_duty_sigma: float


class Log(NamedTuple):
    """One log, each [rows]: time, s; target, °C, temperature, duty of hot end and bed; motion queued, s."""

    at_s: Floats
    target_c: Floats
    hotend_c: Floats
    duty: Floats
    bed_target_c: Floats
    bed_c: Floats
    bed_duty: Floats
    queued_s: Floats


COLUMNS = (
    "time_s",
    "hotend_target_c",
    "hotend_temp_c",
    "hotend_power",
    "bed_target_c",
    "bed_temp_c",
    "bed_power",
    "buffer_time",
)


def read_logs(csv_file: Path) -> dict[str, list[Log]]:
    """The logs of every machine (source repository) in a file of Klipper's statistics."""
    rows: dict[tuple[str, str], list[list[float]]] = defaultdict(list)
    with csv_file.open(newline="") as lines:
        for row in csv.DictReader(lines):
            rows[row["source_repo"], row["source_path"]].append([float(row[name]) for name in COLUMNS])
    logs: dict[str, list[Log]] = defaultdict(list)
    for (repo, _), values in rows.items():
        logs[repo].append(Log(*np.array(values).T))
    return dict(logs)


def stretches(log: Log) -> list[Holding]:
    """Where a log holds a hot end's target soundly, cut where a print begins or ends."""
    found, begin, settled = [], 0, 0
    reached = False
    for row in range(len(log.at_s)):
        if row and _is_break(log, row):
            found += _cut(log, begin, row) if reached else []
            reached = False
        error_k = log.hotend_c[row] - log.target_c[row]
        if log.target_c[row] > HOT_C and not reached and abs(error_k) < REACHED_K:
            reached, settled = True, row
            begin = settled + SETTLED_ROWS
    return found + (_cut(log, begin, len(log.at_s)) if reached else [])


def _is_break(log: Log, row: int) -> bool:
    step_s = log.at_s[row] - log.at_s[row - 1]
    is_new = log.target_c[row] != log.target_c[row - 1]
    return bool(is_new or not 0.0 < step_s < GAP_S or abs(log.hotend_c[row] - log.target_c[row]) > 2 * LOST_K)


def _cut(log: Log, begin: int, end: int) -> list[Holding]:
    """The stretch without its tail, in pieces that print or do not."""
    end -= TAIL_ROWS
    prints = log.queued_s[begin:end] > PRINTING_BUFFER_S
    edges = [0, *(np.flatnonzero(np.diff(prints)) + 1), len(prints)]
    pieces = [_piece(log, begin + low, begin + high) for low, high in pairwise(edges)]
    return [piece for piece in pieces if len(piece.error_k) >= LEAST_ROWS and _is_sound(piece)]


def _piece(log: Log, begin: int, end: int) -> Holding:
    rows = slice(begin, end)
    bed_on = bool((log.bed_target_c[rows] > 0).all()) and bool((np.diff(log.bed_target_c[rows]) == 0).all())
    none = np.empty(0)
    return Holding(
        is_printing=bool(end > begin and log.queued_s[begin] > PRINTING_BUFFER_S),
        target_c=float(log.target_c[begin]) if end > begin else 0.0,
        error_k=(log.hotend_c - log.target_c)[rows],
        duty=log.duty[rows],
        bed_error_k=(log.bed_c - log.bed_target_c)[rows] if bed_on else none,
        bed_duty=log.bed_duty[rows] if bed_on else none,
    )


def _is_sound(piece: Holding) -> bool:
    return bool(np.abs(piece.error_k).max() < LOST_K and piece.duty.max() > 0.0)


def describe(pieces: Sequence[Holding]) -> Trace:
    """The figures of one machine in one state. Raises ValueError without a stretch."""
    if not pieces:
        raise ValueError("no stretch of rows that holds a temperature: nothing to describe")
    hot = [_figures(piece) for piece in pieces]
    weights = [float(len(piece.error_k)) for piece in pieces]
    beds = [piece for piece in pieces if len(piece.bed_error_k) and np.abs(piece.bed_error_k).max() < LOST_K]
    bed = [np.median([values.std() for values in column]) for column in zip(*_beds(beds), strict=True)]
    return Trace(*np.average(hot, axis=0, weights=weights), *(bed or (np.nan, np.nan)))


def _beds(pieces: Iterable[Holding]) -> list[tuple[Floats, Floats]]:
    return [(piece.bed_error_k, piece.bed_duty) for piece in pieces]


def _figures(piece: Holding) -> tuple[float, ...]:
    error_k = piece.error_k
    per_k = piece.duty.mean() / (piece.target_c - ROOM_C)
    lags = autocorrelation(error_k, 1), autocorrelation(error_k, 10)
    return float(error_k.std()), float(error_k.mean()), *lags, float(per_k), float(piece.duty.std())


def autocorrelation(values: Floats, lag: int) -> float:
    """Correlation of a series with itself ``lag`` rows later; 0 for one that never changes."""
    off = values - values.mean()
    power = float((off * off).mean())
    return float((off[lag:] * off[:-lag]).mean()) / power if power > 0.0 else 0.0


MARLIN_REPORT = re.compile(r"T:([\d.]+) /([\d.]+) B:[\d.]+ /[\d.]+ @:(\d+)")
MARLIN_FULL = 127


def read_marlin(log_file: Path) -> Holding:
    """The reports of a hot end that holds its target, in a serial log of Marlin; of its bed nothing."""
    found = MARLIN_REPORT.findall(log_file.read_text(errors="replace"))
    rows = np.array([row for row in found if float(row[1]) > HOT_C], np.float64)
    held = rows[np.abs(rows[:, 0] - rows[:, 1]) < REACHED_K]
    none = np.empty(0)
    return Holding(True, float(held[0, 1]), held[:, 0] - held[:, 1], held[:, 2] / MARLIN_FULL, none, none)


class WarmUp(NamedTuple):
    """How one warm-up went: speed at full power from 100 to 170 °C, and how far it went beyond the target."""

    rate_k_s: float
    overshoot_k: float


FULL_DUTY = 0.98
CLIMB_C = (100.0, 170.0)
CLIMB_ROWS = 4
OVERSHOOT_ROWS = 60


def warm_ups(log: Log) -> list[WarmUp]:
    """The warm-ups of a log that begin below 100 °C or so, at full power, and reach their target."""
    found: list[WarmUp] = []
    climb: list[float] = []
    for row in range(1, len(log.at_s)):
        step_s = log.at_s[row] - log.at_s[row - 1]
        if log.target_c[row] != log.target_c[row - 1] or not 0.0 < step_s < GAP_S:
            climb = []
        if log.duty[row - 1] >= FULL_DUTY and CLIMB_C[0] < log.hotend_c[row] < CLIMB_C[1]:
            climb.append((log.hotend_c[row] - log.hotend_c[row - 1]) / step_s)
        if len(climb) >= CLIMB_ROWS and log.hotend_c[row] > log.target_c[row]:
            found.append(WarmUp(float(np.mean(climb)), _overshoot_k(log, row)))
            climb = []
    return found


def _overshoot_k(log: Log, row: int) -> float:
    rows = slice(row, row + OVERSHOOT_ROWS)
    kept = log.target_c[rows] == log.target_c[row]
    return float((log.hotend_c - log.target_c)[rows][kept].max())
