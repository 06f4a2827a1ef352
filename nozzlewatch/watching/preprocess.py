"""``nozzlewatch preprocess``."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.text import Text

from ingest.running import FAILED, FINE, run_stage
from nozzlewatch.output import write_json
from nozzlewatch.progress import bar, cores
from nozzlewatch.watching import options as of


class MadePrints(msgspec.Struct, kw_only=True):
    """What came of it; ``broken`` are the recordings that no print came of, each with why."""

    folder: str
    already_there: int = 0
    made: int = 0
    broken: list[str] = []


def preprocess(
    sources: of.Recordings,
    output: Annotated[Path, typer.Option("--output", "-o", help="folder for the prints, one a recording")],
    pictures_alone: Annotated[
        bool,
        typer.Option("--pictures-alone", help="no telemetry: for the frame network, in a tenth of the time"),
    ] = False,
    jobs: of.Jobs = None,
    json: of.JsonOption = None,
    debug: of.Debug = False,
) -> None:
    """Make prints that training reads out of recordings; a broken one is passed over (exit code 1)."""
    from detector.learning.preprocess import recordings_in

    def run(stop: threading.Event) -> int:
        of.check_places(json=json)
        found = make_prints(
            recordings_in(sources), output, jobs or cores(), stop, quiet=json is not None,
            pictures_alone=pictures_alone,
        )  # fmt: skip
        if json is not None:
            write_json(json, msgspec.to_builtins(found))
        else:
            _print(found)
        return FAILED if found.broken else FINE

    raise typer.Exit(run_stage(run, debug=debug, quiet=not debug))


def make_prints(
    recordings: Sequence[Path],
    folder: Path,
    jobs: int,
    stop: threading.Event,
    *,
    quiet: bool = False,
    pictures_alone: bool = False,
) -> MadePrints:
    """Make what is missing, with a bar for people unless ``quiet``. Raises as the work behind it."""
    from detector.learning.cutting import shard_of
    from detector.learning.pictures_alone import pictures_of
    from detector.learning.preprocess import Preprocessed, missing_in
    from detector.learning.preprocess import preprocess as work

    there = len(recordings) - len(missing_in(folder, recordings))
    found = MadePrints(folder=str(folder), already_there=there)
    with bar(quiet) as shown:
        task = shown.add_task("prints", total=len(recordings), completed=there)

        def tell(done: Preprocessed) -> None:
            if done.trouble:
                found.broken.append(done.trouble)
                Console(stderr=True).print(Text(f"passed over: {done.trouble}"), soft_wrap=True)
            else:
                found.made += 1
            shown.advance(task)

        made_by = pictures_of if pictures_alone else shard_of
        work(recordings, folder, jobs, tell, stop.is_set, made_by)
    return found


def _print(found: MadePrints) -> None:
    told = f"{found.folder}: {found.made} prints made, {found.already_there} were there"
    broken = f", {len(found.broken)} recordings passed over" if found.broken else ""
    Console().print(Text(told + broken), soft_wrap=True)
