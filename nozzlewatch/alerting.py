"""``nozzlewatch alert test|seen|fine|snooze|wake``: tries the channels, answers alerts."""

from __future__ import annotations

import getpass
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from features.drawn import drawn_test
from ingest.errors import UsageError
from ingest.records import NS_PER_S
from ingest.stage import FAILED, FINE, StoreSource, report_errors
from nozzlewatch.output import write_json
from sinks.answers import say
from sinks.channels import Channel
from sinks.errors import ChannelError
from sinks.message import About, Answer, Message, Phase, Word
from sinks.settings import SinkSettings, load_settings

app = typer.Typer(no_args_is_help=True, help="Try the alert channels, and answer alerts.")

FarmFile = Annotated[Path, typer.Argument(help="the farm file (farm.toml)")]
Which = Annotated[str | None, typer.Option("--message", help="the alert's id, or an anomaly's")]
Printer = Annotated[str | None, typer.Option(help="everything that this printer is told of")]
Debug = Annotated[bool, typer.Option("--debug", help="show tracebacks")]
JsonOption = Annotated[
    str | None, typer.Option("--json", help="write JSON to this file, - for standard output")
]

NO_CHANNEL = "the farm file names no channel: see [alerts]"


class Tried(NamedTuple):
    """How one channel did."""

    channel: str
    fine: bool
    told: str


@app.command("test")
def test(farm: FarmFile, json: JsonOption = None, debug: Debug = False) -> None:
    """Send a real alert through each channel, with a picture; exit code 1 where one does not take it."""

    def work() -> int:
        found = try_channels(load_settings(farm))
        if json is not None:
            write_json(json, [one._asdict() for one in found])
        else:
            Console().print(_table(found))
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


def try_channels(settings: SinkSettings) -> list[Tried]:
    """A real alert through each channel, all side by side."""
    channels = settings.channels()
    if not channels:
        return []
    message, picture = test_message(settings.detector.farm.table.name, time.time_ns()), drawn_test()
    with ThreadPoolExecutor(len(channels)) as pool:
        return list(pool.map(lambda channel: _tried(channel, message, picture), channels))


def test_message(farm: str, now_ns: int) -> Message:
    """What a test sends."""
    return Message(
        id=f"t-{now_ns // NS_PER_S}", revision=1, about=About.TEST, phase=Phase.NOTE, made_ns=now_ns,
        title=f"{farm}: a test alert", escalated=True,
        lines=("This channel works. Nothing is wrong with any print.",),
    )  # fmt: skip


def _tried(channel: Channel, message: Message, picture: bytes) -> Tried:
    began_s = time.monotonic()
    try:
        channel.send(message, picture)
    except ChannelError as error:
        return Tried(channel.name, False, str(error))
    finally:
        channel.close()
    return Tried(channel.name, True, f"taken in {(time.monotonic() - began_s) * 1000:.0f} ms")


def _table(found: Sequence[Tried]) -> Table:
    drawn = Table("channel", "", "what it said")
    for one in found:
        verdict = Text("ok", style="green") if one.fine else Text("FAILED", style="bold red")
        drawn.add_row(Text(one.channel), verdict, Text(one.told))
    if not found:
        drawn.add_row("none", Text("FAILED", style="bold red"), Text(NO_CHANNEL))
    return drawn


def _answer(
    farm: Path, word: Word, message: str | None, printer: str | None, *,
    minutes: float = 60.0, text: str = "", debug: bool = False,
) -> None:  # fmt: skip
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
