"""Writes windows and their frames to the stores, each window exactly once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, cast

import redis

from ingest.jobs import name_of
from ingest.records import Frame, Mark, Window, encode
from ingest.store import Stores
from ingest.stream import (
    DATA,
    DETECTOR,
    MAX_LEN,
    backlog,
    count_drops,
    ensure_groups,
    frame_key,
    key,
    shard_of,
    store_errors,
)
from ingest.trimming import trim_counted

FRAME_TTL_S = 600
"""How long a frame waits for its detector, in s; under memory pressure the oldest go first."""

SET_BACK_WINDOWS = 120
"""A live printer that begins further than this behind its last window has a clock that was set back."""


RESUMED_WINDOWS = 3600
"""A print that ran when ingest ended is the same one where it is back within so many windows."""


class Captured(NamedTuple):
    """A window with its frame's bytes, before they part for the two stores."""

    window: Window
    frame: Frame | None


class WindowWriter:
    """Appends windows to ``nw:windows:{shard}`` and puts their frames beside them.

    Beside each append, in the same transaction, ``nw:ingested:{shard}`` takes the printer's last index.
    When the answer to a write is lost, writing the same batch again after ``reopen`` appends only what is
    missing; and a recorded source that starts anew goes on where it had ended.
    """

    def __init__(self, stores: Stores, shards: int, max_len: int = MAX_LEN) -> None:
        self._shards = shards
        self._max_len = max_len
        self.reopen(stores)

    def reopen(self, stores: Stores) -> None:
        """Go on with new connections, knowing nothing of what the last write has done."""
        self._stores = stores
        self._last: dict[str, int] = {}
        self._jobs: dict[str, str] = {}  # what the store holds as running
        ensure_groups(stores.events, range(self._shards))

    def was_set_back(self, printer: str, index: int) -> bool:
        """Whether a live printer that begins at ``index`` was last written far ahead of it.

        Then the machine's clock was wrong before: what was written is forgotten, so that the windows from
        now on are not taken for old ones.
        """
        with store_errors():
            if index >= self._last_index(printer) - SET_BACK_WINDOWS:
                return False
            self._stores.events.hdel(key("ingested", shard_of(printer, self._shards)), printer)
        self._last[printer] = -1
        return True

    def running_job(self, printer: str, index: int) -> str:
        """The job that ran when this printer was written last, "" for none or where that is long ago."""
        with store_errors():
            recent = index - self._last_index(printer) <= RESUMED_WINDOWS
        return running_job(self._stores, self._shards, printer) if recent else ""

    def write(self, batch: Sequence[Captured]) -> int:
        """Write a batch, in order; returns how many windows were new. Raises StoreUnreachable."""
        with store_errors():
            new = [captured for captured in batch if self._is_new(captured.window)]
            self._put_frames(new)
            for shard in {shard_of(captured.window.printer, self._shards) for captured in new}:
                self._append(
                    shard, [c.window for c in new if shard_of(c.window.printer, self._shards) == shard]
                )
        return len(new)

    def backlog(self, printer: str) -> int:
        """Windows in the printer's shard that the detector has not judged yet."""
        stream = key("windows", shard_of(printer, self._shards))
        return backlog(self._stores.events, stream, DETECTOR)

    def count_drops(self, printer: str, reasons: Iterable[tuple[str, int]]) -> None:
        """Add what a printer's sources dropped to the counts that everybody sees."""
        with store_errors():
            for reason, number in reasons:
                count_drops(self._stores.events, shard_of(printer, self._shards), reason, number)

    def _is_new(self, window: Window) -> bool:
        return window.index > self._last_index(window.printer)

    def _last_index(self, printer: str) -> int:
        if printer not in self._last:
            hash_key = key("ingested", shard_of(printer, self._shards))
            last = cast(bytes | None, self._stores.events.hget(hash_key, printer))
            self._last[printer] = int(last) if last is not None else -1
        return self._last[printer]

    def _put_frames(self, batch: Sequence[Captured]) -> None:
        """Frames go first: a window must never be read before its frame is there."""
        with self._stores.frames.pipeline(transaction=False) as pipe:
            for frame in (captured.frame for captured in batch if captured.frame is not None):
                shard = shard_of(frame.printer, self._shards)
                pipe.set(frame_key(shard, frame.printer, frame.captured_ns), frame.jpeg, ex=FRAME_TTL_S)
            # A full frame store refuses single frames; their windows are judged by telemetry, and counted.
            pipe.execute(raise_on_error=False)

    def _append(self, shard: int, windows: Sequence[Window]) -> None:
        stream = key("windows", shard)
        with self._stores.events.pipeline(transaction=True) as pipe:
            for window in windows:
                pipe.xadd(stream, {DATA: encode(window)})
                pipe.hset(key("ingested", shard), window.printer, str(window.index))
                self._note_job(pipe, shard, window)
            pipe.xlen(stream)
            length = int(pipe.execute()[-1])
        self._last.update({window.printer: window.index for window in windows})
        if length > self._max_len:
            # The last resort, when no detector reads for long: the oldest windows go, and are counted.
            trim_counted(self._stores.events, stream, self._max_len)

    def _note_job(self, pipe: redis.Redis, shard: int, window: Window) -> None:
        """Keep which print runs, so that it goes on as the same one when ingest is started anew."""
        running = window.job if name_of(window.job) and not window.marks & Mark.IDLE else ""
        if self._jobs.get(window.printer) != running:
            pipe.hset(key("jobs", shard), window.printer, running)
            self._jobs[window.printer] = running


def running_job(stores: Stores, shards: int, printer: str) -> str:
    """The print that a printer is at, as far as ingest has written it; "" for none."""
    with store_errors():
        job = stores.events.hget(key("jobs", shard_of(printer, shards)), printer)
    return cast(bytes, job).decode() if job else ""


def read_frames(frames: redis.Redis, keys: Sequence[str]) -> list[bytes | None]:
    """The bytes of frames in the order of their keys, None for each that has gone."""
    if not keys:
        return []
    with store_errors():
        return cast(list[bytes | None], frames.mget(keys))
