"""``nozzlewatch printability check``: the command. Its work is in nozzlewatch/printability/checking.py."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ingest.running import FAILED, FINE, report_errors


def check(
    part: Annotated[Path, typer.Argument(metavar="PART", help="a mesh: STL, OBJ, 3MF or PLY")],
    nozzle: Annotated[float, typer.Option(help="width of the nozzle, mm")] = 0.4,
    layer: Annotated[float, typer.Option(help="height of the layers, mm")] = 0.2,
    material: Annotated[str, typer.Option(help="pla, petg, abs or tpu")] = "pla",
    unit: Annotated[
        Literal["mm", "cm", "m", "inch", "foot", "micron"] | None,
        typer.Option(help="of the file's numbers (default: what the file says, else mm)"),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", "--model-path", help="a trained network (default: the one that comes along)"),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="write a page with a 3D view (HTML)")] = None,
    json: Annotated[
        str | None, typer.Option("--json", help="write JSON to this file, - for standard output")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="show tracebacks")] = False,
) -> None:
    """Say whether a part can be printed, where not, why, and what to do. Exit code 1: it cannot."""
    from nozzlewatch.printability.checking import Asked, run

    def work() -> int:
        asked = Asked(
            part=part, nozzle_mm=nozzle, layer_mm=layer, material=material, unit=unit, model=model,
            json=json, report=report,
        )  # fmt: skip
        return FINE if run(asked).printable else FAILED

    raise typer.Exit(report_errors(work, debug=debug))
