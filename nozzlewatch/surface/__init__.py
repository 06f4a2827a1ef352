"""``nozzlewatch surface …``: which defect a surface has, learned from folders of pictures."""

from __future__ import annotations

import typer

from nozzlewatch.surface import demo, evaluate, finetune, inspect, train, tune

app = typer.Typer(
    no_args_is_help=True, help="Tell which defect a surface has: train on folders, inspect, evaluate."
)
for command in (train.train, tune.tune, finetune.finetune, inspect.inspect, evaluate.evaluate, demo.demo):
    app.command()(command)
