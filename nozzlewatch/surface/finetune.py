"""``nozzlewatch surface finetune``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from ingest.running import FINE, report_errors
from nozzlewatch.output import write_json
from nozzlewatch.surface import options as of


def finetune(
    model_path: of.ModelPath,
    data_dir: of.DataDir = Path("./dataset"),
    dataset: of.Dataset = "mine",
    output: Annotated[
        Path, typer.Option("--output", "-o", help="the network that knows them too; the first stays as it is")
    ] = Path("./mine.safetensors"),
    seed: of.Seed = 0,
    json: of.JsonOption = None,
    debug: of.Debug = False,
) -> None:
    """Teach a trained network further classes from some 20 pictures of each, in seconds."""
    from detector.surface.finetune import finetune as work

    def run() -> int:
        taught = work(model_path, data_dir / dataset, output, seed=seed)
        if json is not None:
            write_json(json, msgspec.to_builtins(taught))
        else:
            learned = ", ".join(f"{name} ({count} pictures)" for name, count in taught.learned.items())
            Console().print(
                f"{taught.model_path}: learned {learned}; it tells {', '.join(taught.classes)} apart now"
            )
        return FINE

    raise typer.Exit(report_errors(run, debug=debug))
