"""The clock of a source against ours."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from ingest.offsets import OffsetEstimator
from ingest.records import NS_PER_S

MS = 1_000_000
START_NS = 1_700_000_000 * NS_PER_S


def arrivals(offset_ns: int, seconds: int, seed: int = 1, rate: int = 4) -> list[tuple[int, int, int]]:
    """(true time, stamp, arrival) of items that take 5 to 300 ms, most of them little."""
    chance = random.Random(seed)
    told, last = [], 0
    for number in range(rate * seconds):
        true_ns = START_NS + number * NS_PER_S // rate
        way_ns = int(5 * MS + min(chance.expovariate(1 / 40), 300) * MS)
        last = max(last, true_ns + way_ns)
        told.append((true_ns, true_ns - offset_ns, last))
    return told


def test_items_are_placed_where_they_happened_whatever_the_sources_clock_says() -> None:
    for offset_ns in (0, 90 * 60 * NS_PER_S, -3 * NS_PER_S, START_NS):
        clock = OffsetEstimator()
        placed = [(true, clock.at_ns(stamp, came)) for true, stamp, came in arrivals(offset_ns, 120)]
        errors_ms = [abs(at - true) / MS for true, at in placed[40:]]
        assert max(errors_ms) < 20
        assert 20 < clock.jitter_ns / MS < 80


def test_a_drifting_clock_is_followed() -> None:
    clock, errors_ms = OffsetEstimator(), []
    for true, _, came in arrivals(0, 1200):
        stamp = true + (true - START_NS) // 10_000  # 100 ppm fast
        errors_ms.append(abs(clock.at_ns(stamp, came) - true) / MS)
    assert max(errors_ms[40:]) < 25


def test_a_clock_that_is_set_back_is_followed_after_a_few_items_and_forward_at_once() -> None:
    for set_by_ns in (-3600 * NS_PER_S, 3600 * NS_PER_S):
        clock = OffsetEstimator()
        told = arrivals(0, 60)
        for number, (true, stamp, came) in enumerate(told):
            at = clock.at_ns(stamp + (set_by_ns if number >= 120 else 0), came)
            if number >= 132:
                assert abs(at - true) < 200 * MS
        assert clock.jumps == 1


def test_a_network_that_stood_still_is_no_clock_that_was_set() -> None:
    clock = OffsetEstimator()
    for true, stamp, came in arrivals(0, 60, rate=30):
        stood_still = START_NS + 20 * NS_PER_S <= true < START_NS + 30 * NS_PER_S
        arrival = max(came, START_NS + 30 * NS_PER_S) if stood_still else came
        at = clock.at_ns(stamp, arrival)
        assert abs(at - true) < 320 * MS
    assert clock.jumps == 0


@given(st.lists(st.tuples(st.integers(-(2**62), 2**62), st.integers(0, 10**12)), max_size=60))
def test_times_never_run_backwards_and_never_lie_ahead(items: list[tuple[int, int]]) -> None:
    clock, now, last = OffsetEstimator(), START_NS, 0
    for stamp, step in items:
        now += step
        at = clock.at_ns(stamp, now)
        assert last <= at <= now
        last = at
