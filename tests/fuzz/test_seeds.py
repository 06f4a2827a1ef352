"""The fuzzing targets at work on what they begin with, and on what Hypothesis thinks of."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_takes_its_seeds_and_all_their_beginnings(name: str) -> None:
    for seed in TARGETS[name].seeds():
        for end in range(0, len(seed) + 1, max(1, len(seed) // 50)):
            TARGETS[name].work(seed[:end])


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_target_crashes_on_mutated_seeds(name: str, data: st.DataObject) -> None:
    seed = bytearray(data.draw(st.sampled_from(TARGETS[name].seeds()), label="seed"))
    for at, byte in data.draw(
        st.lists(st.tuples(st.integers(0, len(seed) - 1), st.integers(0, 255)), max_size=8), label="bytes"
    ):
        seed[at] = byte
    TARGETS[name].work(bytes(seed))
