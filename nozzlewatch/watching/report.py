"""The page of an evaluation: how good the watch is, and where it was wrong, for a person who runs printers.

One HTML file without scripts and without a network.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from detector.anomaly import Kind
from detector.evaluation.calibration import Reliability
from detector.evaluation.figures import Figures
from ingest.errors import UsageError
from nozzlewatch.watching import report_charts as drawing
from nozzlewatch.watching.report_headline import headline, waited_text
from nozzlewatch.watching.report_text import group_lines, kind_lines, methods
from sinks.anomaly_text import percent, plain
from sinks.pages import rendered
from sinks.report_charts import NOVELTY_COLOR, color_of

OURS = "nozzlewatch"
SHOWN = 100
"""Most prints that are shown of each sort of mistake: the page has some 10 MB at most so."""
_PNG = b"\x89PNG"


class Example(NamedTuple):
    """A print that the watch took wrongly. What is not known is None.

    ``at_s`` is, in seconds since the print began, the onset of a failure that was missed, or when an alarm
    opened that was wrong; ``told`` the kind that this alarm named.
    """

    name: str
    kind: str | None  # what fails in truth; None where nothing does
    at_s: float
    reason: str  # in words: why it was missed, or what it was taken for
    mechanism: str | None = None
    severity: float | None = None  # 0..1
    told: str | None = None
    picture: bytes | None = None  # JPEG or PNG, small


class Row(NamedTuple):
    """An example as the page shows it."""

    name: str
    kind: str
    color: str
    mechanism: str
    severity: str
    told: str
    at: str
    reason: str
    picture: str  # a data: URL; "" for none


def write_report(
    path: Path,
    *,
    title: str,
    data: str,
    figures: Figures,
    reliability: Reliability | None = None,
    missed: Sequence[Example] = (),
    wrong: Sequence[Example] = (),
    ours: str = OURS,
    about: Mapping[str, str] | None = None,
) -> None:
    """Write the page.

    ``data`` says what was measured on, simulated or which real source, and stands beside every headline;
    ``missed`` and ``wrong`` are the failures that were not told and the alarms that were false; ``about``
    explains methods by the names that they bear in ``figures``, ``ours`` among them. Raises UsageError where
    the file cannot be written.
    """
    page = rendered(
        "evaluation.html.j2",
        title=plain(title),
        data=plain(data),
        figures=figures,
        lines=list(headline(figures)),
        methods=methods(figures, ours, about or {}),
        kinds=kind_lines(figures),
        groups=group_lines(figures),
        delay=waited_text(figures.delay_median_s),
        missed=[_row(one) for one in missed[:SHOWN]],
        missed_count=len(missed),
        wrong=[_row(one) for one in wrong[:SHOWN]],
        wrong_count=len(wrong),
        **_drawn(figures, reliability),
    )
    try:
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: found {error.strerror}, expected a file to write the report to") from error


def _drawn(figures: Figures, reliability: Reliability | None) -> dict[str, object]:
    """The charts."""
    return {
        "drawing": drawing,
        "columns": drawing.columns(figures.delays),
        "squares": [_roc(figures), _pr(figures)],
        "called": drawing.called(figures.confusion),
        "confused": drawing.cells(figures.confusion),
        "reliability": reliability,
        "dots": [] if reliability is None else drawing.dots(reliability),
    }


def _roc(figures: Figures) -> drawing.Square:
    return drawing.Square(
        title="False alarms against failures found",
        across="normal prints with an alarm",
        up="failing prints found",
        path=drawing.path(figures.roc),
        point=(drawing.across(figures.normal_alarmed), drawing.up(figures.recall)),
        chance=drawing.path(((0.0, 0.0), (1.0, 1.0))),
        told="With a lower threshold more failures are found and more normal prints are alarmed: the further "
        f"into the upper left corner, the better (ROC; area {figures.roc_auc:.2f}).",
    )


def _pr(figures: Figures) -> drawing.Square:
    precision = figures.precision
    point = None if precision is None else (drawing.across(figures.recall), drawing.up(precision))
    return drawing.Square(
        title="Failures found against alarms that are right",
        across="failing prints found (recall)",
        up="alarms that are right (precision)",
        path=drawing.path(figures.pr),
        point=point,
        chance=drawing.path(((0.0, figures.failing_share), (1.0, figures.failing_share))),
        told="The further into the upper right corner, the better "
        f"(precision and recall; area {figures.pr_auc:.2f}).",
    )


def _row(one: Example) -> Row:
    return Row(
        name=plain(one.name),
        kind="nothing" if one.kind is None else _words(one.kind),
        color=_color(one.kind),
        mechanism="" if one.mechanism is None else _words(one.mechanism),
        severity="" if one.severity is None else percent(one.severity),
        told="" if one.told is None else _words(one.told),
        at=waited_text(one.at_s),
        reason=plain(one.reason),
        picture=_data_url(one.picture),
    )


def _words(name: str) -> str:
    return plain(name.replace("_", " "))


def _color(kind: str | None) -> str:
    return color_of(Kind(kind)) if kind in set(Kind) else NOVELTY_COLOR


def _data_url(picture: bytes | None) -> str:
    if not picture:
        return ""
    kind = "png" if picture.startswith(_PNG) else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
