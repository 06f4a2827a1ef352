"""What the network remembers of a print and what it looks at: tokens, pictures, and nothing of others."""

from __future__ import annotations

import pytest

from detector import worker
from detector.anomaly import Anomaly, Scores
from detector.beats import Token
from detector.commit import load_memories
from detector.judge import Judge
from features.beats import BEAT_WINDOWS
from ingest.records import NS_PER_S
from ingest.store import Stores
from ingest.stream import drops, frame_key, key, shard_of
from tests.detector.at_work import SHARDS, feed, jpeg, scene_jpeg, session, told
from tests.detector.small_watch import FIRST_BEAT, SHAPE, small_model, watch
from tests.detector.watching import NEXT_JOB_S, SECONDS, as_job, in_one_session, judging
from tests.detector.windows import printing

pytestmark = pytest.mark.usefixtures("one_thread")


def test_another_print_has_no_past_in_the_network(stores: Stores) -> None:
    feed(stores, as_job(printing(SECONDS), "next", NEXT_JOB_S))
    in_one_session(stores)
    memory = load_memories(stores.events, shard_of("p", SHARDS))["p"]
    first = FIRST_BEAT + NEXT_JOB_S // BEAT_WINDOWS
    assert memory.state.watch is not None
    assert memory.state.watch.first_beat == first
    assert [each.beat for each in memory.tokens] == list(range(first, FIRST_BEAT + SECONDS // BEAT_WINDOWS))
    for one in told(stores, "anomalies", Anomaly):
        if one.job == "next":
            assert one.onset_ns >= first * BEAT_WINDOWS * NS_PER_S


def test_the_tokens_are_trimmed_to_what_the_network_looks_back_on(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "BATCH", 5)
    feed(stores, printing(40 * BEAT_WINDOWS))
    in_one_session(stores)
    shard = shard_of("p", SHARDS)
    assert (
        stores.events.xlen(key("beats", shard)) == SHAPE.horizon + 1
    )  # the oldest goes with the next commit
    memory = load_memories(stores.events, shard)["p"]
    assert [each.beat - FIRST_BEAT for each in memory.tokens] == list(range(39 - SHAPE.horizon, 40))
    assert len(memory.token_ids) == len(memory.tokens)


def test_a_frame_that_has_gone_when_its_beat_closes_is_counted_and_done_without(stores: Stores) -> None:
    windows = printing(2 * BEAT_WINDOWS, frame=lambda second: second in {2, 7})
    one = judging(stores)
    feed(stores, windows[:8], scene_jpeg)
    one.step(1)
    feed(stores, windows, scene_jpeg)
    stores.frames.delete(frame_key(shard_of("p", SHARDS), "p", windows[7].frame.captured_ns))
    one.step(1)
    tokens = told(stores, "beats", Token)
    assert [each.embedding is not None for each in tokens] == [True, False]
    assert [each.frame is not None for each in tokens] == [True, False]
    assert drops(stores.events, range(SHARDS)) == {"frames_lost": 1}


def test_a_picture_that_bears_a_mark_is_not_looked_at(stores: Stores) -> None:
    """Dark from the second beat on; in the third the light is on again, but not in the last picture."""
    dark = jpeg(0)

    def shown(second: int) -> bytes:
        return scene_jpeg(second) if second < BEAT_WINDOWS or second == 12 else dark

    feed(stores, printing(3 * BEAT_WINDOWS, frame=lambda _: True), shown)
    in_one_session(stores)
    scores = told(stores, "scores", Scores)
    assert [one.quality > 0 for one in scores[4::5]] == [False, True, True]
    assert [each.embedding is not None for each in told(stores, "beats", Token)] == [True, False, False]


def test_whether_a_picture_can_be_judged_is_known_after_a_restart(stores: Stores) -> None:
    windows = printing(BEAT_WINDOWS, frame=lambda second: second == 1)
    for upto in (2, 3, 4, 5):
        feed(stores, windows[:upto], scene_jpeg)
        judging(stores).step(1)
    (only,) = told(stores, "beats", Token)
    assert only.frame == windows[1].frame
    assert only.embedding is not None


def test_another_networks_tokens_are_no_past(stores: Stores) -> None:
    windows = printing(4 * BEAT_WINDOWS)
    feed(stores, windows[: 2 * BEAT_WINDOWS])
    in_one_session(stores)
    feed(stores, windows)
    other = watch(small_model(seed=1, sha256="of-another"))
    judging(stores, other).step(1)
    memory = load_memories(stores.events, shard_of("p", SHARDS))["p"]
    assert {each.model for each in memory.tokens} == {"of-another"}
    assert memory.state.watch is not None
    assert memory.state.watch.first_beat == FIRST_BEAT + 2


def test_a_network_that_is_no_more_asked_leaves_nothing_behind(stores: Stores) -> None:
    windows = printing(4 * BEAT_WINDOWS)
    feed(stores, windows[: 2 * BEAT_WINDOWS])
    in_one_session(stores)
    feed(stores, windows)
    session(stores, Judge("m")).step(1)
    memory = load_memories(stores.events, shard_of("p", SHARDS))["p"]
    assert memory.tokens == ()
    assert not any(one.probabilities for one in told(stores, "scores", Scores)[2 * BEAT_WINDOWS :])


def test_kinds_that_are_off_open_nothing(stores: Stores) -> None:
    feed(stores, printing(6 * BEAT_WINDOWS))
    none = watch(kinds=())
    judging(stores, none).step(1)
    assert told(stores, "anomalies", Anomaly) == []
    assert told(stores, "scores", Scores)[4].probabilities
