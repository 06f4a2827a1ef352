"""The streams between the stages: their names, reading them as a group, counting drops.

Streams of one shard share the hash tag ``{shard}``, so one transaction can touch all of them, in a Redis
Cluster too. Each shard has one owner per group, so the consumer's name is the same everywhere; a printer
always falls into the same shard, and so its windows stay in order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, cast

import redis

from ingest.errors import StoreUnreachable
from ingest.store import BLOCK_MS

CONSUMER = "owner"
DETECTOR = "detector"
LOG = "log"
ALERTS = "alerts"
PRINTERS = "printers"

GROUPS: dict[str, tuple[str, ...]] = {
    "windows": (DETECTOR,),
    "scores": (LOG,),
    "anomalies": (LOG, ALERTS),
    "inspections": (LOG,),
    "labels": (LOG,),
    "statuses": (LOG,),
    "commands": (PRINTERS,),
    "command-results": (ALERTS,),
    "answers": (ALERTS,),
}
"""Who reads which stream. All groups are made before the first entry: none misses what came before it.

Who reads only where a farm file asks for it is no part of this: see ``join`` and ``leave``."""

DATA = b"d"
"""The one field of an entry that holds the record."""

MAX_LEN = 100_000
"""Entries a stream may hold at the most; beyond it the oldest are dropped, and counted."""

REFUSALS = (
    redis.exceptions.OutOfMemoryError,
    redis.exceptions.ReadOnlyError,
    redis.exceptions.ExecAbortError,
)
"""Answers of a server that cannot do for now what was asked."""
REFUSAL_WORDS = ("MISCONF", "NOGROUP")
"""The same for answers without a class of their own: a full disk; a store that was emptied under us."""


class Entry(NamedTuple):
    """One entry of a stream; ``data`` is None where it was trimmed before it was read."""

    stream: str
    id: str
    data: bytes | None

    @property
    def name(self) -> str:
        """What the stream holds: windows, scores, anomalies, …"""
        return name_and_shard(self.stream)[0]

    @property
    def shard(self) -> int:
        return name_and_shard(self.stream)[1]


def shard_of(printer: str, shards: int) -> int:
    """The printer's shard: the same on every machine and in every version."""
    return int.from_bytes(hashlib.blake2b(printer.encode(), digest_size=8).digest()) % shards


def key(name: str, shard: int) -> str:
    """The key of a shard's stream or hash, for instance ``nw:windows:{3}``."""
    return f"nw:{name}:{{{shard}}}"


def name_and_shard(stream: str) -> tuple[str, int]:
    """What ``key`` was made of."""
    _, name, shard = stream.split(":")
    return name, int(shard.strip("{}"))


def frame_key(shard: int, printer: str, captured_ns: int) -> str:
    """The key of a frame in the frame store."""
    return f"{key('frame', shard)}:{printer}:{captured_ns}"


def ensure_groups(events: redis.Redis, shards: Sequence[int]) -> None:
    """Make every stream's groups, reading from the very beginning, where they are not there yet."""
    with store_errors():
        for shard in shards:
            for name, groups in GROUPS.items():
                for group in groups:
                    _ensure_group(events, key(name, shard), group)


def join(events: redis.Redis, streams: Sequence[str], group: str) -> None:
    """Make a group that not every farm has, reading from the oldest entries that are still there."""
    with store_errors():
        for stream in streams:
            _ensure_group(events, stream, group)


def leave(events: redis.Redis, streams: Sequence[str], group: str) -> None:
    """Remove such a group where nobody reads for it any more: else its streams would wait for it."""
    with store_errors():
        for stream in streams:
            if any(text_of(row["name"]) == group for row in group_rows(events, stream)):
                events.xgroup_destroy(stream, group)


def _ensure_group(events: redis.Redis, stream: str, group: str) -> None:
    try:
        events.xgroup_create(stream, group, id="0", mkstream=True)
    except redis.ResponseError as error:
        if not str(error).startswith("BUSYGROUP"):
            raise


@contextmanager
def store_errors() -> Iterator[None]:
    """Turns redis-py's errors that pass by themselves into our own: a lost connection, a full store."""
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise StoreUnreachable(
            f"redis: the connection was lost ({error}), expected the store to answer; waiting for its return"
        ) from error
    except redis.ResponseError as error:
        if not isinstance(error, REFUSALS) and not any(word in str(error) for word in REFUSAL_WORDS):
            raise
        raise StoreUnreachable(
            f"redis: the store refuses to write ({_reason(error)}), expected room in memory and on its "
            "disk; make some, what was taken is kept meanwhile"
        ) from error


def _reason(error: redis.ResponseError) -> str:
    """The server's own words, without the command before them: it holds a record's bytes."""
    return str(error).rpartition("caused error: ")[2]


class Reader:
    """Reads streams as one member of a group: own pending entries first, then new ones.

    At least once: what was read and not acknowledged comes again from ``pending`` after a restart.
    """

    def __init__(self, events: redis.Redis, streams: Sequence[str], group: str) -> None:
        self._events = events
        self._streams = list(streams)
        self._group = group

    def pending(self, count: int) -> Iterator[list[Entry]]:
        """What was delivered to this group and never acknowledged, stream by stream, oldest first."""
        for stream in self._streams:
            after = "0"
            while batch := self._read({stream: after}, count, None):
                after = batch[-1].id
                yield batch

    def read(self, count: int, block_ms: int = BLOCK_MS) -> list[Entry]:
        """New entries of all streams, at most ``count`` of each; waits ``block_ms`` where there are none."""
        return self._read(dict.fromkeys(self._streams, ">"), count, block_ms or None)

    def _read(self, cursors: dict[str, str], count: int, block_ms: int | None) -> list[Entry]:
        with store_errors():
            reply = self._events.xreadgroup(
                self._group, CONSUMER, cast(Any, cursors), count=count, block=block_ms
            )
        return entries_of(reply)

    def deliveries(self, entries: Sequence[Entry]) -> dict[str, int]:
        """How often each of these entries (of one stream) was delivered so far, by id."""
        if not entries:
            return {}
        with store_errors():
            rows = self._events.xpending_range(
                entries[0].stream, self._group, min=entries[0].id, max=entries[-1].id, count=len(entries)
            )
        return {text_of(row["message_id"]): int(row["times_delivered"]) for row in cast(list[Any], rows)}

    def acknowledge(self, entries: Sequence[Entry]) -> None:
        """Say that these entries are done: they never come again."""
        with store_errors(), self._events.pipeline(transaction=False) as pipe:
            for stream in {entry.stream for entry in entries}:
                pipe.xack(stream, self._group, *(e.id for e in entries if e.stream == stream))
            pipe.execute()


def entries_of(reply: Any) -> list[Entry]:
    """The entries in a reply to XREADGROUP or XREAD."""
    return [
        Entry(text_of(stream), text_of(entry_id), fields.get(DATA) if fields else None)
        for stream, entries in _pairs(reply)
        for entry_id, fields in _rows(entries)
    ]


def bury(pipe: redis.Redis, entry: Entry, error: str) -> None:
    """Put an entry that cannot be worked on among the dead letters, with its error."""
    fields = {b"stream": entry.stream, b"id": entry.id, b"error": error, DATA: entry.data or b""}
    pipe.xadd(key("dead", entry.shard), cast(Any, fields), maxlen=MAX_LEN, approximate=True)


def count_drops(pipe: redis.Redis, shard: int, reason: str, number: int = 1) -> None:
    """Add to the shard's count of what was dropped, by reason."""
    pipe.hincrby(key("drops", shard), reason, number)


def drops(events: redis.Redis, shards: Sequence[int]) -> dict[str, int]:
    """What was dropped so far, by reason, over all shards."""
    totals: dict[str, int] = {}
    with store_errors():
        for shard in shards:
            for reason, number in cast(dict[bytes, bytes], events.hgetall(key("drops", shard))).items():
                totals[text_of(reason)] = totals.get(text_of(reason), 0) + int(number)
    return totals


def backlog(events: redis.Redis, stream: str, group: str) -> int:
    """Entries of a stream that a group has not acknowledged yet: unread and pending ones."""
    with store_errors():
        for row in group_rows(events, stream):
            if text_of(row["name"]) == group:
                lag = row.get("lag")
                unread = int(lag) if lag is not None else events.xlen(stream)
                return unread + int(row["pending"])
    return 0


def group_rows(events: redis.Redis, stream: str) -> list[dict[str, Any]]:
    """What the server tells of a stream's groups; nothing where there is no such stream."""
    try:
        return events.xinfo_groups(stream)
    except redis.ResponseError:  # no such key
        return []


def id_order(entry_id: str) -> tuple[int, int]:
    """A stream id as numbers: ids compare by these, not as text."""
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence or 0)


def text_of(value: bytes | str) -> str:
    """An id or a name in a reply, whatever its form."""
    return value.decode() if isinstance(value, bytes) else value


def _pairs(reply: Any) -> list[tuple[bytes, Any]]:
    """The reply to XREADGROUP as pairs of stream and entries, in RESP2's and in RESP3's form."""
    if not reply:
        return []
    return list(reply.items()) if isinstance(reply, dict) else [tuple(pair) for pair in reply]


def _rows(entries: Any) -> list[tuple[bytes, dict[bytes, bytes] | None]]:
    # RESP3 wraps each stream's entries into one more list.
    nested = len(entries) == 1 and entries[0] and isinstance(entries[0][0], list | tuple)
    return list(entries[0] if nested else entries)
