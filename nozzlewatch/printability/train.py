"""``nozzlewatch printability train``."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from ingest.running import FINE, run_stage
from nozzlewatch.output import write_json
from nozzlewatch.printability import options as of


def train(
    data: of.Parts,
    model_path: of.ModelPath = Path("./printability.safetensors"),
    network: of.Network = of.DEFAULT_NETWORK,
    size: of.Size = of.DEFAULT_SIZE,
    holes: of.Holes = "top",
    split: of.SplitOption = "honest",
    unbalanced: of.Unbalanced = False,
    epochs: Annotated[int, typer.Option(min=1)] = 10,
    rate: Annotated[float, typer.Option(help="learning rate")] = 1e-3,
    optimizer: Annotated[Literal["adamw", "adam", "adadelta", "sgd"], typer.Option()] = "adamw",
    momentum: Annotated[float, typer.Option(help="of SGD")] = 0.5,
    decay: Annotated[float, typer.Option(help="weight decay")] = 0.01,
    schedule: Annotated[Literal["cosine", "constant"], typer.Option(help="of the rate")] = "cosine",
    patience: Annotated[
        int | None, typer.Option(min=1, help="epochs without a better loss (default: go to the end)")
    ] = None,
    batch_size: of.BatchSize = 16,
    epoch_samples: of.EpochSamples = None,
    turned: of.Turned = True,
    places: of.Places = 0,
    full_precision: Annotated[
        bool, typer.Option("--full-precision", help="float32 throughout, also where bfloat16 is faster")
    ] = False,
    seed: of.Seed = 0,
    log_file: Annotated[Path | None, typer.Option(help="a line of JSON an epoch")] = None,
    tracked_in: Annotated[Path | None, typer.Option("--tracking", help="folder for MLflow's records")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with a training that was stopped")] = False,
    json: of.JsonOption = None,
    debug: of.Debug = False,
) -> None:
    """Train a network to tell parts that can be printed. Ctrl-C ends it, and --resume goes on."""
    from detector.printability import train as work
    from detector.printability.grids import HoleSet
    from detector.printability.learner import Changes
    from detector.training.recipe import Recipe

    def run(stop: threading.Event) -> int:
        recipe = Recipe(
            epochs=epochs, patience=patience, rate=rate, schedule=schedule, decay=decay, seed=seed,
            mixed_precision=not full_precision, optimizer=optimizer, momentum=momentum,
        )  # fmt: skip
        asked = work.PrintabilityTraining(
            folder=data, model_path=model_path, recipe=recipe, network=network, size=size,
            holes=HoleSet(holes), how=split, balanced=not unbalanced, batch_size=batch_size,
            epoch_samples=epoch_samples, changes=Changes(turned, places or None), log_file=log_file,
            tracked_in=tracked_in, resume=resume, quiet=json is not None,
        )  # fmt: skip
        trained = work.train(asked, stop)
        if trained is None:
            return FINE
        if json is not None:
            write_json(json, msgspec.to_builtins(trained))
        else:
            _print(trained)
        return FINE

    def _print(trained: work.Trained) -> None:
        figures = ", ".join(f"{name} {value:.4f}" for name, value in trained.figures.items())
        Console().print(
            Text(
                f"{trained.model_path}: {trained.network} for {trained.size} voxels, holes {trained.holes}, "
                f"{trained.samples['train']} samples of {trained.parts['train']} parts, best of "
                f"{trained.epochs} epochs is {trained.best_epoch} ({trained.ended}); validation: {figures}"
            ),
            soft_wrap=True,
        )

    raise typer.Exit(run_stage(run, debug=debug, quiet=not debug))
