"""The detector process: takes windows off the streams, judges them in batches across printers, commits.

It owns whole shards. At start it takes each shard over (fence), loads what its predecessor committed, works
on its own pending windows and then on new ones. Every batch ends in one commit per shard; when the outcome
of a commit is not known, memory is thrown away and the shard is started anew from the store.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from msgspec.structs import replace

from detector.anomaly import Inspection, Scores
from detector.commit import Batch, ShardOwner, floors_of, load_memories
from detector.finished import Finish
from detector.frames import FrameLoader, Picture
from detector.inspection import PartInspector
from detector.judge import BeatSaid, Judge, Sensed
from detector.state import Context, PrinterMemory
from detector.watch import Closing, Watch
from ingest.errors import RecordError, StoreError
from ingest.records import STEPS_PER_WINDOW, Health, Status, Window, decode
from ingest.stage import STATUS_EVERY_S, StoreSource, publish_status, serve_through_outages
from ingest.store import BLOCK_MS, Stores
from ingest.stream import DETECTOR, Entry, Reader, ensure_groups, key
from ingest.trimming import trim_counted

log = logging.getLogger("nozzlewatch.detector")

BATCH = 64
"""Windows taken from each shard at once: enough for full CNN batches, judged within a second or so."""

SUSPECT_DELIVERIES = 3
"""A window delivered more often than this may be what kills the detector: it is tried alone."""

MAX_ATTEMPTS = 3
"""Tries alone after which a suspect window becomes a dead letter."""

TRIM_EVERY_S = 5.0


class Session:
    """The detector between two interruptions: connections, fences and memory that belong together."""

    def __init__(
        self,
        stores: Stores,
        shards: Sequence[int],
        judge: Judge,
        frames: FrameLoader,
        parts: PartInspector | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._stores, self._judge, self._frames = stores, judge, frames
        self._parts, self._watch = parts, watch
        ensure_groups(stores.events, shards)
        self._owners = {shard: ShardOwner(stores.events, shard) for shard in shards}
        self._memories = {shard: load_memories(stores.events, shard) for shard in shards}
        self._streams = [key("windows", shard) for shard in shards]
        self._reader = Reader(stores.events, self._streams, DETECTOR)
        self._trimmed_s = time.monotonic()

    def recover(self) -> None:
        """Work on what a predecessor took and did not commit; suspects one by one."""
        for entries in self._reader.pending(BATCH):
            deliveries = self._reader.deliveries(entries)
            suspects = {entry_id for entry_id, times in deliveries.items() if times > SUSPECT_DELIVERIES}
            if not suspects:
                self._work(entries)
                continue
            for entry in entries:
                self._work_alone(entry) if entry.id in suspects else self._work([entry])

    def step(self, block_ms: int = BLOCK_MS) -> int:
        """Take new windows, judge and commit them; returns how many there were."""
        entries = self._reader.read(BATCH, block_ms)
        self._work(entries)
        self._trim()
        return len(entries)

    def _work_alone(self, entry: Entry) -> None:
        attempt = self._owners[entry.shard].attempt(entry)
        if attempt <= MAX_ATTEMPTS:
            self._work([entry])
            return
        log.error("%s %s: gave up after %d tries", entry.stream, entry.id, MAX_ATTEMPTS)
        error = f"the detector died at this window {MAX_ATTEMPTS} times"
        self._commit(entry.shard, Batch(done=[entry], buried=[(entry, error)]))

    def _work(self, entries: Sequence[Entry]) -> None:
        """Judge a batch; the pictures of all shards and printers go through the network together."""
        windows, flaws = _read(entries)
        loaded = self._frames.load(self._stores.frames, list(windows.values()))
        pictures = dict(zip(windows, loaded, strict=True))
        parts: dict[Entry, Batch] = {}
        for turn in turns(windows):
            parts |= self._judge_turn({entry: (windows[entry], pictures[entry]) for entry in turn})
        for shard in self._memories:
            batch = Batch()
            for entry in (entry for entry in entries if entry.shard == shard):
                batch.done.append(entry)
                if entry in parts:
                    batch.add(parts[entry])
                elif entry in flaws:
                    batch.buried.append((entry, flaws[entry]))
                else:
                    batch.drops["windows_trimmed"] += 1
            if batch.done:
                self._commit(shard, batch)

    def _judge_turn(self, turn: Mapping[Entry, tuple[Window, Picture]]) -> dict[Entry, Batch]:
        """Judge windows of different printers; what each of them led to."""
        parts = {entry: Batch() for entry in turn}
        sensed: dict[Entry, Sensed] = {}
        closing: dict[Entry, Closing] = {}
        for entry, (window, picture) in turn.items():
            with self._buried_where_odd(parts[entry], entry, window):
                memory = self._taken_in(parts[entry], entry, window, picture)
                if memory is None:
                    continue
                found = self._judge.sense(memory, window, picture)
                beat = self._watch.closing(memory, found) if self._watch else None
                closing |= {entry: beat} if beat is not None else {}
                sensed[entry] = found
        said = self._watch.judge(self._stores.frames, list(closing.values())) if self._watch else []
        of_beat = dict(zip(closing, said, strict=True))
        for entry, one in sensed.items():
            with self._buried_where_odd(parts[entry], entry, one.window):
                self._conclude(parts[entry], entry, one, of_beat.get(entry))
        return parts

    @contextmanager
    def _buried_where_odd(self, part: Batch, entry: Entry, window: Window) -> Iterator[None]:
        """Whatever one odd window brings to light must not stop the others."""
        try:
            yield
        except StoreError:
            raise
        except Exception as error:
            log.exception("%s: window %d cannot be judged", window.printer, window.index)
            part.buried.append((entry, f"{type(error).__name__}: {error}"))

    def _taken_in(self, part: Batch, entry: Entry, window: Window, picture: Picture) -> PrinterMemory | None:
        """The printer's memory with this window in its history; None where it was judged before."""
        memory = self._memories[entry.shard][window.printer]
        if window.index <= memory.last_index:
            if window.job == memory.state.job:
                part.drops["windows_duplicate"] += 1
                return None
            memory.begin_anew()
        memory.history.push(window)
        part.contexts.append(Context(window=window, embedding=picture.as_bytes()))
        part.drops += Counter({picture.trouble: 1} if picture.trouble else {})
        return memory

    def _conclude(self, part: Batch, entry: Entry, sensed: Sensed, said: BeatSaid | None) -> None:
        window, memory = sensed.window, self._memories[entry.shard][sensed.window.printer]
        judged = self._judge.conclude(memory, sensed, said)
        finish, inspections = self._inspect(memory.state.finish, window, sensed.picture, judged.scores)
        state = replace(judged.state, finish=finish)
        memory.settle(state, None if said is None else said.tokens)
        part.states[window.printer] = state
        part.scores.append(judged.scores)
        part.anomalies += judged.anomalies
        part.inspections += inspections
        if said is not None:
            part.tokens.append(said.tokens[-1])
            part.drops += Counter({said.trouble: 1} if said.trouble else {})

    def _inspect(
        self, before: Finish | None, window: Window, picture: Picture, scores: Scores
    ) -> tuple[Finish | None, list[Inspection]]:
        """Judge the part where a print has ended; what is returned first remembers that this is done."""
        if self._parts is None:
            return None, []
        clear = picture.look is not None and not scores.quality
        return self._parts.follow(self._stores.frames, before, window, clear=clear)

    def _commit(self, shard: int, batch: Batch) -> None:
        memories = self._memories[shard]
        written = self._owners[shard].commit(batch, floors_of(memories))
        for context, context_id in zip(batch.contexts, written.contexts, strict=True):
            memories[context.window.printer].remember(context_id)
        for token, token_id in zip(batch.tokens, written.tokens, strict=True):
            memories[token.printer].remember_token(token_id)
        for inspection in batch.inspections:
            log.info("%s: %s: %s", inspection.printer, inspection.job, inspection.text)
        self.counts.update(
            windows=len(batch.contexts),
            anomalies=len(batch.anomalies),
            inspections=len(batch.inspections),
            dead_letters=len(batch.buried),
            **batch.drops,
        )

    def _trim(self) -> None:
        if time.monotonic() - self._trimmed_s < TRIM_EVERY_S:
            return
        self._trimmed_s = time.monotonic()
        for stream in self._streams:
            trim_counted(self._stores.events, stream)


class DetectorWorker:
    """Runs sessions one after the other for as long as it is wanted."""

    def __init__(
        self,
        source: StoreSource,
        shards: Sequence[int],
        judge: Judge,
        frames: FrameLoader,
        trouble: str = "",  # what its status has to say, such as a device that is not there
        parts: PartInspector | None = None,  # what judges finished parts
        watch: Watch | None = None,  # the trained network, where there is one
    ) -> None:
        self._source, self._shards, self._judge, self._frames = source, shards, judge, frames
        self._parts, self._watch = parts, watch
        self._trouble = trouble
        self._name = f"detector/{shards[0]}" if shards else "detector"

    def run(self, stop: threading.Event, *, until: Callable[[], bool] = lambda: False) -> None:
        """Judge windows until ``stop`` is set, or ``until`` holds and nothing is left to judge.

        Raises StoreUnreachable where there is no store at the start, Fenced when another detector takes a
        shard over. A store that goes away later is waited for.
        """
        serve_through_outages(self._source, stop, lambda stores: self._serve(stores, stop, until))

    def _serve(self, stores: Stores, stop: threading.Event, until: Callable[[], bool]) -> None:
        session = Session(stores, self._shards, self._judge, self._frames, self._parts, self._watch)
        session.recover()
        told_s = 0.0
        while not stop.is_set():
            draining = until()  # asked before the read: what was written before it held is still read
            if session.step(block_ms=1 if draining else BLOCK_MS) == 0 and draining:
                return
            if time.monotonic() - told_s > STATUS_EVERY_S:
                told_s = time.monotonic()
                self._tell(stores, session)

    def _tell(self, stores: Stores, session: Session) -> None:
        publish_status(
            stores,
            Status(
                source=self._name,
                at_ns=time.time_ns(),
                health=Health.DEGRADED if self._trouble else Health.OK,
                detail=", ".join(
                    filter(None, (f"{self._judge.model} on {self._frames.device}", self._trouble))
                ),
                counts=dict(session.counts),
            ),
        )


def turns(windows: Mapping[Entry, Window]) -> list[list[Entry]]:
    """The windows in turns of at most one of each printer: printers side by side, each in its own order."""
    found: list[list[Entry]] = []
    seen: Counter[str] = Counter()
    for entry, window in windows.items():
        if seen[window.printer] == len(found):
            found.append([])
        found[seen[window.printer]].append(entry)
        seen[window.printer] += 1
    return found


def _read(entries: Sequence[Entry]) -> tuple[dict[Entry, Window], dict[Entry, str]]:
    """The windows of entries, and what is wrong with those that hold none; what was trimmed is in neither."""
    windows: dict[Entry, Window] = {}
    flaws: dict[Entry, str] = {}
    for entry in entries:
        if entry.data is None:
            continue
        try:
            windows[entry] = _window(entry.data)
        except RecordError as error:
            log.error("%s %s: %s", entry.stream, entry.id, error)  # noqa: TRY400 - the message says it all
            flaws[entry] = str(error)
    return windows, flaws


def _window(data: bytes) -> Window:
    """Read a window. Raises RecordError for other bytes, and for sensors that fill no grid."""
    window = decode(data, Window)
    for name, grid in (("sensors", window.values), ("measured", window.mask)):
        try:
            grid()
        except ValueError as error:
            found = f"found {len(getattr(window, name))} bytes of {name} ({error})"
            raise RecordError(f"Window: {found}, expected [{STEPS_PER_WINDOW}, channels]") from error
    return window
