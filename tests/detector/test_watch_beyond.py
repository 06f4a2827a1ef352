"""The detector at work with pictures against their own past: what is told, and the same over restarts."""

from __future__ import annotations

from functools import partial

import pytest

from detector.anomaly import Anomaly, State
from detector.commit import load_memories
from detector.model.kinds import KINDS, VISUAL
from detector.senses import CAMERA
from detector.watch import BEYOND
from ingest.store import EmbeddedStores, Stores
from ingest.stream import shard_of
from tests.detector.at_work import SHARDS, dead_letters, feed, told
from tests.detector.small_watch import small_model, watch
from tests.detector.watching import judging, picture
from tests.detector.windows import printing

pytestmark = pytest.mark.usefixtures("one_thread")

SECONDS = 150
quiet = partial(small_model, 2, threshold=0.999999, temperatures=(1.0,) * (1 + len(KINDS)))
"""A network that is never sure; the light that changes lifts the peaks of its random map."""


def at_work(stores: Stores, beyond: float | None, *, restarts: bool = False) -> list[Anomaly]:
    feed(stores, printing(SECONDS, frame=lambda _: True), picture)
    one = judging(stores, watch(quiet(beyond=beyond)))
    one.recover()
    while one.step(1):
        if restarts:
            one = judging(stores, watch(quiet(beyond=beyond)))
    assert dead_letters(stores) == []
    return [one for one in told(stores, "anomalies", Anomaly) if one.kind in KINDS]


def test_an_alarm_says_that_it_rests_on_the_last_minutes_pictures(stores: Stores) -> None:
    opened = [one for one in at_work(stores, 1.0) if one.state is State.OPENED]
    assert [one.kind in VISUAL for one in opened] == [True]
    assert opened[0].text.endswith(f"): {BEYOND}")
    assert opened[0].evidence.channels == {CAMERA: 1.0}
    assert len(opened[0].evidence.frames) == 3


def test_without_a_limit_nothing_is_told_of_them(stores: Stores) -> None:
    assert at_work(stores, None) == []


def test_over_restarts_the_same_is_told(
    stores: Stores, embedded: EmbeddedStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detector.worker.BATCH", 37)
    whole = at_work(stores, 1.0)
    assert whole
    looks = _looks(stores)
    stores.events.flushall()
    stores.frames.flushall()
    assert at_work(stores, 1.0, restarts=True) == whole
    assert _looks(stores) == looks


def _looks(stores: Stores) -> object:
    state = load_memories(stores.events, shard_of("p", SHARDS))["p"].state.watch
    assert state is not None
    return state.evidence.looks
