"""``nozzlewatch printability tune``."""

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
from nozzlewatch.printability import options as of


def tune(
    data: of.Parts,
    trials: Annotated[int, typer.Option(min=1, help="in all, those of earlier calls counted in")] = 20,
    epochs: Annotated[int, typer.Option(min=1, help="of each trial")] = 8,
    network: of.Network = of.DEFAULT_NETWORK,
    size: of.Size = of.DEFAULT_SIZE,
    holes: of.Holes = "top",
    split: of.SplitOption = "honest",
    unbalanced: of.Unbalanced = False,
    batch_size: of.BatchSize = 16,
    epoch_samples: of.EpochSamples = None,
    turned: of.Turned = True,
    places: of.Places = 0,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="folder of the study; it goes on there")
    ] = Path("./tuning"),
    seed: of.Seed = 0,
    json: of.JsonOption = None,
    debug: of.Debug = False,
) -> None:
    """Search for a good learning rate and optimizer. Ctrl-C ends it; the same call goes on."""
    from detector.printability.grids import HoleSet
    from detector.printability.learner import Changes
    from detector.printability.tune import PrintabilityTuned, PrintabilityTuning, tuned

    def run(stop: threading.Event) -> int:
        asked = PrintabilityTuning(
            folder=data, output=output, trials=trials, network=network, epochs=epochs, size=size,
            holes=HoleSet(holes), how=split, balanced=not unbalanced, batch_size=batch_size,
            epoch_samples=epoch_samples, changes=Changes(turned, places or None), seed=seed,
            quiet=json is not None,
        )  # fmt: skip
        found = tuned(asked, stop)
        if json is not None:
            write_json(json, msgspec.to_builtins(found))
        else:
            _print(found)
        return FINE if found.best is not None else FAILED

    def _print(found: PrintabilityTuned) -> None:
        table = Table("rate", "optimizer", "validation loss", "ended")
        for one in sorted(found.tried, key=lambda one: (one.ended != "finished", one.goal or 0.0)):
            goal = "" if one.goal is None else f"{one.goal:.4g}"
            table.add_row(f"{one.params['rate']:.4g}", str(one.params["optimizer"]), goal, one.ended)
        Console().print(table)

    raise typer.Exit(run_stage(run, debug=debug, quiet=not debug))
