"""The printability table, in Markdown."""

from __future__ import annotations

from collections.abc import Mapping

from bench.printability_trials import CPU_EPOCHS, CPU_SAMPLES, CPU_SIZE, NETS, OURS, Row
from detector.printability.evaluate import Evaluated, Figure
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


def in_findings(text: str, table: str) -> str:
    """The page with the table between its marks. Raises ValueError where it has none."""
    begin, end = text.index(BEGIN) + len(BEGIN), text.index(END)
    return f"{text[:begin]}\n\n{table}\n\n{text[end:]}"


def page(rows: Mapping[str, Row], counted: Mapping[str, Mapping[str, int]]) -> str:
    """All of it."""
    return "\n".join([*_networks(rows, counted), "", *_by_defect(rows)])


def _networks(rows: Mapping[str, Row], counted: Mapping[str, Mapping[str, int]]) -> list[str]:
    lines = [
        f"Accuracy / F1 / AUC, with the 95 % interval of the accuracy over parts. The published networks had "
        f"{CPU_SIZE} voxels a side and, where nothing else is said, {CPU_EPOCHS} epochs of {CPU_SAMPLES} "
        f"samples (one core, bfloat16), ours {HoleSet.TOP.grid} voxels; its multiply-adds are for each "
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
            *(_cell(rows.get(f"{how}-{net}")) for how in ("random", "honest")),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    rotated = rows.get("rotated-ours")
    if rotated:
        lines += [
            "",
            f"Rotated holes, by designer, ours: {_cell(rotated)} (published: .85 on a random split).",
        ]
    return lines


def _multiply_adds(count: Mapping[str, int]) -> str:
    small, large = (count[f"multiply_adds_{size}"] / 1e9 for size in (64, 128))
    return f"{small:.1f} / {large:.0f} G" if small != large else f"{small:.3f} G"


def _cell(row: Row | None) -> str:
    if row is None:
        return LEFT_OUT
    test, accuracy = row.test, row.test.accuracy
    learned = row.trained.epochs
    usual = test.network == NETS[OURS] or learned == CPU_EPOCHS
    return (
        f"**{_short(accuracy)}** [{accuracy.ci[0]:.3f}, {accuracy.ci[1]:.3f}] / {_short(test.f1)} / "
        f"{_short(test.auc)}{'' if usual else f' ({learned} epochs)'}"
    )


def _short(figure: Figure) -> str:
    return f"{figure.value:.3f}".replace("0.", ".")


def _by_defect(rows: Mapping[str, Row]) -> list[str]:
    tests: dict[str, Evaluated] = {name: row.test for name, row in rows.items() if name.endswith(OURS)}
    if not tests:
        return []
    kinds = next(iter(tests.values())).defects
    lines = [
        "Share of right calls of ours, by what was done to the part (samples in brackets):",
        "",
        f"| trained and judged | {' | '.join(kinds)} |",
        f"|---|{'---|' * len(kinds)}",
    ]
    for name, test in tests.items():
        cells = [f"{one.accuracy.value:.3f} ({one.samples})" for one in test.defects.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines
