"""The detector with a network on real stores: the same alarms over restarts, whatever sense is missing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from detector import worker
from detector.__main__ import build_worker
from detector.anomaly import Anomaly, Kind, Scores, State
from detector.beats import Because, Token
from detector.commit import load_memories
from detector.judge import Judge
from detector.model.build import VERSION
from detector.model.kinds import KINDS
from detector.model.watch_model import save_watch_model
from detector.settings import DetectorSettings, load_settings
from detector.verdict import Verdict
from detector.watch import WORDS, Watch, reason_of
from features.beats import BEAT_WINDOWS
from ingest.records import NS_PER_S, Health, Mark, Status, Window, decode
from ingest.stage import STATUS_KEY
from ingest.store import EmbeddedStores, Stores, open_stores
from ingest.stream import drops, frame_key, key, shard_of
from tests.detector.at_work import (
    SHARDS,
    Loader,
    dead_letters,
    feed,
    jpeg,
    of,
    scene_jpeg,
    session,
    told,
    unfinished,
)
from tests.detector.small_watch import FIRST_BEAT, SHAPE, small_model, token, watch
from tests.detector.test_worker_restarts import Source
from tests.detector.windows import FIRST, printing

SECONDS = 100
CHANGED_AT_S, NEXT_JOB_S = 40, 70
MODEL = "of-tiny-1"


pytestmark = pytest.mark.usefixtures("one_thread")


def as_job(windows: Sequence[Window], job: str, from_s: int) -> list[Window]:
    """The windows from a second on are of another print."""
    return [
        msgspec.structs.replace(window, job=job) if window.index - FIRST >= from_s else window
        for window in windows
    ]


def prints() -> list[Window]:
    """Both senses and a second print; a slow camera; none; no telemetry; no print running in between."""

    def idle(second: float) -> Mark:
        return Mark.IDLE if 30 <= second < 52 else Mark.NONE

    printers = (
        as_job(of("both", printing(SECONDS, frame=lambda _: True)), "next", NEXT_JOB_S),
        of("slow", printing(SECONDS, frame=lambda second: second % 5 == 2)),
        of("blind", printing(SECONDS, hotend_power=lambda t: 0.4 + 0.004 * t)),
        of("mute", printing(SECONDS, frame=lambda _: True, telemetry=lambda _: False)),
        of("pausing", printing(SECONDS, frame=lambda _: True, marks=idle)),
    )
    return [window for second in zip(*printers, strict=True) for window in second]


def picture(second: int) -> bytes:
    return scene_jpeg(second, lit=second >= CHANGED_AT_S)


def judging(stores: Stores, watching: Watch | None = None) -> worker.Session:
    return session(stores, Judge("tiny-1"), watch=watching or watch())


def in_one_session(stores: Stores) -> None:
    one = judging(stores)
    while one.step(1):
        pass


def in_many_sessions(stores: Stores) -> None:
    while True:
        one = judging(stores)
        one.recover()
        if not one.step(1):
            return


def in_many_sessions_of_one_process(stores: Stores) -> None:
    """As after outages of the store: the networks stay, everything else is begun anew."""
    watching = watch()
    while True:
        one = judging(stores, watching)
        one.recover()
        if not one.step(1):
            return


Said = tuple[list[Scores], list[Anomaly], list[Token]]


def said(stores: Stores) -> Said:
    """Scores, anomalies, and the tokens that are left."""
    return told(stores, "scores", Scores), told(stores, "anomalies", Anomaly), told(stores, "beats", Token)


@pytest.fixture(scope="module", name="expected")
def _expected(embedded: EmbeddedStores) -> Said:
    """What one session says that never stops and takes all at once."""
    stores = open_stores(embedded.urls())
    stores.events.flushall()
    feed(stores, prints(), picture)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(worker, "BATCH", 10_000)
        in_one_session(stores)
    found = said(stores)
    stores.close()
    return found


def beats_of(tokens: Sequence[Token], printer: str) -> list[Token]:
    return [each for each in tokens if each.printer == printer]


def test_the_prints_give_something_to_compare(expected: Said) -> None:
    scores, anomalies, tokens = expected
    assert len(scores) == 5 * SECONDS
    by_network = [one for one in anomalies if one.kind in KINDS and one.text.startswith("it looks as if")]
    assert len({one.kind for one in by_network}) > 1
    assert {one.printer for one in by_network} == {"both", "slow", "blind", "mute", "pausing"}
    assert {one.state for one in by_network} == {State.OPENED, State.UPDATED, State.CLOSED}
    assert {one.model for one in by_network} == {"tiny-1"}
    assert len(beats_of(tokens, "both")) == SECONDS // BEAT_WINDOWS


@pytest.mark.parametrize(
    ("work", "size"),
    [
        (in_one_session, 3),
        (in_many_sessions, 7),
        (in_many_sessions, 40),
        (in_many_sessions_of_one_process, 25),
    ],
)
def test_scores_alarms_and_ids_do_not_depend_on_batches_and_restarts(
    stores: Stores,
    expected: Said,
    monkeypatch: pytest.MonkeyPatch,
    work: Callable[[Stores], None],
    size: int,
) -> None:
    monkeypatch.setattr(worker, "BATCH", size)
    feed(stores, prints(), picture)
    work(stores)
    scores, anomalies, tokens = said(stores)
    assert anomalies == expected[1]
    assert scores == expected[0]
    assert all(each in expected[2] for each in tokens)  # what no printer needs any more has been trimmed
    assert tokens[-1].beat == expected[2][-1].beat
    assert dead_letters(stores) == []


def test_a_beat_is_scored_at_the_window_that_closes_it_and_not_repeated(expected: Said) -> None:
    for one in expected[0]:
        closes = one.index % BEAT_WINDOWS == BEAT_WINDOWS - 1
        if not closes:
            assert not set(one.probabilities) & set(KINDS)
    closing = [one for one in expected[0] if one.printer == "blind" and one.probabilities]
    assert len(closing) == SECONDS // BEAT_WINDOWS
    assert all(sum(one.probabilities.values()) <= 1.0 + 1e-9 for one in closing)


def test_a_slow_cameras_picture_is_read_again_when_its_beat_closes(expected: Said) -> None:
    tokens = beats_of(expected[2], "slow")
    assert tokens
    for each in tokens:
        assert each.embedding is not None
        assert each.frame is not None
        assert each.frame.captured_ns // NS_PER_S % BEAT_WINDOWS == 2


def test_without_a_camera_or_without_telemetry_the_other_sense_alone_is_judged(expected: Said) -> None:
    blind, mute = beats_of(expected[2], "blind"), beats_of(expected[2], "mute")
    assert {(each.embedding, each.frame, each.heard) for each in blind} == {(None, None, True)}
    assert {(each.embedding is not None, each.heard) for each in mute} == {(True, False)}
    for one in expected[1]:
        if one.printer == "blind":
            assert (one.evidence.frames, one.boxes) == ((), ())
            assert "seen in" not in one.text


def test_while_no_print_runs_no_beat_is_judged_and_what_follows_begins_anew(expected: Said) -> None:
    beats = [each.beat - FIRST_BEAT for each in beats_of(expected[2], "pausing")]
    assert beats == [0, 1, 2, 3, 4, 5, *range(10, 20)]


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


def test_onsets_lie_a_beat_back_at_least_and_within_the_print(expected: Said) -> None:
    for one in expected[1]:
        if one.text.startswith("it looks as if"):
            assert one.onset_ns <= one.detected_ns - BEAT_WINDOWS * NS_PER_S
            assert one.onset_ns >= FIRST * NS_PER_S


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


def verdict(kind: Kind = Kind.BLOB, beats: tuple[int, ...] = (FIRST_BEAT, FIRST_BEAT + 2)) -> Verdict:
    return Verdict(kind, score=0.93, own=0.71, probability=0.8, enough=True, beats=beats)


def test_a_reason_tells_what_it_looks_like_and_bears_frames_boxes_and_channels() -> None:
    where = np.zeros((13, 13), np.uint8)
    where[0:2, 11:13] = 200
    tokens = [token(0), token(1), token(2, where=where.tobytes()), token(3, where=None, frame=None)]
    because = Because(
        kind=Kind.BLOB, text="seen in the picture of 12:00:00 UTC (100 %)", channels={"camera": 1}
    )
    reason = reason_of(verdict(), because, tokens, 5)
    assert reason.text == (
        "it looks as if a blob of filament sticks to the part or the nozzle "
        "(71 %; that anything fails 93 %): seen in the picture of 12:00:00 UTC (100 %)"
    )
    assert (reason.earlier, reason.frame) == ((tokens[0].frame,), tokens[2].frame)
    ((x, y, width, height),) = reason.boxes
    assert (x, y, width, height) == pytest.approx((11 / 13, 0, 2 / 13, 2 / 13))
    assert (reason.weighed, reason.since_ns, reason.channels) == (True, 5, {"camera": 1})


def test_what_was_explained_of_another_kind_is_not_told_and_telemetry_has_no_place_in_the_picture() -> None:
    where = np.full((13, 13), 255, np.uint8).tobytes()
    because = Because(kind=Kind.BLOB, text="seen", channels={"camera": 1})
    reason = reason_of(verdict(Kind.STALL), because, [token(0, where=where)], 5)
    assert (reason.channels, reason.boxes) == ({}, ())
    assert reason.text.endswith("(71 %; that anything fails 93 %)")


def test_every_kind_has_words() -> None:
    assert set(WORDS) == set(KINDS)


def test_what_opens_is_explained_once_and_keeps_its_explanation(expected: Said) -> None:
    opened = [one for one in expected[1] if one.text.startswith("it looks as if")]
    assert all("): " in one.text for one in opened if one.state is State.OPENED)
    by_id: dict[str, set[str]] = {}
    for one in opened:
        by_id.setdefault(one.id, set()).add(one.text.partition("): ")[2])
    assert all(len(texts) == 1 for texts in by_id.values())


def test_a_loader_that_notes_its_batches_sees_all_printers_together(stores: Stores) -> None:
    feed(stores, prints()[: 5 * BEAT_WINDOWS], picture)
    loader = Loader()
    session(stores, Judge("tiny-1"), loader, watch=watch(loader=loader)).step(1)
    assert loader.together == [5 * BEAT_WINDOWS]
    assert {each.beat for each in told(stores, "beats", Token)} == {FIRST_BEAT}


def farm_with(folder: Path, text: str) -> DetectorSettings:
    path = folder / "farm.toml"
    path.write_text(
        f'{text}\n[[printers]]\nname = "p"\ntelemetry = "serial:/dev/ttyUSB0"\n', encoding="utf-8"
    )
    return load_settings(path)


def status_after(stores: Stores, embedded: EmbeddedStores, settings: DetectorSettings) -> Status:
    """What a detector as it is built for a farm says of itself, after it has judged what is there."""
    detector = build_worker(settings, Source(embedded.urls), (0, 1))
    detector.run(threading.Event(), until=lambda: unfinished(stores) == 0)
    return decode(stores.events.hget(STATUS_KEY, "detector/0"), Status)


def test_a_detector_as_a_farm_file_asks_for_it_tells_its_network(
    stores: Stores, embedded: EmbeddedStores, tmp_path: Path
) -> None:
    save_watch_model(tmp_path / "tiny.safetensors", small_model())
    settings = farm_with(
        tmp_path, f'[farm]\nshards = {SHARDS}\n[detector]\ndevice = "cpu"\nmodel = "tiny.safetensors"'
    )
    feed(stores, printing(3 * BEAT_WINDOWS, frame=lambda _: True), scene_jpeg)
    status = status_after(stores, embedded, settings)
    assert status.detail == f"tiny-1+{VERSION} on cpu"
    assert status.health is Health.OK
    assert [each.embedding is not None for each in told(stores, "beats", Token)] == [True] * 3
    assert told(stores, "anomalies", Anomaly)[0].model == f"tiny-1+{VERSION}"


def test_a_network_does_not_watch_windows_of_another_length_and_this_is_told(
    stores: Stores, embedded: EmbeddedStores, tmp_path: Path
) -> None:
    save_watch_model(tmp_path / "tiny.safetensors", small_model())
    settings = farm_with(
        tmp_path,
        f'[farm]\nshards = {SHARDS}\nspan_s = 0.5\n[detector]\ndevice = "cpu"\nmodel = "tiny.safetensors"',
    )
    feed(stores, printing(BEAT_WINDOWS))
    status = status_after(stores, embedded, settings)
    assert status.detail == f"{VERSION} on cpu, without tiny-1: it is for span_s = 1, not 0.5"
    assert status.health is Health.DEGRADED
    assert told(stores, "beats", Token) == []
