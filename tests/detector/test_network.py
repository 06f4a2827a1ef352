"""The network at work: the same bits however printers come together and however often its memory was lost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from detector.beats import Token, packed_map, unpacked_map
from detector.model.failure_map import found_boxes
from detector.model.frame_network import EMBEDDING_DIM, GRID
from detector.network import FIRST_SLOTS, Asked, Said, Watcher, sequence
from detector.verdict import calibrated
from features.frame import SIDE, to_batch
from tests.detector.small_watch import SHAPE, small_model, token

BEATS = 12


pytestmark = pytest.mark.usefixtures("one_thread")


def watcher() -> Watcher:
    return Watcher(small_model(), engine="torch")


def film(printer: str, seed: int, beats: Sequence[int] = range(BEATS)) -> list[Token]:
    return [token(beat, printer=printer, seed=seed) for beat in beats]


def watched(each: Watcher, tokens: Sequence[Token]) -> list[Said]:
    """A print by itself, beat by beat, with as much of the past as the network looks back on."""
    return [
        each.step([Asked(tokens[max(at - SHAPE.horizon, 0) : at], tokens[at])])[0]
        for at in range(len(tokens))
    ]


def same(one: Said, other: Said) -> bool:
    return np.array_equal(one.probabilities, other.probabilities) and one.onset_s == other.onset_s


def test_beat_by_beat_it_says_what_the_network_says_of_the_whole_print() -> None:
    tokens = [token(0), token(1, embedding=None), token(4), token(5, heard=False), token(6)]
    model = small_model()
    with torch.inference_mode():
        judged = model.temporal(sequence(tokens))
    rows = [0, 1, 4, 5, 6]
    for said, row in zip(watched(watcher(), tokens), rows, strict=True):
        expected = calibrated(judged.logits[0, row].numpy(), (1.0,) * 12)
        smoothed = said.probabilities ** model.about.temperatures[0]
        np.testing.assert_allclose(smoothed / smoothed.sum(), expected, atol=1e-3)
        assert said.onset_s == pytest.approx(float(judged.onset_s()[0, row]), abs=1e-3)


def test_what_is_said_of_a_printer_does_not_depend_on_the_others() -> None:
    alone = {seed: watched(watcher(), film(f"p{seed}", seed)) for seed in range(3)}
    together, films = watcher(), [film(f"p{seed}", seed) for seed in range(3)]
    for at in range(BEATS):
        said = together.step([Asked(each[:at], each[at]) for each in films])
        assert all(same(one, alone[seed][at]) for seed, one in enumerate(said))


@pytest.mark.parametrize("lost_at", [1, 5, BEATS - 1])
def test_a_memory_that_was_lost_is_made_anew_of_the_tokens(lost_at: int) -> None:
    films = [film("p", 0), film("q", 1)]
    expected = [watched(watcher(), each) for each in films]
    for at in (lost_at, lost_at - 1):  # what it takes in again is no harm
        fresh = watcher()
        said = fresh.step([Asked(each[max(at - SHAPE.horizon, 0) : at], each[at]) for each in films])
        assert all(same(one, each[at]) for one, each in zip(said, expected, strict=True))


def test_a_beat_that_was_taken_in_and_not_committed_leaves_no_trace() -> None:
    tokens, other = film("p", 0), token(3, seed=9)
    expected, disturbed = watched(watcher(), tokens), watcher()
    watched(disturbed, [*tokens[:3], other])
    assert same(disturbed.step([Asked(tokens[:3], tokens[3])])[0], expected[3])


def test_another_print_begins_with_nothing() -> None:
    second = [token(beat, job="k") for beat in range(3)]
    expected, busy = watched(watcher(), second), watcher()
    watched(busy, film("p", 5))
    assert all(same(one, other) for one, other in zip(watched(busy, second), expected, strict=True))


def test_more_printers_than_slots_are_held_and_idle_ones_make_room() -> None:
    crowd = [film(f"p{seed}", seed, range(4)) for seed in range(FIRST_SLOTS + 3)]
    each = watcher()
    for at in range(3):
        each.step([Asked(one[:at], one[at]) for one in crowd])
    said = each.step([Asked(one[:3], one[3]) for one in crowd])
    for one, tokens in zip(said, crowd, strict=True):
        assert same(one, watched(watcher(), tokens)[3])
    size = each._cache.slots
    for number in range(20):
        each.forget(f"p{number}")
        each.step([Asked([], token(0, printer=f"q{number}"))])
        each.forget(f"q{number}")
    assert each._cache.slots == size


def test_pictures_are_seen_alike_alone_and_together_as_the_frame_network_says() -> None:
    pictures = list(np.random.default_rng(0).integers(0, 255, (3, SIDE, SIDE, 3)).astype(np.uint8))
    each, model = watcher(), small_model()
    together = each.see(pictures)
    assert together == [each.see([picture])[0] for picture in pictures]
    with torch.inference_mode():
        seen = model.frame(to_batch(pictures))
    for number, shown in enumerate(together):
        found = np.frombuffer(shown.embedding, np.float16)
        expected = seen.embedding[number].numpy()
        assert len(found) == EMBEDDING_DIM
        assert np.abs(found - expected).max() < 0.1 * np.abs(expected).max()  # bfloat16, where there is
        assert unpacked_map(shown.where).shape == (GRID, GRID)
    assert each.see([]) == []


def test_a_failure_map_keeps_its_boxes_when_it_is_packed() -> None:
    logits = np.full((GRID, GRID), -4.0)
    logits[2:5, 7:9] = 3.0
    logits[10, 10] = 0.1
    found, expected = found_boxes(unpacked_map(packed_map(logits))), found_boxes(logits)
    assert [one.box for one in found] == [one.box for one in expected]
    assert len(found) == 2
