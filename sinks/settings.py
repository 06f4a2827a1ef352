"""The sinks' tables of the farm file: ``[log]`` and ``[alerts]``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta, Struct

from detector.anomaly import Kind
from detector.settings import DetectorSettings, read_settings
from ingest.errors import UsageError
from ingest.farm import without_mistakes
from ingest.records import NS_PER_S
from ingest.table import check_table, shown, unknown_key
from sinks.channels import CHANNELS, Channel
from sinks.channels.addresses import redacted
from sinks.kafka_address import read_address
from sinks.log_settings import LogTable, log_root
from sinks.mqtt.settings import completed
from sinks.policy import Quiet, Rules
from sinks.policy.rules import URGENT

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
CLOCK_TEXT = 'a time of the day such as "08:00", or nothing'
QUIET_TEXT = 'hours of the day such as "22:00-07:00", or nothing'
DEFAULTS: Mapping[str, object] = {"console": True}
"""What stands under a channel's key where the farm file says nothing."""


class AlertsTable(Struct, frozen=True):
    """``[alerts]`` without the channels: when somebody is told."""

    quiet: Annotated[str, Meta(description=QUIET_TEXT)] = ""
    # Kinds that are told in quiet hours too.
    urgent: Annotated[tuple[str, ...], Meta(description="a list of kinds")] = tuple(sorted(URGENT))
    digest: Annotated[str, Meta(description=CLOCK_TEXT)] = ""
    zone: str = ""  # of both, e.g. "Europe/Berlin"; "" is this machine's own
    escalate_after_min: Annotated[float, Meta(ge=0, le=1440, description="minutes, 0 is never")] = 0.0
    # So many printers that fail alike within a minute are told in one message.
    group_from: Annotated[int, Meta(ge=2, le=10_000, description="a whole number from 2")] = 5
    link: str = ""  # goes with each message; may hold {printer}, {job} and {anomaly}


class SinkSettings(Struct, frozen=True):
    """A farm with what the sinks need of it."""

    detector: DetectorSettings
    log: LogTable
    alerts: AlertsTable
    rules: Rules
    channel_tables: dict[str, Any]

    @property
    def log_path(self) -> Path | str:
        """The log's folder, or its URI."""
        return log_root(self.log, self.detector.farm.data)

    def channels(self) -> list[Channel]:
        """The alert channels that are switched on, made anew."""
        return _channels(self.channel_tables, "alerts", [])


def load_settings(path: Path) -> SinkSettings:
    """Read a whole farm file. Raises FarmFileError with all mistakes of all stages."""
    return without_mistakes(_read, path)


def _read(path: Path, mistakes: list[str]) -> SinkSettings | None:
    detector = read_settings(path, mistakes)
    if detector is None:
        return None
    tables, where = detector.farm.tables, path.name
    log = check_table(tables.get("log", {}), LogTable, f"{where}: log", mistakes) or LogTable()
    found = tables.get("alerts", {})
    if not isinstance(found, Mapping):
        mistakes.append(f"{where}: alerts: found {shown(found)}, expected a table")
        found = {}
    alerts = _alerts(found, f"{where}: alerts", mistakes)
    rules = _rules(alerts, detector, f"{where}: alerts", mistakes)
    chosen = {**DEFAULTS, **{name: found[name] for name in CHANNELS if name in found}}
    if "mqtt" in chosen:
        chosen["mqtt"] = completed(chosen["mqtt"], detector.farm)
    _check_events(detector.farm.table.events, where, mistakes)
    for channel in _channels(chosen, f"{where}: alerts", mistakes):
        channel.close()
    return SinkSettings(detector, log, alerts, rules, chosen)


def _check_events(address: str, where: str, mistakes: list[str]) -> None:
    try:
        if address:
            read_address(address)
    except UsageError as error:
        mistakes.append(f"{where}: farm.events: {error}")


def _alerts(found: Mapping[str, Any], where: str, mistakes: list[str]) -> AlertsTable:
    """Mistakes are told from a copy without credentials: a message repeats what it found."""
    own = [*CHANNELS, *AlertsTable.__struct_fields__]
    unknown = [name for name in found if name not in own]
    mistakes += [unknown_key(f"{where}.{name}", name, own, redacted(found[name])) for name in unknown]
    read: dict[str, Any] = {}
    for name in AlertsTable.__struct_fields__:  # one by one: a mistake in one hides none in another
        if name in found:
            table = check_table({name: found[name]}, AlertsTable, where, mistakes)
            read |= {} if table is None else {name: getattr(table, name)}
    return AlertsTable(**read)


def _channels(tables: Mapping[str, Any], where: str, mistakes: list[str]) -> list[Channel]:
    channels = [
        channel
        for name, found in tables.items()
        for channel in CHANNELS[name](found, f"{where}.{name}", mistakes)
    ]
    names = [channel.name for channel in channels]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        mistakes.append(f"{where}: found two channels named {', '.join(twice)}, expected one of each")
    return channels


def _rules(alerts: AlertsTable, detector: DetectorSettings, where: str, mistakes: list[str]) -> Rules:
    digest = _minute(alerts.digest)
    if alerts.digest and digest is None:
        mistakes.append(f"{where}.digest: found {shown(alerts.digest)}, expected {CLOCK_TEXT}")
    quiet = _quiet(alerts.quiet)
    if alerts.quiet and quiet is None:
        mistakes.append(f"{where}.quiet: found {shown(alerts.quiet)}, expected {QUIET_TEXT}")
    known = {name for name in alerts.urgent if name in set(Kind)}
    mistakes += [
        unknown_key(f"{where}.urgent", name, list(Kind), name) for name in alerts.urgent if name not in known
    ]
    return Rules(
        kinds=detector.kinds,
        printers=tuple(printer.name for printer in detector.farm.printers),
        quiet=quiet,
        urgent=frozenset(map(Kind, known)),
        digest_min=digest,
        escalate_after_ns=int(alerts.escalate_after_min * 60 * NS_PER_S),
        group_from=alerts.group_from,
        link=alerts.link,
        zone=_zone(alerts.zone, where, mistakes),
    )


def _quiet(text: str) -> Quiet | None:
    begin, _, end = text.partition("-")
    first, last = _minute(begin), _minute(end)
    return None if first is None or last is None or first == last else Quiet(first, last)


def _minute(text: str) -> int | None:
    found = _CLOCK.fullmatch(text.strip())
    return int(found[1]) * 60 + int(found[2]) if found else None


def _zone(name: str, where: str, mistakes: list[str]) -> tzinfo | None:
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        expected = 'a time zone such as "Europe/Berlin", or nothing for this machine\'s own'
        mistakes.append(f"{where}.zone: found {shown(name)}, expected {expected}")
        return None
