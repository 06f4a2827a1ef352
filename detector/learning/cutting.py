"""A recording becomes a print that training reads: aligned, marked and cut into beats by what serves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np

from detector import rules
from detector.anomaly import BLIND, Kind
from detector.beats import Token, draft, drafts
from detector.learning.shards import BEAT_NS, BEAT_S, UNKNOWN, PrintFacts, Shard, Told
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
from ingest.errors import SourceError
from ingest.farm import PrinterTable
from ingest.feed import Feed
from ingest.recordings.format import Truth
from ingest.recordings.reader import Recording
from ingest.records import NS_PER_S, EventKind, Mark
from ingest.writer import Captured

SPARED = "-spared"
"""What the name of a print ends with that was made a second time without its failure."""


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
