"""The temporal network beat by beat: one step gives what the whole sequence gives, for each printer alone."""

from __future__ import annotations

import msgspec
import pytest
import torch

from detector.model.attention import BLOCK
from detector.model.temporal import CHUNK, Judged, TemporalShape, TokenCache, Tokens, build_temporal
from ingest.errors import UsageError
from tests.detector.model.temporal_prints import (
    BAND,
    BEATS,
    CLASSES,
    PROBABILITY,
    SHAPE,
    WIDE,
    beat,
    furthest,
    same,
    sensed,
    steps,
    trained,
    whole,
)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("shape", [SHAPE, WIDE], ids=["small", "as served"])
def test_beat_by_beat_gives_what_the_whole_gives_with_holes_and_missing_senses(shape: TemporalShape) -> None:
    network, tokens = trained(shape), sensed(3, 2 * shape.band + BLOCK + 5, shape)
    expected = whole(network, tokens)
    found = steps(network, tokens, TokenCache(shape, 4), [2, 0, 3])
    assert furthest(found, expected, tokens.there) < PROBABILITY
    assert torch.allclose(found.onset_log_s[tokens.there], expected.onset_log_s[tokens.there], atol=0.01)
    confident = expected.logits.softmax(-1).amax(-1)[tokens.there]
    assert confident.max() > 0.9


def test_what_is_trained_in_full_precision_is_what_is_served() -> None:
    shape = msgspec.structs.replace(WIDE, dropout=0.0)
    network, tokens = build_temporal(shape), sensed(2, 2 * shape.band, shape)
    in_training = whole(network.train(), tokens)
    assert (
        furthest(steps(network.eval(), tokens, TokenCache(shape, 2), [0, 1]), in_training, tokens.there)
        < 1e-3
    )
    assert not torch.equal(in_training.logits, whole(network, tokens).logits)


def test_a_hole_longer_than_the_band_leaves_the_beat_after_it_alone() -> None:
    network, tokens = trained(), sensed(2, BEATS)
    tokens.there[0, 5 : 5 + 2 * BAND] = False
    found = steps(network, tokens, TokenCache(SHAPE, 2), [0, 1])
    assert furthest(found, whole(network, tokens), tokens.there) < PROBABILITY
    tokens.there[0, 5 + 2 * BAND] = True
    after = whole(network, tokens).logits[0, 5 + 2 * BAND]
    alone = whole(network, beat(tokens, 5 + 2 * BAND, [0])).logits[0, 0]
    assert torch.allclose(after, alone, atol=1e-5)


@pytest.mark.parametrize("replayed", ["reach", "horizon"])
def test_replaying_the_last_beats_into_a_cleared_slot_is_as_if_it_had_never_stopped(replayed: str) -> None:
    network, tokens = trained(), sensed(2, BEATS + 10, whole=True)
    cache = TokenCache(SHAPE, 3)
    expected = steps(network, tokens, cache, [0, 2])
    cache.clear(0)
    cache.clear(2)
    since = BEATS - getattr(SHAPE, replayed)
    found = steps(network, tokens, cache, [0, 2], since=since)
    assert torch.equal(found.logits[:, BEATS - 1 :], expected.logits[:, BEATS - 1 :])
    assert not torch.equal(found.logits[:, since], expected.logits[:, since])


def test_one_beat_less_than_the_reach_is_not_enough() -> None:
    network, tokens = trained(), sensed(1, BEATS, whole=True)
    expected = steps(network, tokens, TokenCache(SHAPE, 1), [0])
    found = steps(network, tokens, TokenCache(SHAPE, 1), [0], since=BEATS - SHAPE.reach + 1)
    assert not torch.equal(found.logits[:, -1], expected.logits[:, -1])


def test_a_printer_is_judged_bit_by_bit_the_same_whatever_is_in_the_batch() -> None:
    network, count, t = trained(WIDE), 2 * CHUNK + 3, 6
    tokens = sensed(count, t, WIDE, whole=True)
    together = steps(network, tokens, TokenCache(WIDE, count), range(count))
    order = torch.randperm(count, generator=torch.Generator().manual_seed(3))
    shuffled = steps(
        network, Tokens(*(each[order] for each in tokens)), TokenCache(WIDE, count), order.tolist()
    )
    assert same(shuffled, Judged(together.logits[order], together.onset_log_s[order]))
    for row in (0, CHUNK - 1, count - 1):
        alone = steps(network, Tokens(*(each[row : row + 1] for each in tokens)), TokenCache(WIDE, 1), [0])
        assert same(alone, Judged(together.logits[row : row + 1], together.onset_log_s[row : row + 1]))


def test_the_last_beat_may_come_again_and_is_judged_the_same() -> None:
    network, tokens = trained(), sensed(1, BEATS, whole=True)
    cache = TokenCache(SHAPE, 1)
    before = steps(network, tokens, cache, [0])
    again = network.step(beat(tokens, BEATS - 1), cache, torch.tensor([0]), torch.tensor([BEATS - 1]))
    assert torch.equal(again.logits[:, 0], before.logits[:, -1])


def test_a_beat_that_is_not_there_is_not_remembered() -> None:
    network, tokens = trained(), sensed(2, BEATS)
    tokens.there[:, 0] = True
    skipped, told = TokenCache(SHAPE, 2), TokenCache(SHAPE, 2)
    expected = steps(network, tokens, skipped, [0, 1])
    both = torch.tensor([0, 1])
    for at in range(BEATS):
        found = network.step(beat(tokens, at), told, both, torch.full_like(both, at))
        assert found.logits.isfinite().all()
        there = tokens.there[:, at]
        assert torch.equal(found.logits[there, 0], expected.logits[there, at])
    assert torch.equal(told.beats[:2], skipped.beats[:2])


@pytest.mark.parametrize("mixer", ["mean", "gru"])
def test_what_stands_beside_for_comparison_takes_no_steps(mixer: str) -> None:
    shape = msgspec.structs.replace(SHAPE, mixer=mixer)
    slots = torch.tensor([0])
    with pytest.raises(UsageError, match=f'found the mixer "{mixer}", expected "attention"'):
        trained(shape).step(sensed(1, 1), TokenCache(shape, 1), slots, slots)


def test_wrong_slots_and_beats_of_the_past_are_refused() -> None:
    network, cache = trained(), TokenCache(SHAPE, 2)
    tokens, at = sensed(2, 1), torch.tensor([8, 9])
    for slots in ([0, 0], [0, 2], [-1, 0]):
        with pytest.raises(ValueError, match="expected different ones from 0 to 1"):
            network.step(tokens, cache, torch.tensor(slots), at)
    network.step(tokens._replace(there=torch.ones_like(tokens.there)), cache, torch.tensor([0, 1]), at)
    with pytest.raises(
        ValueError, match=r"found beats \[8\] for slots \[1\], expected none below 0 or older"
    ):
        network.step(tokens, cache, torch.tensor([1, 0]), at)
    with pytest.raises(ValueError, match="found slot 2, expected 0 to 1"):
        cache.clear(2)


def test_a_farm_without_a_beat_takes_no_step() -> None:
    none = torch.zeros(0, dtype=torch.int64)
    found = trained().step(Tokens(*(each[:0] for each in sensed(1, 1))), TokenCache(SHAPE, 1), none, none)
    assert (found.logits.shape, found.onset_log_s.shape) == ((0, 1, CLASSES), (0, 1))


def test_a_cleared_slot_has_forgotten_even_what_is_no_number() -> None:
    network, cache, tokens = trained(), TokenCache(SHAPE, 1), sensed(1, BEATS, whole=True)
    steps(network, tokens._replace(sensors=torch.full_like(tokens.sensors, torch.nan)), cache, [0])
    cache.clear(0)
    assert same(steps(network, tokens, cache, [0]), steps(network, tokens, TokenCache(SHAPE, 1), [0]))
