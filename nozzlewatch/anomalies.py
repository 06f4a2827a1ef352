"""``nozzlewatch anomalies list|tail|export|label``: the log, the live topic, and what users say of it."""

from __future__ import annotations

import sys
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

import msgspec
import typer

from detector.anomaly import Anomaly, Kind
from ingest.errors import UsageError
from ingest.records import NS_PER_S
from ingest.running import FINE, report_errors, run_stage
from nozzlewatch.output import print_anomalies, write_json

if TYPE_CHECKING:
    from nozzlewatch.follow import AnomalyTopic, KafkaTopic
    from sinks.settings import SinkSettings

app = typer.Typer(no_args_is_help=True, help="Read the log of anomalies, follow them live, export them.")

Source = Annotated[Path, typer.Argument(help="a farm file (farm.toml) or a log folder")]
Since = Annotated[str | None, typer.Option(help="from this time on (ISO 8601; without a zone: UTC)")]
Until = Annotated[str | None, typer.Option(help="up to this time (ISO 8601; without a zone: UTC)")]
Printer = Annotated[str | None, typer.Option(help="of this printer alone")]
KindOption = Annotated[Kind | None, typer.Option(help="of this kind alone")]
JsonOption = Annotated[
    str | None, typer.Option("--json", help="write JSON to this file, - for standard output")
]


@app.command("list")
def list_(
    source: Source,
    since: Since = None,
    until: Until = None,
    printer: Printer = None,
    kind: KindOption = None,
    json: JsonOption = None,
) -> None:
    """Print the anomalies of a log, each as it was known last."""
    from rich.console import Console

    from sinks.anomaly_text import to_dict

    def work() -> int:
        found = _read(source, since, until, printer, kind)
        if json is not None:
            write_json(json, [to_dict(anomaly) for anomaly in found])
        else:
            print_anomalies(Console(), found)
        return FINE

    raise typer.Exit(report_errors(work))


@app.command()
def tail(
    farm: Annotated[Path, typer.Argument(help="a farm file (farm.toml)")],
    printer: Printer = None,
    kind: KindOption = None,
    json: Annotated[bool, typer.Option("--json", help="a JSON object per line")] = False,
    from_start: Annotated[bool, typer.Option(help="begin with what the topic still holds")] = False,
) -> None:
    """Follow the live topic: every anomaly as it opens, changes and closes. Ctrl-C ends it."""
    from sinks.settings import load_settings

    def work(stop: threading.Event) -> int:
        with closing(_topic(load_settings(farm), from_start=from_start)) as topic:
            for anomaly in topic.follow(stop):
                if printer in (None, anomaly.printer) and kind in (None, anomaly.kind):
                    _say(sys.stdout, anomaly, as_json=json)
        return FINE

    raise typer.Exit(run_stage(work))


@app.command("export")
def export_(
    source: Source,
    out: Annotated[Path, typer.Option("--out", "-o", help="the file to write")],
    format_: Annotated[
        Literal["json", "csv", "parquet"] | None,
        typer.Option("--format", help="by default what the file's name ends with"),
    ] = None,
    since: Since = None,
    until: Until = None,
    printer: Printer = None,
    kind: KindOption = None,
) -> None:
    """Write anomalies into one file: JSON, CSV or Parquet."""
    from sinks.export import Format, export, format_of

    def work() -> int:
        found = _read(source, since, until, printer, kind)
        export(found, out, Format(format_) if format_ else format_of(out))
        return FINE

    raise typer.Exit(report_errors(work))


@app.command()
def label(
    farm: Annotated[Path, typer.Argument(help="a farm file (farm.toml)")],
    anomaly: Annotated[str | None, typer.Option(help="the anomaly that is meant, by its id")] = None,
    printer: Printer = None,
    job: Annotated[str, typer.Option(help="the print, where no anomaly is named")] = "",
    since: Since = None,
    until: Until = None,
    kind: KindOption = None,
    fine: Annotated[bool, typer.Option("--fine", help="nothing was wrong")] = False,
    text: Annotated[str, typer.Option(help="a remark")] = "",
) -> None:
    """Record what was truly so: of an anomaly, or of a stretch of a print that the watch missed."""
    from nozzlewatch.labelling import Said, label_text, labelled
    from sinks.settings import load_settings

    def work() -> int:
        settings = load_settings(farm)
        said = Said(anomaly, printer, job, _time(since), _time(until), kind, fine, text)
        found = labelled(settings, said)
        sys.stdout.write(f"{label_text(found)}\n")
        return FINE

    raise typer.Exit(report_errors(work))


def _topic(settings: SinkSettings, *, from_start: bool) -> AnomalyTopic | KafkaTopic:
    """Where the farm's anomalies are followed: Kafka where its events go there, else its own store."""
    from ingest.stage import StoreSource
    from nozzlewatch.follow import AnomalyTopic, KafkaTopic
    from sinks.kafka_address import read_address

    farm = settings.detector.farm
    if farm.table.events:
        return KafkaTopic(read_address(farm.table.events), from_start=from_start)
    stores = StoreSource(farm).attach()
    return AnomalyTopic(stores.events, range(farm.table.shards), "0" if from_start else "$")


def _read(
    source: Path, since: str | None, until: str | None, printer: str | None, kind: Kind | None
) -> list[Anomaly]:
    from sinks.read_log import read_anomalies
    from sinks.settings import load_settings

    log = load_settings(source).log_path if source.suffix == ".toml" else source
    return read_anomalies(log, since=_time(since), until=_time(until), printer=printer, kind=kind)


def _time(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"found {text!r}, expected a time such as 2026-05-01T13:00:00") from error
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * NS_PER_S)


def _say(out: TextIO, anomaly: Anomaly, *, as_json: bool) -> None:
    from sinks.anomaly_text import one_line, to_dict

    line = msgspec.json.encode(to_dict(anomaly)).decode() if as_json else one_line(anomaly)
    out.write(f"{line}\n")
    out.flush()
