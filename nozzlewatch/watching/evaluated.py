"""What an evaluation found, for programs and for people: JSON, tables in a terminal, and the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

from detector.evaluation.calibration import Reliability
from detector.evaluation.figures import Figures
from detector.evaluation.table import UNKNOWN, count_text, seconds_text, share_text, table
from detector.learning.evaluate import Evaluated
from detector.learning.methods import ABOUT, OURS, of_model
from detector.model.watch_model import WatchModel
from nozzlewatch.watching import mistakes as taken_wrongly
from nozzlewatch.watching.report import write_report

ALONE = frozenset(
    {
        "baselines",
        "delays",
        "confusion",
        "reasons",
        "pr",
        "roc",
        "groups",
        "failing_share",
        "hours",
        "print_hours_median",
    }
)
"""What is not repeated of the detector without a sense."""
IMAGE_HEAD = (
    "real images of", "frames", "failing", "prints", "AUC", "precision", "recall", "F1", "mAP50",
    "false frames",
)  # fmt: skip


def model_told(model: WatchModel) -> dict[str, Any]:
    """Which network it was, for programs."""
    about = model.about
    return {
        "version": about.version,
        "sha256": about.sha256,
        "simulator": about.simulator,
        "data": about.data,
        "threshold": about.threshold,
        "min_beats": about.min_beats,
        "within_beats": about.within_beats,
    }


def prints_told(found: Evaluated) -> dict[str, Any]:
    """The figures of prints for programs: those of ``Figures``, ``reliability``, ``missing`` and what made
    the prints, ``simulator`` ("" for real ones)."""
    missing = {
        name: {key: value for key, value in msgspec.to_builtins(one).items() if key not in ALONE}
        for name, one in found.missing.items()
    }
    return {
        **msgspec.to_builtins(found.figures),
        "simulator": found.simulator,
        "reliability": _reliability(found.reliability),
        "missing": missing,
    }


def data_text(found: Evaluated) -> str:
    """What was measured on: "1375 simulated prints (simulator 8affc2898dc7)"."""
    made = f"simulated prints (simulator {found.simulator})" if found.simulator else "real prints"
    return f"{found.figures.prints} {made}"


def print_prints(found: Evaluated, console: Console) -> None:
    """The figures of prints as tables; the first line says what they are of."""
    told = f"{data_text(found)}\n{table(found.figures, ours=OURS)}"
    console.print(Text(told), soft_wrap=True)
    for name, one in found.missing.items():
        console.print(Text(f"{name}: {_missing(one)}"), soft_wrap=True)
    console.print(f"probabilities are off by {100 * found.reliability.error:.1f} points in the mean")


def print_images(images: Mapping[str, Any], console: Console) -> None:
    """The figures of real images: a row for each source, then the series."""
    sources = {name: one for name, one in images.items() if isinstance(one, Mapping) and "frames" in one}
    rows = [IMAGE_HEAD, *((name, *_image_row(one)) for name, one in sources.items())]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    console.print(Text("\n".join(lines)), soft_wrap=True)
    if "mean_auc" in images:
        told = count_text(images["mean_auc"], _ci(images, "mean_auc_ci"), 3)
        console.print(f"mean AUC of the sources with both labels: {told}", markup=False)
    console.print(_careful(images["careful"]), soft_wrap=True, markup=False)
    series = images["sequences"]
    console.print(
        f"series of real frames, camera alone: {series['found']} of {series['failing']} failing ones found, "
        f"{series['falsely_alarmed']} of all {series['failing'] + series['normal']} with a false alarm",
        soft_wrap=True,
    )


def write_page(
    path: Path, model: WatchModel, found: Evaluated, prints: Sequence[Path], data: str = ""
) -> None:
    """The report of prints; ``data`` says more of what they are. Raises UsageError."""
    _, limits = of_model(model)
    made = f"simulated prints, simulator {found.simulator}" if found.simulator else "real prints"
    write_report(
        path,
        title=f"Nozzlewatch {model.about.version} on {made}",
        data=f"{data_text(found)}{data}",
        figures=found.figures,
        reliability=found.reliability,
        missed=taken_wrongly.missed(prints, found.outcomes, limits),
        wrong=taken_wrongly.wrong(prints, found.outcomes),
        ours=OURS,
        about=ABOUT,
    )


def _reliability(found: Reliability) -> dict[str, Any]:
    return {"error": found.error, "bins": [one._asdict() for one in found.bins]}


def _missing(one: Figures) -> str:
    mistakes = count_text(one.mistakes_per_100, one.mistakes_ci)
    false_alarms = count_text(one.false_alarms_per_print_hour, one.false_alarms_ci, 3)
    found, delay = share_text(one.recall, one.recall_ci), seconds_text(one.delay_median_s)
    return f"{mistakes} mistakes per 100, {false_alarms} false alarms / h, recall {found}, delay {delay}"


def _careful(careful: Mapping[str, Any]) -> str:
    """What is found, and what is called failing falsely, where one is careful."""
    told = [
        f"{source} {_share(one, 'recall')} found, {_share(one, 'false_frames')} falsely"
        for source, one in careful.items()
        if isinstance(one, Mapping) and "false_frames" in one
    ]
    return (
        f"called failing from {careful['threshold']:.1f} on, which one in a hundred held-out normal pictures "
        f"reaches: {'; '.join(told)}"
    )


def _image_row(one: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        *(str(one[name]) for name in ("frames", "failing", "prints")),
        count_text(one.get("auc"), _ci(one, "auc_ci"), 2),
        *(_share(one, name) for name in ("precision", "recall")),
        *(count_text(one.get(name), digits=2) for name in ("f1", "map50")),
        share_text(one.get("false_frames"), _ci(one, "false_frames_ci")),
    )


def _share(one: Mapping[str, Any], name: str) -> str:
    return share_text(one[name]) if name in one else UNKNOWN


def _ci(one: Mapping[str, Any], name: str) -> tuple[float, float] | None:
    return (one[name][0], one[name][1]) if name in one else None
