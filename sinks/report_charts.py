"""The geometry of a report's charts: scores over time as SVG paths, anomalies as shaded spans.

No I/O: a table of scores and a list of anomalies go in, coordinates and texts come out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from detector.anomaly import Anomaly, Kind, State
from ingest.records import NS_PER_S
from sinks.anomaly_text import duration_text, kind_text
from sinks.parquet_schema import p_column

Values = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]

WIDTH, PLOT_HEIGHT, NOVELTY_HEIGHT = 960.0, 200.0, 48.0  # px of the drawing, which scales with the page
LEFT, RIGHT, GAP, AXIS = 56.0, 34.0, 14.0, 22.0  # px around and between the two plots
LABEL_ROW, LABEL_CHAR = 15.0, 6.6  # px: height of a row of labels, width of a letter at 12 px
MAX_POINTS = 2000
"""Points of a line: more than a screen has pixels across."""
SHOWN_FROM = 0.05
"""A kind whose probability never exceeded this gets no line."""
BREAK_SPANS = 5
"""Windows missing in a row from which on a line is broken, not drawn through."""
TICKS = 8
_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 43_200, 86_400)
"""Distances between ticks, in seconds, that fall on round times."""
COLORS = {
    Kind.SPAGHETTI: "#ef7d22",
    Kind.DETACHMENT: "#d81b60",
    Kind.WARPING: "#c2a50a",
    Kind.LAYER_SHIFT: "#8e5bd6",
    Kind.UNDER_EXTRUSION: "#2e86de",
    Kind.NO_EXTRUSION: "#0c9d9d",
    Kind.STRINGING: "#7a9e2b",
    Kind.BLOB: "#b5651d",
    Kind.HEATER_FAULT: "#e03131",
    Kind.SENSOR_FAULT: "#b56bd6",
    Kind.STALL: "#6b7a90",
    Kind.UNUSUAL: "#d6459b",
    Kind.CAMERA_FAULT: "#8d8d3f",
    Kind.TELEMETRY_FAULT: "#a0785a",
}
"""A colour per kind, the same in every report, legible on white and on near black."""
NOVELTY_COLOR = "#7d8590"


class Line(NamedTuple):
    name: str
    color: str
    path: str  # the d attribute of an SVG path
    peak: float


class Span(NamedTuple):
    """An anomaly behind the lines, from its onset to its end (or the chart's)."""

    x: float
    width: float
    label_x: float
    label_y: float
    color: str
    label: str
    title: str


class Tick(NamedTuple):
    x: float
    label: str


class Chart(NamedTuple):
    """All that the template draws of one printer."""

    printer: str
    windows: int
    lasted: str
    lines: list[Line]
    novelty: Line | None
    spans: list[Span]
    ticks: list[Tick]
    top: float  # px: where the probability plot begins, below the labels
    height: float  # px of the whole


class Axis(NamedTuple):
    """Maps times to the chart's width."""

    first_ns: int
    last_ns: int

    def x(self, at_ns: int) -> float:
        share = (at_ns - self.first_ns) / max(1, self.last_ns - self.first_ns)
        return LEFT + min(1.0, max(0.0, share)) * (WIDTH - LEFT - RIGHT)


def charts(scores: pa.Table, anomalies: Sequence[Anomaly]) -> list[Chart]:
    """A chart per printer that has scores, by name. ``scores`` as ``read_scores`` gives them."""
    printers = sorted({str(name) for name in scores.column("printer").to_pylist()})
    return [_chart(name, scores.filter(pc.field("printer") == name), anomalies) for name in printers]


def color_of(kind: Kind) -> str:
    """The kind's colour as ``#rrggbb``; one that has none of its own yet is drawn in grey."""
    return COLORS.get(kind, NOVELTY_COLOR)


def latest(anomalies: Iterable[Anomaly]) -> list[Anomaly]:
    """The last revision of each anomaly, by onset."""
    last: dict[str, Anomaly] = {}
    for one in sorted(anomalies, key=lambda one: one.revision):
        last[one.id] = one
    return sorted(last.values(), key=lambda one: (one.onset_ns, one.id))


def times_of(scores: pa.Table) -> Times:
    """The start of each window, ns UTC."""
    return np.asarray(scores.column("start").cast(pa.int64()).to_numpy())


def values_of(scores: pa.Table, column: str) -> Values:
    """A column as numbers; what is not known is NaN."""
    return np.asarray(scores.column(column).cast(pa.float64()).to_numpy(), np.float64)


def thinned(times: Times, values: Values, limit: int = MAX_POINTS) -> tuple[Times, Values]:
    """At most ``limit`` points, each the highest of its stretch: a peak of one window stays in sight."""
    known = ~np.isnan(values)
    times, values = times[known], values[known]
    if len(values) <= limit:
        return times, values
    edges = np.linspace(0, len(values), limit + 1).astype(int)
    picked = [low + int(values[low:high].argmax()) for low, high in pairwise(edges.tolist())]
    return times[picked], values[picked]


def _chart(printer: str, scores: pa.Table, anomalies: Sequence[Anomaly]) -> Chart:
    scores = scores.sort_by("start")
    times = times_of(scores)
    axis = Axis(int(times[0]), int(times[-1]) + int(scores.column("span_ns")[-1].as_py()))
    spans, top = _spans([one for one in anomalies if one.printer == printer], axis)
    novelty = _novelty(scores, times, axis, top + PLOT_HEIGHT + GAP)
    height = top + PLOT_HEIGHT + AXIS + (GAP + NOVELTY_HEIGHT if novelty else 0.0)
    lasted = duration_text(axis.last_ns - axis.first_ns)
    lines = _lines(scores, times, axis, top)
    return Chart(printer, len(times), lasted, lines, novelty, spans, _ticks(axis), top, height)


def _lines(scores: pa.Table, times: Times, axis: Axis, top: float) -> list[Line]:
    lines = []
    for kind in Kind:
        values = values_of(scores, p_column(kind))
        peak = float(np.nanmax(values, initial=0.0))
        if peak > SHOWN_FROM:
            path = _path(times, values, axis, top, PLOT_HEIGHT)
            lines.append(Line(kind_text(kind), color_of(kind), path, peak))
    return lines


def _novelty(scores: pa.Table, times: Times, axis: Axis, top: float) -> Line | None:
    values = values_of(scores, "novelty")
    if np.isnan(values).all():
        return None
    peak = float(np.nanmax(values))
    path = _path(times, values / max(peak, 1.0), axis, top, NOVELTY_HEIGHT)
    return Line("novelty", NOVELTY_COLOR, path, peak)


def _path(times: Times, values: Values, axis: Axis, top: float, height: float) -> str:
    """The line through the points; broken where windows are missing. Values outside of 0..1 are clipped."""
    kept, heights = thinned(times, values)
    if not len(kept):
        return ""
    usual_ns = float(np.median(np.diff(kept))) if len(kept) > 1 else 0.0
    breaks = np.diff(kept, prepend=kept[0]) > BREAK_SPANS * usual_ns
    steps = []
    for number, (at_ns, value) in enumerate(zip(kept.tolist(), np.clip(heights, 0, 1).tolist(), strict=True)):
        point = f"{axis.x(at_ns):.1f} {top + (1 - value) * height:.1f}"
        # "h0" gives a stretch of one point its dot.
        steps.append(f"M{point}h0" if number == 0 or breaks[number] else f"L{point}")
    return "".join(steps)


def _spans(anomalies: Sequence[Anomaly], axis: Axis) -> tuple[list[Span], float]:
    """The shaded spans, their labels in as many rows as keep them apart, and where the plot begins."""
    spans: list[Span] = []
    row_ends: list[float] = []
    for anomaly in anomalies:
        end_ns = anomaly.at_ns if anomaly.state is State.CLOSED else axis.last_ns
        x, label = axis.x(anomaly.onset_ns), kind_text(anomaly.kind)
        label_x = min(x, WIDTH - RIGHT - len(label) * LABEL_CHAR)
        row = _free_row(row_ends, label_x, label_x + len(label) * LABEL_CHAR + LABEL_CHAR)
        width = max(1.5, axis.x(end_ns) - x)
        label_y = (row + 1) * LABEL_ROW - 3
        spans.append(Span(x, width, label_x, label_y, color_of(anomaly.kind), label, _title(anomaly)))
    return spans, max(1, len(row_ends)) * LABEL_ROW + 3


def _free_row(row_ends: list[float], start: float, end: float) -> int:
    for row, row_end in enumerate(row_ends):
        if row_end <= start:
            row_ends[row] = end
            return row
    row_ends.append(end)
    return len(row_ends) - 1


def _title(anomaly: Anomaly) -> str:
    ended = f"lasted {duration_text(anomaly.at_ns - anomaly.onset_ns)}"
    how = ended if anomaly.state is State.CLOSED else "still open"
    return f"{kind_text(anomaly.kind)}, {how}: {anomaly.text}"


def _ticks(axis: Axis) -> list[Tick]:
    """Round UTC times along the axis."""
    span_s = (axis.last_ns - axis.first_ns) / NS_PER_S
    step_ns = next((step for step in _STEPS_S if span_s / step <= TICKS), _STEPS_S[-1]) * NS_PER_S
    step_ns *= max(1, int((axis.last_ns - axis.first_ns) // (step_ns * TICKS)))
    first = -(-axis.first_ns // step_ns) * step_ns
    form = "%H:%M" if step_ns >= 60 * NS_PER_S else "%H:%M:%S"
    form = "%d %b %H:%M" if span_s > _STEPS_S[-1] else form
    times = range(first, axis.last_ns + 1, step_ns)
    return [Tick(axis.x(at), datetime.fromtimestamp(at // NS_PER_S, UTC).strftime(form)) for at in times]
