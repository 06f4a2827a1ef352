"""What LocalEvidence learns from: clippings with the hole in them, and cells that are told what to say."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from detector.printability.cell_learner import SIDE, CellBatch, CellLearner, Clipping
from detector.printability.dataset import Parts, load
from detector.printability.defects import Defect
from detector.printability.grids import HoleSet
from detector.printability.learner import Changes
from detector.printability.local_evidence import CELL, local_evidence
from detector.training.distributed import Place
from tests.detector.printability.boxes import lesson, make_parts, write_boxes

SIZE = 128
ALONE = Place(0, 1, torch.device("cpu"))


@pytest.fixture(autouse=True, scope="module")
def _one_thread(one_thread: None) -> None: ...


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    meshes = tmp_path_factory.mktemp("meshes")
    write_boxes(meshes, each=1)
    return load(make_parts(meshes, tmp_path_factory.mktemp("parts")), HoleSet.TOP)


def learner(parts: Parts, place: Place = ALONE) -> CellLearner:
    return CellLearner(
        local_evidence(SIZE), parts, lesson(parts).split, place,
        size=SIZE, batch_size=4, seed=1, changes=Changes(fresh=True), epoch_samples=16,
    )  # fmt: skip


def clippings(parts: Parts, defect: Defect) -> list[Clipping]:
    own = [index for index, made in enumerate(parts.samples) if made.defect is defect]
    return [learner(parts).clipping(index, epoch) for index in own[:3] for epoch in range(1, 5)]


def test_a_bad_hole_is_told_and_a_good_one_is_not(parts: Parts) -> None:
    for defect in (Defect.NONE, Defect.MIDDLE_LARGE):
        assert not any(one.taken.any() for one in clippings(parts, defect))
    for defect in (Defect.MIDDLE_SMALL, Defect.BORDER_LARGE):
        told = clippings(parts, defect)
        assert np.mean([one.taken.any() for one in told]) > 0.7
        assert not any((one.taken & one.occupied).any() for one in told), "what is taken is not there"


def test_a_clipping_is_no_larger_than_it_may_be_and_knows_the_whole_silhouette(parts: Parts) -> None:
    for one in clippings(parts, Defect.MIDDLE_SMALL):
        assert max(one.occupied.shape) <= SIDE
        assert one.seen.shape == one.occupied.shape[:2]
        assert (one.seen >= one.occupied.any(2)).all()


def test_a_clipping_is_the_same_again_and_another_in_another_epoch(parts: Parts) -> None:
    index = next(n for n, made in enumerate(parts.samples) if made.defect is Defect.MIDDLE_LARGE)
    first, again, later = (learner(parts).clipping(index, epoch) for epoch in (1, 1, 2))
    assert np.array_equal(first.occupied, again.occupied)
    assert first.occupied.shape != later.occupied.shape or (first.occupied != later.occupied).any()


def test_batches_hold_what_the_clippings_hold(parts: Parts) -> None:
    own = learner(parts)
    batches = list(own.batches(1))
    assert [len(batch.taken) for batch in batches] == [4] * len(own.batches(1))
    for batch in batches:
        n, _, x, y, z = batch.voxels.shape
        assert (x % CELL, y % CELL, z % CELL) == (0, 0, 0)
        assert batch.seen.shape == (n, x, y)
        assert batch.taken.shape == (n, x // CELL, y // CELL, z // CELL)
        assert batch.taken.max() <= CELL**3


def test_two_ranks_have_all_of_a_batch(parts: Parts) -> None:
    whole = list(learner(parts).batches(2))
    halves = [list(learner(parts, Place(rank, 2, torch.device("cpu"))).batches(2)) for rank in (0, 1)]
    for both, *ranks in zip(whole, *halves, strict=True):
        for rank, own in enumerate(ranks):
            assert both.taken[rank::2].sum() == own.taken.sum()
            assert both.voxels[rank::2].sum() == own.voxels.sum()


def test_cells_that_a_bad_hole_took_must_speak(parts: Parts) -> None:
    """Two clippings alike but for what is said of them: the loss must be another, and lead there."""
    own = learner(parts)
    grid = torch.zeros(2, 1, 16, 16, 16, dtype=torch.uint8)
    grid[:, :, 4:12, 4:12] = 1
    taken = torch.zeros(2, 4, 4, 4)
    taken[0, 2, 2, 2] = CELL**3
    own.network.train()
    own.loss(CellBatch(grid, grid[:, 0].amax(3), taken)).mean.backward()
    bias = own.network.head.bias.grad
    own.network.zero_grad()
    own.loss(CellBatch(grid, grid[:, 0].amax(3), torch.zeros_like(taken))).mean.backward()
    assert bias < own.network.head.bias.grad, "something to say raises the cells, nothing lowers them"


def test_it_learns_from_what_it_is_told(parts: Parts) -> None:
    own = learner(parts)
    batch = next(one for one in own.batches(1) if one.taken.any())
    optimizer = torch.optim.Adam(own.network.parameters(), 3e-3)
    losses = []
    for _ in range(8):
        loss = own.loss(batch).mean
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.7 * losses[0]
