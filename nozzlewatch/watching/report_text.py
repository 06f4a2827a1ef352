"""The tables of an evaluation for a person who runs printers: methods side by side, kinds and groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from detector.evaluation.figures import BaselineFigures, Figures, GroupFigures, KindFigures, MethodFigures
from detector.evaluation.table import count_text, reason_text, share_text
from nozzlewatch.watching.report_charts import Spread, spread
from nozzlewatch.watching.report_headline import COUNT, waited_text
from sinks.anomaly_text import percent, plain


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
    reason: str


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
    reasons = figures.reasons.kinds
    return [
        _kind(name, one, percent(one.share))._replace(reason=reason_text(reasons.get(name)))
        for name, one in ranked
    ]


def group_lines(figures: Figures) -> list[KindLine]:
    """The groups of kinds, with the mistakes on a farm where nothing else fails."""
    return [
        _kind(name, one, "")._replace(mistakes=count_text(one.mistakes_per_100, one.mistakes_ci))
        for name, one in figures.groups.items()
    ]


def _method(name: str, one: MethodFigures, about: Mapping[str, str], limit: float) -> Method:
    return Method(
        name=plain(name),
        about=plain(about.get(name, "")),
        is_ours=True,
        mistakes=count_text(one.mistakes_per_100),
        interval=COUNT.interval(one.mistakes_ci),
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
        reason="",
    )
