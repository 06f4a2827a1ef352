"""Our own network: judged grid by grid, and it points at the place."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from detector.printability.local_evidence import AROUND, CELL, NOTHING, LocalEvidence, folded, local_evidence
from ingest.errors import UsageError

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(name="network")
def _network() -> LocalEvidence:
    torch.manual_seed(3)
    return local_evidence(64).eval()


def block(size: int, begin: int, end: int) -> Tensor:
    grid = torch.zeros(1, size, size, size)
    grid[:, begin:end, begin:end, begin:end] = 1
    return grid


def test_folding_loses_no_voxel_and_adds_the_silhouette() -> None:
    grid = torch.rand(2, 1, 8, 8, 8, generator=torch.Generator().manual_seed(1)).round()
    channels = folded(grid, grid.amax((1, 4)))
    assert channels.shape == (2, 12, 4, 4, 4)
    assert channels[:, :8].sum() == grid.sum()
    assert channels[:, 8:, :, :, 0].sum() == grid.amax(4).sum()
    assert torch.equal(channels[:, 8:, :, :, 0], channels[:, 8:, :, :, 3])


@torch.inference_mode()
def test_a_grid_is_judged_alike_alone_and_beside_others(network: LocalEvidence) -> None:
    grids = torch.stack([block(64, 4, 20), block(64, 30, 60)])
    together = network(grids)
    torch.testing.assert_close(together, torch.cat([network(grid[None]) for grid in grids]))


@torch.inference_mode()
def test_empty_space_around_a_part_changes_nothing(network: LocalEvidence) -> None:
    """More of it, by whole cells, that is: the same part in a larger grid."""
    assert torch.allclose(network(block(64, 24, 40)[None]), network(block(96, 40, 56)[None]))


@torch.inference_mode()
def test_evidence_lies_where_the_part_is(network: LocalEvidence) -> None:
    logits, evidence = network.judge(block(64, 32, 48)[None])
    near = slice((32 - AROUND) // CELL, (48 + AROUND) // CELL)
    assert evidence.shape == (1, 16, 16, 16)
    assert (evidence[0, near, near, near] > NOTHING).all()
    assert (evidence > NOTHING).sum() == (near.stop - near.start) ** 3
    torch.testing.assert_close(logits, network(block(64, 32, 48)[None]))


def test_what_speaks_most_against_a_part_decides(network: LocalEvidence) -> None:
    quiet = torch.full((1, 4, 4, 4), -5.0)
    spoken = quiet.clone()
    spoken[0, 1] = 6.0
    assert network.logits(quiet)[0] > 0 > network.logits(spoken)[0]


def test_an_empty_grid_is_judged_too(network: LocalEvidence) -> None:
    assert torch.isfinite(network(torch.zeros(1, 1, 32, 32, 32))).all()


def test_grids_too_small_are_refused() -> None:
    with pytest.raises(UsageError, match="found grids of 8 voxels a side, expected 16"):
        local_evidence(8)
