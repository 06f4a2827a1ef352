"""The telemetry sources: one file per kind, one line each in the registry."""

from __future__ import annotations

from pathlib import Path

from ingest.sources import Telemetry, parse_address
from ingest.telemetry.log_file import LogFile
from ingest.telemetry.serial_port import SerialPort

TELEMETRY: dict[str, type[Telemetry]] = {
    "serial": SerialPort,
    "log": LogFile,
}


def open_telemetry(text: str, printer: str, base: Path = Path()) -> Telemetry:
    """The telemetry source that an address names. Raises SourceError for an address that makes no sense."""
    address = parse_address(text, TELEMETRY, base)
    return TELEMETRY[address.kind](address, printer)
