"""``nozzlewatch printability …``: which parts can be printed, learned from meshes with holes."""

from __future__ import annotations

import typer

from nozzlewatch.printability import check, evaluate, preprocess, train, tune

app = typer.Typer(no_args_is_help=True, help="Tell which parts can be printed: check, train, evaluate.")
for command in (check.check, preprocess.preprocess, train.train, tune.tune, evaluate.evaluate):
    app.command()(command)
