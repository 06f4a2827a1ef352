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


def print_anomalies(console: Console, anomalies: Sequence[Anomaly], zone: tzinfo | None = None) -> None:
    """Print a table of anomalies, or in words that there is none."""
    from rich.text import Text

    from sinks.anomaly_text import count_text, table

    told = count_text(len(anomalies))
    console.print(table(anomalies, zone, told) if anomalies else Text(told))
