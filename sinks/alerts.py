"""From what the detector, users, printers and the watch's parts tell to what waits in the outboxes.

One transaction for all that a batch brings: the policy's state, the messages in each channel's outbox, the
commands to printers and the labels. What was read is acknowledged after it: when this dies in between, the
batch comes again and the state knows it already.
"""

from __future__ import annotations

import itertools
import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

import redis

from detector.anomaly import Anomaly, Scores
from ingest.errors import RecordError
from ingest.records import CommandResult, Health, Record, Status, decode, encode
from ingest.stage import STATUS_EVERY_S, StoreSource, publish_status, serve_through_outages, statuses
from ingest.store import Stores
from ingest.stream import (
    ALERTS,
    DATA,
    Entry,
    Reader,
    bury,
    ensure_groups,
    join,
    key,
    leave,
    shard_of,
    store_errors,
)
from ingest.trimming import trim_counted
from sinks.answers import record
from sinks.channels import Channel
from sinks.message import Answer, Message
from sinks.outbox import forget_others, post, wants
from sinks.pictures import KEPT_S, Pictures, frames_of
from sinks.policy import Out, Policy, Rules

log = logging.getLogger("nozzlewatch.sinks")

STATE = "nw:alerting:{0}"
READ = 100
TURN_MS = 250
"""How long is waited for news: what is due by time alone is late by no more than this."""
LOOK_EVERY_S = 1.0
"""How often the parts of the watch are looked at."""
TRIM_EVERY_S = 5.0
"""How often a stream is trimmed, a few of them each turn: all at once take longer than 50 alerts."""

RECORDS: dict[str, type[Record]] = {
    "anomalies": Anomaly,
    "command-results": CommandResult,
    "answers": Answer,
    "scores": Scores,
}


class AlertWorker:
    """Runs the policy of a farm, in one thread."""

    def __init__(
        self,
        source: StoreSource,
        shards: int,
        rules: Rules,
        channels: Sequence[Channel],
        pictures: Pictures | None = None,
        *,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """``pictures`` are those that the channels' couriers ask for; ``clock`` gives ns UTC."""
        self.counts: Counter[str] = Counter()
        self._source, self._farm = source, _Farm(range(shards), rules, list(channels), pictures)
        self._clock = clock

    def run(self, stop: threading.Event, *, until: Callable[[], bool] = lambda: False) -> None:
        """Serve until ``stop`` is set, or ``until`` holds and nothing is left to read.

        Raises StoreUnreachable where there is no store at the start; one that goes away later is waited for.
        """
        serve_through_outages(self._source, stop, lambda stores: self._serve(stores, stop, until))

    def _serve(self, stores: Stores, stop: threading.Event, until: Callable[[], bool]) -> None:
        session = _Session(stores, self._farm, self.counts, self._clock)
        session.recover()
        looked_s = trimmed_s = told_s = float("-inf")
        while not stop.is_set():
            draining = until()
            read = session.step(1 if draining else TURN_MS)
            if draining and not read:
                return
            now_s = time.monotonic()
            if now_s - looked_s >= LOOK_EVERY_S:
                looked_s = now_s
                session.look()
            if now_s - trimmed_s >= TURN_MS / 1000:
                trimmed_s = now_s
                session.trim_some()
            if now_s - told_s >= STATUS_EVERY_S:
                told_s = now_s
                status = Status(
                    source="sink/alerts", at_ns=time.time_ns(), health=Health.OK, counts=dict(self.counts)
                )
                publish_status(stores, status)


class _Farm(NamedTuple):
    shards: range
    rules: Rules
    channels: list[Channel]
    pictures: Pictures | None


class _Session:
    """The policy between two interruptions of the store."""

    def __init__(self, stores: Stores, farm: _Farm, counts: Counter[str], clock: Callable[[], int]) -> None:
        self._events, self._farm, self._counts, self._clock = stores.events, farm, counts, clock
        ensure_groups(self._events, farm.shards)
        self._streams = self._wanted()
        self._to_trim = itertools.cycle(self._streams)
        self._reader = Reader(self._events, self._streams, ALERTS)
        self._saved = _load(self._events)
        self._policy = Policy(farm.rules, clock(), self._saved)
        self._frames = stores.frames
        self._counts["forgotten"] += forget_others(self._events, farm.channels)

    def recover(self) -> None:
        """Take what was read before and not acknowledged."""
        for entries in self._reader.pending(READ):
            self._work(entries)

    def step(self, block_ms: int) -> int:
        """Take what is new and do what is due; returns how many entries were read."""
        entries = self._reader.read(READ, block_ms)
        self._work(entries)
        return len(entries)

    def look(self) -> None:
        """Look how the parts of the watch are."""
        self._policy.take_statuses(statuses(self._events), self._clock())

    def trim_some(self) -> None:
        """Let go of what everybody has read, of the streams whose turn it is."""
        for _ in range(math.ceil(len(self._streams) * TURN_MS / 1000 / TRIM_EVERY_S)):
            trim_counted(self._events, next(self._to_trim))

    def _work(self, entries: Sequence[Entry]) -> None:
        now_ns = self._clock()
        self._take(entries, now_ns)
        self._commit(now_ns)
        if entries:
            self._reader.acknowledge(entries)

    def _wanted(self) -> list[str]:
        """The streams to read; scores only where a printer may be paused, for they are many."""
        scores = [key("scores", shard) for shard in self._farm.shards]
        read = [key(name, shard) for name in ("anomalies", "command-results") for shard in self._farm.shards]
        if self._farm.rules.kinds.acting:
            join(self._events, scores, ALERTS)
            return [*read, key("answers", 0), *scores]
        leave(self._events, scores, ALERTS)
        return [*read, key("answers", 0)]

    def _take(self, entries: Sequence[Entry], now_ns: int) -> None:
        for entry in entries:
            told = self._decode(entry)
            if isinstance(told, Anomaly):
                self._policy.take_anomaly(told, now_ns)
            elif isinstance(told, Scores):
                self._policy.take_scores(told, now_ns)
            elif isinstance(told, CommandResult):
                self._policy.take_result(told, now_ns)
            elif isinstance(told, Answer):
                self._policy.take_answer(told, now_ns)

    def _decode(self, entry: Entry) -> Record | None:
        if entry.data is None:
            return None
        try:
            return decode(entry.data, RECORDS[entry.name])
        except RecordError as error:
            log.error("%s %s: %s", entry.stream, entry.id, error)  # noqa: TRY400 - the message says it all
            self._counts["dead_letters"] += 1
            with store_errors():
                bury(self._events, entry, str(error))
            return None

    def _commit(self, now_ns: int) -> None:
        """Write what came of what was taken and what is due by now, in one transaction."""
        out = self._policy.due(now_ns)
        saved = self._policy.saved()
        changed = {field: data for field, data in saved.items() if self._saved.get(field) != data}
        gone = [field for field in self._saved if field not in saved]
        if changed or gone or any(out):
            loud = [message for message in out.messages if message.loud]
            frames = frames_of(self._frames, loud, len(self._farm.shards))
            self._have_drawn(loud, frames)
            with store_errors(), self._events.pipeline(transaction=True) as pipe:
                _keep(pipe, changed, gone)
                self._append(pipe, out, frames)
                pipe.execute()
            self._saved = saved
            self._counts["messages"] += len(out.messages)
            self._counts["commands"] += len(out.commands)

    def _have_drawn(self, messages: Sequence[Message], frames: Mapping[str, bytes]) -> None:
        """Begin to draw what some channel is going to ask for."""
        if self._farm.pictures is not None and frames:
            showing = [channel for channel in self._farm.channels if channel.pictured]
            wanted = [one for one in messages if any(wants(channel, one) for channel in showing)]
            self._farm.pictures.offer(wanted, frames)

    def _append(self, pipe: redis.Redis, out: Out, frames: Mapping[str, bytes]) -> None:
        for own, jpeg in frames.items():
            pipe.set(own, jpeg, ex=KEPT_S)
        for message in out.messages:
            for channel in self._farm.channels:
                if wants(channel, message):
                    post(pipe, channel, message)
        for command in out.commands:
            shard = shard_of(command.printer, len(self._farm.shards))
            pipe.xadd(key("commands", shard), {DATA: encode(command)})
        for label in out.labels:
            record(pipe, label, len(self._farm.shards))


def _load(events: redis.Redis) -> dict[str, bytes]:
    with store_errors():
        found = cast(dict[bytes, bytes], events.hgetall(STATE))
    return {field.decode(): data for field, data in found.items()}


def _keep(pipe: redis.Redis, changed: Mapping[str, bytes], gone: Sequence[str]) -> None:
    if changed:
        pipe.hset(STATE, mapping=cast(Any, changed))
    if gone:
        pipe.hdel(STATE, *gone)
