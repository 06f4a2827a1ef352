"""Results for programs: JSON to a file or to standard output."""

from __future__ import annotations

import sys
from pathlib import Path

from ingest.errors import UsageError
from sinks.export import as_json


def write_json(where: str, value: object) -> None:
    """Write ``value`` as JSON to the file ``where``, or to standard output for "-". Raises UsageError."""
    if where == "-":
        sys.stdout.write(as_json(value).decode())
        return
    try:
        Path(where).write_bytes(as_json(value))
    except OSError as error:
        raise UsageError(f"--json {where}: found {error.strerror}, expected a file to write") from error
