"""The geometry of the charts of an evaluation: figures go in, coordinates and texts come out. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from detector.evaluation.calibration import Reliability
from detector.evaluation.events import NOT_TOLD, Bar, Confusion
from detector.evaluation.figures import Ci
from sinks.anomaly_text import percent, plain

SIDE, LEFT, BELOW, ABOVE = 300.0, 44.0, 40.0, 10.0  # px: a square plot and what stands around it
WIDTH, HEIGHT, TOP, FOOT = 960.0, 170.0, 22.0, 26.0  # px: the bars of the delays and what stands around them
BAR_GAP = 0.22  # share of a bar's place that stays free
SPREAD_PX = 150.0  # width of a method's mark
LEAST_DOT, LARGEST_DOT = 2.5, 9.0  # px: radius of a bin of probabilities, by its beats
SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Where the axes of a square plot bear a number."""


class Spread(NamedTuple):
    """A value and its interval as a mark on a line, px; ``beyond`` where it lies off the scale."""

    value: float
    x: float
    low: float
    high: float
    beyond: bool


class Column(NamedTuple):
    """A bar of the delays."""

    x: float
    y: float
    width: float
    height: float
    label: str
    told: str
    missed: bool


class Square(NamedTuple):
    """A plot of shares over shares: a line, and the point at which the method works."""

    title: str
    across: str
    up: str
    path: str
    point: tuple[float, float] | None
    chance: str  # the line that guessing would give
    told: str  # what the plot says, in words


class Dot(NamedTuple):
    """A bin of probabilities."""

    x: float
    y: float
    radius: float
    title: str


class Cell(NamedTuple):
    """How many prints of a kind were called so; ``shade`` is their share of the kind's."""

    prints: int
    shade: float
    judged: str  # right, missed, other


def spread(value: float, ci: Ci, limit: float) -> Spread:
    """A value and its interval on a scale from 0 to ``limit``."""
    low, high = ci or (value, value)
    x, first, last = (SPREAD_PX * min(1.0, max(0.0, one / limit)) for one in (value, low, high))
    return Spread(value, x, first, last, value > limit)


def columns(bars: Sequence[Bar]) -> list[Column]:
    """The delays of all failures, and at the end those that were missed."""
    missed = max(0.0, 1.0 - sum(bar.share for bar in bars))
    shares = [*(bar.share for bar in bars), missed]
    labels = [*(_span(bar) for bar in bars), "missed"]
    place, highest = WIDTH / len(shares), max(*shares, 0.05)
    made = []
    for number, (share, label) in enumerate(zip(shares, labels, strict=True)):
        height = HEIGHT * share / highest
        x, width = (number + BAR_GAP / 2) * place, (1 - BAR_GAP) * place
        made.append(
            Column(x, TOP + HEIGHT - height, width, height, label, percent(share), number == len(bars))
        )
    return made


def across(share: float) -> float:
    """Where a share lies on a square's lower edge, px."""
    return LEFT + share * SIDE


def up(share: float) -> float:
    """Where it lies on its left edge."""
    return ABOVE + (1 - share) * SIDE


def path(points: Sequence[tuple[float, float]]) -> str:
    """The line through shares (across, up)."""
    return "".join(
        f"{'L' if number else 'M'}{across(x):.1f} {up(y):.1f}" for number, (x, y) in enumerate(points)
    )


def dots(reliability: Reliability) -> list[Dot]:
    """What was said across, what happened up, a dot for each bin that has beats."""
    most = max(one.beats for one in reliability.bins)
    made = []
    for low, high, beats, said, happened in reliability.bins:
        if said is not None and happened is not None:
            radius = max(LEAST_DOT, LARGEST_DOT * (beats / most) ** 0.5)
            title = f"{low:.1f} to {high:.1f}: {beats} beats, {percent(happened)} of them failing"
            made.append(Dot(across(said), up(happened), radius, title))
    return made


def cells(confusion: Confusion) -> list[tuple[str, int, list[Cell]]]:
    """A row for each kind that failed: its name, its prints, and what they were called."""
    return [
        (_name(kind), sum(counts), [_cell(kind, *pair, sum(counts)) for pair in _pairs(confusion, counts)])
        for kind, counts in zip(confusion.kinds, confusion.counts, strict=True)
    ]


def called(confusion: Confusion) -> list[str]:
    """The names above the columns of ``cells``."""
    return [_name(kind) for kind in confusion.told]


def _pairs(confusion: Confusion, counts: Sequence[int]) -> list[tuple[str, int]]:
    return list(zip(confusion.told, counts, strict=True))


def _cell(kind: str, told: str, count: int, prints: int) -> Cell:
    judged = "right" if told == kind else "missed" if told == NOT_TOLD else "other"
    return Cell(count, count / prints, judged)


def _name(kind: str) -> str:
    return plain(kind.replace("_", " "))


def _span(bar: Bar) -> str:
    """Its delays: "30 s to 1 min", "1 to 2 min"; the unit once where both ends have the same."""
    first, unit = _in_unit(bar.from_s)
    if bar.to_s is None:
        return f"over {first} {unit}"
    last, last_unit = _in_unit(bar.to_s)
    return f"{first} to {last} {unit}" if unit == last_unit else f"{first} {unit} to {last} {last_unit}"


def _in_unit(seconds: float) -> tuple[str, str]:
    minutes, rest = divmod(seconds, 60)
    return (f"{minutes:.0f}", "min") if minutes and not rest else (f"{seconds:.0f}", "s")
