"""The figures in words for a person who runs printers: a line for each, and what it means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from detector.evaluation.figures import BaselineFigures, Ci, Figures, GroupFigures, KindFigures, MethodFigures
from detector.evaluation.table import UNKNOWN, count_text, share_text
from ingest.records import NS_PER_S
from nozzlewatch.watching.report_charts import Spread, spread
from sinks.anomaly_text import duration_text, percent, plain


class Line(NamedTuple):
    """A figure, its interval, and a sentence that says what it is."""

    name: str
    value: str
    interval: str
    means: str


class Method(NamedTuple):
    """A line of the methods side by side."""

    name: str
    about: str
    is_ours: bool
    mistakes: str
    interval: str
    spread: Spread
    apart: str  # how many more mistakes than ours, with the interval
    apart_judged: str  # "good" where ours makes surely fewer, "bad" where surely more
    false_alarms: str
    precision: str
    recall: str
    f1: str
    delay: str


class KindLine(NamedTuple):
    """A kind of failure, or a group of them: how many were found, as text and as a bar in percent."""

    name: str
    prints: int
    share: str
    recall: str
    percent: float
    low: float
    high: float
    delay: str
    mistakes: str


def waited_text(seconds: float | None) -> str:
    """A delay: "38 s", "5 min 10 s"; "-" where there is none."""
    return UNKNOWN if seconds is None else duration_text(round(seconds * NS_PER_S))


def headline(figures: Figures) -> Iterator[Line]:
    """The figures of the method, the weightiest first."""
    yield Line(
        "Mistakes per 100 prints",
        count_text(figures.mistakes_per_100),
        _range(figures.mistakes_ci, 1, 1),
        "Of 100 prints, so many fail without an alarm or have an alarm while nothing is wrong.",
    )
    yield Line(
        "Failures found",
        share_text(figures.recall),
        _range(figures.recall_ci, 100, 0, " %"),
        "Of the prints that fail, the share for which an alarm comes at the failure or after it (recall).",
    )
    yield Line(
        "Alarms that are right",
        share_text(figures.precision),
        _range(figures.precision_ci, 100, 0, " %"),
        "When it calls you to a print, how often something is wrong there (precision, by print).",
    )
    yield Line(
        "False alarms per print-hour",
        count_text(figures.false_alarms_per_print_hour, digits=3),
        _range(figures.false_alarms_ci, 1, 3),
        _rarely(figures.false_alarms_per_print_hour),
    )
    yield from _delays(figures)
    yield from _naming(figures)
    yield from _lead(figures)
    yield from _overall(figures)


def methods(figures: Figures, ours: str, about: Mapping[str, str]) -> list[Method]:
    """Ours and the others, the fewest mistakes first. ``about`` explains methods by their name."""
    limit = max(20.0, 2 * figures.mistakes_per_100)
    lines = [_method(ours, figures, about, limit)]
    for name, one in figures.baselines.items():
        line = _method(name, one, about, limit)
        apart, judged = _apart(one)
        lines.append(line._replace(is_ours=False, apart=apart, apart_judged=judged))
    return sorted(lines, key=lambda line: line.spread.value)


def kind_lines(figures: Figures) -> list[KindLine]:
    """Every kind that occurs, the most frequent first."""
    ranked = sorted(figures.kinds.items(), key=lambda item: -item[1].share)
    return [_kind(name, one, percent(one.share)) for name, one in ranked]


def group_lines(figures: Figures) -> list[KindLine]:
    """The groups of kinds, with the mistakes on a farm where nothing else fails."""
    return [
        _kind(name, one, "")._replace(mistakes=count_text(one.mistakes_per_100, one.mistakes_ci))
        for name, one in figures.groups.items()
    ]


def _delays(figures: Figures) -> Iterator[Line]:
    yield Line(
        "Delay",
        waited_text(figures.delay_median_s),
        _range(figures.delay_ci, 1, 0, " s"),
        "From the moment a print begins to fail to the alarm: half of the failures found are told sooner.",
    )
    within = ", ".join(
        f"{percent(share)} within {waited_text(float(s))}" for s, share in figures.recall_within.items()
    )
    yield Line(
        "Delay, nine of ten",
        waited_text(figures.delay_p90_s),
        "",
        f"Nine of ten of the failures found are told within this. Of all failures: {within}.",
    )


def _naming(figures: Figures) -> Iterator[Line]:
    yield Line(
        "Named right",
        share_text(figures.named_right),
        _range(figures.named_right_ci, 100, 0, " %"),
        "Of the failures found, the share whose alarm names the right kind.",
    )
    yield Line(
        "Onset off by",
        waited_text(figures.onset_error_median_s),
        "",
        "An alarm also says since when: half of the times it says are nearer to the truth than this.",
    )


def _lead(figures: Figures) -> Iterator[Line]:
    if figures.lead_prints:
        yield Line(
            "Told before the firmware halts",
            share_text(figures.lead_before),
            _range(figures.lead_before_ci, 100, 0, " %"),
            f"Of {figures.lead_prints} heater and sensor faults at which the printer stopped by itself; "
            f"{_ahead(figures.lead_median_s)}.",
        )


def _overall(figures: Figures) -> Iterator[Line]:
    yield Line(
        "F1",
        count_text(figures.f1, digits=2),
        _range(figures.f1_ci, 1, 2),
        "Failures found and alarms that are right in one number; 1 is perfect.",
    )
    yield Line(
        "Area below precision and recall",
        count_text(figures.pr_auc, digits=2),
        _range(figures.pr_auc_ci, 1, 2),
        f"The same over all thresholds; guessing gives {figures.failing_share:.2f}, 1 is perfect.",
    )


def _method(name: str, one: MethodFigures, about: Mapping[str, str], limit: float) -> Method:
    return Method(
        name=plain(name),
        about=plain(about.get(name, "")),
        is_ours=True,
        mistakes=count_text(one.mistakes_per_100),
        interval=_range(one.mistakes_ci, 1, 1),
        spread=spread(one.mistakes_per_100, one.mistakes_ci, limit),
        apart="",
        apart_judged="",
        false_alarms=count_text(one.false_alarms_per_print_hour, digits=3),
        precision=share_text(one.precision),
        recall=share_text(one.recall),
        f1=count_text(one.f1, digits=2),
        delay=waited_text(one.delay_median_s),
    )


def _apart(one: BaselineFigures) -> tuple[str, str]:
    """How many more mistakes it makes than ours, and which of the two is surely better."""
    low, high = one.difference_ci or (one.difference, one.difference)
    more, least, most = (0.0 - value for value in (one.difference, high, low))
    judged = "good" if high < 0 else "bad" if low > 0 else ""
    return f"{more:+.1f} [{least:+.1f}, {most:+.1f}]", judged


def _kind(name: str, one: KindFigures | GroupFigures, share: str) -> KindLine:
    low, high = one.recall_ci or (one.recall, one.recall)
    return KindLine(
        name=plain(name.replace("_", " ")),
        prints=one.prints,
        share=share,
        recall=share_text(one.recall, one.recall_ci),
        percent=100 * one.recall,
        low=100 * low,
        high=100 * high,
        delay=waited_text(one.delay_median_s),
        mistakes="",
    )


def _range(ci: Ci, scale: float, digits: int, unit: str = "") -> str:
    return "" if ci is None else f"{scale * ci[0]:.{digits}f} to {scale * ci[1]:.{digits}f}{unit}"


def _rarely(per_hour: float) -> str:
    told = "Alarms that open while nothing is wrong, by the hours in which nothing is"
    if not 0.0 < per_hour < 1.0:
        return f"{told}."
    hours = f"{1 / per_hour:,.0f}".replace(",", " ")
    return f"{told}: one in {hours} hours of printing."


def _ahead(lead_s: float | None) -> str:
    if lead_s is None:
        return "none of them was found"
    earlier = "earlier" if lead_s >= 0 else "later"
    return f"where both told, the alarm came {waited_text(abs(lead_s))} {earlier} (median)"
