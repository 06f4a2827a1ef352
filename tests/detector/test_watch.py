"""The detector with a network on real stores: the same alarms over restarts, whatever sense is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from detector import worker
from detector.anomaly import Anomaly, Scores, State
from detector.beats import Token
from detector.judge import Judge
from detector.model.kinds import KINDS
from features.beats import BEAT_WINDOWS
from ingest.records import NS_PER_S, Mark, Window
from ingest.store import EmbeddedStores, Stores, open_stores
from tests.detector.at_work import Loader, dead_letters, feed, of, session, told
from tests.detector.small_watch import FIRST_BEAT, watch
from tests.detector.watching import NEXT_JOB_S, SECONDS, as_job, in_one_session, judging, picture
from tests.detector.windows import FIRST, printing

pytestmark = pytest.mark.usefixtures("one_thread")

Said = tuple[list[Scores], list[Anomaly], list[Token]]


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


def test_onsets_lie_a_beat_back_at_least_and_within_the_print(expected: Said) -> None:
    for one in expected[1]:
        if one.text.startswith("it looks as if"):
            assert one.onset_ns <= one.detected_ns - BEAT_WINDOWS * NS_PER_S
            assert one.onset_ns >= FIRST * NS_PER_S


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
