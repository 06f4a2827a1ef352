"""The page of an evaluation: its figures, its ROC curve and its surest failures, beside their pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ingest.errors import UsageError
from sinks.pages import rendered

if TYPE_CHECKING:
    from detector.printability.evaluate import Evaluated, Figure, RocPoint

FIGURES = ("accuracy", "precision", "recall", "f1", "auc")
SIDE = 320
"""Of the ROC curve, in the page's units."""


class Row(NamedTuple):
    """A line of a table."""

    name: str
    counts: tuple[int, ...]
    value: str
    interval: str


def write_page(path: Path, found: Evaluated) -> None:
    """Write it; the pictures are named by it and lie in its folder. Raises UsageError."""
    page = rendered(
        "printability_evaluation.html.j2",
        found=found,
        figures=[_row(name, (), getattr(found, name)) for name in FIGURES],
        defects=[
            _row(defect, (one.samples, one.parts, one.called_printable), one.accuracy)
            for defect, one in found.defects.items()
        ],
        side=SIDE,
        roc=_path(found.roc),
        shown=[one for one in found.failures if one.picture],
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--failures {path}: found {error.strerror}, expected a folder to write") from error


def _row(name: str, counts: tuple[int, ...], figure: Figure) -> Row:
    return Row(name, counts, f"{figure.value:.4f}", f"{figure.ci[0]:.4f} to {figure.ci[1]:.4f}")


def _path(roc: list[RocPoint]) -> str:
    """An SVG path over SIDE x SIDE, false positives to the right, true ones upwards."""
    corners = (f"{SIDE * one.false_positives:.1f},{SIDE * (1 - one.true_positives):.1f}" for one in roc)
    return "M" + " L".join(corners)
