"""The command line. Thin: each command reads its options and calls the module that does the work."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from typing import Annotated, Literal

import typer

from ingest.running import FAILED, FINE, report_errors, run_stage
from ingest.simulate.splits import Split
from nozzlewatch.lazy import lazy_group, places_in

LEARNING = ("preprocess", "train", "tune", "finetune", "predict", "evaluate")
GROUPS = {
    "anomalies": "nozzlewatch.anomalies:app",
    "alert": "nozzlewatch.alerting:app",
    "printability": "nozzlewatch.printability:app",
    "surface": "nozzlewatch.surface:app",
}

app = typer.Typer(
    cls=lazy_group(places_in("nozzlewatch.watching", LEARNING) | GROUPS),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="The watch for 3D-print farms: camera and telemetry lined up in time, failures told within seconds.",
)

FarmFile = Annotated[Path, typer.Argument(help="the farm file (farm.toml)")]
Debug = Annotated[bool, typer.Option("--debug", help="show tracebacks")]
JsonOption = Annotated[
    str | None, typer.Option("--json", help="write JSON to this file, - for standard output")
]
SpeedOption = Annotated[
    float, typer.Option(help="recorded sources: times their own pace; 0 = as fast as it goes")
]


def main() -> None:
    """Entry point of the console script."""
    app()


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        sys.stdout.write(f"nozzlewatch {version('nozzlewatch')}\n")
        raise typer.Exit(FINE)


@app.callback()
def top(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """Options that stand before a command."""


@app.command()
def watch(farm: FarmFile, speed: SpeedOption = 1.0, debug: Debug = False) -> None:
    """Watch a farm: all stages on this machine. Ctrl-C ends it in order."""
    from nozzlewatch.local import watch as work

    raise typer.Exit(run_stage(lambda stop: work(farm, stop, speed=speed, debug=debug), debug=debug))


@app.command()
def ingest(farm: FarmFile, speed: SpeedOption = 1.0, debug: Debug = False) -> None:
    """Run the ingest stage alone: cameras and telemetry into windows."""
    from ingest.__main__ import ingest as work

    raise typer.Exit(run_stage(lambda stop: work(farm, stop, speed or None), debug=debug))


@app.command()
def detect(
    farm: FarmFile,
    shard: Annotated[str, typer.Option(help="part I/N of the shards")] = "0/1",
    debug: Debug = False,
) -> None:
    """Run the detector stage alone: windows into scores and anomalies."""
    from detector.__main__ import detect as work
    from detector.__main__ import part_of_shards

    raise typer.Exit(run_stage(lambda stop: work(farm, stop, part_of_shards(shard)), debug=debug))


@app.command()
def sink(farm: FarmFile, debug: Debug = False) -> None:
    """Run the sinks alone: the Parquet log and the alerts."""
    from sinks.__main__ import sink as work

    raise typer.Exit(run_stage(lambda stop: work(farm, stop), debug=debug))


@app.command()
def check(farm: FarmFile, json: JsonOption = None, debug: Debug = False) -> None:
    """Try every camera, port, store and channel of a farm once; exit code 1 where one fails."""
    from nozzlewatch.check import check_farm
    from nozzlewatch.output import tell_tried

    def work() -> int:
        findings = check_farm(farm)
        tell_tried("part", findings, json)
        return FINE if all(finding.fine for finding in findings) else FAILED

    raise typer.Exit(report_errors(work, debug=debug))


@app.command()
def discover(
    seconds: Annotated[float, typer.Option(min=0, max=60, help="how long to listen for services")] = 3.0,
    json: JsonOption = None,
    debug: Debug = False,
) -> None:
    """Find cameras, serial ports and print services, as lines of a farm file that are ready to paste."""
    from nozzlewatch.discover import discover as work
    from nozzlewatch.discover import tell

    def run() -> int:
        tell(work(seconds), json)
        return FINE

    raise typer.Exit(report_errors(run, debug=debug))


@app.command()
def migrate(
    log: Annotated[Path, typer.Argument(help="a farm file (farm.toml) or a log folder")],
    debug: Debug = False,
) -> None:
    """Rewrite a Parquet log of an earlier version as this one writes it. Not beside a running watch."""
    from sinks.log_migration import migrate as work
    from sinks.settings import load_settings

    def run() -> int:
        number = work(load_settings(log).log_path if log.suffix == ".toml" else log)
        sys.stdout.write(f"{log}: {number} files rewritten\n")
        return FINE

    raise typer.Exit(report_errors(run, debug=debug))


@app.command()
def tell(
    farm: FarmFile,
    printer: Annotated[str, typer.Argument(help="the printer's name in the farm file")],
    action: Annotated[Literal["pause", "resume", "cancel"], typer.Argument(help="what it is to do")],
    debug: Debug = False,
) -> None:
    """Pause, resume or cancel a print, and say what the printer answered. The farm must be watched."""
    from ingest.records import Action
    from nozzlewatch.telling import tell as work

    raise typer.Exit(report_errors(lambda: work(farm, printer, Action(action)), debug=debug))


@app.command()
def record(
    farm: FarmFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="the recording to make, NAME.mcap")],
    printer: Annotated[str | None, typer.Option(help="which one; not needed where there is one")] = None,
    seconds: Annotated[float | None, typer.Option(min=0.1, help="how long; without it until Ctrl-C")] = None,
    json: JsonOption = None,
    debug: Debug = False,
) -> None:
    """Record a live print: every picture, reading, event and raw line, into a file that Foxglove opens."""
    from nozzlewatch.record import record as work
    from nozzlewatch.record import tell

    def run(stop: threading.Event) -> int:
        recorded = work(farm, printer, output, seconds=seconds, stop=stop)
        tell(recorded, json)
        return FINE if recorded.whole else FAILED

    raise typer.Exit(run_stage(run, debug=debug, quiet=json is not None))


@app.command("import")
def import_(
    sources: Annotated[
        list[str], typer.Argument(help="images:DIR, video:FILE, log:FILE, csv:FILE, …: one recorded print")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="the recording to make, NAME.mcap")],
    printer: Annotated[str, typer.Option(help="the printer's name")] = "imported",
    offset: Annotated[float, typer.Option(help="s by which the camera is moved against the log")] = 0.0,
    json: JsonOption = None,
    debug: Debug = False,
) -> None:
    """Make a recording of a print's video or pictures and its log or CSV."""
    from nozzlewatch.importing import import_print, tell

    def run(stop: threading.Event) -> int:
        tell(import_print(sources, output, printer=printer, offset_s=offset, stop=stop), json)
        return FINE

    raise typer.Exit(run_stage(run, debug=debug, quiet=not debug))


@app.command()
def replay(
    sources: Annotated[
        list[str],
        typer.Argument(help="images:DIR, video:FILE, log:FILE, or PRINT.mcap, …: one recorded print"),
    ],
    out: Annotated[Path, typer.Option(help="folder for report.json, report.html and the Parquet log")] = Path(
        "out"
    ),
    printer: Annotated[str, typer.Option(help="the printer's name in the report and the log")] = "replay",
    speed: Annotated[str, typer.Option(help="max, or times the recording's own pace")] = "max",
    surface_model: Annotated[
        Path | None,
        typer.Option("--surface-model", help="judges the part after the print; of surface train"),
    ] = None,
    farm: Annotated[
        Path | None,
        typer.Option(help="a farm file: what its alerts and actions would have done (dry run)"),
    ] = None,
    json: JsonOption = None,
    debug: Debug = False,
) -> None:
    """Run a recorded print through the very same stages, and report what they find."""
    from nozzlewatch.replay import pace, tell
    from nozzlewatch.replay import replay as work

    def run(stop: threading.Event) -> int:
        replayed = work(
            sources, out, printer=printer, speed=pace(speed), surface_model=surface_model,
            farm_file=farm, stop=stop,
        )  # fmt: skip
        tell(replayed, json)
        return FINE

    raise typer.Exit(run_stage(run, debug=debug, quiet=not debug))


@app.command()
def simulate(
    prints: Annotated[int, typer.Option(min=1, max=100_000, help="how many")],
    output: Annotated[Path, typer.Option("--output", "-o", help="folder for the recordings, one a print")],
    split: Annotated[Split, typer.Option(help="printers, cameras, materials, models and faults differ")],
    seed: Annotated[int, typer.Option(min=0, help="the same seed gives the same bytes")] = 1,
    minutes: Annotated[float, typer.Option(min=0.1, max=1440, help="of each print")] = 15.0,
    fps: Annotated[float, typer.Option(min=0.01, max=30, help="pictures per second")] = 1.0,
    failing: Annotated[float, typer.Option(min=0, max=1, help="share of the prints that fail")] = 0.5,
    size: Annotated[str, typer.Option(help="of the pictures, WIDTHxHEIGHT")] = "320x240",
    gcode: Annotated[
        str | None, typer.Option(help="folder of real G-code for some of the jobs, or none")
    ] = None,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="make each failing print without its failure, too")
    ] = False,
    kinds: Annotated[
        str | None,
        typer.Option(help="failures that take turns: kinds with commas, or all (default: by weight)"),
    ] = None,
    jobs: Annotated[int | None, typer.Option(min=1, max=1024, help="processes (default: cores)")] = None,
    json: JsonOption = None,
    debug: Debug = False,
) -> None:
    """Make labelled recordings of simulated prints; the same command goes on where it was stopped."""
    from ingest.simulate.produce import Wanted
    from nozzlewatch import simulating as work
    from nozzlewatch.progress import cores

    def run(stop: threading.Event) -> int:
        wanted = Wanted(
            prints=prints, seed=seed, split=split, folder=output, minutes=minutes, fps=fps, failing=failing,
            size=work.size_of(size), gcode=work.gcode_of(gcode), pairs=pairs,
            kinds=work.kinds_of(kinds),
        )  # fmt: skip
        work.tell(work.simulate(wanted, jobs or cores(), stop, quiet=json is not None), json)
        return FINE

    raise typer.Exit(run_stage(run, debug=debug, quiet=not debug))


@app.command()
def demo(
    printers: Annotated[int, typer.Option(min=1, max=64, help="how many simulated printers")] = 4,
    seconds: Annotated[float, typer.Option(min=30, help="how long, in s")] = 90.0,
    seed: Annotated[int, typer.Option(help="of the simulation")] = 1,
    folder: Annotated[
        Path | None, typer.Option("--dir", help="keep everything here (default: a temporary folder)")
    ] = None,
    json: JsonOption = None,
    debug: Debug = False,
) -> None:
    """Watch a simulated farm with faults that come by themselves, and say how soon each was found."""
    from nozzlewatch.demo import demo as work

    raise typer.Exit(
        run_stage(
            lambda stop: work(printers, seconds, seed, folder, stop, json), debug=debug, quiet=not debug
        )
    )
