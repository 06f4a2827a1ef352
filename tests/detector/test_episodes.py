"""How probabilities become anomalies that open, grow and close."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.anomaly import BLIND, Anomaly, Box, Kind, Reason, State, anomaly_id
from detector.episodes import POLICIES, Episode, KindPolicy, Phase, advance, finish
from ingest.records import NS_PER_S, FrameRef, decode, encode

POLICY = KindPolicy(
    open_at=0.6,
    certain_at=0.95,
    close_below=0.4,
    min_windows=2,
    within_s=5.0,
    close_after_s=10.0,
    cooldown_s=20.0,
)
KIND = Kind.HEATER_FAULT


def reason(probability: float, index: int, since: float | None = None) -> Reason:
    began = index if since is None else since
    frame = FrameRef(camera="c", captured_ns=index * NS_PER_S, width=1, height=1)
    return Reason(KIND, probability, round(began * NS_PER_S), f"p {probability}", {"hotend_c": 1.0}, frame)


class Follower:
    """Folds windows into an episode; through bytes after every step where asked to."""

    def __init__(self, *, through_bytes: bool = False) -> None:
        self.episode: Episode | None = None
        self.said: list[Anomaly] = []
        self._through_bytes = through_bytes

    def take(self, index: int, why: Reason | None, job: str = "j") -> tuple[Anomaly, ...]:
        self.episode, said = advance(
            self.episode,
            why,
            printer="p",
            job=job,
            kind=KIND,
            window_index=index,
            span_ns=NS_PER_S,
            model="m",
            policy=POLICY,
        )
        if self._through_bytes and self.episode is not None:
            self.episode = decode(encode(self.episode), Episode)
        self.said += said
        return said

    def feed(self, probabilities: Mapping[int, float], until: int, job: str = "j") -> Follower:
        for index in range(until):
            self.take(index, reason(probabilities[index], index) if index in probabilities else None, job)
        return self


def steps(said: Iterable[Anomaly]) -> list[tuple[str, int, int]]:
    """State, revision and window of each."""
    return [(a.state.value, a.revision, a.at_ns // NS_PER_S - 1) for a in said]


def test_one_window_of_evidence_opens_nothing() -> None:
    follower = Follower().feed({3: 0.8}, 30)
    assert follower.said == []
    assert follower.episode is None, "nothing is left to remember"


def test_two_windows_of_evidence_open_once() -> None:
    follower = Follower().feed({3: 0.8, 5: 0.7, 6: 0.7}, 8)
    assert steps(follower.said) == [("opened", 1, 5)]
    opened = follower.said[0]
    assert (opened.onset_ns, opened.detected_ns) == (3 * NS_PER_S, 6 * NS_PER_S)
    assert opened.id == anomaly_id("p", "j", KIND, 3)
    assert (opened.severity, opened.score) == (0.8, 0.7)


def test_evidence_too_far_apart_does_not_add_up() -> None:
    assert Follower().feed({3: 0.8, 9: 0.8}, 30).said == []


def test_one_certain_window_opens_at_once() -> None:
    assert steps(Follower().feed({3: 0.97}, 4).said) == [("opened", 1, 3)]


def test_the_onset_is_where_the_first_window_says_it_began() -> None:
    follower = Follower()
    follower.take(100, reason(0.7, 100, since=92.5))
    (opened,) = follower.take(101, reason(0.8, 101, since=80.0))
    assert opened.onset_ns == round(92.5 * NS_PER_S)
    assert opened.id == anomaly_id("p", "j", KIND, 92)


def test_a_reason_that_looks_ahead_begins_within_its_window() -> None:
    (opened,) = Follower().take(100, reason(1.0, 100, since=107.0))
    assert opened.onset_ns < opened.detected_ns


def test_an_open_anomaly_is_held_by_weak_windows_and_closed_after_a_quiet_time() -> None:
    follower = Follower().feed({3: 0.97, 12: 0.45, 15: 0.3}, 40)
    assert steps(follower.said) == [("opened", 1, 3), ("closed", 2, 22)]
    assert follower.said[-1].severity == 0.97


def test_growth_is_told_but_not_with_every_window() -> None:
    grows = {3: 0.7, 4: 0.7, 5: 0.75, 6: 0.85, 7: 0.9, 8: 0.9, 9: 0.9, 10: 0.97, 20: 1.0}
    said = Follower().feed(grows, 22).said
    assert steps(said) == [("opened", 1, 4), ("updated", 2, 9), ("updated", 3, 20)]
    assert [a.severity for a in said] == [0.7, 0.9, 1.0]
    assert said[2].text == "p 1.0"
    assert len({a.id for a in said}) == 1


def test_what_grew_between_two_tellings_is_told_with_the_next_window_that_holds() -> None:
    said = Follower().feed({3: 0.7, 4: 0.7, 6: 0.9, 9: 0.5}, 12).said
    assert [(a.severity, a.score) for a in said] == [(0.7, 0.7), (0.9, 0.5)]


def test_the_frames_behind_it_are_kept_but_not_all_of_them() -> None:
    said = Follower().feed({n: 0.6 + n / 50 for n in range(18)}, 60).said
    frames = [frame.captured_ns // NS_PER_S for frame in said[-1].evidence.frames]
    assert frames == [1, 15, 16, 17]


def test_a_flicker_within_the_cooldown_is_no_second_alert() -> None:
    follower = Follower().feed({3: 0.97, 15: 0.8, 16: 0.8, 20: 0.8, 21: 0.8}, 32)
    assert steps(follower.said) == [("opened", 1, 3), ("closed", 2, 13)]
    assert follower.episode is not None
    assert follower.episode.phase is Phase.COOLING


def test_certainty_breaks_the_cooldown() -> None:
    follower = Follower().feed({3: 0.97, 20: 0.99}, 22)
    assert steps(follower.said)[2:] == [("opened", 1, 20)]


def test_after_the_cooldown_it_may_open_again_and_not_before_the_last_one_ended() -> None:
    follower = Follower().feed({3: 0.97}, 40)
    for index in (40, 41):
        follower.take(index, reason(0.8, index, since=2.0))
    assert steps(follower.said)[2:] == [("opened", 1, 41)]
    assert follower.said[2].onset_ns == follower.said[1].at_ns == 14 * NS_PER_S


def test_a_gap_counts_as_windows_without_a_reason() -> None:
    follower = Follower()
    follower.take(3, reason(0.97, 3))
    follower.take(500, None)
    assert steps(follower.said) == [("opened", 1, 3), ("closed", 2, 13)]


def test_after_a_gap_the_old_one_closes_and_a_certain_new_one_opens_in_one_step() -> None:
    follower = Follower()
    follower.take(3, reason(0.97, 3))
    said = follower.take(500, reason(0.97, 500))
    assert steps(said) == [("closed", 2, 13), ("opened", 1, 500)]
    assert said[0].id != said[1].id


def test_a_window_that_was_folded_in_already_changes_nothing() -> None:
    follower = Follower().feed({3: 0.97}, 6)
    before = follower.episode
    assert follower.take(5, reason(1.0, 5)) == ()
    assert follower.episode == before


def test_a_new_job_closes_what_the_old_one_left_open_at_its_last_window() -> None:
    follower = Follower().feed({3: 0.97}, 8)
    said = follower.take(50, reason(0.97, 50, since=4.0), job="next")
    assert steps(said) == [("closed", 2, 7), ("opened", 1, 50)]
    assert [a.job for a in said] == ["j", "next"]
    assert said[1].onset_ns == 8 * NS_PER_S


def test_a_new_job_knows_no_cooldown() -> None:
    follower = Follower().feed({3: 0.97}, 15)
    follower.take(16, reason(0.8, 16), job="next")
    assert steps(follower.take(17, reason(0.8, 17), job="next")) == [("opened", 1, 17)]


def test_the_end_of_a_job_closes_what_is_open() -> None:
    follower = Follower().feed({3: 0.97}, 8)
    episode, closed = finish(follower.episode, model="m")
    assert steps(closed) == [("closed", 2, 7)]
    assert finish(episode, model="m")[1] == ()
    assert finish(None, model="m") == (None, ())


def test_every_kind_has_a_policy_and_the_blind_ones_their_own() -> None:
    assert set(POLICIES) == set(Kind)
    seeing = {id(policy) for kind, policy in POLICIES.items() if kind not in BLIND}
    assert not seeing & {id(POLICIES[kind]) for kind in BLIND}


@pytest.mark.parametrize("wrong", [{"close_below": 0.7}, {"open_at": 0.99}, {"min_windows": 0}])
def test_a_policy_that_contradicts_itself_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="found"):
        KindPolicy(**wrong)


Sequences = st.lists(
    st.tuples(
        st.one_of(st.integers(1, 3), st.integers(1, 40)),  # windows since the last call
        st.one_of(st.none(), st.sampled_from([0.1, 0.45, 0.6, 0.72, 0.85, 0.95, 1.0])),
        st.integers(0, 30),  # how many seconds the reason reaches back
        st.booleans(),  # whether a new job begins, now and then
        st.booleans(),
    ),
    max_size=60,
)


def followed(sequence: list[tuple[int, float | None, int, bool, bool]], follower: Follower) -> list[Anomaly]:
    index = job = 0
    for ahead, probability, back, new, really in sequence:
        index += ahead
        job += new and really and not back
        why = None if probability is None else reason(probability, index, max(0, index - back))
        follower.take(index, why, f"job {job}")
    return follower.said


@given(Sequences)
def test_revisions_run_in_order_one_at_a_time_and_ids_are_unique(sequence: Any) -> None:
    running: Anomaly | None = None
    ids: set[str] = set()
    ended_ns = at_ns = 0
    for said in followed(sequence, Follower()):
        assert said.at_ns >= at_ns
        at_ns = said.at_ns
        if running is None:
            assert (said.state, said.revision) == (State.OPENED, 1)
            assert said.id not in ids
            assert ended_ns <= said.onset_ns < said.detected_ns
        else:
            assert said.state in (State.UPDATED, State.CLOSED)
            assert (said.id, said.revision) == (running.id, running.revision + 1)
            assert said.severity >= running.severity
        ids.add(said.id)
        if said.state is State.CLOSED:
            running, ended_ns = None, said.at_ns
        else:
            running = said


@given(Sequences)
def test_it_goes_on_from_bytes_as_if_it_had_never_stopped(sequence: Any) -> None:
    assert followed(sequence, Follower(through_bytes=True)) == followed(sequence, Follower())


@given(Sequences)
def test_windows_without_a_reason_need_no_call(sequence: Any) -> None:
    """Time passes by index: leaving out the calls without a reason tells the same, only later."""
    every, some = Follower(), Follower()
    index = 0
    for ahead, probability, back, _, _ in sequence:
        for skipped in range(index + 1, index + ahead):
            every.take(skipped, None)
        index += ahead
        why = None if probability is None else reason(probability, index, max(0, index - back))
        every.take(index, why)
        if why is not None:
            some.take(index, why)
    for follower in (every, some):
        follower.take(index + 100, None)
    assert every.said == some.said


def test_what_was_weighed_over_several_beats_opens_at_once() -> None:
    follower = Follower()
    follower.take(3, reason(0.59, 3)._replace(weighed=True))
    assert follower.said == []
    follower.take(4, reason(0.6, 4, since=1)._replace(weighed=True))
    assert steps(follower.said) == [("opened", 1, 4)]
    assert follower.said[0].onset_ns == NS_PER_S


def test_what_was_weighed_waits_for_the_cooldown_as_all_that_is_not_certain() -> None:
    follower = Follower()
    for index in (3, *range(20, 40)):
        follower.take(index, reason(0.8, index)._replace(weighed=True))
    assert steps(follower.said) == [("opened", 1, 3), ("closed", 2, 13), ("opened", 1, 34)]


def test_earlier_frames_and_boxes_of_a_reason_are_kept_and_those_of_a_firmer_one_replace_them() -> None:
    first, second, third = (reason(0.7, index).frame for index in (1, 2, 9))
    box = Box(0.1, 0.2, 0.3, 0.4)
    follower = Follower()
    follower.take(3, reason(0.7, 2)._replace(weighed=True, earlier=(first,), boxes=(box,)))
    opened = follower.said[0]
    assert (opened.evidence.frames, opened.boxes) == ((first, second), (box,))
    follower.take(9, reason(0.9, 9)._replace(weighed=True, earlier=(second,), boxes=(box, box)))
    assert (follower.said[1].evidence.frames, follower.said[1].boxes) == ((first, second, third), (box, box))
    follower.take(20, None)
    assert follower.said[2].boxes == (box, box)
