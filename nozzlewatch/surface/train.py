"""``nozzlewatch surface train``."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from msgspec.structs import replace
from rich.console import Console

from ingest.running import FINE, run_stage
from nozzlewatch.output import write_json
from nozzlewatch.surface import options as of


def train(
    data_dir: of.DataDir = Path("./dataset"),
    dataset: of.Dataset = "NEU",
    num_classes: Annotated[
        int | None, typer.Option("--num-classes", "--num_classes", min=2, help="checked against the folders")
    ] = None,
    num_epochs: Annotated[int, typer.Option("--num-epochs", "--num_epochs", min=1)] = 25,
    batch_size: of.BatchSize = 32,
    lr: Annotated[float, typer.Option(help="learning rate")] = 1e-3,
    log_file: Annotated[
        Path | None, typer.Option("--log-file", "--log_file", help="a line of JSON an epoch")
    ] = Path("./train_log.txt"),
    model_type: of.ModelType = of.DEFAULT_TYPE,
    early_stop: Annotated[
        int, typer.Option("--early-stop", "--early_stop", min=1, help="epochs without a better loss")
    ] = 10,
    checkpoint_path: Annotated[
        Path, typer.Option("--checkpoint-path", "--checkpoint_path", help="the trained network (safetensors)")
    ] = Path("./msa.safetensors"),
    trunk: of.Trunk = None,
    validation: of.Validation = 0.2,
    sound: Annotated[list[str] | None, typer.Option(help="a class that is no defect")] = None,
    plain: Annotated[bool, typer.Option("--plain", help="learn from pictures as they are")] = False,
    turned: Annotated[
        bool, typer.Option("--turned", help="turn pictures by right angles: for surfaces without a direction")
    ] = False,
    noise: Annotated[bool, typer.Option(help="noise in half of the pictures")] = True,
    published: Annotated[
        bool, typer.Option("--published", help="the authors' way: Adam at a constant rate, no noise")
    ] = False,
    full_precision: Annotated[
        bool, typer.Option("--full-precision", help="float32 throughout, also where bfloat16 is faster")
    ] = False,
    seed: of.Seed = 0,
    tracked_in: Annotated[Path | None, typer.Option("--tracking", help="folder for MLflow's records")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with a training that was stopped")] = False,
    json: of.JsonOption = None,
    debug: of.Debug = False,
) -> None:
    """Train a network on a folder of pictures for each class. Ctrl-C ends it, and --resume goes on."""
    from detector.surface import train as work
    from detector.surface.learner import Changes

    def run(stop: threading.Event) -> int:
        of.check_validation(validation)
        way = work.published if published else work.improved
        recipe = replace(way(num_epochs, lr, seed, early_stop), mixed_precision=not full_precision)
        begin_with = of.trunk_for(model_type, trunk)
        changes = Changes(views=not plain, turned=turned, noise=noise and not plain and not published)
        asked = work.SurfaceTraining(
            folder=data_dir / dataset, model_path=checkpoint_path, recipe=recipe, model_type=model_type,
            classes=num_classes, sound=tuple(sound or ()), batch_size=batch_size, validation=validation,
            changes=changes, repeated=not published, trunk=begin_with, log_file=log_file,
            trunk_rate=work.TRUNK_RATE if begin_with and not published else 1.0,
            tracked_in=tracked_in, resume=resume, quiet=json is not None,
        )  # fmt: skip
        trained = work.train(asked, stop)
        if trained is None:
            return FINE
        if json is not None:
            write_json(json, msgspec.to_builtins(trained))
        else:
            figures = ", ".join(f"{name} {value:.4f}" for name, value in trained.figures.items())
            Console().print(
                f"{trained.model_path}: {trained.model_type}, {len(trained.classes)} classes, best of "
                f"{trained.epochs} epochs is {trained.best_epoch} ({trained.ended}); validation: {figures}"
            )
        return FINE

    raise typer.Exit(run_stage(run, debug=debug, quiet=not debug))
