"""The frame network is shown what it should say of cells, pictures and kinds, and nothing nobody knows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from detector.anomaly import Kind
from detector.learning.frame_batches import (
    CLOSE_GRID,
    CLOSE_SIDE,
    UNKNOWN,
    is_plain,
    of_lessons,
    of_pairs,
    shows,
    to_grey,
)
from detector.learning.frame_learner import FrameLearner, cell_loss, clearest
from detector.learning.paired import Pair, PairedPrints
from detector.learning.real_lessons import Lesson
from detector.model.frame_network import GRID, build_frame_network
from detector.model.kinds import VISUAL
from detector.training.distributed import Place
from features.frame import SIDE
from ingest.errors import UsageError
from tests.detector.learning.tiny_prints import write_pairs

ALONE = Place(0, 1, torch.device("cpu"))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> PairedPrints:
    return PairedPrints(write_pairs(tmp_path_factory.mktemp("prints"), [Kind.SPAGHETTI, Kind.BLOB]))


def pair(kind: Kind = Kind.BLOB, *, shown: bool = True) -> Pair:
    """A failure in the left upper quarter, or none that shows."""
    sound = np.full((SIDE, SIDE, 3), 90, np.uint8)
    differs = np.zeros((SIDE, SIDE), np.bool_)
    differs[: SIDE // 2, : SIDE // 2] = shown
    failing = np.where(differs[..., None], 200, sound).astype(np.uint8)
    return Pair(failing, sound, differs, kind)


def test_cells_fail_where_the_pair_differs_and_the_twin_is_sound() -> None:
    batch = of_pairs([pair()], None)
    half = GRID // 2
    assert (batch.cells[0, :half, :half] == 1).all()
    assert (batch.cells[0, half + 1 :] == 0).all()
    assert (batch.cells[1] == 0).all()
    assert batch.failing.tolist() == [1, 0]
    assert batch.kinds[0].argmax() == VISUAL.index(Kind.BLOB)
    assert batch.kinds[1].abs().sum() == 0


def test_a_failure_that_does_not_show_yet_is_neither_failing_nor_named() -> None:
    batch = of_pairs([pair(shown=False)], None)
    assert batch.failing.tolist() == [UNKNOWN, 0]
    assert (batch.kinds[0] == UNKNOWN).all()
    assert not shows(pair(shown=False))


def test_a_failure_that_is_too_small_to_tell_is_not_learned_and_its_twin_is() -> None:
    differs = np.zeros((SIDE, SIDE), np.bool_)
    differs[40:52, 40:52] = True  # a third of a per cent
    small = pair()._replace(differs=differs)
    assert shows(small)
    assert not is_plain(small)
    batch = of_pairs([small], None)
    assert batch.failing.tolist() == [UNKNOWN, 0]
    assert (batch.cells[0] == UNKNOWN).all()
    assert (batch.kinds[0] == UNKNOWN).all()
    assert (batch.cells[1] == 0).all()


def test_of_a_shifted_scene_the_place_is_not_learned() -> None:
    batch = of_pairs([pair(Kind.LAYER_SHIFT)], None)
    assert (batch.cells[0] == UNKNOWN).all()
    assert batch.failing.tolist() == [1, 0]


def test_pictures_are_moved_with_their_cells() -> None:
    batch = of_pairs([pair()] * 8, np.random.default_rng(3))
    for row in range(8):
        cells = torch.nn.functional.adaptive_avg_pool2d(batch.pictures[row].mean(0, keepdim=True), GRID)[0]
        failing, sound = batch.cells[row] == 1, batch.cells[row] == 0
        assert failing.any()
        if sound.any():
            assert cells[failing].mean() > cells[sound].mean()
    left = [bool(batch.cells[row, 0, 0] == 1) for row in range(8)]
    assert len(set(left)) == 2  # some are mirrored


def test_close_ups_lie_about_the_failure_with_their_cells() -> None:
    small = pair()
    differs = np.zeros_like(small.differs)
    differs[100:130, 30:60] = True
    failing = np.where(differs[..., None], 200, small.sound).astype(np.uint8)
    batch = of_pairs(
        [small._replace(failing=failing, differs=differs)] * 40, np.random.default_rng(1), close_ups=True
    )
    assert batch.pictures.shape == (80, 3, CLOSE_SIDE, CLOSE_SIDE)
    assert batch.cells.shape == (80, CLOSE_GRID, CLOSE_GRID)
    shown = batch.failing[:40] == 1
    assert 0.8 < shown.float().mean() < 1.0  # some lie elsewhere
    # At the scale of the whole picture, or up to a third larger: 30 of 224 px are 30 to 41 of 128.
    grey = batch.pictures[:40][shown].mean(1).flatten(1)
    sizes = (grey > grey.median(1, keepdim=True).values + 40).float().sum(1)
    assert 30 * 30 * 0.8 < sizes.median() < sizes.max() < 30 * 30 / 0.55 * 1.3
    for row in torch.nonzero(shown).flatten().tolist():
        light = torch.nn.functional.adaptive_avg_pool2d(batch.pictures[row].mean(0, keepdim=True), CLOSE_GRID)
        cells = batch.cells[row]
        assert light[0][cells == 1].mean() > light[0][cells == 0].mean()
    assert (batch.cells[40:] == 0).all()


def test_a_lesson_is_mirrored_with_its_cells() -> None:
    cells = np.zeros((GRID, GRID), np.float32)
    cells[:, 0] = 1
    lesson = Lesson(pair().failing, cells, True, np.full(len(VISUAL), UNKNOWN, np.float32))
    batch = of_lessons([lesson] * 16, np.random.default_rng(0))
    for picture, where in zip(batch.pictures, batch.cells, strict=True):
        bright_left = picture[:, :50, :50].mean() > picture[:, :50, -50:].mean()
        assert bright_left == bool(where[0, 0] == 1)


def test_one_sure_wrong_cell_of_a_sound_picture_costs_more_than_the_mean_says() -> None:
    logits, sound = torch.full((1, GRID, GRID), -6.0), torch.zeros(1, GRID, GRID)
    calm = cell_loss(logits, sound)
    logits[0, 3, 3] = 6.0
    assert cell_loss(logits, sound) > calm + 2
    assert cell_loss(logits, torch.full((1, GRID, GRID), UNKNOWN)) == 0


def test_it_learns_to_tell_a_print_from_its_twin(pairs: PairedPrints) -> None:
    network = build_frame_network("squeezenet")
    learner = FrameLearner(
        network,
        pairs,
        pairs,
        None,
        ALONE,
        pairs_an_epoch=4,
        batch_size=8,
        seed=1,
        trunk_rate=1.0,
        validated=4,
    )
    batch = next(iter(learner.batches(1)))
    assert batch.real is None
    assert batch.pairs.pictures.shape == (8, 3, SIDE, SIDE)
    again = next(iter(learner.batches(1)))
    assert torch.equal(batch.pairs.pictures, again.pairs.pictures)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3)
    losses = []
    for _ in range(4):
        optimizer.zero_grad()
        loss = learner.loss(batch).mean
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    network.eval()
    with torch.no_grad():
        figures = learner.validate()
    assert set(figures) == {"pairs", "kind_named", "goal"}
    assert figures["goal"] == figures["pairs"]


def test_of_two_moments_the_one_is_shown_in_which_the_failure_can_be_seen(pairs: PairedPrints) -> None:
    seen = pairs.draw(1, np.random.default_rng(0))[0]
    same = seen._replace(failing=seen.sound, row=seen.sound_row)  # nothing differs from itself
    for moments in ([same, seen], [seen, same]):
        found = clearest(moments)
        assert found is not None
        assert shows(found)
    unseen = clearest([same, same])
    assert unseen is not None
    assert not shows(unseen)
    assert clearest([]) is None


def test_prints_without_twins_are_told(pairs: PairedPrints) -> None:
    with pytest.raises(UsageError, match="expected simulate --pairs"):
        FrameLearner(
            build_frame_network("squeezenet"), PairedPrints([]), pairs, None, ALONE,
            pairs_an_epoch=4, batch_size=8, seed=1, trunk_rate=1.0,
        )  # fmt: skip


def test_grey_pictures_have_one_level_a_pixel() -> None:
    grey = to_grey(torch.rand(2, 3, 4, 4))
    assert torch.equal(grey[:, 0], grey[:, 1])
