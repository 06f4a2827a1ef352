"""The builder of printability networks: published sizes, one logit a grid, and weights by seed."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bench.printability_networks import multiply_adds
from detector.printability.networks import NETWORKS, build, parameters
from ingest.errors import UsageError

pytestmark = pytest.mark.usefixtures("one_thread")

PUBLISHED = {
    "Vanilla3DCNN": 103_937,
    "Vanilla3DCNN_large": 1_830_049,
    "ResNet_small": 8_300_000,
    "ResNet18": 33_496_641,
    "InceptionNet_v1": 9_258_433,
    "InceptionNet_v3": 17_948_097,
}
"""Parameters that the source's code has (as told: 0.10, 1.83, 9.26 and 17.95 M), and its slides' 8.3 M."""
SMALLEST = dict.fromkeys(PUBLISHED, 32) | {"Vanilla3DCNN": 28, "Vanilla3DCNN_large": 46}
"""Sides of the smallest grids, voxels."""


def grids(count: int, size: int) -> Tensor:
    """Of 0 and 1, in blocks of 4 voxels."""
    generator = torch.Generator().manual_seed(5)
    blocks = torch.rand(count, 1, *[-(-size // 4)] * 3, generator=generator).round()
    return nn.functional.interpolate(blocks, scale_factor=4)[..., :size, :size, :size]


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_parameters_are_as_many_as_published(name: str) -> None:
    assert parameters(build(name, 64)) == pytest.approx(PUBLISHED[name], rel=0.02)


def test_networks_without_norm_have_exactly_the_published_parameters() -> None:
    for name in ("Vanilla3DCNN", "Vanilla3DCNN_large"):
        assert parameters(build(name, 64)) == PUBLISHED[name]


@pytest.mark.parametrize(
    ("name", "size"),
    [(name, size) for name in PUBLISHED for size in (32, 64, 100, 128) if size >= SMALLEST[name]],
)
def test_grids_of_any_size_get_one_logit_each_from_the_same_network(name: str, size: int) -> None:
    """Shapes alone, without values: on torch's ``meta`` device the largest grid takes no time."""
    network = build(name, 64).to("meta")
    assert network(torch.empty(3, 1, size, size, size, device="meta")).shape == (3,)


def test_ours_costs_as_many_multiply_adds_as_one_hole() -> None:
    assert multiply_adds(build("ThroughHoles", 64), 64) == multiply_adds(build("ThroughHoles", 64), 128) > 1e6


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_smallest_grid_is_judged_and_a_smaller_one_refused(name: str) -> None:
    smallest = SMALLEST[name]
    network = build(name, smallest).to("meta")
    assert network(torch.empty(2, 1, smallest, smallest, smallest, device="meta")).shape == (2,)
    with pytest.raises(UsageError, match=f"found grids of {smallest - 1} voxels a side, expected {smallest}"):
        build(name, smallest - 1)


@pytest.mark.parametrize("name", PUBLISHED)
def test_gradients_reach_every_parameter(name: str) -> None:
    network = build(name, SMALLEST[name]).train()
    logits = network(grids(2, SMALLEST[name]))
    nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor([0.0, 1.0])).backward()
    assert [
        name for name, each in network.named_parameters() if each.grad is None or not each.grad.any()
    ] == []


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name != "Vanilla3DCNN_large"])
def test_a_logit_does_not_depend_on_the_grids_beside_it(name: str) -> None:
    network = build(name, 32).train()
    several = grids(3, 32)
    with torch.no_grad():
        network(several)  # so that the norms have seen something
        network.eval()
        together = network(several)
        alone = torch.cat([network(grid[None]) for grid in several])
    assert together.std() > 0
    assert torch.allclose(together, alone, rtol=1e-3, atol=1e-4 * float(together.abs().max()))


def test_a_logit_is_no_probability() -> None:
    """It has no sigmoid: with all of the last layer turned around it is its own negative."""
    network = build("Vanilla3DCNN", 32).eval()
    with torch.no_grad():
        before = network(grids(2, 32))
        for each in network.get_submodule("head.4").parameters():
            each.neg_()
        assert torch.equal(network(grids(2, 32)), -before)


def test_a_seed_gives_the_same_network_and_torchs_randomness_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    first, again, other = (build("ResNet_small", 64, seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first if first[name].ndim > 1)


@pytest.mark.parametrize("name", PUBLISHED)
def test_weights_are_he_normal(name: str) -> None:
    for layer in build(name, 64, 1).modules():
        if isinstance(layer, nn.Conv3d):
            spread = (2 / (layer.out_channels * layer.kernel_size[0] ** 3)) ** 0.5
            assert float(layer.weight.detach().std()) == pytest.approx(spread, rel=0.1)


def test_an_unknown_network_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(UsageError, match="found the network 'VGG'") as raised:
        build("VGG", 64)
    assert all(name in str(raised.value) for name in NETWORKS)


def test_multiply_adds_are_those_of_convolutions_and_linear_layers() -> None:
    network = nn.Sequential(
        nn.Conv3d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(4, 2)
    )
    assert multiply_adds(network, 10) == 8**3 * 4 * 27 + 8
