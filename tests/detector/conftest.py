"""Fixtures that several files of the detector's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from ingest.store import Stores
from ingest.stream import ensure_groups
from tests.detector.committed import SHARD


@pytest.fixture(name="events")
def _events(stores: Stores) -> Iterator[redis.Redis]:
    """The event store with room for everything again, whatever the test took away."""
    ensure_groups(stores.events, [SHARD])
    yield stores.events
    stores.events.config_set("maxmemory", 0)
