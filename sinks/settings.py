"""The sinks' tables of the farm file: ``[log]`` and ``[alerts]``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from detector.settings import DetectorSettings, read_settings
from ingest.farm import without_mistakes
from ingest.table import check_table
from sinks.channels import CHANNELS, Channel, redact
from sinks.errors import ChannelError


class LogTable(Struct, frozen=True):
    """``[log]``: the Parquet log."""

    path: str = "log"  # relative to the data folder
    flush_s: Annotated[float, Meta(gt=0, le=3600)] = 5.0  # how long a row may wait for its file
    flush_rows: Annotated[int, Meta(ge=1, le=1_000_000)] = 20_000


class AlertsTable(Struct, frozen=True):
    """``[alerts]``: who is told."""

    console: bool = True
    apprise: list[str] = []  # Apprise URLs, see https://appriseit.com


class SinkSettings(Struct, frozen=True):
    """A farm with what the sinks need of it."""

    detector: DetectorSettings
    log: LogTable
    alerts: AlertsTable

    @property
    def log_path(self) -> Path:
        return self.detector.farm.data / self.log.path

    def channels(self) -> list[Channel]:
        """The alert channels that are switched on. Raises ChannelError for addresses that make no sense."""
        wanted = {"console": [""] if self.alerts.console else [], "apprise": self.alerts.apprise}
        return [channel for name, urls in wanted.items() if urls for channel in CHANNELS[name](urls)]


def load_settings(path: Path) -> SinkSettings:
    """Read a whole farm file. Raises FarmFileError with all mistakes of all stages."""
    return without_mistakes(_read, path)


def _read(path: Path, mistakes: list[str]) -> SinkSettings | None:
    detector = read_settings(path, mistakes)
    if detector is None:
        return None
    tables, where = detector.farm.tables, path.name
    log = check_table(tables.get("log", {}), LogTable, f"{where}: log", mistakes) or LogTable()
    alerts = _alerts(tables.get("alerts", {}), f"{where}: alerts", mistakes)
    settings = SinkSettings(detector, log, alerts)
    try:
        settings.channels()
    except ChannelError as error:
        mistakes.append(f"{where}: alerts: {error}")
    return settings


def _alerts(found: object, where: str, mistakes: list[str]) -> AlertsTable:
    """Read ``[alerts]``. Mistakes are told from a copy without credentials: a message repeats what it found.

    Where another key is wrong, the addresses are kept all the same, so that theirs are told too.
    """
    check_table(_redacted(found), AlertsTable, where, mistakes)
    table = check_table(found, AlertsTable, where, [])
    if table is None and isinstance(found, dict):
        table = check_table({"apprise": found.get("apprise", [])}, AlertsTable, where, [])
    return table or AlertsTable()


def _redacted(value: object) -> Any:
    """The value with each text that may be an address as it may be logged."""
    if isinstance(value, dict):
        return {name: _redacted(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_redacted(inner) for inner in value]
    return redact(value) if isinstance(value, str) and set(value) & set(":/@") else value
