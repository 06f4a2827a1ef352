"""Keeps the frames of anomalies beside the log, before the frame store lets them go.

    ROOT/frames/date=YYYY-MM-DD/<anomaly id>-onset.jpg      by the anomaly's onset
    ROOT/frames/date=YYYY-MM-DD/<anomaly id>-detected.jpg
    ROOT/frames/date=YYYY-MM-DD/<anomaly id>-closed.jpg

``onset`` and ``detected`` are the first and the last frame of its evidence when it opened (``detected``
alone where that is one frame), ``closed`` the printer's last frame when it closed. A frame that is gone is
left out.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import NamedTuple

import redis

from detector.anomaly import Anomaly, Scores, State
from ingest.errors import StoreUnreachable
from ingest.records import FrameRef
from ingest.stream import frame_key, shard_of
from ingest.writer import read_frames
from sinks.log_place import Place
from sinks.parquet_schema import day_of
from sinks.sink import Batch

log = logging.getLogger("nozzlewatch.sinks")

FRAMES, JPEG = "frames", ".jpg"
ONSET, DETECTED, CLOSED = "onset", "detected", "closed"
ANOMALIES_KNOWN = 10_000
"""Anomalies of which is remembered which pictures they have; of others the folder is asked."""
PRINTERS_KNOWN, FRAMES_KNOWN = 10_000, 120
"""Of how many printers the last frames are remembered, and how many: an anomaly that closes may be read after
the windows that follow it."""

_SAFE_ID = re.compile(r"[0-9A-Za-z_]{1,64}")


class FrameStore(NamedTuple):
    """Where frames come from."""

    frames: redis.Redis
    shards: int


def picture_path(anomaly: Anomaly, role: str) -> str:
    """Where a picture of an anomaly lies, from the log's folder on. Raises what ``day_of`` raises."""
    return f"{FRAMES}/date={day_of(anomaly.onset_ns)}/{file_stem(anomaly.id)}-{role}{JPEG}"


def file_stem(anomaly_id: str) -> str:
    """The id as it may stand in a file's name; one that is none of ours must lead nowhere else."""
    if _SAFE_ID.fullmatch(anomaly_id):
        return anomaly_id
    return hashlib.blake2b(anomaly_id.encode(errors="replace"), digest_size=16).hexdigest()


class Pictures:
    """The pictures of a log. Without a store none are fetched."""

    def __init__(self, place: Place, store: FrameStore | None) -> None:
        self._place, self._store = place, store
        self._last: OrderedDict[str, deque[FrameRef]] = OrderedDict()  # printer → its newest frames
        self._known: OrderedDict[str, tuple[str, ...]] = OrderedDict()  # anomaly id → its pictures' paths
        self._unwritten: dict[str, bytes] = {}
        self._away = False

    def fetch(self, batch: Batch) -> None:
        """Get the frames of what opens and closes in a batch; they are durable after ``write``."""
        if self._store is None:
            return
        wanted = dict(pair for one in self._changes(batch) for pair in self._wanted(one))
        for path, jpeg in zip(wanted, self._read(self._store, list(wanted.values())), strict=True):
            if jpeg is not None:
                self._unwritten[path] = jpeg

    def paths(self, anomaly: Anomaly) -> Sequence[str]:
        """The pictures that there are of an anomaly at this revision. Raises OSError."""
        known = self._known.get(anomaly.id)
        if known is None and (self._store is None or anomaly.state is State.OPENED):
            known = ()
        if known is None:  # opened before this process began
            known = tuple(p for p in _paths(anomaly) if self._place.folder.holds(p))
        known = tuple(p for p in _paths(anomaly) if p in known or p in self._unwritten)
        self._known[anomaly.id] = known
        if len(self._known) > ANOMALIES_KNOWN:
            self._known.popitem(last=False)
        return known

    def write(self) -> None:
        """Make durable what was fetched. Raises OSError; what is not written yet stays."""
        while self._unwritten:
            path, jpeg = next(iter(self._unwritten.items()))
            part = self._place.scratch / path.rpartition("/")[2]
            part.write_bytes(jpeg)
            with self._place.lock:
                self._place.publish(part, path)
            del self._unwritten[path]

    def _changes(self, batch: Batch) -> list[Anomaly]:
        """What opens and closes; on the way, which frame each printer sent last."""
        changes = []
        for _, _, record in batch:
            if isinstance(record, Scores):
                if record.frame is not None and not record.frame.of_surface:
                    self._note(record.printer, record.frame)
            elif isinstance(record, Anomaly) and record.state is not State.UPDATED:
                changes.append(record)
        return changes

    def _note(self, printer: str, frame: FrameRef) -> None:
        self._last.setdefault(printer, deque(maxlen=FRAMES_KNOWN)).append(frame)
        if len(self._last) > PRINTERS_KNOWN:
            self._last.popitem(last=False)

    def _wanted(self, anomaly: Anomaly) -> list[tuple[str, str]]:
        """(path, the frame's key) of the pictures that are to be had at this revision."""
        chosen = self._closing(anomaly) if anomaly.state is State.CLOSED else _opening(anomaly)
        return [(picture_path(anomaly, role), self._key(anomaly.printer, ref)) for role, ref in chosen]

    def _closing(self, anomaly: Anomaly) -> list[tuple[str, FrameRef]]:
        seen = [*anomaly.evidence.frames[-1:], *self._last.get(anomaly.printer, ())]
        frames = [one for one in seen if one.captured_ns <= anomaly.at_ns]
        return [(CLOSED, max(frames, key=lambda one: one.captured_ns))] if frames else []

    def _key(self, printer: str, ref: FrameRef) -> str:
        shards = self._store.shards if self._store else 1
        return frame_key(shard_of(printer, shards), printer, ref.captured_ns)

    def _read(self, store: FrameStore, keys: list[str]) -> list[bytes | None]:
        """The frames; without the frame store the log goes on without pictures, and says so once."""
        try:
            found = read_frames(store.frames, keys)
        except StoreUnreachable as error:
            if not self._away:
                log.warning("frames of anomalies are not kept meanwhile: %s", error)
            self._away = True
            return [None] * len(keys)
        self._away = self._away and not keys
        return found


def _opening(anomaly: Anomaly) -> list[tuple[str, FrameRef]]:
    frames = anomaly.evidence.frames
    if len(frames) > 1:
        return [(ONSET, frames[0]), (DETECTED, frames[-1])]
    return [(DETECTED, frames[0])] if frames else []


def _paths(anomaly: Anomaly) -> list[str]:
    """Every picture that there may be of an anomaly at this revision."""
    roles = (ONSET, DETECTED, CLOSED) if anomaly.state is State.CLOSED else (ONSET, DETECTED)
    return [picture_path(anomaly, role) for role in roles]
