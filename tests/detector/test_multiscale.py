"""The attention block: what is published of it holds, and it works beyond 224 px."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from detector.model.encoder import SqueezeNetTrunk, initialise
from detector.model.multiscale import (
    GRID,
    PLACES,
    POOL3,
    POOL5,
    WIDTH,
    MultiScaleAttention,
    MultiScaleBackbone,
)

KEY_BIAS = "key.bias"
"""Adds the same to all scores of a row, which is nothing to softmax: its gradient is rounding."""


def maps(seed: int = 0, last: int = 13) -> tuple[Tensor, Tensor, Tensor]:
    """Maps after features[5], features[8] and the end, as 224 px give them for ``last`` = 13."""
    random = torch.Generator().manual_seed(seed)
    sizes = ((128, 2 * last + 1), (256, last), (WIDTH, last))
    early, middle, end = (torch.randn(2, channels, side, side, generator=random) for channels, side in sizes)
    return early, middle, end


def opened(block: MultiScaleAttention) -> MultiScaleAttention:
    """As after some training: gamma is no longer 0."""
    nn.init.constant_(block.gamma, 0.5)
    return block.eval()


def test_the_trunk_gives_the_published_maps_in_one_pass() -> None:
    trunk = SqueezeNetTrunk().eval()
    frames = torch.randn(1, 3, 224, 224)
    with torch.inference_mode():
        early, middle, last = trunk.maps(frames, (5, 8, 12))
        assert [tuple(found.shape[1:]) for found in (early, middle, last)] == [
            (128, 27, 27),
            (256, 13, 13),
            (512, 13, 13),
        ]
        assert torch.equal(early, trunk(frames, 5))
        assert torch.equal(middle, trunk(frames, 8))
        assert torch.equal(last, trunk(frames))


def test_attention_rows_sum_to_one() -> None:
    *_, last = maps()
    rows = MultiScaleAttention(()).attention(last)
    assert rows.shape == (2, PLACES, PLACES)
    assert torch.allclose(rows.sum(2), torch.ones(2, PLACES), atol=1e-5)
    assert not torch.allclose(rows.sum(1), torch.ones(2, PLACES), atol=1e-2)


def test_the_block_is_the_published_formula() -> None:
    early, middle, last = maps()
    block = opened(MultiScaleAttention((POOL3, POOL5)))
    f, g = block.query(last).flatten(2), block.key(last).flatten(2)
    attention = torch.softmax(torch.einsum("nci,ncj->nij", f, g), -1).reshape(2, PLACES, GRID, GRID)
    h = block.scales["pool5"](middle)
    u = nn.functional.interpolate(block.scales["pool3"](early), (GRID, GRID), mode="bilinear")
    expected = 0.5 * block.mix(attention + h + u) + last
    assert torch.allclose(block(last, (early, middle)), expected, atol=1e-5)


@pytest.mark.parametrize("joined", ["added", "side by side"])
def test_before_training_the_result_is_the_last_map(joined: str) -> None:
    early, middle, last = maps()
    block = MultiScaleAttention((POOL5, POOL3), joined)  # type: ignore[arg-type]
    assert torch.equal(block(last, (middle, early)), last)


def test_the_order_of_the_scales_is_rounding_alone() -> None:
    early, middle, last = maps()
    pool35 = opened(MultiScaleAttention((POOL3, POOL5)))
    pool53 = opened(MultiScaleAttention((POOL5, POOL3)))
    assert not torch.allclose(pool53(last, (middle, early)), pool35(last, (early, middle)), atol=1e-3)
    pool53.load_state_dict(pool35.state_dict())
    assert torch.allclose(pool53(last, (middle, early)), pool35(last, (early, middle)), atol=1e-6)


def test_every_scale_matters_once_gamma_is_not_zero() -> None:
    early, middle, last = maps()
    other_early, other_middle, _ = maps(seed=1)
    block = opened(MultiScaleAttention((POOL3, POOL5)))
    given = block(last, (early, middle))
    assert not torch.allclose(block(last, (other_early, middle)), given, atol=1e-3)
    assert not torch.allclose(block(last, (early, other_middle)), given, atol=1e-3)


def test_the_first_step_moves_gamma_alone_of_the_block_and_the_next_ones_everything() -> None:
    early, middle, last = maps()
    block = MultiScaleAttention((POOL3, POOL5))
    everything = {name for name, _ in block.named_parameters()}
    for gamma, still in ((0.0, True), (0.5, False)):
        nn.init.constant_(block.gamma, gamma)
        block.zero_grad()
        block(last, (early, middle)).square().sum().backward()
        moved = {name for name, each in block.named_parameters() if each.grad is not None and each.grad.any()}
        assert moved - {KEY_BIAS} == ({"gamma"} if still else everything - {KEY_BIAS})


@pytest.mark.parametrize("shape", [(200, 200), (256, 256), (240, 320), (64, 48)])
def test_pictures_of_any_size_are_brought_to_the_grid(shape: tuple[int, int]) -> None:
    trunk = SqueezeNetTrunk()
    initialise(trunk, 0)
    backbone = MultiScaleBackbone(trunk, (POOL3, POOL5)).eval()
    opened(backbone.attention)
    with torch.inference_mode():
        found = backbone(torch.randn(1, 3, *shape))
    assert found.shape == (1, WIDTH, GRID, GRID)
    assert found.isfinite().all()


def test_a_larger_picture_of_the_same_is_seen_alike() -> None:
    """Maps of twice the side, each value four times: what the block says of them is nearly the same."""
    early, middle, last = maps()
    doubled = [found.repeat_interleave(2, 2).repeat_interleave(2, 3) for found in (early, middle, last)]
    block = opened(MultiScaleAttention((POOL3, POOL5)))
    assert torch.allclose(block(doubled[2], doubled[:2]), block(last, (early, middle)), atol=1e-4)
