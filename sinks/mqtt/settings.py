"""``[alerts.mqtt]`` of the farm file: which broker, and under which names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import SplitResult, unquote, urlsplit

from msgspec import Meta, Struct

from ingest.errors import UsageError
from ingest.farm import Farm
from sinks.channels.addresses import filled, redact
from sinks.channels.tables import read_tables
from sinks.mqtt.topics import slug

PORTS = {"mqtt": 1883, "mqtts": 8883}
"""Port by scheme; the second speaks TLS."""
_ADDRESS = 'an address as "mqtts://user:$MQTT_PASSWORD@host:8883" or "mqtt://host"'
_LEVELS = re.compile(r"[^/+#$\x00-\x1f\x7f-\x9f][^+#\x00-\x1f\x7f-\x9f]*(?<!/)")
"""A topic of one or more levels that holds no wildcard and is not the broker's own ($SYS)."""
HARMLESS = ("base", "discovery", "ca", "client_id", "farm")
"""Keys whose values may be repeated in a message."""


class MqttTable(Struct, frozen=True):
    """``[alerts.mqtt]``."""

    url: Annotated[str, Meta(description=_ADDRESS)]
    base: str = "nozzlewatch"  # first level of all our topics; may be several levels
    farm: str = ""  # the next level; by default the farm's name
    discovery: str = "homeassistant"  # where Home Assistant looks for new devices; "" is off
    ca: str = ""  # file with the authorities of the broker's certificate, relative to the farm file
    client_id: str = ""  # by default made from base and farm


class MqttSettings(Struct, frozen=True):
    """The broker and the names. ``user`` and ``password`` are never told, not even by ``repr``."""

    host: str
    port: int
    tls: bool
    base: str
    farm: str  # as it stands in topics
    discovery: str
    ca: str
    client_id: str
    user: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"MqttSettings({self.name})"

    @property
    def name(self) -> str:
        """The broker's address as it may be logged."""
        return f"mqtt{'s' if self.tls else ''}://{self.host}:{self.port}"


def completed(found: object, farm: Farm) -> object:
    """``found`` with what only the farm knows: its name, and where a relative ``ca`` is."""
    if not isinstance(found, dict):
        return found
    table: dict[str, Any] = {"farm": farm.table.name} | found
    if isinstance(ca := table.get("ca"), str) and ca:
        table["ca"] = str(farm.path.parent.resolve() / ca)
    return table


def mqtt_settings(found: object, where: str, mistakes: list[str]) -> MqttSettings | None:
    """What the table ``found`` says; every mistake goes to ``mistakes``, and then the result is None."""
    if isinstance(found, list):
        mistakes.append(f"{where}: found a list, expected one table: there is one broker")
        return None
    before = len(mistakes)
    for place, table in read_tables(found, MqttTable, where, mistakes, HARMLESS):
        parts = _address(table.url, place, mistakes)
        _check_names(table, place, mistakes)
        if parts is not None and len(mistakes) == before:
            return _settings(table, parts)
    return None


def _settings(table: MqttTable, parts: SplitResult) -> MqttSettings:
    farm = slug(table.farm or "farm")
    base = table.base
    return MqttSettings(
        host=parts.hostname or "",
        port=parts.port or PORTS[parts.scheme],
        tls=parts.scheme == "mqtts",
        base=base,
        farm=farm,
        discovery=table.discovery,
        ca=table.ca,
        client_id=table.client_id or f"{base.replace('/', '-')}-{farm}",
        user=_part(parts.username),
        password=_part(parts.password),
    )


def _address(url: str, where: str, mistakes: list[str]) -> SplitResult | None:
    """The parts of an address that makes sense, its user and password not filled in yet."""
    try:
        parts = urlsplit(url if "://" in url else filled(url))
        whole = parts._replace(netloc=parts.netloc.rpartition("@")[2])
        usable = parts.scheme in PORTS and parts.hostname and parts.port != 0
        if not usable or whole.path.strip("/") or whole.query or whole.fragment:
            raise ValueError  # noqa: TRY301 - told below, as what urlsplit raises
        _part(parts.username), _part(parts.password)
    except ValueError:
        mistakes.append(f"{where}.url: found {redact(url)}, expected {_ADDRESS}")
        return None
    except UsageError as error:
        mistakes.append(f"{where}.url: {error}")
        return None
    return parts


def _part(text: str | None) -> str | None:
    """User or password: from the environment as it stands there, else with its %-signs resolved."""
    if text is None:
        return None
    return filled(text) if "$" in text else unquote(text)


def _check_names(table: MqttTable, where: str, mistakes: list[str]) -> None:
    levels = "levels without + and #, and without / at either end"
    if not _LEVELS.fullmatch(table.base):
        mistakes.append(f"{where}.base: found {table.base!r:.60}, expected {levels}")
    if table.discovery and not _LEVELS.fullmatch(table.discovery):
        mistakes.append(f"{where}.discovery: found {table.discovery!r:.60}, expected {levels}, or nothing")
    if table.ca and not Path(table.ca).is_file():
        mistakes.append(f"{where}.ca: found no file {table.ca!r}, expected one with certificates (PEM)")
