"""The sources that a command line names, as one recorded print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ingest.cameras.registry import CAMERAS
from ingest.errors import SourceError, UsageError
from ingest.farm import SOURCES, PrinterTable
from ingest.recordings.reader import Recording
from ingest.recordings.writer import SUFFIX
from ingest.sources import parse_address

RECORDING = "recording"


def as_printer(command: str, sources: Sequence[str], name: str) -> PrinterTable:
    """The printer that these sources record: at most one camera and one telemetry source.

    A recording, also named by its bare path, is both, as far as it holds both. Raises UsageError for other
    combinations and for an address that makes no sense, SourceError for a recording that cannot be read.
    """
    found: dict[str, str] = {}
    for source in sources:
        for what, address in _parts(command, source).items():
            if what in found:
                raise UsageError(
                    f"{command}: found {found[what]!r} and {address!r}, expected at most one camera and one "
                    "telemetry source: together they are one print; take other prints one by one"
                )
            found[what] = address
    return PrinterTable(name=name, camera=found.get("camera", ""), telemetry=found.get("telemetry", ""))


def is_recording(source: str) -> bool:
    """Whether it is a recording, by its kind or by its bare path."""
    kind, colon, _ = source.partition(":")
    return kind == RECORDING or (source.endswith(SUFFIX) and not (colon and kind in SOURCES))


def _parts(command: str, source: str) -> dict[str, str]:
    """What a source is for a printer (camera, telemetry), with its address."""
    try:
        if is_recording(source):
            return _recorded(source.removeprefix(f"{RECORDING}:"))
        recorded = {name: kind for name, kind in SOURCES.items() if kind.recorded}
        parse_address(source, recorded)
    except SourceError as error:
        raise UsageError(f"{command}: {error} (recorded sources)") from error
    return {"camera" if source.partition(":")[0] in CAMERAS else "telemetry": source}


def _recorded(rest: str) -> dict[str, str]:
    """The parts that a recording really holds."""
    camera = f"{RECORDING}:{rest}"
    where = parse_address(camera, CAMERAS).where
    recording = Recording(Path(where))
    parts = {"camera": camera} if recording.cameras else {}
    return {**parts, "telemetry": f"{RECORDING}:{where}"} if recording.telemetry else parts
