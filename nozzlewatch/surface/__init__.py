"""``nozzlewatch surface …``: which defect a surface has, learned from folders of pictures."""

from __future__ import annotations

import typer

from nozzlewatch.lazy import lazy_group

app = typer.Typer(
    cls=lazy_group(
        {
            name: f"nozzlewatch.surface.{name}:{name}"
            for name in ("train", "tune", "finetune", "inspect", "evaluate", "demo")
        }
    ),
    no_args_is_help=True,
    help="Tell which defect a surface has: train on folders, inspect, evaluate.",
)


@app.callback()
def top() -> None:
    """Without it typer takes an app with no command of its own for an empty one."""
