"""The frame network begins as its trunk and heads alone, and takes over what these have learned."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from detector.model.frame_network import (
    GRID,
    Backbone,
    build_frame_network,
    take_over,
    without_attention,
)
from features.frame import SIDE


@pytest.fixture(scope="module")
def pictures() -> Tensor:
    return torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)) * 40


@torch.no_grad()
def test_before_training_attention_adds_nothing(pictures: Tensor) -> None:
    network = build_frame_network("attention", seed=3).eval()
    plain = without_attention(network).eval()
    assert plain.kind == "squeezenet"
    for one, other in zip(network(pictures), plain(pictures), strict=True):
        torch.testing.assert_close(one, other)


@torch.no_grad()
def test_what_was_learned_without_attention_is_taken_over(pictures: Tensor) -> None:
    network = build_frame_network("attention", seed=3).eval()
    taught = without_attention(build_frame_network("attention", seed=4)).eval()
    take_over(network, taught)
    for one, other in zip(network(pictures), taught(pictures), strict=True):
        torch.testing.assert_close(one, other)
    network.backbone.get_parameter("attention.gamma").fill_(1.0)
    assert not torch.allclose(network(pictures).failing, taught(pictures).failing)


@torch.no_grad()
@pytest.mark.parametrize(
    ("backbone", "cells"), [("squeezenet", 7), ("attention", GRID), ("shufflenet", GRID)]
)
def test_without_attention_a_smaller_picture_has_the_cells_of_its_map(
    pictures: Tensor, backbone: Backbone, cells: int
) -> None:
    network = build_frame_network(backbone, seed=3).eval()
    assert network(pictures[..., :128, :128]).where.shape == (2, cells, cells)
    assert network(pictures).where.shape == (2, GRID, GRID)
