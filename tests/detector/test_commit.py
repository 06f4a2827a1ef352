"""One commit: everything that a batch led to at once or nothing, by one owner."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest
import redis

from detector.beats import Token
from detector.commit import Batch, Floors, ShardOwner
from detector.state import Context, PrinterState
from ingest.errors import Fenced, StoreUnreachable
from ingest.records import decode
from ingest.store import Stores
from ingest.stream import DATA, DETECTOR, Entry, drops, key
from tests.detector.committed import SHARD, WINDOWS, anomaly, context, delivered, scores, state, window
from tests.detector.small_watch import token


def full_batch(entries: list[Entry]) -> Batch:
    """A batch that writes to everything that a commit can write to."""
    return Batch(
        done=entries,
        buried=[(entries[-1], "odd")],
        scores=[scores(0), scores(1)],
        anomalies=[anomaly()],
        contexts=[context(0), context(1)],
        states={"p": state(1)},
        drops=Counter(frames_lost=2),
    )


def unacknowledged(events: redis.Redis) -> int:
    return int(events.xpending(WINDOWS, DETECTOR)["pending"])


def untouched(events: redis.Redis, entries: Sequence[Entry]) -> bool:
    """Whether nothing of a batch is visible: no entry, no state, no count, nothing acknowledged."""
    streams = [events.xlen(key(name, SHARD)) for name in ("scores", "anomalies", "context", "dead")]
    hashes = [events.exists(key(name, SHARD)) for name in ("state", "drops")]
    return not any(streams + hashes) and unacknowledged(events) == len(entries)


class Interrupted(ShardOwner):
    """An owner into whose transaction somebody comes, between the check of the fence and the execution."""

    def __init__(self, events: redis.Redis, shard: int, other: redis.Redis) -> None:
        super().__init__(events, shard)
        self._other = other
        self.seen: list[bool] = []

    def _queue(self, pipe: redis.Redis, batch: Batch, floors: Floors) -> None:
        super()._queue(pipe, batch, floors)
        self.seen.append(untouched(self._other, batch.done))
        ShardOwner(self._other, self.shard)


def test_all_of_a_batch_becomes_visible(events: redis.Redis) -> None:
    entries = delivered(events, [window(0), window(1)])
    owner = ShardOwner(events, SHARD)
    assert [owner.attempt(entries[0]), owner.attempt(entries[0])] == [1, 2]
    owner.commit(full_batch(entries), Floors())
    lengths = {name: events.xlen(key(name, SHARD)) for name in ("scores", "anomalies", "context", "dead")}
    assert lengths == {"scores": 2, "anomalies": 1, "context": 2, "dead": 1}
    assert unacknowledged(events) == 0
    assert drops(events, [SHARD]) == {"frames_lost": 2}
    assert decode(events.hget(key("state", SHARD), "p"), PrinterState) == state(1)
    ((_, letter),) = events.xrange(key("dead", SHARD))
    assert letter == {b"stream": WINDOWS.encode(), b"id": entries[1].id.encode(), b"error": b"odd"} | {
        DATA: entries[1].data
    }


def test_the_commit_clears_the_attempts_of_what_it_finished_alone(events: redis.Redis) -> None:
    first, second = delivered(events, [window(0), window(1)])
    owner = ShardOwner(events, SHARD)
    assert [owner.attempt(first), owner.attempt(second), owner.attempt(second)] == [1, 1, 2]
    owner.commit(Batch(done=[first]), Floors())
    assert events.hgetall(key("attempts", SHARD)) == {second.id.encode(): b"2"}


def test_a_commit_that_the_store_has_no_room_for_writes_nothing_and_can_be_repeated(
    events: redis.Redis,
) -> None:
    """A full store takes XACK and HDEL and refuses XADD: outside of a transaction windows would be lost."""
    entries = delivered(events, [window(0), window(1)])
    owner = ShardOwner(events, SHARD)
    owner.attempt(entries[0])
    events.config_set("maxmemory", 1)
    with pytest.raises(StoreUnreachable, match="expected room in memory"):
        owner.commit(full_batch(entries), Floors())
    assert untouched(events, entries)
    assert events.hgetall(key("attempts", SHARD)) == {entries[0].id.encode(): b"1"}
    events.config_set("maxmemory", 0)
    owner.commit(full_batch(entries), Floors())
    assert (events.xlen(key("scores", SHARD)), unacknowledged(events)) == (2, 0)


def test_an_owner_that_was_taken_over_writes_nothing_and_is_told_so(events: redis.Redis) -> None:
    entries = delivered(events, [window(0), window(1)])
    old, new = ShardOwner(events, SHARD), ShardOwner(events, SHARD)
    with pytest.raises(
        Fenced, match=r"shard 3 taken over by another detector, .*own it alone; .*--shard I/N"
    ):
        old.commit(full_batch(entries), Floors())
    assert untouched(events, entries)
    new.commit(full_batch(entries), Floors())
    assert unacknowledged(events) == 0


def test_an_owner_that_is_taken_over_in_the_middle_of_its_commit_writes_nothing(
    events: redis.Redis, stores: Stores
) -> None:
    entries = delivered(events, [window(0), window(1)])
    other = redis.Redis(connection_pool=stores.events.connection_pool)
    owner = Interrupted(events, SHARD, other)
    with pytest.raises(Fenced, match="shard 3 taken over"):
        owner.commit(full_batch(entries), Floors())
    assert owner.seen == [True]
    assert untouched(events, entries)


def test_each_shard_has_a_fence_of_its_own(events: redis.Redis) -> None:
    owner = ShardOwner(events, SHARD)
    ShardOwner(events, SHARD + 1)
    owner.commit(Batch(scores=[scores(0)]), Floors())
    assert events.xlen(key("scores", SHARD)) == 1


def test_tokens_are_written_and_trimmed_with_the_rest_and_come_back_in_order(events: redis.Redis) -> None:
    owner, tokens = ShardOwner(events, SHARD), [token(beat) for beat in range(4)]
    batch = Batch(contexts=[context(0)], tokens=tokens[:3], scores=[scores(0)])
    written = owner.commit(batch, Floors())
    assert [len(written.contexts), len(written.tokens)] == [1, 3]
    owner.commit(Batch(tokens=tokens[3:]), Floors(beats=written.tokens[1]))
    rows = events.xrange(key("beats", SHARD))
    assert [decode(fields[DATA], Token) for _, fields in rows] == tokens[1:]
    assert rows[0][0].decode() == written.tokens[1]


def test_the_ids_of_the_contexts_come_back_in_order(events: redis.Redis) -> None:
    contexts = [context(number) for number in range(5)]
    batch = Batch(contexts=contexts, scores=[scores(0)], states={"p": state(4)})
    ids = ShardOwner(events, SHARD).commit(batch, Floors("0-1", "0-1")).contexts
    rows = events.xrange(key("context", SHARD))
    assert [entry_id.decode() for entry_id, _ in rows] == ids
    assert [decode(fields[DATA], Context) for _, fields in rows] == contexts
