"""The printability table, in Markdown, and what is kept of its rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from bench.printability_trials import BUDGETS, CPU_SIZE, NETS, OURS, TRIALS, USUAL, Budget, Row
from detector.printability.evaluate import Figure
from detector.printability.grids import HoleSet

BEGIN, END = "<!-- printability: begin -->", "<!-- printability: end -->"
PUBLISHED = {
    "vanilla": ".647 / .45 / .65",
    "resnet_small": ".505 / 0 / .52",
    "inception_v1": ".959 / .96 / .97",
    "inception_v3": ".979 / .98 / .99",
}
"""Accuracy, F1 and AUC on a random split of 7,430 samples of 128 voxels, 60 epochs; which of the ResNets that
was the source does not say."""
LEFT_OUT = "-"
EPOCHS_TOLD = {trial.net: trial.budget.epochs for trial in TRIALS.values() if trial.net != OURS}


class Right(NamedTuple):
    """Of one kind of sample: the share of right calls, and of how many."""

    share: float
    samples: int


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the table tells of a row, and with which commit it was measured, and when.

    Rows are kept so where they were measured on a machine that is gone.
    """

    commit: str
    date: str
    epochs: int
    accuracy: Figure
    f1: Figure
    auc: Figure
    samples: int
    parts: int
    defects: dict[str, Right]


def told_of(row: Row) -> Told:
    """What is kept of a row."""
    test = row.test
    return Told(
        commit=row.commit, date=row.date, epochs=row.trained.epochs,
        accuracy=test.accuracy, f1=test.f1, auc=test.auc, samples=test.samples, parts=test.parts,
        defects={kind: Right(one.accuracy.value, one.samples) for kind, one in test.defects.items()},
    )  # fmt: skip


def in_findings(text: str, table: str) -> str:
    """The page with the table between its marks. Raises ValueError where it has none."""
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    return f"{text[:begin]}\n\n{table}\n\n{text[end:]}"


def page(rows: Mapping[str, Told], counted: Mapping[str, Mapping[str, int]]) -> str:
    """All of it."""
    return "\n".join([*_networks(rows, counted), "", *_by_defect(rows)])


def _networks(rows: Mapping[str, Told], counted: Mapping[str, Mapping[str, int]]) -> list[str]:
    fewer = "".join(f"; {NETS[net]}: {_learned(budget)}" for net, budget in BUDGETS.items())
    lines = [
        f"Accuracy / F1 / AUC, with the 95 % interval of the accuracy over parts. The published networks had "
        f"{CPU_SIZE} voxels a side and, where nothing else is said, {_learned(USUAL)} (one core; bfloat16 "
        f"where it has that{fewer}), ours {HoleSet.TOP.grid} voxels; its multiply-adds are for each "
        "through-hole of a part.",
        "",
        "| network | parameters | multiply-adds at 64 / 128 | published | random split | by designer |",
        "|---|---|---|---|---|---|",
    ]
    for net, name in NETS.items():
        count = counted[name]
        cells = [
            f"{name} (ours)" if net == OURS else name,
            f"{count['parameters']:,}",
            _multiply_adds(count),
            PUBLISHED.get(net, LEFT_OUT),
            *(_cell(rows.get(f"{how}-{net}"), EPOCHS_TOLD.get(net)) for how in ("random", "honest")),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    rotated = rows.get("rotated-ours")
    if rotated:
        lines += [
            "",
            f"Rotated holes, by designer, ours: {_cell(rotated)} (published: .85 on a random split).",
        ]
    return lines


def _learned(budget: Budget) -> str:
    return f"{budget.epochs} epoch{'s' * (budget.epochs > 1)} of {budget.samples} samples"


def _multiply_adds(count: Mapping[str, int]) -> str:
    small, large = (count[f"multiply_adds_{size}"] / 1e9 for size in (64, 128))
    return f"{small:.1f} / {large:.0f} G" if small != large else f"{small:.3f} G"


def _cell(row: Told | None, usual_epochs: int | None = None) -> str:
    """``usual_epochs``: how many the text above tells already; None where it tells none."""
    if row is None:
        return LEFT_OUT
    low, high = row.accuracy.ci
    others = "" if usual_epochs in (None, row.epochs) else f" ({row.epochs} epochs)"
    return (
        f"**{_short(row.accuracy)}** [{low:.3f}, {high:.3f}] / {_short(row.f1)} / {_short(row.auc)}{others}"
    )


def _short(figure: Figure) -> str:
    return f"{figure.value:.3f}".replace("0.", ".")


def _by_defect(rows: Mapping[str, Told]) -> list[str]:
    ours = {name: row for name, row in rows.items() if name.endswith(OURS)}
    if not ours:
        return []
    kinds = next(iter(ours.values())).defects
    lines = [
        "Share of right calls of ours, by what was done to the part (samples in brackets):",
        "",
        f"| trained and judged | {' | '.join(kinds)} |",
        f"|---|{'---|' * len(kinds)}",
    ]
    for name, row in ours.items():
        cells = [f"{one.share:.3f} ({one.samples})" for one in row.defects.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines
