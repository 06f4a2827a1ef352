"""``nozzlewatch surface demo``: the shipped network on drawn walls, without any data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from ingest.running import FINE, report_errors
from nozzlewatch.output import write_json
from nozzlewatch.surface import options as of


def demo(
    per_class: Annotated[
        int, typer.Option("--per-class", min=2, max=1000, help="drawn pictures of each kind")
    ] = 12,
    folder: Annotated[Path, typer.Option("--dir", help="where the pictures and the page go")] = Path(
        "./surface-demo"
    ),
    seed: of.Seed = 7,
    json: of.JsonOption = None,
    debug: of.Debug = False,
) -> None:
    """Draw printed walls with flaws, and judge them by the network that comes along. Needs no data."""
    from detector.surface import textures
    from detector.surface.evaluate import evaluate
    from detector.surface.shipped import WALLS
    from nozzlewatch.surface.evaluate import print_evaluated
    from nozzlewatch.surface.inspection import Asked, run

    def work() -> int:
        walls, page, found = folder / "walls", folder / "report.html", folder / "inspected.json"
        textures.write(walls, per_class, seed)
        evaluated = evaluate(WALLS, walls, noise_db=(20.0,), seed=seed)
        run(Asked(source=str(walls), model_path=WALLS, json=str(found), report=page))
        if json is not None:
            write_json(json, msgspec.to_builtins(evaluated))
            return FINE
        console = Console()
        console.print("Drawn walls (simulated pictures) by the network that comes along:")
        print_evaluated(evaluated, console)
        console.print(f"each picture with where its flaw shows: {page}", soft_wrap=True)
        return FINE

    raise typer.Exit(report_errors(work, debug=debug))
