"""``nozzlewatch check``: tries every camera, port, store and channel of a farm once, and says what it got."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, cast

from ingest.cameras.registry import open_camera
from ingest.errors import NozzlewatchError, SourceError
from ingest.farm import Farm, PrinterTable
from ingest.records import Health, Status
from ingest.sources import Camera, Telemetry
from ingest.stage import StoreSource, data_folder, watched_now
from ingest.store import without_password
from ingest.telemetry import open_telemetry
from nozzlewatch.trial import failed, try_camera, try_printer
from sinks.channels import Channel
from sinks.log_folder import SCRATCH, open_folder
from sinks.settings import SinkSettings, load_settings

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
    findings += asyncio.run(_printers(farm, watched_now(farm)))
    findings.append(_tried("log", lambda: _log(settings)))
    return [*findings, *_channels(settings.channels())]


def _tried(part: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(part, True, look())
    except (NozzlewatchError, OSError) as error:
        return Finding(part, False, str(error))


def _channels(channels: Sequence[Channel]) -> list[Finding]:
    """Whether each channel lets us in, all side by side; no alert is sent."""
    with ThreadPoolExecutor(max(1, len(channels))) as pool:
        found = list(pool.map(lambda one: _tried(f"alerts: {one.name}", one.check), channels))
    for channel in channels:
        channel.close()
    return found


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


async def _printers(farm: Farm, watched: Mapping[str, Status]) -> list[Finding]:
    """Try all sources at once; those of a printer that is being watched now are told from its status."""
    found = await asyncio.gather(*(_printer(one, farm.path.parent, watched) for one in farm.printers))
    return [finding for findings in found for finding in findings]


async def _printer(printer: PrinterTable, base: Path, watched: Mapping[str, Status]) -> list[Finding]:
    if printer.name in watched:
        status = watched[printer.name]
        told = f"is being watched now: {status.health}{status.detail and ', ' + status.detail}"
        return [Finding(printer.name, status.health is Health.OK, told)]
    findings = []
    if printer.camera:
        findings.append(await _source(printer, "camera", lambda: try_camera(_camera(printer, base))))
    if printer.surface_camera:
        findings.append(await _source(printer, "surface_camera", lambda: try_camera(_surface(printer, base))))
    if printer.telemetry:
        findings.append(await _source(printer, "telemetry", lambda: try_printer(_telemetry(printer, base))))
    return findings


async def _source(printer: PrinterTable, what: str, look: Callable[[], Awaitable[str]]) -> Finding:
    try:
        return Finding(f"{printer.name}: {what}", True, await look())
    except SourceError as error:
        return Finding(f"{printer.name}: {what}", False, failed(getattr(printer, what), error))


def _camera(printer: PrinterTable, base: Path) -> Camera:
    return open_camera(printer.camera, printer.name, base)


def _surface(printer: PrinterTable, base: Path) -> Camera:
    return open_camera(printer.surface_camera, printer.name, base)


def _telemetry(printer: PrinterTable, base: Path) -> Telemetry:
    return open_telemetry(printer.telemetry, printer.name, base)


def _log(settings: SinkSettings) -> str:
    where = settings.log_path
    if isinstance(where, str):
        open_folder(where).holds(SCRATCH)
        return f"{where} answers"
    where.mkdir(parents=True, exist_ok=True)
    probe = where / ".check"
    probe.write_bytes(b"")
    probe.unlink()
    return f"{where} can be written"
