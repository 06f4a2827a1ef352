"""``nozzlewatch surface tune``."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from ingest.running import FAILED, FINE, run_stage
from nozzlewatch.output import write_json
from nozzlewatch.surface import options as of


def tune(
    data_dir: of.DataDir = Path("./dataset"),
    dataset: of.Dataset = "NEU",
    trials: Annotated[int, typer.Option(min=1, help="in all, those of earlier calls counted in")] = 20,
    num_epochs: Annotated[int, typer.Option("--num-epochs", "--num_epochs", min=1, help="of each trial")] = 8,
    model_type: of.ModelType = of.DEFAULT_TYPE,
    trunk: of.Trunk = None,
    validation: of.Validation = 0.2,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="folder of the study; it goes on there")
    ] = Path("./tuning"),
    seed: of.Seed = 0,
    json: of.JsonOption = None,
    debug: of.Debug = False,
) -> None:
    """Search for a good learning rate, weight decay and batch size. Ctrl-C ends it; the same call goes on."""
    from detector.surface.tune import SurfaceTuned, SurfaceTuning, tuned

    def run(stop: threading.Event) -> int:
        of.check_validation(validation)
        asked = SurfaceTuning(
            folder=data_dir / dataset, output=output, trials=trials, epochs=num_epochs, model_type=model_type,
            validation=validation, trunk=of.trunk_for(model_type, trunk), seed=seed, quiet=json is not None,
        )  # fmt: skip
        found = tuned(asked, stop)
        if json is not None:
            write_json(json, msgspec.to_builtins(found))
        else:
            _print(found)
        return FINE if found.best is not None else FAILED

    def _print(found: SurfaceTuned) -> None:
        table = Table("rate", "trunk's share", "decay", "batch size", "validation loss", "ended")
        for one in sorted(found.tried, key=lambda one: (one.ended != "finished", one.goal or 0.0)):
            params = (f"{one.params[name]:.4g}" for name in ("rate", "trunk_rate", "decay", "batch_size"))
            table.add_row(*params, "" if one.goal is None else f"{one.goal:.4g}", one.ended)
        Console().print(table)

    raise typer.Exit(run_stage(run, debug=debug, quiet=not debug))
