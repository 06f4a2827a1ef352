"""Results for programs, JSON to a file or to standard output, and for people, a table."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.errors import UsageError
from sinks.json_text import as_json

if TYPE_CHECKING:
    from rich.console import Console

    from detector.anomaly import Anomaly


def write_json(where: str, value: object) -> None:
    """Write ``value`` as JSON to the file ``where``, or to standard output for "-". Raises UsageError."""
    if where == "-":
        sys.stdout.write(as_json(value).decode())
        return
    try:
        Path(where).write_bytes(as_json(value))
    except OSError as error:
        raise UsageError(f"--json {where}: found {error.strerror}, expected a file to write") from error


def tell_tried(of: str, tried: Sequence[tuple[str, bool, str]], json: str | None, *, none: str = "") -> None:
    """Print for people how each thing did that was tried, or write it as JSON for programs (``write_json``).

    ``of`` is what the things are; of each: its name, whether it is fine, and what it said. ``none``: what is
    wrong where nothing was tried.
    """
    if json is not None:
        write_json(json, [{of: name, "fine": fine, "told": told} for name, fine, told in tried])
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(of, "", "what it said")
    for name, fine, told in tried or [("none", False, none)]:
        verdict = Text("ok", style="green") if fine else Text("FAILED", style="bold red")
        drawn.add_row(Text(name), verdict, Text(told))
    Console().print(drawn)


def print_anomalies(console: Console, anomalies: Sequence[Anomaly], zone: tzinfo | None = None) -> None:
    """Print a table of anomalies, or in words that there is none."""
    from rich.text import Text

    from sinks.anomaly_text import count_text, table

    told = count_text(len(anomalies))
    console.print(table(anomalies, zone, told) if anomalies else Text(told))
