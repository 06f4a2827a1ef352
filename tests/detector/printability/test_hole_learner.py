"""What ThroughHoles learns from: the openings of drilled parts, each told whether it speaks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from detector.printability.dataset import Parts, load
from detector.printability.defects import Defect
from detector.printability.grids import HoleSet
from detector.printability.hole_learner import QUIET, SPEAKS, HoleBatch, HoleLearner
from detector.printability.learner import Changes
from detector.printability.networks import build
from detector.printability.profiles import RINGS, SECTORS
from detector.training.distributed import Place
from tests.detector.printability.boxes import lesson, make_parts, write_boxes

ALONE = Place(0, 1, torch.device("cpu"))


@pytest.fixture(autouse=True, scope="module")
def _one_thread(one_thread: None) -> None: ...


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    meshes = tmp_path_factory.mktemp("meshes")
    write_boxes(meshes, each=1)
    return make_parts(meshes, tmp_path_factory.mktemp("parts"))


@pytest.fixture(scope="module", params=list(HoleSet))
def parts(folder: Path, request: pytest.FixtureRequest) -> Parts:
    return load(folder, request.param)


def learner(parts: Parts, place: Place = ALONE, places: int | None = None) -> HoleLearner:
    size = parts.holes.grid
    return HoleLearner(
        build("ThroughHoles", size, 2, parts.holes), parts, lesson(parts).split, place,
        size=size, batch_size=4, seed=1, changes=Changes(places=places), epoch_samples=16,
    )  # fmt: skip


def samples(parts: Parts, *defects: Defect) -> list[int]:
    return [index for index, made in enumerate(parts.samples) if made.defect in defects][:3]


def test_a_bad_hole_must_speak_and_nothing_else(parts: Parts) -> None:
    own = learner(parts)
    for index in samples(parts, Defect.MIDDLE_SMALL, Defect.BORDER_LARGE):
        assert (own.holes(index, 1).said == SPEAKS).any()
    for index in samples(parts, Defect.NONE, Defect.MIDDLE_LARGE):
        assert (own.holes(index, 1).said == QUIET).all()
    for index in samples(parts, Defect.MIDDLE_LARGE):
        assert len(own.holes(index, 1).profiles) >= 1, "a good hole is seen, and must not speak"


def test_openings_are_the_same_again_and_others_in_another_epoch(parts: Parts) -> None:
    (index, *_) = samples(parts, Defect.MIDDLE_LARGE)
    first, again, later = (learner(parts).holes(index, epoch).profiles for epoch in (1, 1, 2))
    assert np.array_equal(first, again)
    assert first.shape != later.shape or (first != later).any()


def test_a_hole_is_in_so_many_places_in_turn_first_where_it_was_made(parts: Parts) -> None:
    (index, *_) = samples(parts, Defect.MIDDLE_SMALL)
    own = learner(parts, places=2)
    epochs = [own._found(index, epoch, np.random.default_rng(epoch)).profiles for epoch in (1, 2, 3, 4)]
    assert np.array_equal(epochs[0], epochs[2])
    assert np.array_equal(epochs[1], epochs[3])
    assert epochs[0].shape != epochs[1].shape or (epochs[0] != epochs[1]).any()
    as_made = learner(parts, places=1)._found(index, 2, np.random.default_rng(0)).profiles
    assert np.array_equal(epochs[0], as_made)


def test_batches_hold_the_openings_of_their_samples(parts: Parts) -> None:
    own = learner(parts)
    batches = list(own.batches(1))
    assert [len(batch.printable) for batch in batches] == [4] * len(own.batches(1))
    for batch in batches:
        assert batch.profiles.shape == (len(batch.sample), RINGS, SECTORS)
        assert (batch.said[batch.printable[batch.sample] > 0] == QUIET).all(), "no hole of a good part speaks"


def test_two_ranks_have_all_of_a_batch(parts: Parts) -> None:
    whole = list(learner(parts).batches(2))
    halves = [list(learner(parts, Place(rank, 2, torch.device("cpu"))).batches(2)) for rank in (0, 1)]
    for both, *ranks in zip(whole, *halves, strict=True):
        for rank, own in enumerate(ranks):
            assert both.printable[rank::2].tolist() == own.printable.tolist()
            theirs = both.profiles[both.sample % 2 == rank]
            assert torch.equal(theirs, own.profiles)


def test_it_learns_from_what_it_is_told(parts: Parts) -> None:
    own = learner(parts)
    own.network.train()
    batch = next(one for one in own.batches(1) if (one.said == SPEAKS).any())
    optimizer = torch.optim.Adam(own.network.parameters(), 3e-3)
    losses = []
    for _ in range(12):
        loss = own.loss(batch).mean
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.5 * losses[0]


def test_a_batch_of_parts_without_openings_is_learned_from_as_well(parts: Parts) -> None:
    own = learner(parts)
    nothing = torch.zeros(0, dtype=torch.int64)
    none = HoleBatch(torch.zeros(0, RINGS, SECTORS), nothing, nothing, torch.ones(4))
    loss = own.loss(none)
    loss.mean.backward()
    assert (loss.samples, bool(loss.mean.isfinite())) == (4, True)
    assert own.network.shift.grad is not None


def test_what_is_kept_of_a_sample_says_what_the_network_says_of_its_grid(parts: Parts) -> None:
    own = learner(parts)
    own.network.eval()
    chosen = np.array(samples(parts, Defect.MIDDLE_SMALL)[:2])
    grids = np.stack([parts.occupied(index, parts.holes.grid) for index in chosen])
    with torch.inference_mode():
        said = own.network(torch.from_numpy(grids[:, None]).float())
    for _ in range(2):
        assert own.network.logits(own.evidence(chosen)).tolist() == pytest.approx(said.tolist(), abs=0.02)
