from __future__ import annotations

from ingest.clock import AnchoredClock, SteadyStamps
from ingest.records import NS_PER_S


def test_a_machine_clock_that_is_set_does_not_move_the_anchored_one() -> None:
    utc, monotonic = [1_000], [50]
    clock = AnchoredClock(lambda: utc[0], lambda: monotonic[0])
    assert clock.now_ns() == 1_000
    utc[0] = 5  # set back
    monotonic[0] = 80
    assert clock.now_ns() == 1_030


def test_recorded_stamps_that_jump_back_go_on_from_where_they_were() -> None:
    stamps = SteadyStamps()
    hour = 3600 * NS_PER_S
    assert stamps.steady(2 * hour) == 2 * hour
    assert stamps.steady(hour) == 2 * hour  # set back by an hour
    assert stamps.steady(hour + 7) == 2 * hour + 7
    assert stamps.jumps == 1


def test_a_little_jitter_backwards_stands_still_and_is_no_jump() -> None:
    stamps = SteadyStamps()
    assert [stamps.steady(at) for at in (100, 90, 110)] == [100, 100, 110]
    assert stamps.jumps == 0
