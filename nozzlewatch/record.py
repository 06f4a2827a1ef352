"""``nozzlewatch record``: records a live print, all that its camera and its printer tell."""

from __future__ import annotations

import asyncio
import difflib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

import msgspec
from rich.console import Console
from rich.text import Text

from ingest.broadcast import Arrived, listen
from ingest.cameras.registry import open_camera
from ingest.clock import AnchoredClock
from ingest.errors import SourceError, UsageError
from ingest.farm import Farm, PrinterTable, load_farm
from ingest.reconnect import Connection, keep_reading
from ingest.recordings.format import About
from ingest.recordings.recorder import Recorder
from ingest.recordings.writer import check_new
from ingest.sources import Item, without_login
from ingest.stage import StoreSource, watched_now
from ingest.telemetry import TELEMETRY, open_telemetry
from ingest.writer import running_job
from nozzlewatch.output import write_json

POLL_S = 0.1
"""How often is looked whether recording is to end, in s."""


class Recorded(msgspec.Struct, frozen=True):
    """What a recording holds: ``counts`` as ``Recorder`` has them; ``whole``: it was finished."""

    path: str
    seconds: float
    size: int  # bytes
    counts: dict[str, int]
    whole: bool


def record(
    farm_file: Path, printer: str | None, path: Path, *, seconds: float | None, stop: threading.Event
) -> Recorded:
    """Record a printer until ``seconds`` have passed or ``stop`` is set.

    Raises FarmFileError, UsageError for a printer that the farm does not have or a file that is there
    already, SourceError where nothing came: then no file is left.
    """
    farm = load_farm(farm_file)
    table = _chosen(farm, printer)
    check_new(path)
    if table.name in watched_now(farm):
        return asyncio.run(_record_watched(farm, table, path, seconds, stop))
    return asyncio.run(_record(farm, table, path, seconds, stop))


def about(farm: Farm, table: PrinterTable) -> About:
    """What a recording says of itself."""
    return About(
        printer=table.name,
        farm=farm.table.name,
        camera=without_login(table.camera),
        telemetry=without_login(table.telemetry),
        version=version("nozzlewatch"),
        live="yes",
        tells_jobs="yes" if _tells_jobs(table) else "",
    )


def _tells_jobs(table: PrinterTable) -> bool:
    kind = TELEMETRY.get(table.telemetry.partition(":")[0])
    return kind is not None and kind.tells_jobs


async def _record(
    farm: Farm, table: PrinterTable, path: Path, seconds: float | None, stop: threading.Event
) -> Recorded:
    readers = _readers(table, farm.path.parent)
    connections = {what: Connection() for what in readers}
    clock, began_s = AnchoredClock(), asyncio.get_running_loop().time()
    async with Recorder(path, about(farm, table)) as recorder:

        def deliver(item: Item) -> None:
            recorder.take(item, clock.now_ns())

        tasks = [
            asyncio.create_task(keep_reading(f"{table.name}: {what}", connections[what], read, deliver))
            for what, read in readers.items()
        ]
        while not _is_over(stop, began_s, seconds):
            await asyncio.sleep(POLL_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return _recorded(path, recorder, began_s, _nothing(table.name, connections))


async def _record_watched(
    farm: Farm, table: PrinterTable, path: Path, seconds: float | None, stop: threading.Event
) -> Recorded:
    """Record what the running watch gets of the printer: its camera and its port are opened once."""
    began_s = asyncio.get_running_loop().time()
    with closing(StoreSource(farm).attach()) as stores:
        job = running_job(stores, farm.table.shards, table.name)
        async with Recorder(path, msgspec.structs.replace(about(farm, table), job=job)) as recorder:
            arrived = listen(stores.events, table.name, farm.table.shards, POLL_S)
            await _take_all(recorder, arrived, lambda: _is_over(stop, began_s, seconds))
            arrived.close()
    nothing = f"{table.name}: found that the running watch gets nothing of it, expected items"
    return _recorded(path, recorder, began_s, nothing)


def _recorded(path: Path, recorder: Recorder, began_s: float, nothing: str) -> Recorded:
    """What came of a recording that has ended. Raises SourceError with ``nothing`` where nothing came."""
    if not recorder.counts:
        recorder.discard()
        raise SourceError(nothing)
    seconds = asyncio.get_running_loop().time() - began_s
    return Recorded(str(path), seconds, recorder.size, dict(recorder.counts), recorder.whole)


async def _take_all(
    recorder: Recorder, arrived: Iterator[Arrived | None], is_over: Callable[[], bool]
) -> None:
    """Record items until it is over, and then what had arrived by that time."""
    ended_ns: int | None = None
    while True:
        found = await asyncio.to_thread(next, arrived)
        if ended_ns is None and is_over():
            ended_ns = time.time_ns()
        if ended_ns is not None and (found is None or found[1] > ended_ns):
            return
        if found is not None:
            recorder.take(*found)


def _is_over(stop: threading.Event, began_s: float, seconds: float | None) -> bool:
    loop = asyncio.get_running_loop()
    return stop.is_set() or (seconds is not None and loop.time() >= began_s + seconds)


def _readers(table: PrinterTable, base: Path) -> dict[str, Callable[[], AsyncIterator[Item]]]:
    """What reads each source of the printer. Raises SourceError for an address that makes no sense."""
    readers: dict[str, Callable[[], AsyncIterator[Item]]] = {}
    if table.camera:
        readers["camera"] = open_camera(table.camera, table.name, base).frames
    if table.telemetry:
        telemetry = open_telemetry(table.telemetry, table.name, base)
        telemetry.with_lines = True
        readers["telemetry"] = telemetry.items
    return readers


def _chosen(farm: Farm, name: str | None) -> PrinterTable:
    """The printer of that name, or the only one. Raises UsageError."""
    names = [table.name for table in farm.printers]
    listed = ", ".join(names)
    if name is None and len(names) > 1:
        raise UsageError(f"record: found {len(names)} printers, expected --printer and one of {listed}")
    wanted = names[0] if name is None else name
    table = next((table for table in farm.printers if table.name == wanted), None)
    if table is None:
        close = difflib.get_close_matches(wanted, names, n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        raise UsageError(f"--printer: found {wanted!r}, expected one of {listed}{hint}")
    if table.recorded:
        raise UsageError(
            f"--printer {wanted}: found a recorded print, expected a live one: "
            "nozzlewatch import makes a recording of it"
        )
    return table


def _nothing(name: str, connections: dict[str, Connection]) -> str:
    why = "; ".join(f"{what}: {connection.why or 'said nothing'}" for what, connection in connections.items())
    return f"{name}: found nothing to record ({why}), expected a printer that is switched on"


def tell(recorded: Recorded, json: str | None) -> None:
    """Print what was recorded for people, or write it as JSON for programs."""
    if json is not None:
        write_json(json, msgspec.to_builtins(recorded))
        return
    counts = ", ".join(f"{count} {what}" for what, count in sorted(recorded.counts.items()))
    told = f"{recorded.path}: {recorded.seconds:.0f} s, {recorded.size / 2**20:.1f} MiB: {counts}"
    Console().print(Text(told))
