"""``nozzlewatch predict``: the command. Its work is in nozzlewatch/watching/predicting.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ingest.running import FINE, report_errors
from nozzlewatch.watching import options as of


def predict(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE…",
            help="pictures, folders of them, a camera's address, recordings (.mcap) or prints (.beats)",
        ),
    ],
    model_path: of.ModelPath = None,
    threshold: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="probability from which a picture is said to fail")
    ] = 0.5,
    report: Annotated[
        Path | None, typer.Option(help="write a page with the pictures and where (HTML)")
    ] = None,
    engine: Annotated[
        Literal["auto", "openvino", "torch"],
        typer.Option(help="what runs the network; auto takes the least time"),
    ] = "auto",
    json: of.JsonOption = None,
    debug: of.Debug = False,
) -> None:
    """Say of your own pictures which failure they show, and where; of recorded prints what and when."""
    from nozzlewatch.watching.predicting import Asked, run

    def work() -> int:
        run(
            Asked(
                sources=sources, model_path=model_path, threshold=threshold, report=report, engine=engine,
                json=json,
            )
        )  # fmt: skip
        return FINE

    raise typer.Exit(report_errors(work, debug=debug))
