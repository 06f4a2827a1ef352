"""What is said of a picture beside its print's past: the same at work and in training."""

from __future__ import annotations

import msgspec
import numpy as np

from detector.model.frame_network import EMBEDDING_DIM
from detector.model.past import FOLLOWED, SIGHT_DIM, Past, beside_past, sights


def embeddings(count: int) -> np.ndarray[tuple[int, int], np.dtype[np.float16]]:
    return np.random.default_rng(0).normal(0, 1, (count, EMBEDDING_DIM)).astype(np.float16)


def test_a_print_that_never_changes_differs_from_nothing() -> None:
    same = np.repeat(embeddings(1), 5, axis=0)
    found = sights(same, np.ones(5, np.bool_))
    assert found.shape == (5, SIGHT_DIM)
    np.testing.assert_array_equal(found[:, :EMBEDDING_DIM], same)
    assert np.abs(found[:, EMBEDDING_DIM:]).max() < 1e-3


def test_a_picture_is_compared_with_the_mean_of_those_before_it() -> None:
    given = embeddings(9)
    found = sights(given, np.ones(9, np.bool_))[8, EMBEDDING_DIM:]
    np.testing.assert_allclose(found, given[8] - given[:8].astype(np.float32).mean(0), atol=5e-3)


def test_the_mean_follows_what_stays() -> None:
    given = np.zeros((6 * FOLLOWED, EMBEDDING_DIM), np.float16)
    given[FOLLOWED:] = 1
    apart = sights(given, np.ones(len(given), np.bool_))[:, EMBEDDING_DIM]
    assert apart[FOLLOWED] == 1
    assert apart[-1] < 0.05


def test_beats_without_a_picture_are_no_past_and_say_nothing() -> None:
    given, seen = embeddings(6), np.array([True, False, True, True, False, True])
    found = sights(given, seen)
    assert not found[~seen].any()
    np.testing.assert_array_equal(found[seen], sights(given[seen], np.ones(4, np.bool_)))


def test_one_at_a_time_says_the_same_bit_by_bit_also_after_it_was_written_down() -> None:
    given, past = embeddings(FOLLOWED + 20), Past()
    whole = sights(given, np.ones(len(given), np.bool_))
    for row, one in enumerate(given):
        past = msgspec.msgpack.decode(msgspec.msgpack.encode(past), type=Past)
        sight, past = beside_past(past, one)
        np.testing.assert_array_equal(sight, whole[row])
