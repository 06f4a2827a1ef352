"""``nozzlewatch surface inspect``: the command. Its work is in nozzlewatch/surface/inspection.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ingest.running import FINE, report_errors

MIN_TILE_PX = 32
"""Shortest side of a tile, pixels: less of a surface shows nothing that can be told apart."""


def inspect(
    source: Annotated[
        str,
        typer.Argument(
            metavar="IMAGE|DIR|CAMERA",
            help="a picture, a folder of them (and the folders directly in it), or a camera's address",
        ),
    ],
    model_path: Annotated[Path, typer.Option("--model-path", "--model_path", help="a trained network")],
    tile_px: Annotated[
        int | None,
        typer.Option(
            "--tile-px", "--tile_px", min=MIN_TILE_PX, help="judge large surfaces by tiles of this side"
        ),
    ] = None,
    batch_size: Annotated[
        int, typer.Option("--batch-size", "--batch_size", min=1, help="pictures or tiles at a time")
    ] = 8,
    engine: Annotated[
        Literal["auto", "openvino", "torch"],
        typer.Option(help="what runs the network; auto takes the least time"),
    ] = "auto",
    log_file: Annotated[
        Path | None,
        typer.Option("--log-file", "--log_file", help="append a line of JSON a picture, as they come"),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="write a page with the pictures and where (HTML)")
    ] = None,
    json: Annotated[
        str | None, typer.Option("--json", help="write JSON to this file, - for standard output")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="show tracebacks")] = False,
) -> None:
    """Say of pictures which defect they show, how surely, where, or that it is none of those learned."""
    from nozzlewatch.surface.inspection import Asked, run

    def work() -> int:
        asked = Asked(
            source=source, model_path=model_path, tile_px=tile_px, batch_size=batch_size, engine=engine,
            log_file=log_file, json=json, report=report,
        )  # fmt: skip
        run(asked)
        return FINE

    raise typer.Exit(report_errors(work, debug=debug))
