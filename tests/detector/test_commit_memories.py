"""What was committed is enough to begin anew: every printer as it was in memory, and no more is kept."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest
import redis

from detector.beats import WatchState
from detector.commit import IDLE_MS, Batch, Floors, ShardOwner, floors_of, load_memories
from detector.state import HORIZON, Context, PrinterMemory
from ingest.errors import RecordError
from ingest.records import CHANNELS, encode
from ingest.stream import DATA, key
from tests.detector.committed import SHARD, context, state
from tests.detector.small_watch import token
from tests.detector.windows import FIRST


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
