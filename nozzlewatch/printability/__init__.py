"""``nozzlewatch printability …``: which parts can be printed, learned from meshes with holes."""

from __future__ import annotations

import typer

from nozzlewatch.lazy import lazy_group

app = typer.Typer(
    cls=lazy_group(
        {
            name: f"nozzlewatch.printability.{name}:{name}"
            for name in ("check", "preprocess", "train", "tune", "evaluate")
        }
    ),
    no_args_is_help=True,
    help="Tell which parts can be printed: check, train, evaluate.",
)


@app.callback()
def top() -> None:
    """Without it typer takes an app with no command of its own for an empty one."""
