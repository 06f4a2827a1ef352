"""The telemetry sources: one file per kind, one line each in the registry."""

from __future__ import annotations

from pathlib import Path

from ingest.sources import Telemetry, parse_address
from ingest.telemetry.bambu.source import BambuPrinter
from ingest.telemetry.csv_file import CsvFile
from ingest.telemetry.klippy.file import KlippyFile
from ingest.telemetry.klippy.live import KlippyLog
from ingest.telemetry.log_file import LogFile
from ingest.telemetry.moonraker.source import Moonraker
from ingest.telemetry.octoprint.source import OctoPrint
from ingest.telemetry.prusalink.source import PrusaLink
from ingest.telemetry.recording import RecordedTelemetry
from ingest.telemetry.serial_port import SerialPort
from ingest.telemetry.tap import Tap

TELEMETRY: dict[str, type[Telemetry]] = {
    "serial": SerialPort,
    "tap": Tap,
    "log": LogFile,
    "csv": CsvFile,
    "recording": RecordedTelemetry,
    "moonraker": Moonraker,
    "prusalink": PrusaLink,
    "octoprint": OctoPrint,
    "bambu": BambuPrinter,
    "klippy": KlippyLog,
    "klippylog": KlippyFile,
}


def open_telemetry(text: str, printer: str, base: Path = Path()) -> Telemetry:
    """The telemetry source that an address names. Raises SourceError for an address that makes no sense."""
    address = parse_address(text, TELEMETRY, base)
    return TELEMETRY[address.kind](address, printer)
