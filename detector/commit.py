"""One commit per batch and shard: all that a batch led to becomes visible at once, or not at all.

In one transaction on keys that share ``{shard}``: the fence is checked (the owner's epoch), scores,
anomalies and inspections are appended, contexts and tokens are appended, the printers' states are saved, dead
letters are put aside and the windows are acknowledged. A detector that dies in the middle has written
nothing; one that dies after it finds the windows acknowledged and the state behind them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple, cast

import redis
from msgspec import Struct, field

from detector.anomaly import Anomaly, Inspection, Scores
from detector.beats import Token, belongs
from detector.state import HORIZON, Context, Memories, PrinterMemory, PrinterState
from features.sequence import History
from ingest.errors import Fenced, RecordError, StoreError, StoreUnreachable
from ingest.records import decode, encode
from ingest.stream import DATA, DETECTOR, Entry, bury, count_drops, id_order, key, store_errors

CONTEXT_MAX = 200_000
"""Context entries a shard may hold at the most, and tokens, whatever its printers still need."""

IDLE_MS = 3600 * 1000
"""A printer without windows for so long holds no context back: its horizon is over long since."""


class Batch(Struct):
    """What is to be committed together, for one shard, in the order of its windows."""

    done: list[Entry] = field(default_factory=list)
    buried: list[tuple[Entry, str]] = field(default_factory=list)
    scores: list[Scores] = field(default_factory=list)
    anomalies: list[Anomaly] = field(default_factory=list)
    inspections: list[Inspection] = field(default_factory=list)
    contexts: list[Context] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)
    states: dict[str, PrinterState] = field(default_factory=dict)
    drops: Counter[str] = field(default_factory=Counter)

    def add(self, later: Batch) -> None:
        """Put what later windows led to behind this."""
        for name in ("done", "buried", "scores", "anomalies", "inspections", "contexts", "tokens"):
            getattr(self, name).extend(getattr(later, name))
        self.states |= later.states
        self.drops += later.drops


class Floors(NamedTuple):
    """The oldest entries that some printer at work still needs; None where none does."""

    context: str | None = None
    beats: str | None = None


class Written(NamedTuple):
    """The ids of a batch's contexts and tokens, in order."""

    contexts: list[str]
    tokens: list[str]


class ShardOwner:
    """The one detector that may write to a shard, as long as nobody has taken it over."""

    def __init__(self, events: redis.Redis, shard: int) -> None:
        self.shard = shard
        self._events = events
        self._fence = key("fence", shard)
        with store_errors():
            self._epoch = int(events.incr(self._fence))

    def commit(self, batch: Batch, floors: Floors) -> Written:
        """Write a batch in one transaction; returns the ids of what later ones trim.

        Raises Fenced when another process owns the shard, StoreUnreachable when the outcome is not known:
        then start anew.
        """
        try:
            with store_errors(), self._events.pipeline(transaction=True) as pipe:
                pipe.watch(self._fence)  # type: ignore[no-untyped-call]
                if int(cast(bytes, pipe.get(self._fence)) or 0) != self._epoch:
                    raise self._fenced()
                pipe.multi()
                self._queue(pipe, batch, floors)
                replies = pipe.execute()
        except redis.WatchError as error:
            raise self._interrupted() from error
        contexts, both = len(batch.contexts), len(batch.contexts) + len(batch.tokens)
        ids = [reply.decode() for reply in replies[:both]]
        return Written(ids[:contexts], ids[contexts:])

    def _queue(self, pipe: redis.Redis, batch: Batch, floors: Floors) -> None:
        """Queue the commands; contexts and tokens come first, so that their replies do."""
        context, beats = key("context", self.shard), key("beats", self.shard)
        for record in batch.contexts:
            pipe.xadd(context, {DATA: encode(record)}, maxlen=CONTEXT_MAX, approximate=True)
        for token in batch.tokens:
            pipe.xadd(beats, {DATA: encode(token)}, maxlen=CONTEXT_MAX, approximate=True)
        for stream, floor in ((context, floors.context), (beats, floors.beats)):
            if floor is not None:
                pipe.xtrim(stream, minid=floor, approximate=False)
        for scores in batch.scores:
            pipe.xadd(key("scores", self.shard), {DATA: encode(scores)})
        for anomaly in batch.anomalies:
            pipe.xadd(key("anomalies", self.shard), {DATA: encode(anomaly)})
        for inspection in batch.inspections:
            pipe.xadd(key("inspections", self.shard), {DATA: encode(inspection)})
        for printer, state in batch.states.items():
            pipe.hset(key("state", self.shard), printer, encode(state))
        for entry, error in batch.buried:
            bury(pipe, entry, error)
        for reason, number in batch.drops.items():
            count_drops(pipe, self.shard, reason, number)
        if batch.done:
            ids = [entry.id for entry in batch.done]
            pipe.xack(key("windows", self.shard), DETECTOR, *ids)
            pipe.hdel(key("attempts", self.shard), *ids)

    def attempt(self, entry: Entry) -> int:
        """Count a try at an entry that may be what kills the detector; returns which try this is."""
        with store_errors():
            return int(self._events.hincrby(key("attempts", self.shard), entry.id, 1))

    def _interrupted(self) -> StoreError:
        """Why a watched transaction broke off: redis-py says the same of a lost connection and a fence."""
        with store_errors():
            owner = int(cast(bytes, self._events.get(self._fence)) or 0)
        if owner != self._epoch:
            return self._fenced()
        return StoreUnreachable(
            f"redis: the connection was lost during a commit of shard {self.shard}, expected an answer; "
            "starting anew from what the store holds"
        )

    def _fenced(self) -> Fenced:
        return Fenced(
            f"detector: found shard {self.shard} taken over by another detector, expected to own it alone; "
            "run one detector per shard (--shard I/N)"
        )


def load_memories(events: redis.Redis, shard: int) -> Memories:
    """Every printer of a shard as its last committed detector left it. Frames are not needed for it."""
    memories = Memories()
    with store_errors():
        states = cast(dict[bytes, bytes], events.hgetall(key("state", shard)))
        rows = cast(list[tuple[bytes, dict[bytes, bytes]]], events.xrange(key("context", shard)))
        beats = cast(list[tuple[bytes, dict[bytes, bytes]]], events.xrange(key("beats", shard)))
    for printer, data in states.items():
        memories[printer.decode()].state = _state(printer.decode(), data, key("state", shard))
    for entry_id, fields in rows:
        window = decode(fields[DATA], Context).window
        memory = memories[window.printer]
        if memory.history.windows and window.index <= memory.history.newest.index:
            memory.history = History(HORIZON)  # the clock was set back between two jobs
        memory.history.push(window)
        memory.remember(entry_id.decode())
    for entry_id, fields in beats:
        _take_token(memories, entry_id.decode(), decode(fields[DATA], Token))
    return memories


def _take_token(memories: Memories, entry_id: str, token: Token) -> None:
    """Give a printer back one of its tokens; those of prints that are over belong to none."""
    memory = memories.get(token.printer)
    if memory is not None and belongs(token, memory.state.watch, memory.state.job):
        memory.tokens = (*memory.tokens, token)
        memory.remember_token(entry_id)


def floors_of(memories: Mapping[str, PrinterMemory]) -> Floors:
    """The oldest context and the oldest token that some printer at work still needs."""
    return Floors(
        _oldest(memory.context_ids for memory in memories.values()),
        _oldest(memory.token_ids for memory in memories.values()),
    )


def _oldest(ids: Iterable[list[str]]) -> str | None:
    """The oldest of the ids of printers, each oldest first, but for printers that are silent for long."""
    spans = [(each[0], each[-1]) for each in ids if each]
    latest_ms = max((id_order(newest)[0] for _, newest in spans), default=0)
    wanted = [oldest for oldest, newest in spans if id_order(newest)[0] >= latest_ms - IDLE_MS]
    return min(wanted, key=id_order, default=None)


def _state(printer: str, data: bytes, place: str) -> PrinterState:
    try:
        return decode(data, PrinterState)
    except RecordError as error:
        raise RecordError(
            f"state of {printer}: {error}; or remove the key {place} to begin with no open anomalies"
        ) from error
