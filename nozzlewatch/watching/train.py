"""``nozzlewatch train``: under torchrun, each process runs this."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from ingest.running import FAILED, FINE, run_stage
from nozzlewatch.output import write_json
from nozzlewatch.surface.options import trunk_of
from nozzlewatch.watching import options as of

if TYPE_CHECKING:
    from detector.learning.train import DetectorTraining, TrainedDetector

Backbone = Literal["attention", "squeezenet", "shufflenet"]
WARMUP_STEPS = 100
"""Of both networks: the first steps of an epoch of few batches are too few for a full rate."""
STOPPED = "was stopped: the same command with --resume goes on"


def train(
    prints: of.Prints,
    held_out: of.HeldOut,
    output: Annotated[Path, typer.Option("--output", "-o", help="folder of the networks; it goes on there")],
    pictures: Annotated[
        list[Path] | None,
        typer.Option(
            help="prints that the frame network learns from; better others than PRINTS, which it uses else"
        ),
    ] = None,
    data_dir: of.DataDir = None,
    trunk: of.Trunk = None,
    backbone: Annotated[Backbone, typer.Option(help="of the frame network")] = "attention",
    close_epochs: Annotated[
        int, typer.Option("--close-epochs", min=0, help="of the frame network on close-ups, to begin with")
    ] = 10,
    frame_epochs: Annotated[
        int, typer.Option("--frame-epochs", min=1, help="of the frame network on whole pictures")
    ] = 10,
    close_rate: Annotated[float, typer.Option("--close-rate", help="its learning rate on close-ups")] = 1e-3,
    frame_rate: Annotated[float, typer.Option("--frame-rate", help="and on whole pictures")] = 6e-4,
    pairs: Annotated[
        int,
        typer.Option(
            min=1,
            help="moments with a failure, and twins, that it is shown an epoch; thrice as many close-ups",
        ),
    ] = 3600,
    pictures_at_once: Annotated[int, typer.Option("--pictures-at-once", min=3, help="of all processes")] = 48,
    beat_epochs: Annotated[
        int, typer.Option("--beat-epochs", min=1, help="of single beats, before whole prints; seconds each")
    ] = 90,
    epochs: Annotated[int, typer.Option(min=1, help="of the temporal network")] = 16,
    rate: Annotated[float, typer.Option(help="its learning rate")] = 1e-3,
    averaging: Annotated[
        float,
        typer.Option(
            help="what a running mean of its weights, and of the frame network's on whole pictures, keeps in "
            "a step; that mean is what ships"
        ),
    ] = 0.99,
    batch_size: Annotated[
        int, typer.Option("--batch-size", min=1, help="prints at a time, of all processes")
    ] = 12,
    width: Annotated[int, typer.Option(min=1, help="of the temporal network's tokens")] = 192,
    heads: Annotated[int, typer.Option(min=1, help="of its attention; they divide the width")] = 4,
    layers: Annotated[int, typer.Option(min=1)] = 2,
    band: Annotated[int, typer.Option(min=1, help="beats of 5 s that each layer looks back on")] = 48,
    dropout: Annotated[float, typer.Option(min=0.0, help="of the temporal network")] = 0.1,
    staged: Annotated[
        int, typer.Option(min=0, help="prints put together of real pictures and simulated telemetry")
    ] = 240,
    full_precision: Annotated[
        bool, typer.Option("--full-precision", help="float32 throughout, also where bfloat16 is faster")
    ] = False,
    seed: of.Seed = 0,
    tracked_in: Annotated[Path | None, typer.Option("--tracking", help="folder for MLflow's records")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with a training that was stopped")] = False,
    json: of.JsonOption = None,
    debug: of.Debug = False,
) -> None:
    """Train the watch on preprocessed prints. Ctrl-C ends it, and --resume goes on."""

    def run(stop: threading.Event) -> int:
        from detector.learning.train import DetectorTraining
        from detector.learning.train import train as work
        from detector.model.temporal import TemporalShape
        from detector.training.recipe import Recipe

        of.check_places(json=json)
        usual = DetectorTraining(prints=(), held_out=(), out=output)

        def recipe(epochs: int, rate: float, averaging: float = 0.0) -> Recipe:
            return Recipe(
                epochs=epochs, rate=rate, warmup_steps=WARMUP_STEPS, mixed_precision=not full_precision,
                seed=seed, averaging=averaging,
            )  # fmt: skip

        asked = DetectorTraining(
            prints=tuple(prints), held_out=tuple(held_out), out=output, data=of.data_of(data_dir),
            trunk=None if backbone == "shufflenet" and trunk is None else trunk_of(trunk), backbone=backbone,
            close_ups=recipe(close_epochs, close_rate) if close_epochs else None,
            frames=recipe(frame_epochs, frame_rate, averaging), pairs_an_epoch=pairs,
            pictures_a_batch=pictures_at_once, pictures=tuple(pictures or ()),
            beat_epochs=beat_epochs, temporal=recipe(epochs, rate, averaging),
            shape=TemporalShape(
                embedding=usual.shape.embedding, sensors=usual.shape.sensors, width=width, heads=heads,
                layers=layers, band=band, dropout=dropout,
            ),
            prints_a_batch=batch_size, staged=staged, tracked_in=tracked_in, resume=resume,
            quiet=json is not None,
        )  # fmt: skip
        trained = work(asked, stop)
        if trained is None:  # stopped, or another rank leads and tells
            if stop.is_set():
                sys.stderr.write(f"{output}: {STOPPED}\n")
            return FAILED if stop.is_set() else FINE
        if json is not None:
            write_json(json, msgspec.to_builtins(trained))
        else:
            _print(asked, trained)
        return FINE

    raise typer.Exit(run_stage(run, debug=debug, quiet=not debug))


def _print(asked: DetectorTraining, trained: TrainedDetector) -> None:
    console = Console()
    seen = of.figures_text(trained.frames, sorted(trained.frames))
    timed = of.figures_text(trained.temporal, sorted(trained.temporal))
    console.print(Text(f"frames, {trained.held_out} prints held out: {seen}"), soft_wrap=True)
    console.print(Text(f"time: {timed}; alarms from {trained.threshold:.2f} on"), soft_wrap=True)
    console.print(
        Text(f"{asked.out / 'watch.safetensors'}: trained on {trained.prints} prints"), soft_wrap=True
    )
