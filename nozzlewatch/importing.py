"""``nozzlewatch import``: makes one recording of what a print left behind: video or pictures, log or CSV."""

from __future__ import annotations

import asyncio
import math
import threading
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import TypeAlias

import msgspec
from rich.console import Console
from rich.text import Text

from ingest.cameras.registry import open_camera
from ingest.errors import SourceError, UsageError
from ingest.farm import PrinterTable
from ingest.feed import merged
from ingest.recordings.format import About
from ingest.recordings.writer import RecordingWriter, check_new
from ingest.records import NS_PER_S, Frame
from ingest.sources import Camera, Item, Source, Telemetry, without_login
from ingest.telemetry import open_telemetry
from nozzlewatch.output import write_json
from nozzlewatch.prints import as_printer, is_recording

ITEMS_PER_WRITE = 200
"""Items packed between two writes: up to some ten MB of pictures."""

MOST_OFFSET_S = 10 * 365 * 86_400.0


Timed: TypeAlias = tuple[int, Item]


class Span(msgspec.Struct):
    """From when to when a source told something, ns."""

    from_ns: int
    to_ns: int


class Imported(msgspec.Struct):
    """What came of an import. ``notes`` say what a person should know; ``left_out`` counts by reason."""

    path: str
    size: int = 0  # bytes
    frames: int = 0
    telemetry: int = 0  # readings, events and raw lines
    camera_span: Span | None = None
    telemetry_span: Span | None = None
    estimated: list[str] = []
    left_out: dict[str, int] = {}
    notes: list[str] = []

    def count(self, item: Item, at_ns: int) -> None:
        """Note that an item went into the recording."""
        if isinstance(item, Frame):
            self.frames += 1
            self.camera_span = self.camera_span or Span(at_ns, at_ns)
            self.camera_span.to_ns = at_ns
        else:
            self.telemetry += 1
            self.telemetry_span = self.telemetry_span or Span(at_ns, at_ns)
            self.telemetry_span.to_ns = at_ns


def import_print(
    sources: Sequence[str], path: Path, *, printer: str, offset_s: float, stop: threading.Event
) -> Imported:
    """Make a recording of one print. ``offset_s`` moves the camera to later times against the telemetry.

    Raises UsageError for sources that make no print and for a file that is there already, SourceError where
    a source cannot be read or nothing was found. Then, and when ``stop`` is set, no file is left.
    """
    table = _table(sources, printer, offset_s)
    check_new(path)
    imported = Imported(str(path))
    camera = open_camera(table.camera, printer) if table.camera else None
    telemetry = open_telemetry(table.telemetry, printer) if table.telemetry else None
    if telemetry is not None:
        telemetry.with_lines = True
    asyncio.run(_copy(_Print(table, camera, telemetry, round(offset_s * NS_PER_S)), imported, stop))
    return imported


class _Print(msgspec.Struct):
    """What is to be imported."""

    table: PrinterTable
    camera: Camera | None
    telemetry: Telemetry | None
    offset_ns: int

    @property
    def sources(self) -> dict[str, Source]:
        both: dict[str, Source | None] = {"camera": self.camera, "telemetry": self.telemetry}
        return {name: source for name, source in both.items() if source is not None}

    @property
    def estimated(self) -> list[str]:
        return [name for name, source in self.sources.items() if source.time_estimated]


def _table(sources: Sequence[str], printer: str, offset_s: float) -> PrinterTable:
    if any(map(is_recording, sources)):
        raise UsageError(
            "import: found a recording, expected what it is to be made of: replay the recording as it is"
        )
    table = as_printer("import", sources, printer)
    if not abs(offset_s) <= MOST_OFFSET_S:
        raise UsageError(f"--offset: found {offset_s}, expected seconds up to {MOST_OFFSET_S:.0f}")
    if offset_s and not (table.camera and table.telemetry):
        raise UsageError(
            f"--offset {offset_s:g}: found one source, expected a camera and a log to move by it"
        )
    return table


async def _copy(work: _Print, imported: Imported, stop: threading.Event) -> None:
    async with aclosing(merged(work.camera, work.telemetry, camera_later_ns=work.offset_ns)) as items:
        first = await anext(items, None)
        if first is None:
            raise SourceError(f"import: found nothing that can be used (left out: {_left_out(work)})")
        # Only now do the sources know whether their times are estimated.
        writer = RecordingWriter(Path(imported.path), _about(work))
        try:
            await _fill(writer, first, items, imported, stop)
        except OSError as error:
            writer.discard()
            raise SourceError(
                f"{imported.path}: found {error.strerror}, expected room for the recording: nothing is left"
            ) from error
        except BaseException:
            writer.discard()
            raise
    imported.size = writer.size
    imported.estimated = work.estimated
    imported.left_out = _left_out(work)
    imported.notes = _notes(work, imported)


async def _fill(
    writer: RecordingWriter,
    first: Timed,
    others: AsyncIterator[Timed],
    imported: Imported,
    stop: threading.Event,
) -> None:
    _put(writer, first, imported)
    async for timed in others:
        _put(writer, timed, imported)
        if (imported.frames + imported.telemetry) % ITEMS_PER_WRITE == 0:
            await asyncio.to_thread(writer.write)
            _raise_where_stopped(stop)
    await asyncio.to_thread(writer.finish)


def _put(writer: RecordingWriter, timed: Timed, imported: Imported) -> None:
    at_ns, item = timed
    writer.add(item, at_ns)
    imported.count(item, at_ns)


def _raise_where_stopped(stop: threading.Event) -> None:
    if stop.is_set():
        raise SourceError("import: was stopped, nothing is left of it")


def _about(work: _Print) -> About:
    return About(
        printer=work.table.name,
        camera=without_login(work.table.camera),
        telemetry=without_login(work.table.telemetry),
        version=version("nozzlewatch"),
        estimated=" ".join(work.estimated),
        clocks="imported: log_time and publish_time are the sources' own times, ns UTC",
    )


def _left_out(work: _Print) -> dict[str, int]:
    total: Counter[str] = Counter()
    for source in work.sources.values():
        total.update(source.counts)
    return dict(+total)


def _notes(work: _Print, imported: Imported) -> list[str]:
    notes = []
    for name, source in work.sources.items():
        notes += [f"{name}: {what}: {found}" for what, found in source.facts.items()]
    if work.estimated:
        laid = ", laid to begin together" if len(work.sources) > 1 else ""
        notes.append(
            f"times of {' and '.join(work.estimated)} are estimated{laid}: give start= or --offset where "
            "that is wrong"
        )
    gap = _gap_note(imported)
    return [*notes, gap] if gap else notes


def _gap_note(imported: Imported) -> str:
    """Where camera and telemetry have no time in common: how far they are apart, and what would help."""
    camera, told = imported.camera_span, imported.telemetry_span
    if camera is None or told is None or (camera.from_ns <= told.to_ns and told.from_ns <= camera.to_ns):
        return ""
    apart_ns = camera.from_ns - told.to_ns if camera.from_ns > told.to_ns else told.from_ns - camera.to_ns
    offset_s = (told.from_ns - camera.from_ns) / NS_PER_S
    return (
        f"camera ({_moment(camera.from_ns)} to {_moment(camera.to_ns)}) and telemetry "
        f"({_moment(told.from_ns)} to {_moment(told.to_ns)}) do not overlap: they are "
        f"{timedelta(seconds=round(apart_ns / NS_PER_S))} apart. Are they of one print and one time zone? "
        f"--offset {offset_s:g} would let them begin together"
    )


def _moment(at_ns: int) -> str:
    return f"{datetime.fromtimestamp(math.floor(at_ns / NS_PER_S), UTC):%Y-%m-%d %H:%M:%SZ}"


def tell(imported: Imported, json: str | None) -> None:
    """Print what was made for people, or write it as JSON for programs."""
    if json is not None:
        write_json(json, msgspec.to_builtins(imported))
        return
    console = Console()
    left_out = ", ".join(f"{reason} {n}" for reason, n in sorted(imported.left_out.items())) or "nothing"
    console.print(
        Text(
            f"{imported.path}: {imported.frames} pictures, {imported.telemetry} readings, events and lines, "
            f"{imported.size / 2**20:.1f} MiB; left out: {left_out}"
        )
    )
    for note in imported.notes:
        console.print(Text(note))
