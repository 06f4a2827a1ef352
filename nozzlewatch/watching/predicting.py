"""Judges a user's pictures and recorded prints, one after another: the work of ``nozzlewatch predict``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from rich.console import Console

from detector.learning.predict import FAILING_FROM, PictureJudge, PrintSaid, judged_print, print_of
from detector.learning.seen import FrameJudge
from detector.model.engine import EngineName
from detector.model.watch_model import DEFAULT, WatchModel
from features.frame import SIDE
from features.picture import Picture
from features.stills import shrunk, to_square
from ingest.errors import SourceError, SourceNotFound, UsageError
from nozzlewatch.output import write_json
from nozzlewatch.surface.inspection_source import Still, find_stills, shown
from nozzlewatch.watching.options import check_places, model_of
from nozzlewatch.watching.predicted import LeftOut, Predicted, Result, to_dict
from nozzlewatch.watching.predicted_page import CARDS, PICTURE_PX, Card, card, write_page
from nozzlewatch.watching.predicted_text import print_all

PRINTS = (".mcap", ".beats")
AT_ONCE = 8
"""Pictures that are read, and judged, together."""
MS_PER_S = 1e3
WORTH_COMPILING = 500
"""Pictures from which on OpenVINO's compiling (5 s on one core) is won back."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be judged, by what, and where it is written."""

    sources: Sequence[str]
    model_path: Path | None = None
    threshold: float = FAILING_FROM
    report: Path | None = None
    engine: EngineName = "auto"
    json: str | None = None


class Said(NamedTuple):
    """Pictures and prints in the order in which they were asked for."""

    pictures: list[Result]
    prints: list[PrintSaid]


class _Read(NamedTuple):
    """A picture that was read: its size, as the network takes it, and as the page shows it."""

    name: str
    width: int
    height: int
    square: Picture
    small: Picture


class _Sources(NamedTuple):
    stills: list[Still]
    prints: list[Path]


def run(asked: Asked) -> Said:
    """Judge all that was asked for, and write it where that was asked for; without ``json``, tables.

    Pictures and prints that cannot be read are left out and told. Raises UsageError, and SourceError where
    none can be read.
    """
    check_places(json=asked.json, report=asked.report)
    sources = _found(asked.sources)
    model = model_of(asked.model_path)
    pictures, cards = _pictures(sources.stills, model, asked)
    prints, broken = _prints(sources.prints, model, asked.engine)
    said = Said([*pictures, *broken], prints)
    if not prints and all(isinstance(one, LeftOut) for one in said.pictures):
        raise SourceError(_none(said.pictures))
    _write(asked, model, said, cards)
    return said


def _found(sources: Sequence[str]) -> _Sources:
    """The pictures and the prints that are named. Raises as ``find_stills``."""
    found = _Sources([], [])
    for where in sources:
        path = Path(where)
        prints = _prints_in(path)
        found.prints.extend(prints)
        try:
            if path not in prints:
                found.stills.extend(find_stills(where).stills)
        except SourceNotFound:
            if not prints:  # a folder of prints need hold no picture
                raise
    return found


def _prints_in(path: Path) -> list[Path]:
    try:
        if path.is_file():
            return [path] if path.suffix in PRINTS else []
        return sorted(each for kind in PRINTS for each in path.glob(f"*{kind}")) if path.is_dir() else []
    except (OSError, ValueError):  # longer than any file's name, as a camera's address may be
        return []


def _pictures(stills: Sequence[Still], model: WatchModel, asked: Asked) -> tuple[list[Result], list[Card]]:
    if not stills:
        return [], []
    judge = PictureJudge(model, engine=_engine(asked.engine, len(stills)))
    results, cards = list[Result](), list[Card]()
    for begin in range(0, len(stills), AT_ONCE):
        for result, small in _judged(stills[begin : begin + AT_ONCE], judge, asked.threshold):
            results.append(result)
            wanted = asked.report is not None and len(cards) < CARDS
            if wanted and small is not None and isinstance(result, Predicted):
                cards.append(card(result, small))
    return results, cards


def _judged(
    stills: Sequence[Still], judge: PictureJudge, threshold: float
) -> Iterator[tuple[Result, Picture | None]]:
    """Judge some together; each with the picture as the page shows it."""
    read = [_read(still) for still in stills]
    whole = [one for one in read if isinstance(one, _Read)]
    began_s = time.perf_counter()
    found = iter(judge.judge([one.square for one in whole]))
    took_ms = (time.perf_counter() - began_s) * MS_PER_S / max(len(whole), 1)
    for one in read:
        if isinstance(one, LeftOut):
            yield one, None
        else:
            result = Predicted(
                name=one.name, at_ns=time.time_ns(), width=one.width, height=one.height,
                ms_per_picture=took_ms, threshold=threshold, said=next(found),
            )  # fmt: skip
            yield result, one.small


def _read(still: Still) -> _Read | LeftOut:
    try:
        picture = still.read()
    except SourceError as error:
        return LeftOut(name=still.name, at_ns=time.time_ns(), why=shown(str(error)))
    height, width = picture.shape[:2]
    return _Read(still.name, width, height, to_square(picture, SIDE), shrunk(picture, PICTURE_PX))


def _engine(asked: EngineName, pictures: int) -> EngineName:
    """``auto`` compiles for many pictures alone."""
    return "torch" if asked == "auto" and pictures < WORTH_COMPILING else asked


def _prints(
    paths: Sequence[Path], model: WatchModel, engine: EngineName
) -> tuple[list[PrintSaid], list[LeftOut]]:
    if not paths:
        return [], []
    judge = FrameJudge(model.frame, engine=engine)
    said, broken = list[PrintSaid](), list[LeftOut]()
    for path in paths:
        try:
            said.append(judged_print(model, judge, print_of(path)))
        except (SourceError, UsageError) as error:
            broken.append(LeftOut(name=shown(path), at_ns=time.time_ns(), why=shown(str(error))))
    return said, broken


def _write(asked: Asked, model: WatchModel, said: Said, cards: Sequence[Card]) -> None:
    path = shown(asked.model_path or DEFAULT)
    if asked.json is not None:
        write_json(
            asked.json,
            {
                "model_path": path,
                "model": model.about.version,
                "pictures": [to_dict(one) for one in said.pictures],
                "prints": [msgspec.to_builtins(one) for one in said.prints],
            },
        )
    else:
        print_all(Console(), said.pictures, said.prints)
    if asked.report is not None:
        write_page(asked.report, path, model.about.version, said.pictures, said.prints, cards)


def _none(results: Sequence[Result]) -> str:
    left_out = [one.why for one in results if isinstance(one, LeftOut)]
    if len(left_out) == 1:
        return left_out[0]
    return f"found {len(left_out)} pictures and prints, and none that can be read; the first: {left_out[0]}"
