"""Which pictures of a video are kept, and when they were taken: pure logic on made-up stamps."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.cameras.decoding.pace import KeyframeChoice, Pace, Stamps
from ingest.records import NS_PER_S

UNIT = Fraction(1, 90_000)
MS = 1_000_000
START_NS = 1_700_000_000 * NS_PER_S


def kept(fps: float, stamps_ms: list[float]) -> list[float]:
    pace = Pace(fps)
    return [stamp for stamp in stamps_ms if pace.due(round(stamp * MS))]


def test_one_picture_per_period_is_kept() -> None:
    assert kept(1, [n * 1000 / 15 for n in range(46)]) == [0, 1000, 2000, 3000]
    assert kept(0.5, [n * 500 for n in range(10)]) == [0, 2000, 4000]


def test_a_rate_above_the_videos_own_keeps_every_picture() -> None:
    assert kept(100, [0, 40, 80, 120]) == [0, 40, 80, 120]


@given(st.floats(0.2, 30), st.integers(1, 60))
def test_the_rate_is_never_above_the_asked_one(fps: float, own: int) -> None:
    seconds = 60
    count = len(kept(fps, [n * 1000 / own for n in range(own * seconds)]))
    assert count <= fps * seconds + 2
    assert count >= min(fps, own) * seconds * 0.6


def test_stamps_that_begin_anew_stop_nothing() -> None:
    assert kept(1, [90_000, 91_000, 0, 1000, 2000]) == [90_000, 91_000, 0, 1000, 2000]


def choice_after(asked: str, *gaps_s: float) -> KeyframeChoice:
    choice = KeyframeChoice(asked, NS_PER_S)
    stamp_ns = 0
    choice.keyframe(stamp_ns)
    for gap_s in gaps_s:
        stamp_ns += round(gap_s * NS_PER_S)
        choice.keyframe(stamp_ns)
    return choice


@pytest.mark.parametrize(
    ("gaps_s", "alone"),
    [
        ((1.0, 1.0), False),  # too early to tell
        ((1.0, 1.0, 1.0), True),
        ((1.05, 0.4, 1.0), True),
        ((2.0, 2.0, 2.0), False),
        ((1.0, 1.0, 1.0, 4.0), False),  # a camera that saves key frames while nothing moves
        ((1.0, 4.0, 1.0, 1.0, 1.0), True),
        ((1.0, 1.0, -5.0), False),
    ],
)
def test_key_frames_are_enough_where_they_come_often(gaps_s: tuple[float, ...], alone: bool) -> None:
    assert choice_after("auto", *gaps_s).keyframes_only is alone


def test_what_the_user_says_stays() -> None:
    assert choice_after("keyframes", 9.0).keyframes_only
    assert not choice_after("all", 0.1, 0.1, 0.1, 0.1).keyframes_only


def arrive(stamps: Stamps, seconds: float, arrival_s: float) -> int:
    pts = round(seconds / UNIT)
    arrival_ns = START_NS + round(arrival_s * NS_PER_S)
    stamps.arrived(pts, arrival_ns)
    stamp_ns = stamps.stamp_ns(pts, arrival_ns)
    assert stamp_ns is not None
    return stamp_ns


def test_what_came_in_a_burst_is_dated_by_what_came_after_it() -> None:
    stamps = Stamps(UNIT)
    first_ns = arrive(stamps, 0.0, 1.8)
    for number in range(1, 19):  # 1.8 s of video at once, then live with 50 ms on the way
        arrive(stamps, number / 10, 1.8 + number / 1000)
        assert not stamps.settled
    for number in range(19, 23):
        arrive(stamps, number / 10, number / 10 + 0.05)
    assert stamps.settled
    assert (stamps.at_ns(first_ns) - START_NS) / NS_PER_S == pytest.approx(0.018, abs=0.001)


def test_a_slow_camera_is_settled_at_its_second_picture() -> None:
    stamps = Stamps(UNIT)
    arrive(stamps, 0.0, 0.0)
    arrive(stamps, 1.0, 1.0)
    assert stamps.settled


def test_a_stream_whose_packets_only_ever_come_earlier_settles_all_the_same() -> None:
    stamps = Stamps(UNIT)
    for number in range(32):
        arrive(stamps, number * 0.15, number * 0.1)
    assert stamps.settled


def test_times_never_stand_still() -> None:
    stamps = Stamps(UNIT)
    stamp_ns = arrive(stamps, 1.0, 1.0)
    assert stamps.at_ns(stamp_ns) < stamps.at_ns(stamp_ns) < stamps.at_ns(stamp_ns - NS_PER_S)


def test_a_video_without_stamps_is_as_old_as_its_arrival() -> None:
    stamps = Stamps(None)
    for number in range(3):
        stamps.arrived(None, START_NS + number * NS_PER_S)
    assert stamps.settled
    assert stamps.stamp_ns(None, START_NS) == START_NS
    assert stamps.at_ns(START_NS + 5) == START_NS + 5


def test_a_packet_without_a_stamp_has_no_time() -> None:
    stamps = Stamps(UNIT)
    stamps.arrived(None, START_NS)
    assert stamps.stamp_ns(None, START_NS) is None
