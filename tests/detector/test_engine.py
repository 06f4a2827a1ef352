"""Compiled networks say what the network says, on every engine."""

from __future__ import annotations

import importlib.util
import os
import threading
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from detector.model import engine
from detector.model.engine import EngineName, compiled
from detector.surface.networks import MODEL_TYPES, build
from ingest.errors import UsageError

SIDE = 96
INSTALLED = importlib.util.find_spec("openvino") is not None
CLOSE = 0.05
"""Of the largest value: bfloat16 keeps some three digits."""
EVERY_ENGINE = [
    "torch",
    pytest.param("openvino", marks=pytest.mark.skipif(not INSTALLED, reason="OpenVINO is not installed")),
]


class Twice(NamedTuple):
    doubled: Tensor
    mean: Tensor


class Doubling(nn.Module):
    """Says two things of a picture."""

    def judge(self, pictures: Tensor) -> Twice:
        return Twice(pictures * 2, pictures.mean((1, 2, 3)))


def pictures(count: int, side: int = SIDE) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(3).normal(0, 60, (count, 3, side, side)).astype(np.float32)


@pytest.mark.parametrize("name", EVERY_ENGINE)
def test_the_outputs_asked_for_come_in_the_order_asked_for(name: EngineName) -> None:
    run = compiled(Doubling(), ("mean", "doubled"), 8, engine=name)
    given = pictures(3, 8)
    mean, doubled = run(given)
    assert mean.shape == (3,)
    assert np.allclose(mean, given.mean((1, 2, 3)), atol=0.5)
    assert np.allclose(doubled, given * 2, rtol=0.02, atol=0.5)


@pytest.mark.parametrize("name", EVERY_ENGINE)
@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_every_network_says_compiled_what_it_says_uncompiled(model_type: str, name: EngineName) -> None:
    network = build(model_type, 4, seed=2).eval()
    with torch.no_grad():
        for parameter_name, parameter in network.named_parameters():
            if parameter_name.endswith("gamma"):
                parameter.fill_(0.5)  # as after training: at 0 the attention says nothing
        wanted = network.judge(torch.from_numpy(pictures(2)))
    run = compiled(network, ("logits", "cells", "embedding"), SIDE, engine=name)
    for found, expected in zip(run(pictures(2)), wanted[:3], strict=True):
        assert found.shape == expected.shape
        assert np.abs(found - expected.numpy()).max() <= CLOSE * float(expected.abs().max())


@pytest.mark.parametrize("name", EVERY_ENGINE)
def test_one_picture_or_many_the_answer_is_the_same(name: EngineName) -> None:
    run = compiled(build("SqueezeNet", 3).eval(), ("embedding",), SIDE, engine=name)
    together, alone = run(pictures(5))[0], [run(pictures(5)[at : at + 1])[0][0] for at in range(5)]
    assert np.allclose(together, alone, rtol=0.02, atol=0.02 * float(np.abs(together).max()))


@pytest.mark.parametrize("name", EVERY_ENGINE)
def test_what_was_given_back_stays_when_the_engine_runs_again(name: EngineName) -> None:
    run = compiled(Doubling(), ("doubled",), 8, engine=name)
    first = run(pictures(2, 8))[0]
    kept = first.copy()
    run(np.zeros((2, 3, 8, 8), np.float32))
    assert np.array_equal(first, kept)


def test_torchs_threads_and_the_network_are_left_as_they_were() -> None:
    network, before = build("SqueezeNet", 3).eval(), torch.get_num_threads()
    weights = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    compiled(network, ("logits",), SIDE, engine="torch", threads=before + 1)(pictures(1))
    assert torch.get_num_threads() == before
    assert all(torch.equal(tensor, weights[name]) for name, tensor in network.state_dict().items())


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system does not tell a thread's cores")
@pytest.mark.parametrize("name", EVERY_ENGINE)
def test_judging_binds_nothing_to_a_core(name: EngineName) -> None:
    """Each process of a farm would take the first one, and all would share it."""
    run = compiled(build("SqueezeNet", 4, seed=2).eval(), ("logits",), SIDE, engine=name)
    judging, bound, done = threading.get_native_id(), set[frozenset[int]](), threading.Event()

    def look() -> None:
        while not done.is_set():
            bound.add(frozenset(os.sched_getaffinity(judging)))

    free, looking = frozenset(os.sched_getaffinity(0)), threading.Thread(target=look)
    looking.start()
    for _ in range(20):
        run(pictures(4))
    done.set()
    looking.join()
    assert bound == {free}


def test_openvino_that_is_not_there_is_told_where_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"found no OpenVINO, .*nozzlewatch\[fast\]"):
        compiled(Doubling(), ("mean",), 8, engine="openvino")
    assert compiled(Doubling(), ("mean",), 8)(pictures(1, 8))[0].shape == (1,)
