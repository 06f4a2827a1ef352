"""Replays a recorded print through the very same stages, as fast as they go, and reports what they found."""

from __future__ import annotations

import asyncio
import math
import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import NamedTuple

import msgspec
from rich.console import Console
from rich.text import Text

from detector.__main__ import build_worker
from detector.anomaly import Anomaly, Inspection
from detector.kinds import KindRules
from detector.settings import DetectorSettings, DetectorTable, SurfaceTable, surface_classes
from ingest.__main__ import raise_where_down
from ingest.errors import SourceError, UsageError
from ingest.farm import Farm, FarmTable, PrinterTable
from ingest.feed import job_of
from ingest.stage import StoreSource
from ingest.stream import ALERTS, LOG, drops
from ingest.worker import IngestWorker
from nozzlewatch.output import print_anomalies, write_json
from nozzlewatch.prints import as_printer
from sinks.__main__ import run_all
from sinks.anomaly_text import plain, time_text
from sinks.consume import LOGGED, Plan, SinkWorker
from sinks.dry_run import PAUSING, Done, dry_run
from sinks.parquet_log import LOCK, SCRATCH, ParquetLog
from sinks.parquet_schema import SCHEMAS
from sinks.policy import Rules
from sinks.read_log import read_anomalies, read_inspections, read_scores
from sinks.report import after_print, write_report
from sinks.settings import load_settings
from sinks.thumbnails import ThumbnailSink

FLUSH_ROWS, FLUSH_S = 50_000, 60.0
"""A replay is over soon: few large files."""


class Replayed(NamedTuple):
    """What came of a replay."""

    anomalies: list[Anomaly]
    windows: int
    counts: dict[str, int]  # what was left out, by reason
    out: Path
    inspections: list[Inspection]  # of the finished part, where a surface network was given
    done: list[Done]  # what the watch would have said and done


def replay(
    sources: Sequence[str],
    out: Path,
    *,
    printer: str = "replay",
    speed: float | None = None,
    surface_model: Path | None = None,
    farm_file: Path | None = None,
    stop: threading.Event,
) -> Replayed:
    """Run the pipeline over one recorded print; writes report.json, report.html and log/ into ``out``.

    ``surface_model`` judges the part when the print has ended; ``farm_file`` says who would have been told of
    what, and what would have been paused: nothing of it is done. Raises SourceError where a source cannot be
    read or holds nothing that can be used, UsageError for sources that make no print and for a file that is
    no surface network.
    """
    table = as_printer("replay", sources, printer)
    surface = _surface(surface_model)
    rules = load_settings(farm_file).rules if farm_file else Rules(kinds=PAUSING, zone=UTC)
    _make(out)
    scratch = Path(tempfile.mkdtemp(prefix="nozzlewatch-"))
    try:
        farm = Farm(scratch / "farm.toml", FarmTable(data=".", shards=1), (_absolute(table),), {})
        pictures: dict[str, bytes] = {}
        counts = _run(farm, surface, _fresh_log(out / "log"), speed, stop, pictures)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    replayed = _report(sources, table, out, counts, pictures, rules)
    if not replayed.windows:
        raise SourceError(
            f"{' '.join(sources)}: found nothing that can be used (left out: {left_out(counts)}), "
            "expected a recorded print: see whether another program opens it"
        )
    return replayed


def _surface(model: Path | None) -> SurfaceTable:
    """What judges the finished part; a wrong file is told before anything of an earlier replay goes."""
    if model is None:
        return SurfaceTable()
    try:
        surface_classes(model)
    except UsageError as error:
        raise UsageError(f"--surface-model: {error}") from error
    return SurfaceTable(model=str(model.absolute()))


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {out}: found {error.strerror}, expected a folder to write into") from error


def _fresh_log(log: Path) -> Path:
    """The log's folder without what an earlier replay wrote: a report tells of one replay alone.

    Raises UsageError where the folder holds something else, which is not ours to remove.
    """
    if log.is_dir():
        foreign = sorted({path.name for path in log.iterdir()} - {*SCHEMAS, SCRATCH, LOCK})
        if foreign:
            raise UsageError(f"{log}: found {foreign[0]}, expected the log of an earlier replay or nothing")
        shutil.rmtree(log)
    return log


def _absolute(printer: PrinterTable) -> PrinterTable:
    """Addresses as they are meant on the command line: from the working folder, not from a farm file."""

    def fixed(text: str) -> str:
        kind, _, rest = text.partition(":")
        where, question, options = rest.partition("?")
        return f"{kind}:{Path(where).absolute()}{question}{options}" if text else ""

    return PrinterTable(name=printer.name, camera=fixed(printer.camera), telemetry=fixed(printer.telemetry))


def _run(
    farm: Farm,
    surface: SurfaceTable,
    log: Path,
    speed: float | None,
    stop: threading.Event,
    pictures: dict[str, bytes],
) -> dict[str, int]:
    """All stages in threads of this process, each ending when the one before it has and nothing is left."""
    ingested, detected = threading.Event(), threading.Event()
    settings = DetectorSettings(farm, DetectorTable(), KindRules(), surface=surface)
    with StoreSource(farm) as source:
        source.urls()  # the servers belong to this thread, which lives longest
        worker = IngestWorker(farm, source, speed=speed)
        detector = build_worker(settings, source, (0, 1))
        shards = farm.table.shards
        sinks = [
            SinkWorker(
                source,
                shards,
                Plan(LOG, LOGGED, FLUSH_ROWS, FLUSH_S),
                lambda _: ParquetLog(log),
            ),
            SinkWorker(
                source,
                shards,
                Plan(ALERTS, ("anomalies",), 1, 0.0),
                lambda stores: ThumbnailSink(stores.frames, shards, pictures),
            ),
        ]

        def ingest(stop: threading.Event) -> None:
            try:
                asyncio.run(worker.run(stop))
            finally:
                ingested.set()

        def detect(stop: threading.Event) -> None:
            try:
                detector.run(stop, until=ingested.is_set)
            finally:
                detected.set()

        served = [lambda stop, one=one: one.run(stop, until=detected.is_set) for one in sinks]
        run_all([ingest, detect, *served], stop)
        raise_where_down(worker.feeds)
        stores = source.open()
        counts = drops(stores.events, range(shards))
        stores.close()
    return counts


def _report(
    sources: Sequence[str],
    printer: PrinterTable,
    out: Path,
    counts: dict[str, int],
    pictures: dict[str, bytes],
    rules: Rules,
) -> Replayed:
    job = job_of(printer, Path())
    log = out / "log"
    anomalies = read_anomalies(log, printer=printer.name)
    scores = read_scores(log, printer=printer.name)
    inspections = read_inspections(log, printer=printer.name)
    done = dry_run(read_anomalies(log, printer=printer.name, latest_only=False), scores, rules)
    write_report(
        out,
        title=f"Replay of {job}",
        anomalies=anomalies,
        scores=scores,
        thumbnails=pictures,
        counts=counts,
        sources=list(sources),
        inspections=inspections,
        done=done,
    )
    return Replayed(anomalies, scores.num_rows, counts, out, inspections, done)


def pace(text: str) -> float | None:
    """Read ``--speed``: "max" is None, as fast as it goes. Raises UsageError."""
    if text == "max":
        return None
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < math.inf:
        raise UsageError(f"--speed: found {text!r}, expected max or a number above 0, such as 10")
    return speed


def tell(replayed: Replayed, json: str | None) -> None:
    """Print what was found for people, or write it as JSON for programs."""
    if json is not None:
        write_json(json, msgspec.json.decode((replayed.out / "report.json").read_bytes()))
        return
    console = Console()
    print_anomalies(console, replayed.anomalies, UTC)
    for one in replayed.done:
        would = "would have told" if one.what == "told" else f"would {one.what}, where turned on"
        console.print(Text(f"{time_text(one.at_ns, UTC)}  {would}: {plain(one.text)}"))
    for inspection in replayed.inspections:
        console.print(Text(after_print(inspection)))
    console.print(Text(f"{replayed.windows} windows judged; left out: {left_out(replayed.counts)}"))
    console.print(Text(f"report: {replayed.out / 'report.html'}"))


def left_out(counts: Mapping[str, int]) -> str:
    """What was left out, in words: "corrupt 3, too_large 1"."""
    return ", ".join(f"{reason} {number}" for reason, number in sorted(counts.items())) or "nothing"
