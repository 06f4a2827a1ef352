"""``nozzlewatch surface train|evaluate``: which defect a surface has, learned from folders of pictures."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from ingest.errors import UsageError
from ingest.stage import FINE, report_errors, run_stage
from nozzlewatch.data import NONE, data_folder
from nozzlewatch.output import write_json

app = typer.Typer(no_args_is_help=True, help="Tell which defect a surface has: train on folders, evaluate.")

log = logging.getLogger(__name__)

USUAL_TRUNK = "weights/squeezenet1_1_features.safetensors"

DataDir = Annotated[Path, typer.Option("--data-dir", "--data_dir", help="folder that holds datasets")]
Dataset = Annotated[str, typer.Option(help="folder in it with a folder of pictures for each class")]
BatchSize = Annotated[int, typer.Option("--batch-size", "--batch_size", min=1, help="pictures at a time")]
LogFile = Annotated[Path | None, typer.Option("--log-file", "--log_file", help="a line of JSON an epoch")]
JsonOption = Annotated[
    str | None, typer.Option("--json", help="write JSON to this file, - for standard output")
]
Debug = Annotated[bool, typer.Option("--debug", help="show tracebacks")]


@app.command()
def train(
    data_dir: DataDir = Path("./dataset"),
    dataset: Dataset = "NEU",
    num_classes: Annotated[
        int | None, typer.Option("--num-classes", "--num_classes", min=2, help="checked against the folders")
    ] = None,
    num_epochs: Annotated[int, typer.Option("--num-epochs", "--num_epochs", min=1)] = 25,
    batch_size: BatchSize = 32,
    lr: Annotated[float, typer.Option(help="learning rate")] = 1e-3,
    log_file: LogFile = Path("./train_log.txt"),
    model_type: Annotated[
        str, typer.Option("--model-type", "--model_type", help="which network; a wrong name lists them")
    ] = "MSA_Addition_Pool35",
    early_stop: Annotated[
        int, typer.Option("--early-stop", "--early_stop", min=1, help="epochs without a better loss")
    ] = 10,
    checkpoint_path: Annotated[
        Path, typer.Option("--checkpoint-path", "--checkpoint_path", help="the trained network (safetensors)")
    ] = Path("./msa.safetensors"),
    trunk: Annotated[
        str | None,
        typer.Option(help="SqueezeNet 1.1's ImageNet weights to begin with (safetensors), or none"),
    ] = None,
    validation: Annotated[float, typer.Option(help="share of each class that chooses the best epoch")] = 0.2,
    plain: Annotated[bool, typer.Option("--plain", help="no turned, cropped and relit pictures")] = False,
    full_precision: Annotated[
        bool, typer.Option("--full-precision", help="float32 throughout, also where bfloat16 is faster")
    ] = False,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    tracked_in: Annotated[Path | None, typer.Option("--tracking", help="folder for MLflow's records")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with a training that was stopped")] = False,
    json: JsonOption = None,
    debug: Debug = False,
) -> None:
    """Train a network on a folder of pictures for each class. Ctrl-C ends it, and --resume goes on."""
    from detector.surface.networks import takes_trunk
    from detector.surface.train import SurfaceTraining, Trained
    from detector.surface.train import train as work
    from detector.training.recipe import Recipe

    def run(stop: threading.Event) -> int:
        if not 0 < validation < 1:
            raise UsageError(f"--validation: found {validation:g}, expected a share between 0 and 1")
        recipe = Recipe(
            epochs=num_epochs, patience=early_stop, rate=lr, schedule="constant", decay=0.0, seed=seed,
            mixed_precision=not full_precision,
        )  # fmt: skip
        asked = SurfaceTraining(
            folder=data_dir / dataset, model_path=checkpoint_path, recipe=recipe, model_type=model_type,
            classes=num_classes, batch_size=batch_size, validation=validation, varied=not plain,
            trunk=trunk_of(trunk) if trunk or takes_trunk(model_type) else None, log_file=log_file,
            tracked_in=tracked_in, resume=resume, quiet=json is not None,
        )  # fmt: skip
        trained: Trained | None = work(asked, stop)
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


def trunk_of(text: str | None) -> Path | None:
    """The file to begin with: the one named, none for "none", else that of the real data, if any."""
    if text == NONE:
        return None
    if text is not None:
        return Path(text)
    usual = data_folder() / USUAL_TRUNK
    if usual.is_file():
        return usual
    log.warning(
        "found no ImageNet weights (--trunk) and no %s: beginning with random ones, which need many more "
        "pictures and epochs", usual,
    )  # fmt: skip
    return None


@app.command()
def evaluate(
    model_path: Annotated[Path, typer.Option("--model-path", "--model_path", help="a trained network")],
    data_dir: DataDir = Path("./inference"),
    dataset: Dataset = "NEU_test",
    batch_size: BatchSize = 32,
    noise_db: Annotated[
        float | None, typer.Option("--noise-db", help="add noise at this signal-to-noise ratio, dB")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="of the noise")] = 0,
    log_file: LogFile = None,
    json: JsonOption = None,
    debug: Debug = False,
) -> None:
    """Judge a folder of pictures for each class that the network never saw."""
    from detector.surface.evaluate import Evaluated
    from detector.surface.evaluate import evaluate as work

    def run() -> int:
        found: Evaluated = work(
            model_path, data_dir / dataset, batch_size=batch_size, noise_db=noise_db, seed=seed
        )
        told = msgspec.to_builtins(found)
        if log_file is not None:
            write_json(str(log_file), told)
        if json is not None:
            write_json(json, told)
        else:
            console = Console()
            console.print(
                f"{found.pictures} pictures, accuracy {found.accuracy:.2%} [{found.accuracy_ci[0]:.2%}, "
                f"{found.accuracy_ci[1]:.2%}], F1 {found.f1:.4f}, {found.ms_per_picture:.1f} ms a picture"
            )
            table = Table("class", "pictures", "precision", "recall", "F1", "called")
            for (name, one), row in zip(found.classes.items(), found.confusion, strict=True):
                called = ", ".join(f"{other} {n}" for other, n in zip(found.classes, row, strict=True) if n)
                shares = (f"{share:.3f}" for share in (one.precision, one.recall, one.f1))
                table.add_row(name, str(one.pictures), *shares, called)
            console.print(table)
        return FINE

    raise typer.Exit(report_errors(run, debug=debug))
