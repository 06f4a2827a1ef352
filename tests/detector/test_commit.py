"""One commit: everything that a batch led to at once or nothing, by one owner, and enough to begin anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec
import numpy as np
import pytest
import redis

from detector import novelty
from detector.anomaly import Anomaly, Evidence, Kind, Scores, State
from detector.beats import Token, WatchState
from detector.commit import IDLE_MS, Batch, Floors, ShardOwner, floors_of, load_memories
from detector.episodes import Episode, Phase
from detector.state import HORIZON, Context, PrinterMemory, PrinterState
from ingest.errors import Fenced, RecordError, StoreUnreachable
from ingest.records import CHANNELS, Window, decode, encode
from ingest.store import Stores
from ingest.stream import DATA, DETECTOR, Entry, Reader, drops, ensure_groups, key
from tests.detector.small_watch import token
from tests.detector.windows import FIRST, printing

SHARD = 3
WINDOWS = key("windows", SHARD)
PRINTS = {"p": printing(2 * HORIZON), "q": printing(2 * HORIZON)}


@pytest.fixture(name="events")
def _events(stores: Stores) -> Iterator[redis.Redis]:
    """The event store with room for everything again, whatever the test took away."""
    ensure_groups(stores.events, [SHARD])
    yield stores.events
    stores.events.config_set("maxmemory", 0)


def window(number: int, printer: str = "p") -> Window:
    return msgspec.structs.replace(PRINTS[printer][number], printer=printer)


def delivered(events: redis.Redis, windows: Sequence[Window]) -> list[Entry]:
    """The windows as entries that were read and not acknowledged."""
    for one in windows:
        events.xadd(WINDOWS, {DATA: encode(one)})
    return Reader(events, [WINDOWS], DETECTOR).read(len(windows), 1)


def context(number: int, printer: str = "p") -> Context:
    return Context(window=window(number, printer), embedding=bytes([number % 256] * 4))


def state(number: int, printer: str = "p") -> PrinterState:
    """A state in which every field says something."""
    index = FIRST + number
    return PrinterState(
        printer=printer,
        job="j",
        last_index=index,
        episodes={
            Kind.STALL: Episode(
                phase=Phase.OPEN, printer=printer, job="j", kind=Kind.STALL, span_ns=10**9, seen_index=index
            )
        },
        novelty=novelty.advance(None, np.full(8, number / 1000, np.float16), index * 10**9)[0],
    )


def scores(number: int) -> Scores:
    return Scores(
        printer="p",
        job="j",
        index=FIRST + number,
        span_ns=10**9,
        probabilities={Kind.STALL: 1.0},
        novelty=None,
        frame=None,
        frame_lost=False,
        marks=0,
        model="m",
    )


def anomaly() -> Anomaly:
    return Anomaly(
        id="a",
        printer="p",
        job="j",
        kind=Kind.STALL,
        state=State.OPENED,
        revision=1,
        severity=1.0,
        score=1.0,
        onset_ns=1,
        detected_ns=2,
        at_ns=2,
        text="",
        evidence=Evidence(),
    )


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


def test_the_oldest_token_of_a_printer_at_work_is_the_floor() -> None:
    memories = {name: PrinterMemory(name) for name in ("p", "q", "idle")}
    memories["p"].token_ids, memories["q"].token_ids = ["10-0", "12-0"], ["9-1", "11-0"]
    assert floors_of(memories) == Floors(beats="9-1")
    memories["p"].token_ids.append(f"{13 + IDLE_MS}-0")
    assert floors_of(memories) == Floors(beats="10-0")


def test_tokens_of_a_print_that_is_over_come_back_to_nobody(events: redis.Redis) -> None:
    owner, watching = ShardOwner(events, SHARD), WatchState(model="of-tiny-1", first_beat=token(1).beat)
    mine = [token(1), token(2)]
    others = [
        token(0),
        token(1, job="k"),
        token(1, model="other"),
        token(1, printer="q"),
        token(1, printer="r"),
    ]
    states = {"p": msgspec.structs.replace(state(9), watch=watching), "q": state(9, "q")}
    written = owner.commit(Batch(tokens=[*others, *mine], states=states), Floors())
    rebuilt = load_memories(events, SHARD)
    assert rebuilt["p"].tokens == tuple(mine)
    assert rebuilt["p"].token_ids == written.tokens[-2:]
    assert (set(rebuilt), rebuilt["q"].tokens) == ({"p", "q"}, ())


def test_the_ids_of_the_contexts_come_back_in_order(events: redis.Redis) -> None:
    contexts = [context(number) for number in range(5)]
    batch = Batch(contexts=contexts, scores=[scores(0)], states={"p": state(4)})
    ids = ShardOwner(events, SHARD).commit(batch, Floors("0-1", "0-1")).contexts
    rows = events.xrange(key("context", SHARD))
    assert [entry_id.decode() for entry_id, _ in rows] == ids
    assert [decode(fields[DATA], Context) for _, fields in rows] == contexts


def take(owner: ShardOwner, memories: dict[str, PrinterMemory], contexts: Sequence[Context]) -> None:
    """What the worker does with windows that were judged."""
    batch = Batch(contexts=list(contexts))
    for one in contexts:
        memory = memories.setdefault(one.window.printer, PrinterMemory(one.window.printer))
        memory.history.push(one.window)
        memory.state = batch.states[memory.state.printer] = state(
            one.window.index - FIRST, memory.state.printer
        )
    written = owner.commit(batch, floors_of(memories))
    for one, context_id in zip(contexts, written.contexts, strict=True):
        memories[one.window.printer].remember(context_id)


def assert_same_memory(found: PrinterMemory, expected: PrinterMemory) -> None:
    assert found.state == expected.state
    assert found.last_index == expected.last_index
    assert list(found.history.windows) == list(expected.history.windows)
    for channel in CHANNELS:
        for one, other in zip(found.history.series(channel), expected.history.series(channel), strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_context_is_trimmed_to_the_horizon_of_the_printer(events: redis.Redis) -> None:
    owner, memories = ShardOwner(events, SHARD), dict[str, PrinterMemory]()
    for number in range(2 * HORIZON):
        needed = floors_of(memories).context
        take(owner, memories, [context(number)])
    assert events.xlen(key("context", SHARD)) == HORIZON + 1  # the oldest goes with the next commit
    assert events.xinfo_stream(key("context", SHARD))["first-entry"][0].decode() == needed


def test_the_context_that_another_printer_needs_is_kept(events: redis.Redis) -> None:
    owner, memories = ShardOwner(events, SHARD), dict[str, PrinterMemory]()
    take(owner, memories, [context(0, "q")])
    for number in range(2 * HORIZON):
        take(owner, memories, [context(number)])
    assert events.xlen(key("context", SHARD)) == 1 + 2 * HORIZON
    assert floors_of(memories).context == memories["q"].context_ids[0]
    assert_same_memory(load_memories(events, SHARD)["q"], memories["q"])


@pytest.mark.parametrize("size", [1, 7, 50])
def test_a_rebuild_gives_every_printer_as_it_was_in_memory(events: redis.Redis, size: int) -> None:
    owner, memories = ShardOwner(events, SHARD), dict[str, PrinterMemory]()
    told = [context(n, p) for n in range(HORIZON + 60) for p in ("p", "q") if p == "p" or 30 < n < 90]
    for at in range(0, len(told), size):
        take(owner, memories, told[at : at + size])
    rebuilt = load_memories(events, SHARD)
    assert set(rebuilt) == {"p", "q"}
    for printer, memory in rebuilt.items():
        assert_same_memory(memory, memories[printer])
        assert memory.context_ids == memories[printer].context_ids


def test_a_shard_without_a_past_has_no_memories(events: redis.Redis) -> None:
    assert load_memories(events, SHARD) == {}
    assert floors_of({}) == Floors()
    assert floors_of({"p": PrinterMemory("p")}) == Floors()


def test_a_state_of_a_newer_version_is_refused_with_what_to_do(events: redis.Redis) -> None:
    newer = msgspec.structs.replace(state(0), version=2)
    events.hset(key("state", SHARD), "p", encode(newer))
    expected = (
        r"state of p: .*found version 2, expected at most 1.*update this.*remove the key nw:state:\{3\}"
    )
    with pytest.raises(RecordError, match=expected):
        load_memories(events, SHARD)


def test_a_context_of_a_newer_version_is_refused_with_what_to_do(events: redis.Redis) -> None:
    newer = msgspec.structs.replace(context(0), version=2)
    events.xadd(key("context", SHARD), {DATA: encode(newer)})
    with pytest.raises(RecordError, match=r"Context: found version 2, expected at most 1.*update this one"):
        load_memories(events, SHARD)
