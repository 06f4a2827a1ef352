"""``nozzlewatch finetune``."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ingest.running import FAILED, FINE, run_stage
from nozzlewatch.output import write_json
from nozzlewatch.progress import cores
from nozzlewatch.watching import options as of

if TYPE_CHECKING:
    from detector.learning.finetune import Finetuned
    from detector.learning.finetune_learner import Side
    from detector.learning.preprocess import Preprocessed


def finetune(
    sources: of.Recordings,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="the network that knows them too; the first stays as it is")
    ],
    labels: Annotated[
        Path | None,
        typer.Option(help="what happened (CSV or JSON lines: print, kind or fine, from, to)"),
    ] = None,
    replay: Annotated[
        list[Path] | None,
        typer.Option(help="folder of preprocessed old prints (default: those that come along)"),
    ] = None,
    model_path: of.ModelPath = None,
    cache: Annotated[
        Path | None, typer.Option(help="keeps what is made of recordings (default: beside the output)")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1)] = 24,
    patience: Annotated[int, typer.Option(min=1, help="epochs without a gain")] = 8,
    rate: Annotated[float, typer.Option(help="learning rate")] = 1e-4,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=2, help="prints at a time, half of them old ones")
    ] = 12,
    jobs: of.Jobs = None,
    seed: of.Seed = 0,
    json: of.JsonOption = None,
    debug: of.Debug = False,
) -> None:
    """Teach the watch your own labelled prints, in minutes; where that is no gain nothing is written."""

    def run(stop: threading.Event) -> int:
        from detector.learning.finetune import Finetuning
        from detector.learning.finetune import finetune as work
        from detector.training.recipe import Recipe

        of.check_places(output=output, json=json)
        recipe = Recipe(epochs=epochs, patience=patience, rate=rate, warmup_steps=20, seed=seed)
        asked = Finetuning(
            sources=tuple(sources), output=output, cache=cache or output.with_name(f"{output.name}.cache"),
            labels=labels, replay=tuple(replay or ()), recipe=recipe, batch_size=batch_size,
            jobs=jobs or cores(), quiet=json is not None,
        )  # fmt: skip
        console = Console(stderr=True, quiet=json is not None)

        def made(done: Preprocessed) -> None:
            console.print(Text(done.trouble or f"{done.recording}: prepared"), soft_wrap=True)

        found = work(of.model_of(model_path), asked, stop, made=made)
        if json is not None:
            write_json(json, msgspec.to_builtins(found))
        else:
            _print(found)
        return FINE if found.gained else FAILED

    raise typer.Exit(run_stage(run, debug=debug, quiet=not debug))


def _print(found: Finetuned) -> None:
    console = Console()
    for why in found.left_out:
        console.print(Text(f"left out: {why}"), soft_wrap=True)
    table = Table("held out", "prints", "failures found", "with a false alarm", "mistakes per 100", "loss")
    rows = {
        "own, before": found.before.own,
        "own, after": found.after.own,
        "old, before": found.before.replayed,
        "old, after": found.after.replayed,
    }
    for name, side in rows.items():
        table.add_row(name, *_cells(side))
    console.print(table)
    console.print(Text(_told(found)), soft_wrap=True)


def _cells(side: Side) -> tuple[str, ...]:
    found = f"{side.found} of {side.failing}"
    return str(side.prints), found, str(side.false_alarms), f"{side.mistakes:.1f}", f"{side.loss:.3f}"


def _told(found: Finetuned) -> str:
    took = f"{found.prints} own prints, {found.epochs} epochs, {found.seconds:.0f} s"
    if found.gained:
        return f"{found.output}: written ({took})"
    return (
        f"{found.output}: not written ({took}): held-out prints show no gain, or that it forgot; "
        "label more prints, sound ones among them"
    )
