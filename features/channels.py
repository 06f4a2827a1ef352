"""What telemetry says of one beat, as the numbers of a sensor token.

A token looks back two minutes: single readings are too noisy, a clog lowers the heater's power by little, and
what a printer says comes every 0.25 to 5 s. Numbers are scaled by physical constants, so that most lie within
-1 to 1; nothing is fitted on data. What was never measured in its span is 0 and not ``known``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.flow import ROOM_C, SPANS, Flow
from features.sequence import History
from ingest.records import CHANNEL, CHANNELS, STEPS_PER_WINDOW, Bools, EventKind, Floats, Mark

LIMIT = 8.0
"""No number of a token is greater: what is broken reads anything."""
SHORT_S, MIDDLE_S, LONG_S = 5, 30, 120
HEATER_W, LOSS_W_K = 40.0, 0.08
"""A usual hot end: its heater, its loss to air per kelvin (docs: Physics)."""

HOTEND_OFF, BED_OFF, BALANCE = "hotend_off_c", "bed_off_c", "balance_w"
"""Channels made of others: from the target, and the heater's power less what loss and filament take."""
ROWS = {name: row for row, name in enumerate((*CHANNELS, HOTEND_OFF, BED_OFF, BALANCE))}
MARKS = (
    Mark.PAUSED,
    Mark.FILAMENT_CHANGE,
    Mark.OVERRIDE,
    Mark.FIRST_LAYER,
    Mark.TELEMETRY_SILENT,
    Mark.GAP,
    Mark.IDLE,
)
EVENTS = (
    EventKind.START,
    EventKind.ERROR,
    EventKind.HALTED,
    EventKind.RESEND,
    EventKind.PAUSED,
    EventKind.RUNOUT,
    EventKind.DISCONNECTED,
)
MARK_CHANNEL, EVENT_CHANNEL = "marks", "events"
"""What stands in place of a channel where a number comes from marks or events."""


class Grid(NamedTuple):
    """A stretch of the sensor grid with the made channels: [rows, steps], as in ``History.grid``."""

    values: Floats
    measured: Bools

    def last(self, seconds: float) -> Grid:
        steps = round(seconds * STEPS_PER_WINDOW)
        return Grid(self.values[:, -steps:], self.measured[:, -steps:])


class Told(NamedTuple):
    """A figure of every row, and for which rows it is known: [rows]."""

    values: npt.NDArray[np.float32]
    known: Bools


Statistic = Callable[[Grid], Told]


def mean(grid: Grid) -> Told:
    """Mean of what was measured."""
    count = grid.measured.sum(1)
    total = np.where(grid.measured, grid.values, 0).sum(1)
    return Told(total / np.maximum(count, 1), count > 0)


def held(grid: Grid) -> Told:
    """The last known value, measured now or before."""
    return Told(grid.values[:, -1], ~np.isnan(grid.values[:, -1]))


def total(grid: Grid) -> Told:
    """Sum over the steps: of what is counted per step. Known always: nothing said is 0."""
    return Told(np.where(np.isnan(grid.values), 0, grid.values).sum(1), np.ones(len(grid.values), np.bool_))


def spread(grid: Grid) -> Told:
    """Standard deviation of what was measured; of one value it is not known."""
    count = grid.measured.sum(1)
    off = np.where(grid.measured, grid.values - mean(grid).values[:, None], 0)
    return Told(np.sqrt(np.square(off).sum(1) / np.maximum(count, 1)), count > 1)


def reach(grid: Grid) -> Told:
    """Highest less lowest value measured."""
    low = np.where(grid.measured, grid.values, np.inf).min(1)
    high = np.where(grid.measured, grid.values, -np.inf).max(1)
    known = grid.measured.sum(1) > 1
    return Told(np.where(known, high - np.where(known, low, 0), 0), known)


def change(grid: Grid) -> Told:
    """Mean of the later half less mean of the earlier half."""
    half = grid.values.shape[1] // 2
    early = mean(Grid(grid.values[:, :half], grid.measured[:, :half]))
    late = mean(Grid(grid.values[:, half:], grid.measured[:, half:]))
    return Told(late.values - early.values, early.known & late.known)


def roughness(grid: Grid) -> Told:
    """The greatest step from one measured value to the next."""
    steps = np.where(grid.measured, np.abs(np.diff(grid.values, axis=1, prepend=grid.values[:, :1])), 0)
    return Told(np.where(np.isnan(steps), 0, steps).max(1), grid.measured.sum(1) > 1)


class Feature(NamedTuple):
    """One number of a token: a statistic of a channel over a span, divided by ``scale`` after ``offset`` is
    taken off; ``logarithmic`` ones as log1p."""

    channel: str
    statistic: Statistic
    seconds: int
    scale: float
    offset: float = 0.0
    logarithmic: bool = False

    @property
    def name(self) -> str:
        return f"{self.channel} {self.statistic.__name__} {self.seconds} s"


def _heater(name: str, off: str, rough_c: float) -> tuple[Feature, ...]:
    celsius, power = f"{name}_c", f"{name}_power"
    return (
        Feature(off, mean, SHORT_S, 20.0),
        Feature(off, mean, MIDDLE_S, 20.0),
        Feature(celsius, mean, SHORT_S, 250.0),
        Feature(celsius, change, 10, 5.0),
        Feature(celsius, spread, MIDDLE_S, 5.0),
        Feature(celsius, roughness, MIDDLE_S, rough_c),
        Feature(f"{name}_target_c", held, SHORT_S, 250.0),
        Feature(power, mean, SHORT_S, 1.0),
        Feature(power, mean, MIDDLE_S, 1.0),
        Feature(power, mean, LONG_S, 1.0),
        Feature(power, change, MIDDLE_S, 0.2),
    )


FEATURES: tuple[Feature, ...] = (
    *_heater("hotend", HOTEND_OFF, 20.0),
    *_heater("bed", BED_OFF, 10.0),
    Feature(BALANCE, mean, MIDDLE_S, 10.0),
    Feature(BALANCE, mean, LONG_S, 10.0),
    Feature(BALANCE, change, 60, 2.0),
    Feature(BALANCE, spread, MIDDLE_S, 10.0),
    Feature("melt_w", mean, MIDDLE_S, 5.0),
    Feature("melt_w", mean, LONG_S, 5.0),
    Feature("melt_w", change, 60, 2.0),
    Feature("extrusion_mm_s", mean, SHORT_S, 5.0),
    Feature("extrusion_mm_s", mean, MIDDLE_S, 5.0),
    Feature("feed_mm_s", mean, SHORT_S, 100.0),
    Feature("fan", held, SHORT_S, 1.0),
    Feature("fan", change, MIDDLE_S, 0.5),
    Feature("feed_factor", held, SHORT_S, 0.5, 1.0),
    Feature("flow_factor", held, SHORT_S, 0.2, 1.0),
    Feature("x_mm", reach, SHORT_S, 100.0),
    Feature("y_mm", reach, SHORT_S, 100.0),
    Feature("z_mm", held, SHORT_S, 50.0),
    Feature("z_mm", reach, MIDDLE_S, 1.0),
    Feature("e_mm", reach, MIDDLE_S, 100.0),
    Feature("planner_free", mean, SHORT_S, 16.0),
    Feature("planner_free", mean, MIDDLE_S, 16.0),
    Feature("resends", total, SHORT_S, 3.0, logarithmic=True),
    Feature("resends", total, MIDDLE_S, 3.0, logarithmic=True),
    Feature("garbled", total, MIDDLE_S, 3.0, logarithmic=True),
    Feature("lines", total, SHORT_S, 4.0, logarithmic=True),
    Feature("lines", total, MIDDLE_S, 5.0, logarithmic=True),
    Feature("progress", held, SHORT_S, 1.0),
    Feature("layer", held, SHORT_S, 5.0, logarithmic=True),
)
FLOW_SCALES = {"missing": 4.0, "missing_w": 2.0, "full": 4.0}
"""Of the numbers that say whether the filament's heat is missing (features/flow.py)."""
FLOW_NAMES = tuple(f"flow {figure} {span} beats" for figure in FLOW_SCALES for span in SPANS)
NAMES: tuple[str, ...] = (
    *(feature.name for feature in FEATURES),
    *FLOW_NAMES,
    *(f"{MARK_CHANNEL} {mark.name}" for mark in MARKS),
    *(f"{EVENT_CHANNEL} {kind.name}" for kind in EVENTS),
)
"""What each number of a token is."""
SOURCES: tuple[str, ...] = (
    *(feature.channel for feature in FEATURES),
    *(BALANCE for _ in FLOW_NAMES),
    *(MARK_CHANNEL for _ in MARKS),
    *(EVENT_CHANNEL for _ in EVENTS),
)
"""The channel that each number of a token comes from."""
SENSOR_DIM = len(NAMES)
_GROUPS = sorted(
    {(feature.statistic, feature.seconds) for feature in FEATURES}, key=lambda g: (g[1], g[0].__name__)
)


class SensorToken(NamedTuple):
    """What telemetry says of a beat: float32 and bool [SENSOR_DIM]; ``heard``: it said anything at all."""

    values: npt.NDArray[np.float32]
    known: Bools
    heard: bool


def sensor_token(history: History, flow: Flow, beat_s: float = SHORT_S) -> SensorToken:
    """The token of the beat that ends with the history's newest window; ``beat_s`` is its length, s.

    ``flow`` is what the print's heat balance says after that beat.
    """
    grid = _with_made(*history.grid(LONG_S * STEPS_PER_WINDOW))
    found = {group: group[0](grid.last(group[1])) for group in _GROUPS}
    numbers, known = np.zeros(SENSOR_DIM, np.float32), np.ones(SENSOR_DIM, np.bool_)
    for at, feature in enumerate(FEATURES):
        told, row = found[feature.statistic, feature.seconds], ROWS[feature.channel]
        known[at] = told.known[row]
        value = (told.values[row] - feature.offset) if known[at] else 0.0
        numbers[at] = (np.log1p(max(value, 0.0)) if feature.logarithmic else value) / feature.scale
    balance = np.concatenate([getattr(flow, figure) / scale for figure, scale in FLOW_SCALES.items()])
    after = len(FEATURES) + len(balance)
    numbers[len(FEATURES) : after], known[len(FEATURES) : after] = balance, ~np.isnan(balance)
    numbers[after:] = _said(history, beat_s)
    heard = bool(grid.last(beat_s).measured.any())
    return SensorToken(np.clip(np.nan_to_num(numbers), -LIMIT, LIMIT), known, heard)


def _with_made(values: Floats, measured: Bools) -> Grid:
    """The grid with the channels that are made of others."""
    hotend, bed = (values[CHANNEL[f"{name}_c"]] for name in ("hotend", "bed"))
    power, melt = values[CHANNEL["hotend_power"]], np.nan_to_num(values[CHANNEL["melt_w"]])
    made = (
        hotend - values[CHANNEL["hotend_target_c"]],
        bed - values[CHANNEL["bed_target_c"]],
        HEATER_W * power - LOSS_W_K * (hotend - ROOM_C) - melt,
    )
    from_ = (measured[CHANNEL["hotend_c"]], measured[CHANNEL["bed_c"]], measured[CHANNEL["hotend_power"]])
    known = [those & ~np.isnan(row) for those, row in zip(from_, made, strict=True)]
    return Grid(np.vstack([values, *made]), np.vstack([measured, *known]))


def _said(history: History, beat_s: float) -> list[float]:
    """1 for each mark and kind of event within the beat, else 0."""
    events = {event.kind for event in history.events(beat_s, *EVENTS)}
    return [
        *(float(history.marked(beat_s, mark)) for mark in MARKS),
        *(float(kind in events) for kind in EVENTS),
    ]
