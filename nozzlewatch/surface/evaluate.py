"""``nozzlewatch surface evaluate``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from ingest.errors import UsageError
from ingest.running import FINE, report_errors
from nozzlewatch.output import write_json
from nozzlewatch.surface import options as of

if TYPE_CHECKING:
    from detector.surface.curve import Curve
    from detector.surface.evaluate import Evaluated, Share


def evaluate(
    model_path: of.ModelPath,
    data_dir: of.DataDir = Path("./inference"),
    dataset: of.Dataset = "NEU_test",
    batch_size: of.BatchSize = 8,
    noise_db: Annotated[
        list[float] | None,
        typer.Option("--noise-db", help="judge with noise at this signal-to-noise ratio too, dB"),
    ] = None,
    per_class: Annotated[
        list[int] | None,
        typer.Option("--per-class", min=1, help="train on so many pictures of each class of --train-data"),
    ] = None,
    train_data: Annotated[
        Path | None, typer.Option("--train-data", help="a dataset that holds none of the judged pictures")
    ] = None,
    trunk: of.Trunk = None,
    seed: of.Seed = 0,
    engine: of.Engine = "auto",
    log_file: Annotated[
        Path | None, typer.Option("--log-file", "--log_file", help="the same as --json to a file")
    ] = None,
    json: of.JsonOption = None,
    debug: of.Debug = False,
) -> None:
    """Judge a folder of pictures for each class that the network never saw. --noise-db and --per-class, each
    as often as wanted, draw its curves."""
    from detector.surface.evaluate import evaluate as work

    def run() -> int:
        curve = _curve(model_path, per_class, train_data, trunk, seed, quiet=json is not None)
        found = work(
            model_path, data_dir / dataset, batch_size=batch_size, noise_db=noise_db or (), seed=seed,
            curve=curve, engine=engine,
        )  # fmt: skip
        told = msgspec.to_builtins(found)
        if log_file is not None:
            write_json(str(log_file), told)
        if json is not None:
            write_json(json, told)
        else:
            print_evaluated(found, Console())
        return FINE

    raise typer.Exit(report_errors(run, debug=debug))


def _curve(
    model_path: Path,
    per_class: list[int] | None,
    folder: Path | None,
    trunk: str | None,
    seed: int,
    *,
    quiet: bool,
) -> Curve | None:
    from detector.surface.curve import Curve
    from detector.surface.model_file import load_model

    if not per_class:
        return None
    if folder is None:
        raise UsageError("--per-class: found no --train-data, expected a dataset to train on beside")
    model_type = load_model(model_path).about.model_type
    return Curve(folder, per_class, trunk=of.trunk_for(model_type, trunk), seed=seed, quiet=quiet)


def print_evaluated(found: Evaluated, console: Console) -> None:
    """The figures as tables."""
    console.print(
        f"{found.pictures} pictures, accuracy {_told(found.accuracy, found.accuracy_ci)}, "
        f"F1 {found.f1:.4f}, {found.ms_per_picture:.1f} ms a picture"
    )
    if found.none_of_these is not None:
        console.print(f"called none of these: {found.none_of_these:.2%}")
    table = Table("class", "pictures", "precision", "recall", "F1", "called")
    for (name, one), row in zip(found.classes.items(), found.confusion, strict=True):
        called = ", ".join(f"{other} {n}" for other, n in zip(found.classes, row, strict=True) if n)
        shares = (f"{share:.3f}" for share in (one.precision, one.recall, one.f1))
        table.add_row(name, str(one.pictures), *shares, called)
    console.print(table)
    _print_curve("noise, dB", found.noise, console)
    _print_curve("pictures of each class", found.per_class, console)


def _print_curve(what: str, curve: Mapping[Any, Share], console: Console) -> None:
    if curve:
        table = Table(what, "accuracy")
        for key, share in curve.items():
            table.add_row(str(key), _told(share.accuracy, share.ci))
        console.print(table)


def _told(accuracy: float, ci: tuple[float, float]) -> str:
    return f"{accuracy:.2%} [{ci[0]:.2%}, {ci[1]:.2%}]"
