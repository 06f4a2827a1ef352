"""A commit whose connection breaks: the outcome is not known, and nobody is accused of having taken over."""

from __future__ import annotations

from collections import Counter

import pytest
from redis.client import Pipeline

from detector.commit import Batch, Floors, ShardOwner
from ingest.errors import StoreUnreachable
from ingest.store import EmbeddedStores, Stores, open_stores
from ingest.stream import drops

SHARD = 3


@pytest.mark.parametrize("after", ["the fence was watched", "the commands were queued"])
def test_a_connection_that_is_lost_in_a_commit_is_not_taken_for_a_fence(
    stores: Stores, embedded: EmbeddedStores, monkeypatch: pytest.MonkeyPatch, after: str
) -> None:
    owner, batch = ShardOwner(stores.events, SHARD), Batch(drops=Counter(tried=1))
    cutter = open_stores(embedded.urls()).events
    target, name = (Pipeline, "watch") if after == "the fence was watched" else (ShardOwner, "_queue")
    original = getattr(target, name)

    def cut(*arguments: object) -> object:
        done = original(*arguments)
        cutter.client_kill_filter(_type="normal", skipme=True)
        return done

    monkeypatch.setattr(target, name, cut)
    with pytest.raises(StoreUnreachable, match="connection was lost"):
        owner.commit(batch, Floors())
    monkeypatch.undo()
    cutter.close()
    owner.commit(batch, Floors())
    assert drops(stores.events, [SHARD]) == {"tried": 1}
