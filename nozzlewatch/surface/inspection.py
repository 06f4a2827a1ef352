"""Judges pictures of surfaces one after another: the work of ``nozzlewatch surface inspect``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import IO, NamedTuple

import msgspec
from rich.console import Console

from detector.model.engine import EngineName
from detector.surface.inspect import BATCH, Finding, Inspector
from detector.surface.model_file import load_model
from detector.surface.tiles import SurfaceMap, judged_tiles, surface_map
from features.picture import Picture
from features.stills import shrunk, to_square
from ingest.errors import SourceError, UsageError
from nozzlewatch.output import write_json
from nozzlewatch.surface.inspection_records import (
    Inspected,
    LeftOut,
    Model,
    Result,
    judged_ones,
    to_dict,
    to_line,
)
from nozzlewatch.surface.inspection_report import Card, card, cards_of, picture_px, write_page
from nozzlewatch.surface.inspection_source import Still, Stills, find_stills, shown
from nozzlewatch.surface.inspection_text import print_results

MS_PER_S = 1e3
WORTH_COMPILING = 500
"""Pictures from which on OpenVINO's compiling (5 s on one core) is won back (4 to 13 ms a picture)."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be inspected, by what, and where it is written. ``tile_px`` None: pictures as a whole."""

    source: str
    model_path: Path
    tile_px: int | None = None
    batch_size: int = BATCH
    engine: EngineName = "auto"
    log_file: Path | None = None
    json: str | None = None
    report: Path | None = None


class Looked(NamedTuple):
    """A result, and its picture made small for the report (None where it is not to be shown)."""

    result: Result
    small: Picture | None


class _Read(NamedTuple):
    """A picture that was read: as the network takes it, or whole where it goes by tiles."""

    name: str
    width: int
    height: int
    read_ms: float
    picture: Picture
    small: Picture | None


def run(asked: Asked) -> list[Result]:
    """Inspect all that was asked for, and write it where that was asked for; without ``json``, a table.

    Pictures that cannot be read are left out and told. Raises UsageError, and SourceError where none can be.
    """
    source = find_stills(asked.source)
    _check_places(asked)
    model = load_model(asked.model_path)
    inspector = Inspector(model, engine=engine_for(asked, len(source.stills)), batch=asked.batch_size)
    judge = Model(
        path=shown(asked.model_path), model_type=model.about.model_type,
        classes=model.about.classes, sound=model.about.sound,
    )  # fmt: skip
    results, cards = list[Result](), list[Card]()
    with _appended(asked.log_file) as lines:
        for looked in looks(source.stills, inspector, asked):
            results.append(looked.result)
            if lines is not None:
                lines.write(to_line(looked.result, judge))
            if isinstance(looked.result, Inspected) and looked.small is not None:
                cards.append(card(looked.result, looked.small, judge, source.name))
    _write(asked, source, judge, results, cards)
    if not judged_ones(results):
        raise SourceError(_none(source, results))
    return results


def engine_for(asked: Asked, pictures: int) -> EngineName:
    """The engine that was asked for; ``auto`` compiles for many pictures alone."""
    few = asked.tile_px is None and pictures < WORTH_COMPILING
    return "torch" if few and asked.engine == "auto" else asked.engine


def looks(stills: Sequence[Still], inspector: Inspector, asked: Asked) -> Iterator[Looked]:
    """Judge them in their order, ``batch_size`` at a time: no more of them are in memory together."""
    at_once = asked.batch_size if asked.tile_px is None else 1
    for begin in range(0, len(stills), at_once):
        part = stills[begin : begin + at_once]
        side = inspector.about.side
        read = [_read(still, asked, side, number) for number, still in enumerate(part, start=begin)]
        found = iter(_judged([one for one in read if isinstance(one, _Read)], inspector, asked))
        yield from (Looked(one, None) if isinstance(one, LeftOut) else next(found) for one in read)


def _read(still: Still, asked: Asked, side: int, number: int) -> _Read | LeftOut:
    """Read one, which may be large; where it is judged as a whole, it is stretched to ``side`` at once."""
    began_s, is_shown = time.perf_counter(), asked.report is not None and number < cards_of(asked.tile_px)
    try:
        picture = still.read()
    except SourceError as error:
        return LeftOut(name=still.name, at_ns=time.time_ns(), why=shown(str(error)))
    height, width = picture.shape[:2]
    return _Read(
        name=still.name,
        width=width,
        height=height,
        read_ms=(time.perf_counter() - began_s) * MS_PER_S,
        picture=picture if asked.tile_px is not None else to_square(picture, side),
        small=shrunk(picture, picture_px(asked.tile_px)) if is_shown else None,
    )


def _judged(read: Sequence[_Read], inspector: Inspector, asked: Asked) -> list[Looked]:
    began_s = time.perf_counter()
    if asked.tile_px is None:
        whole = inspector.inspect([one.picture for one in read])
        found: list[tuple[Finding, SurfaceMap | None]] = [(each, None) for each in whole]
    else:
        maps = [_map(one.picture, inspector, asked.tile_px, asked.batch_size) for one in read]
        found = [(each.verdict, each) for each in maps]
    took_ms = (time.perf_counter() - began_s) * MS_PER_S / max(len(read), 1)
    return [
        Looked(
            Inspected(
                name=one.name, at_ns=time.time_ns(), width=one.width, height=one.height,
                read_ms=one.read_ms, ms_per_picture=took_ms, finding=finding, surface=surface,
            ),
            one.small,
        )
        for one, (finding, surface) in zip(read, found, strict=True)
    ]  # fmt: skip


def _map(picture: Picture, inspector: Inspector, tile_px: int, batch: int) -> SurfaceMap:
    return surface_map(list(judged_tiles(inspector, picture, tile_px, batch=batch)))


def _write(
    asked: Asked, source: Stills, judge: Model, results: Sequence[Result], cards: Sequence[Card]
) -> None:
    if asked.json is not None:
        write_json(asked.json, [to_dict(one, judge) for one in results])
    elif judged_ones(results) or not source.alone:  # of one that cannot be read, the error says it all
        print_results(Console(), results, source.name)
    if asked.report is not None:
        write_page(asked.report, source.name, judge, results, cards)


def _none(source: Stills, results: Sequence[Result]) -> str:
    why = next((one.why for one in results if isinstance(one, LeftOut)), "")
    if source.alone:
        return why
    return f"{source.name}: found {len(results)} files and none that can be read; the first: {why}"


def _check_places(asked: Asked) -> None:
    """Before the work: an hour of it is not to be lost by a slip of the pen."""
    places = {"--json": asked.json if asked.json != "-" else None, "--report": asked.report}
    for option, place in places.items():
        if place is None:
            continue
        if Path(place).is_dir():
            raise UsageError(f"{option} {place}: found a folder, expected the name of a file to write")
        if not Path(place).parent.is_dir():
            raise UsageError(
                f"{option} {place}: found no folder {Path(place).parent}, expected one to write into: make it"
            )


def _appended(path: Path | None) -> AbstractContextManager[IO[bytes] | None]:
    """The file to append lines to, each written at once."""
    if path is None:
        return nullcontext()
    try:
        return path.open("ab", buffering=0)
    except OSError as error:
        raise UsageError(f"--log-file {path}: found {error.strerror}, expected a file to write") from error
