"""``nozzlewatch alert test|seen|fine|snooze|wake``: tries the channels, answers alerts."""

from __future__ import annotations

import getpass
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ingest.errors import UsageError
from ingest.records import NS_PER_S
from ingest.running import FAILED, FINE, report_errors
from sinks.message import Answer, Word

if TYPE_CHECKING:
    from sinks.settings import SinkSettings

app = typer.Typer(no_args_is_help=True, help="Try the alert channels, and answer alerts.")

FarmFile = Annotated[Path, typer.Argument(help="the farm file (farm.toml)")]
Which = Annotated[str | None, typer.Option("--message", help="the alert's id, or an anomaly's")]
Printer = Annotated[str | None, typer.Option(help="everything that this printer is told of")]
Debug = Annotated[bool, typer.Option("--debug", help="show tracebacks")]
JsonOption = Annotated[
    str | None, typer.Option("--json", help="write JSON to this file, - for standard output")
]


@app.command("test")
def test(farm: FarmFile, json: JsonOption = None, debug: Debug = False) -> None:
    """Send a real alert through each channel, with a picture; exit code 1 where one does not take it."""
    from nozzlewatch.alert_trial import NO_CHANNEL, try_channels
    from nozzlewatch.output import tell_tried
    from sinks.settings import load_settings

    def work() -> int:
        found = try_channels(load_settings(farm))
        tell_tried("channel", found, json, none=NO_CHANNEL)
        return FINE if found and all(one.fine for one in found) else FAILED

    raise typer.Exit(report_errors(work, debug=debug))


@app.command()
def seen(farm: FarmFile, message: Which = None, printer: Printer = None, debug: Debug = False) -> None:
    """Say that somebody takes care: it is not escalated."""
    _answer(farm, Word.SEEN, message, printer, debug=debug)


@app.command()
def fine(
    farm: FarmFile,
    message: Which = None,
    printer: Printer = None,
    text: Annotated[str, typer.Option(help="why, for the label")] = "",
    debug: Debug = False,
) -> None:
    """Say that this print is fine: nothing more of it, and the next training learns from it."""
    _answer(farm, Word.FINE, message, printer, text=text, debug=debug)


@app.command()
def snooze(
    farm: FarmFile,
    message: Which = None,
    printer: Printer = None,
    minutes: Annotated[float, typer.Option(min=1, max=10_080, help="how long")] = 60.0,
    debug: Debug = False,
) -> None:
    """Hold alerts back for a while: of a message's printers, of a printer, or of the whole farm."""
    _answer(farm, Word.SNOOZE, message, printer, minutes=minutes, debug=debug)


@app.command()
def wake(farm: FarmFile, printer: Printer = None, debug: Debug = False) -> None:
    """End a snooze, and take back that a print is fine."""
    _answer(farm, Word.WAKE, None, printer, debug=debug)


def _answer(
    farm: Path, word: Word, message: str | None, printer: str | None, *,
    minutes: float = 60.0, text: str = "", debug: bool = False,
) -> None:  # fmt: skip
    from ingest.stage import StoreSource
    from sinks.answers import say
    from sinks.settings import load_settings

    def work() -> int:
        settings = load_settings(farm)
        _check(settings, farm, printer)
        answer = Answer(
            word=word, at_ns=time.time_ns(), by=getpass.getuser(), message=message, printer=printer,
            for_ns=int(minutes * 60 * NS_PER_S), text=text,
        )  # fmt: skip
        with closing(StoreSource(settings.detector.farm).attach()) as stores:
            say(stores.events, answer)
        about = f"message {message}" if message else f"printer {printer}" if printer else "the whole farm"
        sys.stdout.write(f"{word}: {about}\n")
        return FINE

    raise typer.Exit(report_errors(work, debug=debug))


def _check(settings: SinkSettings, farm: Path, printer: str | None) -> None:
    names = [one.name for one in settings.detector.farm.printers]
    if printer is not None and printer not in names:
        raise UsageError(f"found no printer {printer!r} in {farm.name}, expected one of: {', '.join(names)}")
