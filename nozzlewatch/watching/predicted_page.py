"""The page of what was found in pictures and prints: one HTML file without scripts or a network."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path
from typing import NamedTuple

from detector.anomaly import Kind
from detector.learning.predict import PrintSaid
from features.heat import overlaid
from features.picture import Picture
from features.stills import as_jpeg
from ingest.errors import UsageError
from nozzlewatch.watching.predicted import LeftOut, Predicted, Result, judged_ones, kinds_of
from nozzlewatch.watching.predicted_text import change_text, summary, verdict_text
from sinks.anomaly_text import kind_text, percent, plain, time_text
from sinks.pages import rendered
from sinks.report_charts import color_of

CARDS = 200
"""Most pictures that are shown: the page has some 10 MB at most so."""
PICTURE_PX = 480
"""Longer side of a picture on the page."""
ROWS, BARS, BOXES = 5000, 4, 40
"""Most lines of the table of the pictures that are not shown, bars and boxes of one that is."""


class Bar(NamedTuple):
    """A kind and its probability, in percent."""

    name: str
    color: str
    percent: float


class Spot(NamedTuple):
    """Where a failure was seen, in percent of the picture."""

    told: str  # "97 %"
    left: float
    top: float
    width: float
    height: float


class Card(NamedTuple):
    """One picture as the page shows it, with the heat laid over it: a data: URL."""

    name: str
    text: str
    failing: bool
    sure: str
    size: str
    color: str
    picture: str
    bars: list[Bar]
    spots: list[Spot]


class Line(NamedTuple):
    """A print and what was said of it, line by line."""

    name: str
    about: str
    changes: list[str]
    failing: bool


def card(one: Predicted, small: Picture) -> Card:
    """One picture; ``small`` is as large as it is shown."""
    said, kind = one.said, Kind(one.said.kind)
    return Card(
        name=plain(one.name),
        text=verdict_text(one),
        failing=one.failing,
        sure=f"{said.failing:.1%} that it shows a failure",
        size=f"{one.width} x {one.height} pixels",
        color=color_of(kind) if one.failing else "var(--good)",
        picture=_data_url(overlaid(small, said.where)),
        bars=[
            Bar(kind_text(Kind(name)), color_of(Kind(name)), 100 * share)
            for name, share in kinds_of(one)[:BARS]
        ],
        spots=[
            Spot(percent(found.probability), *(100 * part for part in found.box))
            for found in said.boxes[:BOXES]
        ],
    )


def write_page(
    path: Path,
    model_path: str,
    model: str,
    results: Sequence[Result],
    prints: Sequence[PrintSaid],
    cards: Sequence[Card],
) -> None:
    """Write the page. ``cards`` are the first pictures; the rest stands in a table. Raises UsageError."""
    judged = judged_ones(results)
    rest = judged[len(cards) :]
    page = rendered(
        "predicted.html.j2",
        model_path=plain(model_path),
        model=plain(model),
        at=time_text(results[0].at_ns, UTC) if results else "",
        summary=summary(judged) if judged else "",
        failing=sum(one.failing for one in judged),
        pictures=len(judged),
        cards=cards,
        prints=[_line(one) for one in prints],
        rows=[(plain(one.name), verdict_text(one), f"{one.said.failing:.1%}") for one in rest[:ROWS]],
        more=max(len(rest) - ROWS, 0),
        left_out=[plain(one.why) for one in results if isinstance(one, LeftOut)],
    )
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--report {path}: found {error.strerror}, expected a file to write") from error


def _line(one: PrintSaid) -> Line:
    about = f"{one.minutes:.1f} min, {one.frames} pictures"
    return Line(plain(one.name), about, [change_text(change) for change in one.changes], bool(one.changes))


def _data_url(picture: Picture) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(as_jpeg(picture)).decode()}"
