"""The figures of an evaluation that stand first on its page: each in words, and what it means for people."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import NamedTuple

from detector.evaluation.figures import Ci, Figures
from detector.evaluation.table import UNKNOWN, count_text, share_text
from ingest.records import NS_PER_S
from sinks.anomaly_text import duration_text, percent


class Line(NamedTuple):
    """A figure, its interval, and a sentence that says what it is."""

    name: str
    value: str
    interval: str
    means: str


def waited_text(seconds: float | None) -> str:
    """A delay: "38 s", "5 min 10 s"; "-" where there is none."""
    return UNKNOWN if seconds is None else duration_text(round(seconds * NS_PER_S))


class Unit(NamedTuple):
    """How a figure and its interval are written."""

    told: Callable[[float | None], str]
    scale: float = 1.0
    digits: int = 0
    sign: str = ""

    def interval(self, ci: Ci) -> str:
        """ "3.1 to 5.5"; "" where there is none."""
        if ci is None:
            return ""
        low, high = (f"{self.scale * end:.{self.digits}f}" for end in ci)
        return f"{low} to {high}{self.sign}"


COUNT = Unit(count_text, digits=1)
RATE = Unit(partial(count_text, digits=3), digits=3)
MARK = Unit(partial(count_text, digits=2), digits=2)
SHARE = Unit(share_text, 100.0, 0, " %")
SECONDS = Unit(waited_text, sign=" s")


class Entry(NamedTuple):
    """A figure of the headline: where it stands, how it is written, and what it means."""

    name: str
    unit: Unit
    value: Callable[[Figures], float | None]
    ci: Callable[[Figures], Ci]
    means: Callable[[Figures], str]
    is_there: Callable[[Figures], bool] = lambda one: True


HEADLINE = (
    Entry(
        "Mistakes per 100 prints",
        COUNT,
        lambda one: one.mistakes_per_100,
        lambda one: one.mistakes_ci,
        lambda one: "Of 100 prints, so many fail without an alarm or have an alarm while nothing is wrong.",
    ),
    Entry(
        "Failures found",
        SHARE,
        lambda one: one.recall,
        lambda one: one.recall_ci,
        lambda one: (
            "Of the prints that fail, the share for which an alarm comes at the failure or after it (recall)."
        ),
    ),
    Entry(
        "Alarms that are right",
        SHARE,
        lambda one: one.precision,
        lambda one: one.precision_ci,
        lambda one: "When it calls you to a print, how often something is wrong there (precision, by print).",
    ),
    Entry(
        "False alarms per print-hour",
        RATE,
        lambda one: one.false_alarms_per_print_hour,
        lambda one: one.false_alarms_ci,
        lambda one: _rarely(one.false_alarms_per_print_hour),
    ),
    Entry(
        "Delay",
        SECONDS,
        lambda one: one.delay_median_s,
        lambda one: one.delay_ci,
        lambda one: (
            "From the moment a print begins to fail to the alarm: half of the failures found are told sooner."
        ),
    ),
    Entry(
        "Delay, nine of ten",
        SECONDS,
        lambda one: one.delay_p90_s,
        lambda one: None,
        lambda one: f"Nine of ten of the failures found are told within this. {_within(one)}",
    ),
    Entry(
        "Named right",
        SHARE,
        lambda one: one.named_right,
        lambda one: one.named_right_ci,
        lambda one: "Of the failures found, the share whose alarm names the right kind.",
    ),
    Entry(
        "Reason right",
        SHARE,
        lambda one: one.reasons.share,
        lambda one: one.reasons.share_ci,
        lambda one: (
            "An alarm also says what it rests on: how often what it names first is what truly fails, "
            f"of {one.reasons.prints} failures found."
        ),
        lambda one: one.reasons.prints > 0,
    ),
    Entry(
        "Onset off by",
        SECONDS,
        lambda one: one.onset_error_median_s,
        lambda one: None,
        lambda one: (
            "An alarm also says since when: half of the times it says are nearer to the truth than this."
        ),
    ),
    Entry(
        "Told before the firmware halts",
        SHARE,
        lambda one: one.lead_before,
        lambda one: one.lead_before_ci,
        lambda one: (
            f"Of {one.lead_prints} heater and sensor faults at which the printer stopped by itself; "
            f"{_ahead(one.lead_median_s)}."
        ),
        lambda one: one.lead_prints > 0,
    ),
    Entry(
        "F1",
        MARK,
        lambda one: one.f1,
        lambda one: one.f1_ci,
        lambda one: "Failures found and alarms that are right in one number; 1 is perfect.",
    ),
    Entry(
        "Area below precision and recall",
        MARK,
        lambda one: one.pr_auc,
        lambda one: one.pr_auc_ci,
        lambda one: f"The same over all thresholds; guessing gives {one.failing_share:.2f}, 1 is perfect.",
    ),
)
"""The figures of a method, the weightiest first."""


def headline(figures: Figures) -> Iterator[Line]:
    """The figures of the method, a line each."""
    for one in HEADLINE:
        if one.is_there(figures):
            value, ci = one.value(figures), one.ci(figures)
            yield Line(one.name, one.unit.told(value), one.unit.interval(ci), one.means(figures))


def _within(figures: Figures) -> str:
    told = (f"{percent(share)} within {waited_text(float(s))}" for s, share in figures.recall_within.items())
    return f"Of all failures: {', '.join(told)}."


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
