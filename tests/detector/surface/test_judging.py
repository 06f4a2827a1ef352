"""Judging datasets, remembering pictures, and what is told apart by memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from detector.surface.dataset import Noise, Split, Surfaces
from detector.surface.inspect import Inspector
from detector.surface.judging import Judge
from detector.surface.memory import MARGIN, PER_CLASS, Memory, joined, limited, remembered
from detector.surface.model_file import About, SurfaceModel, load_model, save_model
from detector.surface.networks import build
from detector.surface.remembering import with_memory

SIDE = 64


def noisy_levels(count: int) -> Surfaces:
    """Two classes of grey levels with a little noise."""
    random = np.random.default_rng(2)
    labels = np.arange(count) % 2
    level = np.where(labels, 200, 60)[:, None, None, None]
    pictures = np.clip(level + random.integers(-20, 20, (count, SIDE, SIDE, 3)), 0, 255).astype(np.uint8)
    files = tuple(Path(f"{at}.png") for at in range(count))
    return Surfaces(("dark", "light"), files, pictures, labels, np.arange(count))


@pytest.fixture(scope="module")
def model() -> SurfaceModel:
    network = build("MSA_None", 2, seed=1).eval()
    about = About(model_type="MSA_None", classes=("dark", "light"), side=SIDE)
    dataset = noisy_levels(30)
    parts = Split(np.arange(20), np.arange(20, 30), np.arange(0))
    return with_memory(SurfaceModel(network, about), dataset, parts)


def test_a_dataset_and_an_inspector_say_the_same_of_a_picture(model: SurfaceModel) -> None:
    dataset = noisy_levels(6)
    shares = Judge(model).judge(dataset, np.array([4, 1])).shares
    findings = Inspector(model).inspect([dataset.pictures[4], dataset.pictures[1]])
    said = [[finding.probabilities[name] for name in ("dark", "light")] for finding in findings]
    assert np.allclose(shares, said, atol=1e-5)


def test_noise_is_laid_over_where_it_is_asked_for(model: SurfaceModel) -> None:
    dataset, judge = noisy_levels(6), Judge(model)
    clear, noised, again = (
        judge.judge(dataset, np.arange(6), noise=noise).embeddings for noise in (None, Noise(0.0), Noise(0.0))
    )
    assert np.array_equal(noised, again)
    assert not np.allclose(clear, noised, rtol=0.05)


def test_pictures_like_those_learned_are_near_and_others_far(model: SurfaceModel) -> None:
    assert model.memory is not None
    judge = Judge(model)
    like = judge.judge(noisy_levels(12), np.arange(12)).embeddings
    assert (model.memory.unlikeness(like) < 1).mean() > 0.9
    stripes = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    stripes[:, ::8] = 255
    other = judge.embeddings(torch.from_numpy(stripes).permute(0, 3, 1, 2).float())
    assert model.memory.unlikeness(other)[0] > 1
    assert Inspector(model).inspect([stripes[0]])[0].label is None


def test_distances_are_by_spread_and_by_direction() -> None:
    memory = Memory(torch.tensor([[-1.0, 0.0], [1.0, 0.0]]).half(), torch.tensor([0, 0]), torch.ones(2))
    by_spread, by_direction = memory.distances(np.array([[3.0, 0.0]], np.float32))[0]
    assert by_spread == pytest.approx((2 + 4) / 2, rel=0.01)
    assert by_direction == pytest.approx((0 + 2) / 2, rel=0.01)


def test_limits_leave_room_beyond_the_farthest_picture() -> None:
    memory = Memory(torch.tensor([[-1.0, 0.1], [1.0, 0.0]]).half(), torch.tensor([0, 0]), torch.ones(2))
    others = np.array([[2.0, 0.1]] * 50, np.float32)
    assert limited(memory, others).unlikeness(others) == pytest.approx(1 / MARGIN)


def test_a_picture_is_unlike_by_either_distance() -> None:
    memory = Memory(torch.eye(2).half() + 1, torch.tensor([0, 1]), torch.tensor([2.0, 0.5]))
    near, turned, far = np.array([[1.5, 1.5], [1.0, -1.0], [50.0, 50.0]], np.float32)
    assert [bool(memory.unlikeness(one[None])[0] >= 1) for one in (near, turned, far)] == [False, True, True]


def test_so_many_pictures_of_each_class_are_remembered_and_no_more() -> None:
    labels = np.array([0] * (PER_CLASS + 5) + [2] * 3)
    embeddings = np.random.default_rng(1).normal(size=(len(labels), 4)).astype(np.float32)
    memory = remembered(embeddings, labels, embeddings)
    assert torch.bincount(memory.labels).tolist() == [PER_CLASS, 0, 3]
    assert torch.bincount(joined(memory, memory, embeddings).labels).tolist() == [2 * PER_CLASS, 0, 6]


def test_a_memory_comes_back_from_the_models_file(model: SurfaceModel, tmp_path: Path) -> None:
    save_model(tmp_path / "m.safetensors", model)
    back = load_model(tmp_path / "m.safetensors")
    assert back.about == model.about
    assert back.memory is not None
    assert model.memory is not None
    assert torch.equal(back.memory.embeddings, model.memory.embeddings)
    assert torch.equal(back.memory.labels, model.memory.labels)
    assert torch.equal(back.memory.limits, model.memory.limits)
