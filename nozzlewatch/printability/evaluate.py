"""``nozzlewatch printability evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest.running import FINE, report_errors
from nozzlewatch.output import write_json
from nozzlewatch.printability import options as of

if TYPE_CHECKING:
    from detector.printability.evaluate import Evaluated, Figure

FAILURES_TOLD = 10


def evaluate(
    model_path: of.ModelPath,
    data: of.Parts,
    part: Annotated[
        Literal["test", "validation", "all"],
        typer.Option(help="what the network's own split held out, or all of another folder"),
    ] = "test",
    batch_size: of.BatchSize = 16,
    failures: Annotated[
        Path | None, typer.Option(help="folder for pictures of the surest failures, and a page of them")
    ] = None,
    most_pictures: Annotated[int, typer.Option(min=1, help="so many of them")] = 60,
    seed: of.Seed = 0,
    json: of.JsonOption = None,
    debug: of.Debug = False,
) -> None:
    """Judge parts that the network never saw, and tell how good it is, by defect too."""
    from detector.printability.evaluate import evaluate as work
    from nozzlewatch.printability.evaluation_page import write_page

    def run() -> int:
        found = work(
            model_path, data, part=part, batch_size=batch_size, pictures=failures,
            most_pictures=most_pictures, seed=seed,
        )  # fmt: skip
        if failures is not None:
            write_page(failures / "index.html", found)
        if json is not None:
            write_json(json, msgspec.to_builtins(found))
        else:
            print_evaluated(found, Console())
        return FINE

    raise typer.Exit(report_errors(run, debug=debug))


def print_evaluated(found: Evaluated, console: Console) -> None:
    """The figures as tables."""
    console.print(
        Text(
            f"{found.network} for {found.size} voxels, holes {found.holes}, {found.split} {found.part}: "
            f"{found.samples} samples of {found.parts} parts of {len(found.families)} families, "
            f"{found.ms_per_sample:.1f} ms a sample"
        ),
        soft_wrap=True,
    )
    figures = Table("figure", "value", "95 % over parts")
    for name in ("accuracy", "precision", "recall", "f1", "auc"):
        figures.add_row(name, *_told(getattr(found, name)))
    console.print(figures)
    kinds = Table("defect", "samples", "parts", "called printable", "accuracy", "95 %")
    for defect, one in found.defects.items():
        row = (str(count) for count in (one.samples, one.parts, one.called_printable))
        kinds.add_row(defect, *row, *_told(one.accuracy))
    console.print(kinds)
    (bad, missed), (alarmed, good) = found.confusion
    console.print(
        f"unprintable: {bad} called so, {missed} called printable; "
        f"printable: {good} called so, {alarmed} called unprintable"
    )
    for failed in found.failures[:FAILURES_TOLD]:
        told = f"  {failed.file} {failed.defect} {failed.variant}: printable with {failed.printable:.0%}"
        console.print(Text(told), soft_wrap=True)


def _told(figure: Figure) -> tuple[str, str]:
    low, high = figure.ci
    return f"{figure.value:.4f}", f"{low:.4f} to {high:.4f}"
