"""Judging datasets, remembering pictures, and what is told apart by memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from detector.surface.dataset import Noise, Split, Surfaces
from detector.surface.inspect import Inspector
from detector.surface.judging import Judge
from detector.surface.memory import PER_CLASS, Memory, joined, remembered
from detector.surface.model_file import About, SurfaceModel, load_model, save_model
from detector.surface.networks import build
from detector.surface.remembering import MARGIN, threshold, with_memory

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
    limit, judge = model.about.unlike_from, Judge(model)
    assert limit is not None
    like = judge.judge(noisy_levels(12), np.arange(12)).embeddings
    assert (model.memory.unlikeness(like) < limit).mean() > 0.9
    stripes = np.zeros((1, SIDE, SIDE, 3), np.uint8)
    stripes[:, ::8] = 255
    other = judge.embeddings(torch.from_numpy(stripes).permute(0, 3, 1, 2).float())
    assert model.memory.unlikeness(other)[0] > limit
    assert Inspector(model).inspect([stripes[0]])[0].label is None


def test_a_threshold_leaves_room_beyond_the_farthest_picture() -> None:
    memory = Memory(torch.tensor([[-1.0, 0.0], [1.0, 0.0]]).half(), torch.tensor([0, 0]))
    apart = memory.unlikeness(np.array([[3.0, 0.0]], np.float32))[0]
    assert apart == pytest.approx((2 + 4) / 2 / np.sqrt(2), rel=0.01)
    assert threshold(memory, np.array([[3.0, 0.0]] * 50, np.float32)) == pytest.approx(apart * MARGIN)


def test_so_many_pictures_of_each_class_are_remembered_and_no_more() -> None:
    labels = np.array([0] * (PER_CLASS + 5) + [2] * 3)
    memory = remembered(np.random.default_rng(1).normal(size=(len(labels), 4)).astype(np.float32), labels)
    assert torch.bincount(memory.labels).tolist() == [PER_CLASS, 0, 3]
    assert torch.bincount(joined(memory, memory).labels).tolist() == [2 * PER_CLASS, 0, 6]


def test_a_memory_comes_back_from_the_models_file(model: SurfaceModel, tmp_path: Path) -> None:
    save_model(tmp_path / "m.safetensors", model)
    back = load_model(tmp_path / "m.safetensors")
    assert back.about == model.about
    assert back.memory is not None
    assert model.memory is not None
    assert torch.equal(back.memory.embeddings, model.memory.embeddings)
    assert torch.equal(back.memory.labels, model.memory.labels)
