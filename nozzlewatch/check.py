"""``nozzlewatch check``: tries every camera, port, store and channel of a farm once, and says what it got."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import NamedTuple, cast

from ingest.cameras import open_camera
from ingest.errors import NozzlewatchError, SourceError
from ingest.farm import Farm, PrinterTable
from ingest.records import COUNTED, Frame, Reading
from ingest.sources import TelemetryItem
from ingest.stage import StoreSource, data_folder
from ingest.store import without_password
from ingest.telemetry import open_telemetry
from sinks.settings import SinkSettings, load_settings

SOURCE_LIMIT_S = 10.0
"""How long a source may take to give something."""

STORE_LIMIT_S = 5.0


class Finding(NamedTuple):
    """How one part did."""

    part: str
    fine: bool
    told: str


def check_farm(path: Path) -> list[Finding]:
    """Try every part of a farm. Raises FarmFileError where the farm file itself has mistakes."""
    settings = load_settings(path)
    farm = settings.detector.farm
    data_folder(farm)
    findings = [_tried("store", lambda: _store(farm))]
    for printer in farm.printers:
        findings += _printer(printer, farm.path.parent)
    findings.append(_tried("log", lambda: _log(settings)))
    accepted = "address accepted; no alert was sent"
    findings += [Finding(f"alerts: {channel.name}", True, accepted) for channel in settings.channels()]
    return findings


def _tried(part: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(part, True, look())
    except (NozzlewatchError, OSError) as error:
        return Finding(part, False, str(error))


def _store(farm: Farm) -> str:
    with StoreSource(farm) as source:
        stores = source.open(STORE_LIMIT_S)
        began_s = time.monotonic()
        stores.events.ping()
        answered_ms = (time.monotonic() - began_s) * 1000
        told = cast(dict[str, object], stores.events.info("server"))
        stores.close()
    version = told.get("valkey_version", told.get("redis_version"))
    return f"{without_password(farm.table.redis)}: version {version}, answers in {answered_ms:.1f} ms"


def _printer(printer: PrinterTable, base: Path) -> Iterator[Finding]:
    if printer.camera:
        yield _tried(f"{printer.name}: camera", lambda: _camera(printer, base))
    if printer.telemetry:
        yield _tried(f"{printer.name}: telemetry", lambda: _telemetry(printer, base))


def _camera(printer: PrinterTable, base: Path) -> str:
    camera = open_camera(printer.camera, printer.name, base)
    frame = asyncio.run(_first(camera.frames(), printer.camera))
    return f"{frame.width}x{frame.height}, {len(frame.jpeg) / 1024:.0f} KiB a frame"


def _telemetry(printer: PrinterTable, base: Path) -> str:
    telemetry = open_telemetry(printer.telemetry, printer.name, base)
    values: dict[str, float] = {}
    asyncio.run(_until_temperature(telemetry.items(), printer.telemetry, values))
    return ", ".join(f"{name} {value:g}" for name, value in values.items() if name not in COUNTED)


async def _first(items: AsyncIterator[Frame], address: str) -> Frame:
    async for item in _limited(items, address):
        return cast(Frame, item)
    raise SourceError(f"{address}: found nothing to read, expected at least one frame")


async def _until_temperature(
    items: AsyncIterator[TelemetryItem], address: str, values: dict[str, float]
) -> None:
    async for item in _limited(items, address):
        if isinstance(item, Reading):
            values[item.channel] = item.value
        if "hotend_c" in values or "bed_c" in values:
            return
    if not values:
        raise SourceError(f"{address}: found no line of a printer, expected temperatures")


async def _limited(items: AsyncIterator[object], address: str) -> AsyncIterator[object]:
    """The items of a source until the limit has passed; then a SourceError."""
    try:
        async with asyncio.timeout(SOURCE_LIMIT_S):
            async for item in items:
                yield item
    except TimeoutError as error:
        raise SourceError(
            f"{address}: found nothing within {SOURCE_LIMIT_S:g} s, expected it to say something; "
            "is it switched on and connected, and is the speed (baud) right?"
        ) from error


def _log(settings: SinkSettings) -> str:
    settings.log_path.mkdir(parents=True, exist_ok=True)
    probe = settings.log_path / ".check"
    probe.write_bytes(b"")
    probe.unlink()
    return f"{settings.log_path} can be written"
