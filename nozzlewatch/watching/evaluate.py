"""``nozzlewatch evaluate``."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.console import Console

from ingest.errors import UsageError
from ingest.running import FAILED, FINE, run_stage
from nozzlewatch.output import write_json
from nozzlewatch.progress import bar, cores
from nozzlewatch.watching import options as of

if TYPE_CHECKING:
    from detector.learning.evaluate import Evaluated
    from detector.model.watch_model import WatchModel

CACHE = Path("out/evaluate")
DIGITS = 8


def evaluate(
    prints: Annotated[
        list[Path] | None,
        typer.Argument(metavar="PRINTS…", help="folders of nozzlewatch preprocess, or recordings"),
    ] = None,
    chosen_on: Annotated[
        list[Path] | None,
        typer.Option("--chosen-on", help="other prints, on which the baselines' thresholds are chosen"),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="folder with images/manifest.csv: real pictures to measure on")
    ] = None,
    model_path: of.ModelPath = None,
    cache: Annotated[
        Path, typer.Option(help="keeps what is made of recordings and what is seen in the frames")
    ] = CACHE,
    jobs: of.Jobs = None,
    json: of.JsonOption = None,
    report: Annotated[Path | None, typer.Option(help="write a page about the prints, NAME.html")] = None,
    debug: of.Debug = False,
) -> None:
    """Measure the watch on labelled prints, by event and beside baselines, and on real images by source.

    Prints that are simulated and real ones are measured in two runs: figures of both are never mixed.
    """

    def run(stop: threading.Event) -> int:
        from nozzlewatch.watching import evaluated

        of.check_places(json=json, report=report)
        _check(prints, chosen_on, images, report)
        model, quiet = of.model_of(model_path), json is not None
        told, console = {"model": evaluated.model_told(model)}, Console(quiet=quiet)
        broken = 0
        if prints:
            own, others = (
                beats_of(those, cache, jobs or cores(), stop, quiet=quiet)
                for those in (prints, chosen_on or ())
            )
            broken = own.broken + others.broken
            found = measure(model, own.paths, others.paths, cache, jobs or cores(), stop, quiet=quiet)
            told |= evaluated.prints_told(found)
            evaluated.print_prints(found, console)
            if report is not None:
                evaluated.write_page(report, model, found, own.paths)
        if images is not None:
            told["images"] = measure_images(model, images, jobs or cores())
            evaluated.print_images(told["images"], console)
        if json is not None:
            write_json(json, told)
        return FAILED if broken else FINE

    raise typer.Exit(run_stage(run, debug=debug, quiet=not debug))


class Beats(NamedTuple):
    """Prints to measure on, and how many recordings no print came of."""

    paths: list[Path]
    broken: int


def beats_of(
    sources: Sequence[Path], cache: Path, jobs: int, stop: threading.Event, *, quiet: bool = False
) -> Beats:
    """The prints that are named or lie in named folders; of recordings, those that are made below ``cache``.

    Raises UsageError where a source holds neither, and as ``make_prints``.
    """
    from detector.learning.shards import SUFFIX, shards_in
    from nozzlewatch.watching.preprocess import make_prints

    paths, broken = list[Path](), 0
    for source in sources:
        if source.suffix == SUFFIX:
            paths.append(source)
        elif any(source.glob(f"*{SUFFIX}")):
            paths += shards_in([source])
        else:
            recordings = _recordings(source)
            folder = cache / "beats" / f"{source.stem}-{_digest(source)}"
            _forget_older(folder, recordings)
            broken += len(make_prints(recordings, folder, jobs, stop, quiet=quiet).broken)
            there = (folder / f"{recording.stem}{SUFFIX}" for recording in recordings)
            paths += [path for path in there if path.exists()]
    return Beats(paths, broken)


def measure(
    model: WatchModel,
    prints: Sequence[Path],
    chosen_on: Sequence[Path],
    cache: Path,
    jobs: int,
    stop: threading.Event,
    *,
    quiet: bool = False,
) -> Evaluated:
    """Measure on prints, with a bar for people unless ``quiet``. Raises as ``evaluate_prints``; Stopped."""
    from detector.learning.evaluate import evaluate_prints
    from detector.learning.preprocess import Stopped

    with bar(quiet) as shown:
        task = shown.add_task("frames", total=len(prints) + len(chosen_on))

        def done(path: Path) -> None:
            if stop.is_set():
                raise Stopped(f"{path}: was stopped after it; run the same again to go on")
            shown.advance(task)

        return evaluate_prints(model, prints, chosen_on, cache / "seen", threads=jobs, done=done)


def measure_images(model: WatchModel, data: Path, jobs: int) -> dict[str, Any]:
    """Measure on the real images of a folder. Raises UsageError."""
    from detector.learning.evaluate_images import evaluate_images

    return evaluate_images(model, data, threads=jobs)


def _check(
    prints: Sequence[Path] | None, chosen_on: Sequence[Path] | None, images: Path | None, report: Path | None
) -> None:
    if not prints and images is None:
        raise UsageError("found neither PRINTS nor --images, expected something to measure on")
    asked = {"--chosen-on": chosen_on, "--report": report}
    lost = [name for name, value in asked.items() if value and not prints]
    if lost:
        raise UsageError(f"{lost[0]}: found no PRINTS, expected some: it is about these alone")


def _recordings(source: Path) -> list[Path]:
    from detector.learning.preprocess import recordings_in
    from detector.learning.shards import SUFFIX

    try:
        return recordings_in([source])
    except UsageError as error:
        raise UsageError(
            f"{source}: found neither *{SUFFIX} nor recordings, expected prints (nozzlewatch preprocess) or "
            "recordings (nozzlewatch simulate, record)"
        ) from error


def _digest(source: Path) -> str:
    return sha256(str(source.resolve()).encode()).hexdigest()[:DIGITS]


def _forget_older(folder: Path, recordings: Sequence[Path]) -> None:
    """Prints of recordings that were made anew since are none of them."""
    from detector.learning.shards import SUFFIX

    for recording in recordings:
        made = folder / f"{recording.stem}{SUFFIX}"
        if made.exists() and made.stat().st_mtime_ns < recording.stat().st_mtime_ns:
            made.unlink()
