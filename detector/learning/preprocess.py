"""Recordings into prints that training reads: aligned, marked and cut into beats by the code that serves."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from detector import rules
from detector.anomaly import BLIND, Kind
from detector.beats import Token, draft, drafts
from detector.learning.shards import BEAT_NS, BEAT_S, SUFFIX, UNKNOWN, PrintFacts, Shard, Told, write_shard
from detector.model.encoder import SIDE
from detector.model.kinds import FINE, KINDS
from detector.state import HORIZON
from features import quality
from features.beats import frame_of_beat
from features.channels import SENSOR_DIM
from features.frame import decode_frame
from features.quality import Quality, QualityState
from features.sequence import History
from ingest.align import Timing
from ingest.errors import NozzlewatchError, RecordError, SourceError, UsageError
from ingest.farm import PrinterTable
from ingest.feed import Feed
from ingest.recordings.format import Truth
from ingest.recordings.reader import Recording
from ingest.recordings.writer import SUFFIX as RECORDING
from ingest.records import NS_PER_S, EventKind, Mark
from ingest.simulate import workers
from ingest.writer import Captured

SPARED = "-spared"
"""What the name of a print ends with that was made a second time without its failure."""
STOP_LOOK_S = 0.2
"""How often it is asked whether to stop, while workers are busy."""


class Stopped(NozzlewatchError):
    """The work was told to end."""


MadeBy = Callable[[Path], Shard]


class Beat(NamedTuple):
    """One beat: its index, what its token says (``SensorToken``), and its picture, b"" for none to judge."""

    number: int
    end_ns: int
    sensors: np.ndarray[tuple[int], np.dtype[np.float16]]
    known: np.ndarray[tuple[int], np.dtype[np.bool_]]
    heard: bool
    jpeg: bytes


class _Growth(msgspec.Struct):
    """What a simulated print's label tells in its text."""

    mechanism: str = ""
    severity: float = 0.0
    growth_s: float = 0.0


def captured(recording: Path) -> list[Captured]:
    """The windows of a recording, with their frames, as a replay has them. Raises SourceError."""
    whole = Recording(recording)
    address = f"recording:{recording.absolute()}"
    table = PrinterTable(
        name=recording.stem,
        camera=address if whole.cameras else "",
        telemetry=address if whole.telemetry else "",
    )
    found: list[Captured] = []

    async def keep(windows: Sequence[Captured]) -> None:
        found.extend(windows)

    feed = Feed(table, Timing(), recording.parent)
    asyncio.run(feed.run(keep, None))
    if not found:
        raise SourceError(f"{recording}: found nothing to learn from ({feed.detail or 'no windows'})")
    return found


def shard_of(recording: Path) -> Shard:
    """The print of one recording. Raises SourceError for what is none, or holds no whole beat."""
    windows = captured(recording)
    history, camera, beats, told = History(HORIZON), None, list[Beat](), list[Told]()
    marked: dict[int, Quality] = {}  # by the frame's time, in this beat
    jpegs: dict[int, bytes] = {}
    heat: rules.HotendPast | None = None
    for window, frame in windows:
        history.push(window)
        if frame is not None:
            camera, marks = look_at(
                camera, frame.jpeg, frame.captured_ns, idle=bool(window.marks & Mark.IDLE)
            )
            marked[frame.captured_ns], jpegs[frame.captured_ns] = marks, frame.jpeg
        heat, reasons = rules.judge_on(heat, history)
        told += [
            Told(window.index, *reason[:4], dict(reason.channels))
            for reason in reasons
            if reason.kind not in BLIND
        ]
        if drafts(window):
            token = draft(history, "", 0, heat.flow)
            shown = frame_of_beat(history.windows)
            clear = shown is not None and marked.get(shown.captured_ns) == Quality.NONE
            jpeg = jpegs[shown.captured_ns] if shown is not None and clear else b""
            beats.append(Beat(token.beat, token.end_ns, *_sensed(token), jpeg))
            marked.clear()
            jpegs.clear()
    if not beats:
        raise SourceError(f"{recording}: found less than {BEAT_S:g} s, expected a print")
    halts = [e.at_ns for window, _ in windows for e in window.events if e.kind is EventKind.HALTED]
    return joined(recording, beats, told, min(halts, default=None), windows[-1][0].end_ns)


def _sensed(token: Token) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], bool]:
    return np.frombuffer(token.sensors, np.float16), np.frombuffer(token.known, np.bool_), token.heard


class Preprocessed(NamedTuple):
    """A recording that was gone through; ``trouble`` says why it became no print, "" where it did."""

    recording: Path
    trouble: str


def missing_in(folder: Path, recordings: Sequence[Path]) -> list[Path]:
    """The recordings whose prints are not in the folder."""
    return [path for path in recordings if not (folder / f"{path.stem}{SUFFIX}").exists()]


def preprocess(
    recordings: Sequence[Path],
    folder: Path,
    jobs: int,
    tell: Callable[[Preprocessed], None] = lambda done: None,
    is_stopped: Callable[[], bool] = lambda: False,
    made_by: MadeBy = shard_of,
) -> None:
    """Make the prints that are missing in a folder, each by ``made_by``, on ``jobs`` processes.

    A recording that cannot be read is told and passed over. Raises Stopped when ``is_stopped`` says so (what
    is finished stays), and SourceError where a worker dies or the disk fails.
    """
    missing = missing_in(folder, recordings)
    if min(jobs, len(missing)) > 1:
        _preprocess_apart(missing, folder, min(jobs, len(missing)), tell, is_stopped, made_by)
        return
    for path in missing:
        _go_on(is_stopped)
        tell(_preprocess_one(path, folder, made_by))


def _preprocess_apart(
    missing: Sequence[Path],
    folder: Path,
    jobs: int,
    tell: Callable[[Preprocessed], None],
    is_stopped: Callable[[], bool],
    made_by: MadeBy,
) -> None:
    context = multiprocessing.get_context("spawn")
    start = (context.Event(), os.getpid())
    with ProcessPoolExecutor(jobs, context, initializer=workers.begin, initargs=start) as pool:
        running = {pool.submit(_preprocess_one, path, folder, made_by) for path in missing}
        try:
            while running:
                done, running = wait(running, timeout=STOP_LOOK_S, return_when=FIRST_COMPLETED)
                _go_on(is_stopped)
                for one in done:
                    tell(one.result())
        except BrokenProcessPool as error:
            raise SourceError(
                "found a worker that died, expected its print: was it killed for want of memory? "
                "Run the same again, perhaps with fewer --jobs"
            ) from error
        finally:
            pool.shutdown(cancel_futures=True)


def _go_on(is_stopped: Callable[[], bool]) -> None:
    if is_stopped():
        raise Stopped("was stopped: what is finished stays; run the same again to go on")


def recordings_in(sources: Sequence[Path]) -> list[Path]:
    """The recordings that are named or lie in named folders. Raises UsageError where there are none."""
    found = [path for source in sources for path in _recordings(source)]
    names = [path.stem for path in found]
    twice = {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else set()
    if twice:
        raise UsageError(f"found {min(twice)}{RECORDING} twice, expected recordings of different names")
    return found


def _recordings(source: Path) -> Iterator[Path]:
    if source.is_file():
        yield source
        return
    here = sorted(source.glob(f"*{RECORDING}"))
    if not here:
        raise UsageError(
            f"{source}: found no *{RECORDING}, expected recordings (nozzlewatch simulate, record)"
        )
    yield from here


def _preprocess_one(recording: Path, folder: Path, made_by: MadeBy) -> Preprocessed:
    try:
        write_shard(folder / f"{recording.stem}{SUFFIX}", made_by(recording))
    except (SourceError, RecordError) as error:
        return Preprocessed(recording, str(error))
    except OSError as error:
        raise SourceError(
            f"{folder}: found {error.strerror}, expected room for prints: make room, run the same again"
        ) from error
    return Preprocessed(recording, "")


def look_at(
    camera: QualityState | None, jpeg: bytes, at_ns: int, *, idle: bool
) -> tuple[QualityState | None, Quality]:
    """As the detector looks at each frame: what keeps it from being judged, a broken one being COVERED."""
    picture = decode_frame(jpeg, SIDE)
    if picture is None:
        return camera, Quality.COVERED
    if idle:
        return camera, Quality.NONE
    return quality.advance(camera, quality.look(picture), at_ns)


def joined(
    recording: Path, beats: Sequence[Beat], told: list[Told], halted_ns: int | None, end_ns: int
) -> Shard:
    """The print of a recording's beats, one at least, with its truth; ``told`` is what rules said.

    It was watched until ``end_ns``: rules judge each window, so a failure after the last whole beat counts.
    """
    whole = Recording(recording)
    begin_ns = beats[0].end_ns - BEAT_NS
    truths = whole.labels()
    facts = _facts(recording.stem, whole, truths, begin_ns, halted_ns, end_ns)
    jpegs = [beat.jpeg for beat in beats]
    return Shard(
        facts=facts,
        beats=np.array([beat.number for beat in beats], np.int64),
        labels=np.array([label_at(truths, beat.end_ns, halted_ns) for beat in beats], np.int16),
        sensors=np.array([beat.sensors for beat in beats], np.float16).reshape(-1, SENSOR_DIM),
        known=np.array([beat.known for beat in beats], np.bool_).reshape(-1, SENSOR_DIM),
        heard=np.array([beat.heard for beat in beats], np.bool_),
        clear=np.array([bool(jpeg) for jpeg in jpegs], np.bool_),
        ends=np.cumsum([len(jpeg) for jpeg in jpegs], dtype=np.int64),
        jpegs=np.frombuffer(b"".join(jpegs), np.uint8),
        told=told,
    )


def label_at(truths: Sequence[Truth], at_ns: int, halted_ns: int | None) -> int:
    """The class of a beat that ends then: its failure's, FINE before any, UNKNOWN after it is over."""
    failures = [truth for truth in truths if truth.kind is not None and truth.kind not in BLIND]
    now = [truth for truth in failures if truth.from_ns <= at_ns <= truth.to_ns]
    if now and now[0].kind in KINDS:
        return 1 + KINDS.index(Kind(now[0].kind))
    over = any(truth.from_ns <= at_ns for truth in failures) or (halted_ns is not None and halted_ns <= at_ns)
    return UNKNOWN if over else FINE


def _facts(
    name: str, whole: Recording, truths: Sequence[Truth], begin_ns: int, halted_ns: int | None, end_ns: int
) -> PrintFacts:
    failures = [truth for truth in truths if truth.kind is not None and truth.kind not in BLIND]
    first = min(failures, key=lambda truth: truth.from_ns, default=None)
    growth = _growth(first)
    return PrintFacts(
        name=name,
        simulator=whole.about.simulator if whole.about is not None else "",
        kind=first.kind if first is not None else None,
        mechanism=growth.mechanism,
        severity=growth.severity,
        growth_s=growth.growth_s,
        onset_s=(first.from_ns - begin_ns) / NS_PER_S if first is not None else None,
        ends_s=(end_ns - begin_ns) / NS_PER_S,
        halted_s=(halted_ns - begin_ns) / NS_PER_S if halted_ns is not None else None,
        spared=name.endswith(SPARED),
        begin_ns=begin_ns,
    )


def _growth(truth: Truth | None) -> _Growth:
    try:
        return msgspec.json.decode(truth.text, type=_Growth) if truth is not None else _Growth()
    except msgspec.DecodeError:  # a person's words
        return _Growth()
