"""What was found in pictures and recorded prints, as tables in a terminal."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from detector.anomaly import Kind
from detector.learning.predict import Change, PrintSaid
from detector.model.failure_map import FoundBox
from ingest.records import NS_PER_S
from nozzlewatch.surface.inspection_text import time_taken
from nozzlewatch.watching.predicted import LeftOut, Predicted, Result, judged_ones
from sinks.anomaly_text import duration_text, kind_text, percent, plain

BOXES_SHOWN = 3
"""Boxes of one picture that the terminal shows; JSON has all."""


def print_all(console: Console, results: Sequence[Result], prints: Sequence[PrintSaid]) -> None:
    """A table of the pictures, the changes of each print, what was left out, and a summary."""
    judged = judged_ones(results)
    if judged:
        console.print(_pictures(judged))
    for one in prints:
        console.print(Text(print_text(one)), soft_wrap=True)
    for left in results:
        if isinstance(left, LeftOut):
            console.print(Text(f"left out: {plain(left.why)}"), soft_wrap=True)
    if judged:
        console.print(Text(summary(judged)))


def summary(judged: Sequence[Predicted]) -> str:
    """ "12 pictures, 3 of them with a failure; 9.1 ms a picture"."""
    failing = sum(one.failing for one in judged)
    usual_ms = statistics.median(one.ms_per_picture for one in judged)
    pictures = "1 picture" if len(judged) == 1 else f"{len(judged)} pictures"
    return f"{pictures}, {failing} with a failure; {time_taken(usual_ms)} a picture"


def verdict_text(one: Predicted) -> str:
    """What it is called: a kind, or fine."""
    return kind_text(Kind(one.said.kind)) if one.failing else "fine"


def print_text(one: PrintSaid) -> str:
    """A print's name and a line for each change of what is said of it."""
    about = f"{plain(one.name)}: {one.minutes:.1f} min, {one.frames} pictures"
    changes = [f"  {change_text(change)}" for change in one.changes]
    return "\n".join([about, *(changes or ["  fine throughout"])])


def change_text(change: Change) -> str:
    """ "00:07:35  spaghetti 97 %, since 00:06:50"."""
    at = clock_text(change.at_s)
    if change.kind is None or change.since_s is None:
        return f"{at}  fine again"
    since = f", since {clock_text(change.since_s)}"
    ago = duration_text(round((change.at_s - change.since_s) * NS_PER_S))
    return f"{at}  {kind_text(Kind(change.kind))} {percent(change.probability)}{since} ({ago} ago)"


def clock_text(seconds: float) -> str:
    """Seconds since the print began as "01:02:03"."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest:02d}"


def box_text(found: FoundBox) -> str:
    """ "97 % at 12,30 (25 x 18)", in percent of the picture's sides."""
    x, y, width, height = (round(100 * part) for part in found.box)
    return f"{percent(found.probability)} at {x},{y} ({width} x {height})"


def _pictures(judged: Sequence[Predicted]) -> Table:
    table = Table("picture", "failure?", "probability", "which", "where, % of the picture")
    table.columns[0].overflow = "fold"
    table.columns[2].justify = "right"
    for one in judged:
        style = "red" if one.failing else "green"
        boxes = one.said.boxes[:BOXES_SHOWN] if one.failing else []
        more = len(one.said.boxes) - len(boxes) if one.failing else 0
        where = "; ".join(map(box_text, boxes)) + (f" and {more} more" if more else "")
        table.add_row(
            Text(plain(one.name)),
            Text("yes" if one.failing else "no", style=style),
            f"{one.said.failing:.1%}",
            verdict_text(one) if one.failing else "",
            where,
        )
    return table
