"""``nozzlewatch printability preprocess``."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from ingest.running import FAILED, FINE, run_stage
from nozzlewatch.output import write_json
from nozzlewatch.printability import options as of
from nozzlewatch.progress import bar, cores

if TYPE_CHECKING:
    from detector.printability.part_file import Making


class MadeParts(msgspec.Struct, kw_only=True):
    """What came of it; ``broken`` are the meshes that no part came of, each with why."""

    folder: str
    already_there: int = 0
    made: int = 0
    broken: list[str] = []
    samples: dict[str, dict[str, int]] = {}  # by set of holes and defect, of all parts of the folder


def preprocess(
    meshes: Annotated[
        Path, typer.Argument(metavar="MESHES", help="a folder with manifest.csv, or a sub-folder a designer")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="folder for the parts, one a mesh")],
    variants: Annotated[int, typer.Option(min=1, max=100, help="samples of each defect and mesh")] = 3,
    top_radius: Annotated[
        tuple[float, float], typer.Option(metavar="SMALL LARGE", help="holes from the top, voxels of 128")
    ] = (5, 10),
    top_border: Annotated[
        tuple[float, float], typer.Option(metavar="NEAR FAR", help="their walls to the border, voxels")
    ] = (3, 5),
    rotated_radius: Annotated[
        tuple[float, float], typer.Option(metavar="SMALL LARGE", help="rotated holes, voxels of 64")
    ] = (3, 6),
    rotated_border: Annotated[
        tuple[float, float], typer.Option(metavar="NEAR FAR", help="their walls to the border, voxels")
    ] = (2, 5),
    seed: of.Seed = 0,
    jobs: Annotated[int | None, typer.Option(min=1, max=1024, help="processes (default: cores)")] = None,
    json: of.JsonOption = None,
    debug: of.Debug = False,
) -> None:
    """Make parts that training reads out of meshes; a broken one is passed over (exit code 1)."""
    from detector.printability.defects import HoleRules
    from detector.printability.part_file import Making

    def run(stop: threading.Event) -> int:
        making = Making(
            top=HoleRules(**_sizes(top_radius, top_border), rotated=False),
            rotated=HoleRules(**_sizes(rotated_radius, rotated_border), rotated=True),
            variants=variants,
            seed=seed,
        )
        found, whole = _make(meshes, output, making, jobs or cores(), stop, quiet=json is not None)
        if json is not None:
            write_json(json, msgspec.to_builtins(found))
        else:
            _print(found, Console())
        return FINE if whole and not found.broken else FAILED

    raise typer.Exit(run_stage(run, debug=debug, quiet=not debug))


def _make(
    meshes: Path, folder: Path, making: Making, jobs: int, stop: threading.Event, *, quiet: bool
) -> tuple[MadeParts, bool]:
    """Make what is missing, with a bar for people unless ``quiet``; whether it was done to the end."""
    from detector.printability.preprocess import Done, preprocess, sources_in

    sources = sources_in(meshes)
    found = MadeParts(folder=str(folder))
    with bar(quiet) as shown:
        task = shown.add_task("parts", total=len(sources))

        def tell(done: Done) -> None:
            if done.trouble:
                found.broken.append(done.trouble)
                Console(stderr=True).print(Text(f"passed over: {done.trouble}"), soft_wrap=True)
            elif done.there:
                found.already_there += 1
            else:
                found.made += 1
            shown.advance(task)

        whole = preprocess(sources, folder, making, jobs, tell, stop.is_set)
    found.samples = _counted(folder)
    return found, whole


def _counted(folder: Path) -> dict[str, dict[str, int]]:
    from detector.printability.dataset import parts_in

    counts = Counter((made.holes, made.defect) for part in parts_in(folder) for made in part.facts.samples)
    found: dict[str, dict[str, int]] = {}
    for (holes, defect), count in sorted(counts.items()):
        found.setdefault(holes.value, {})[defect.value] = count
    return found


def _sizes(radius: tuple[float, float], border: tuple[float, float]) -> dict[str, float]:
    return {
        "radius_small": radius[0], "radius_large": radius[1],
        "border_near": border[0], "border_far": border[1],
    }  # fmt: skip


def _print(found: MadeParts, console: Console) -> None:
    told = f"{found.folder}: {found.made} parts made, {found.already_there} were there"
    broken = f", {len(found.broken)} meshes passed over" if found.broken else ""
    console.print(Text(told + broken), soft_wrap=True)
    for holes, defects in found.samples.items():
        samples = ", ".join(f"{count} {defect}" for defect, count in defects.items())
        console.print(Text(f"  {holes}: {samples}"), soft_wrap=True)
