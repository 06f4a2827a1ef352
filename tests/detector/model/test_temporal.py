"""The temporal network over whole sequences: the past counts as far as the band goes, the future never."""

from __future__ import annotations

import msgspec
import pytest
import torch
from torch import nn

from detector.model.temporal import Judged, TemporalShape, TokenCache, Tokens, build_temporal
from ingest.errors import UsageError
from tests.detector.model.temporal_prints import (
    BAND,
    BEATS,
    SHAPE,
    beat,
    furthest,
    sensed,
    steps,
    trained,
    whole,
)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("mixer", ["attention", "mean", "gru"])
def test_a_later_beat_changes_nothing_earlier(mixer: str) -> None:
    shape = msgspec.structs.replace(SHAPE, mixer=mixer)
    network, tokens = trained(shape), sensed(2, BEATS)
    other = Tokens(*(each.clone() for each in tokens))
    at = BEATS - 10
    for each, new in zip(other, sensed(2, BEATS, seed=9), strict=True):
        each[:, at:] = new[:, at:]
    found, expected = whole(network, other), whole(network, tokens)
    assert torch.allclose(found.logits[:, :at], expected.logits[:, :at], atol=1e-5)
    assert not torch.allclose(found.logits[:, at:], expected.logits[:, at:], atol=1e-2)


def test_what_lies_further_back_than_the_reach_changes_nothing_and_the_beat_before_does() -> None:
    network, tokens = trained(), sensed(1, BEATS, whole=True)
    expected = whole(network, tokens)
    for back, counts in ((SHAPE.reach, False), (SHAPE.reach - 1, True)):
        other = tokens._replace(embeddings=tokens.embeddings.clone())
        other.embeddings[:, BEATS - 1 - back] += 3 * torch.randn(SHAPE.embedding)
        found = whole(network, other)
        assert torch.allclose(found.logits[:, -1], expected.logits[:, -1], atol=1e-6) is not counts


def test_with_a_band_of_one_each_beat_is_judged_by_itself() -> None:
    shape = msgspec.structs.replace(SHAPE, band=1)
    network, tokens = trained(shape), sensed(2, 9)
    alone = torch.cat([whole(network, beat(tokens, at)).logits for at in range(9)], 1)
    assert torch.allclose(whole(network, tokens).logits, alone, atol=1e-5)
    assert (
        furthest(steps(network, tokens, TokenCache(shape, 2), [0, 1]), Judged(alone, alone), tokens.there)
        < 1e-3
    )


def test_padding_changes_nothing_and_what_lies_under_it_is_never_read() -> None:
    tokens = sensed(2, 20)
    for mixer in ("attention", "mean", "gru"):
        network = trained(msgspec.structs.replace(SHAPE, mixer=mixer))
        expected = whole(network, tokens).logits
        longer = Tokens(*(torch.cat([each, each[:, :15]], 1) for each in tokens))
        longer.there[:, 20:] = False
        longer.embeddings[~longer.there] = torch.nan
        longer.sensors[~longer.there] = torch.nan
        found = whole(network, longer).logits
        assert found.isfinite().all()
        assert torch.allclose(found[:, :20][tokens.there], expected[tokens.there], atol=1e-5)


def test_a_print_that_nothing_is_known_of_is_judged_finitely() -> None:
    tokens = sensed(2, 12)
    blind = tokens.without_frames().without_sensors()
    assert tokens.seen.any()
    assert tokens.heard.any()
    found = whole(trained(), blind)
    assert found.logits.isfinite().all()
    assert found.onset_s().isfinite().all()
    assert (found.onset_s() >= 0).all()
    nowhere = tokens._replace(there=torch.zeros_like(tokens.there))
    assert whole(trained(), nowhere).logits.isfinite().all()


def test_without_a_sense_the_other_alone_counts() -> None:
    network, tokens = trained(), sensed(1, 12, whole=True)
    other = sensed(1, 12, seed=5, whole=True)
    unseen = network(tokens.without_frames()).logits
    assert torch.equal(network(tokens._replace(embeddings=other.embeddings).without_frames()).logits, unseen)
    assert not torch.allclose(network(tokens._replace(sensors=other.sensors).without_frames()).logits, unseen)
    unheard = network(tokens.without_sensors()).logits
    assert torch.equal(network(tokens._replace(sensors=other.sensors).without_sensors()).logits, unheard)
    assert not torch.allclose(
        network(tokens._replace(embeddings=other.embeddings).without_sensors()).logits, unheard
    )


@pytest.mark.parametrize("mixer", ["attention", "mean", "gru"])
def test_everything_learns_and_no_gradient_is_lost_in_what_is_missing(mixer: str) -> None:
    network = build_temporal(msgspec.structs.replace(SHAPE, mixer=mixer)).train()
    tokens = sensed(3, BEATS)
    tokens.embeddings[~tokens.seen] = torch.nan
    tokens.sensors[~tokens.known] = torch.nan
    judged = network(tokens)
    (judged.logits.square() + judged.onset_log_s.square()[..., None])[tokens.there].sum().backward()
    for name, parameter in network.named_parameters():
        if mixer == "mean" and name.endswith("attention.bias"):
            continue
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_a_mean_counts_all_that_may_be_seen_alike() -> None:
    """In one layer, the order of the beats before is nothing to it, and something to attention."""
    tokens = sensed(1, BAND, whole=True)
    turned = Tokens(*(torch.cat([each[:, :-1].flip(1), each[:, -1:]], 1) for each in tokens))
    for mixer, alike in (("mean", True), ("attention", False)):
        network = trained(msgspec.structs.replace(SHAPE, mixer=mixer, layers=1))
        found, expected = whole(network, turned).logits[:, -1], whole(network, tokens).logits[:, -1]
        assert torch.allclose(found, expected, atol=1e-5) is alike


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"heads": 5}, "found width 24 and 5 heads, expected a width that the heads divide"),
        ({"band": 0}, "found band 0, expected 1 or more"),
        ({"layers": 0}, "found layers 0, expected 1 or more"),
        ({"dropout": 1.0}, "found dropout 1.0, expected 0 or more, below 1"),
    ],
)
def test_a_shape_that_cannot_be_is_refused_also_where_it_is_read(wrong: dict[str, float], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        msgspec.structs.replace(SHAPE, **wrong)
    written = msgspec.json.encode(msgspec.to_builtins(SHAPE) | wrong)
    with pytest.raises(UsageError, match=told):
        msgspec.json.decode(written, type=TemporalShape)
    assert msgspec.json.decode(msgspec.json.encode(SHAPE), type=TemporalShape) == SHAPE


def test_first_weights_are_the_seeds_and_leave_torchs_randomness_alone() -> None:
    before = torch.random.get_rng_state()
    one, again, other = (
        nn.utils.parameters_to_vector(build_temporal(SHAPE, seed).parameters()) for seed in (1, 1, 2)
    )
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
