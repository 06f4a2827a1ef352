"""The surface table in words, for ``docs/findings.md``."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from bench.surface_few import FewRow
from bench.surface_other import OtherRow
from bench.surface_trials import KINDS, TEST, Row, path_of
from bench.surface_unlike import UnlikeRow
from detector.training.intervals import mean_over_seeds, wilson

BEGIN, END = "<!-- surface-table: written by make surface-table -->", "<!-- end of surface-table -->"
CLASSES = 6
TOLD = {
    "msa-200": "multi-scale attention, 200 of each class",
    "plain-200": "SqueezeNet 1.1, 200",
    "modern-200": "ShuffleNetV2, from random weights, 200",
    "published-200": "multi-scale attention, the authors' way, 200",
    "msa-100": "multi-scale attention, 100",
    "plain-100": "SqueezeNet 1.1, 100",
    "msa-50": "multi-scale attention, 50",
    "plain-50": "SqueezeNet 1.1, 50",
    "msa-10": "multi-scale attention, 10",
    "plain-10": "SqueezeNet 1.1, 10",
}


class Rows(NamedTuple):
    """All that was measured."""

    trials: Sequence[Row]
    few: Sequence[FewRow]
    unlike: Sequence[UnlikeRow]
    other: OtherRow

    @classmethod
    def read(cls, seeds: Sequence[int]) -> Rows:
        """Read what the jobs wrote; a trial that is missing is missing in the table."""
        return cls(
            [_read(kind, seed, Row) for kind in KINDS for seed in seeds if path_of(kind, seed).is_file()],
            [_read("few", seed, FewRow) for seed in seeds],
            [_read("unlike", seed, UnlikeRow) for seed in seeds],
            _read("other", 0, OtherRow),
        )

    def of(self, kind: str) -> list[Row]:
        """The rows of one kind, by seed."""
        return [row for row in self.trials if row.kind == kind]

    def seconds(self) -> dict[str, float]:
        """What the trainings of each kind took, all seeds together."""
        return {kind: sum(row.seconds for row in self.of(kind)) for kind in KINDS}


T = TypeVar("T", bound=msgspec.Struct)


def _read(kind: str, seed: int, what: type[T]) -> T:
    return msgspec.json.decode(path_of(kind, seed).read_bytes(), type=what)


def tables(rows: Rows, ms: Mapping[str, float]) -> str:
    """Everything, as Markdown."""
    return "\n".join([*_accuracies(rows), "", *_gain(rows), "", *_others(rows), "", *_cost(rows, ms)])


def in_findings(page: str, table: str) -> str:
    """The page with the table between its marks. Raises ValueError where it has none."""
    begin, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    return f"{page[:begin]}\n\n{table}\n\n{page[end:]}"


def _accuracies(rows: Rows) -> list[str]:
    shown = ("30", "20", "15", "10")
    noise = " | ".join(f"{db} dB" for db in shown)
    return [
        f"| network | parameters | test accuracy | wrong of {TEST * CLASSES} by seed | mirrored | {noise} |",
        "|---|---|---|---|---|---|---|---|---|",
        *(_accuracy(told, rows.of(kind), shown) for kind, told in TOLD.items() if rows.of(kind)),
    ]


def _accuracy(told: str, those: Sequence[Row], shown: Sequence[str]) -> str:
    wrong = ", ".join(str(round((1 - row.test.accuracy) * row.pictures)) for row in those)
    cells = [
        told,
        f"{those[0].parameters:,}",
        _told([row.test.accuracy for row in those]),
        wrong,
        percent(_mean([row.test.mirrored["4"] for row in those])),
        *(percent(_mean([row.test.noise[db] for row in those])) for db in shown),
    ]
    return f"| {' | '.join(cells)} |"


def _gain(rows: Rows) -> list[str]:
    """What the attention brings: beside plain SqueezeNet by seed, and the same network without it."""
    full = rows.of("msa-200")
    gammas = ", ".join(f"{row.gamma:.4f}" for row in full)
    cut = 100 * _mean([(row.without_attention or 0.0) - row.test.accuracy for row in full])
    return [
        *(_apart(rows, count) for count in ("200", "100", "50", "10") if rows.of(f"plain-{count}")),
        f"- the attention's weight gamma after training, 200 of each class: {gammas}; with gamma set to 0 "
        f"the accuracy changes by {cut:+.2f} points",
    ]


def _apart(rows: Rows, count: str) -> str:
    plain = {row.seed: row.test.accuracy for row in rows.of(f"plain-{count}")}
    pairs = [row for row in rows.of(f"msa-{count}") if row.seed in plain]
    apart = [100 * (row.test.accuracy - plain[row.seed]) for row in pairs]
    middle, low, high = mean_over_seeds(apart)
    return f"- {count} of each class: {middle:+.2f} points beside SqueezeNet [{low:+.2f}, {high:+.2f}]"


def _others(rows: Rows) -> list[str]:
    return [_unlike(rows), _few(rows.few), _other(rows.other)]


def _unlike(rows: Rows) -> str:
    unlike = rows.unlike
    lost = _mean([row.test.none_of_these for row in rows.of("msa-200")])
    means = {
        name: percent(_mean([getattr(row, name) for row in unlike]))
        for name in ("prints", "grey_prints", "textures")
    }
    by_source = ", ".join(
        f"{source} {percent(_mean([row.sources[source] for row in unlike]))}" for source in unlike[0].sources
    )
    return (
        f"- none of these, by the networks of 200: {means['prints']} of {unlike[0].pictures['prints']:,} "
        f"real print images rejected, {means['grey_prints']} of them without their colour ({by_source}), "
        f"{means['textures']} of drawn textures; of NEU's own test pictures {percent(lost)} lost"
    )


def _few(few: Sequence[FewRow]) -> str:
    means = {
        name: percent(_mean([getattr(row, name) for row in few]))
        for name in ("old_before", "old_after", "new_rejected")
    }
    new, seconds = _told([row.new for row in few], 2 * TEST), max(row.seconds for row in few)
    return (
        f"- few-shot, two classes held out and learned from 20 pictures each: these {new}, the first four "
        f"{means['old_before']} before and {means['old_after']} after, in {seconds:.0f} s at most on one "
        f"core; before, the network called {means['new_rejected']} of them none of its classes"
    )


def _other(other: OtherRow) -> str:
    auc = ", ".join(f"{source} {value:.2f}" for source, value in other.prints_auc.items())
    return (
        f"- other data: drawn printed walls {percent(other.textures)} of {other.textures_pictures}; real "
        f"print images, normal against failing, learned from mysticaldawn, AUC by source: {auc}"
    )


def _cost(rows: Rows, ms: Mapping[str, float]) -> list[str]:
    minutes = {kind: seconds / 60 for kind, seconds in rows.seconds().items()}
    told = ", ".join(f"{kind} {value:.0f}" for kind, value in minutes.items() if value)
    hours = sum(minutes.values()) / 60
    return [
        f"- one picture on one core: {ms['fast']:.1f} ms by the fast engine, {ms['torch']:.1f} by torch",
        f"- trainings, minutes of one core for all five seeds: {told}; {hours:.1f} core hours in all",
    ]


def _told(accuracies: Sequence[float], pictures: int = TEST * CLASSES) -> str:
    """The mean with Wilson's interval over all that was judged."""
    judged = pictures * len(accuracies)
    _, low, high = wilson(round(sum(accuracies) * pictures), judged)
    return f"{percent(_mean(accuracies))} [{100 * low:.2f}, {100 * high:.2f}]"


def _mean(values: Sequence[float]) -> float:
    return statistics.fmean(values)


def percent(share: float) -> str:
    """A share 0..1 as "99.72 %"."""
    return f"{100 * share:.2f} %"
