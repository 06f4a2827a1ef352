"""``nozzlewatch tune``."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from ingest.running import FAILED, FINE, run_stage
from nozzlewatch.output import write_json
from nozzlewatch.surface.options import trunk_of
from nozzlewatch.watching import options as of

if TYPE_CHECKING:
    from detector.learning.tune import DetectorTuned


def tune(
    prints: of.Prints,
    held_out: of.HeldOut,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="folder of nozzlewatch train, whose frame network is taken"),
    ],
    trials: Annotated[int, typer.Option(min=1, help="in all, those of earlier calls counted in")] = 20,
    epochs: Annotated[int, typer.Option(min=1, help="of each trial")] = 8,
    data_dir: of.DataDir = None,
    trunk: of.Trunk = None,
    staged: Annotated[
        int, typer.Option(min=0, help="prints put together of real pictures and simulated telemetry")
    ] = 240,
    seed: of.Seed = 0,
    json: of.JsonOption = None,
    debug: of.Debug = False,
) -> None:
    """Search for a good temporal network and rate. Ctrl-C ends it; the same call goes on."""

    def run(stop: threading.Event) -> int:
        from msgspec.structs import replace

        from detector.learning.train import DetectorTraining
        from detector.learning.tune import tuned

        of.check_places(json=json)
        asked = DetectorTraining(
            prints=tuple(prints), held_out=tuple(held_out), out=output, data=of.data_of(data_dir),
            trunk=trunk_of(trunk), staged=staged, resume=True, quiet=json is not None,
        )  # fmt: skip
        asked = replace(
            asked,
            temporal=replace(asked.temporal, epochs=epochs, seed=seed),
            frames=replace(asked.frames, seed=seed),
            close_ups=asked.close_ups and replace(asked.close_ups, seed=seed),
        )
        found = tuned(asked, trials, stop)
        if found is None:
            sys.stderr.write(f"{output}: was stopped; the same call goes on\n")
            return FAILED
        if json is not None:
            write_json(json, msgspec.to_builtins(found))
        else:
            _print(found)
        return FINE if found.best is not None else FAILED

    raise typer.Exit(run_stage(run, debug=debug, quiet=not debug))


def _print(found: DetectorTuned) -> None:
    names = ("rate", "width", "layers", "band", "dropout", "batch_size")
    table = Table(*(name.replace("_", " ") for name in names), "mistakes per 100 and loss", "ended")
    for one in sorted(found.tried, key=lambda one: (one.ended != "finished", one.goal or 0.0)):
        params = (f"{one.params[name]:.4g}" for name in names)
        table.add_row(*params, "" if one.goal is None else f"{one.goal:.4g}", one.ended)
    Console().print(table)
