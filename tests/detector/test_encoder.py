"""The frame encoder: one answer per frame, whatever it is encoded with."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

from detector.model.build import VERSION, build_encoder
from detector.model.encoder import CHUNK, EMBEDDING_DIM, SIDE, FrameEncoder, SqueezeNetTrunk
from detector.model.hardware import choose_device
from features.frame import Picture

SQUEEZENET_PARAMETERS = 722_496


def frames(count: int, seed: int = 0) -> list[Picture]:
    random = np.random.default_rng(seed)
    return list(random.integers(0, 256, (count, SIDE, SIDE, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def encoder() -> FrameEncoder:
    return build_encoder("cpu")


def test_a_frame_has_one_embedding_whatever_is_in_the_batch(encoder: FrameEncoder) -> None:
    pictures = frames(CHUNK * 3 + 1)
    together = encoder.encode(pictures)
    alone = np.concatenate([encoder.encode([picture]) for picture in pictures])
    order = np.random.default_rng(1).permutation(len(pictures))
    shuffled = encoder.encode([pictures[at] for at in order])
    among_others = encoder.encode([*frames(3, seed=2), *pictures, *frames(2, seed=3)])[3:-2]
    assert together.tobytes() == alone.tobytes() == among_others.tobytes()
    assert together[order].tobytes() == shuffled.tobytes()


def test_the_weights_are_the_same_on_every_build_and_leave_torchs_randomness_alone(
    encoder: FrameEncoder,
) -> None:
    before = torch.random.get_rng_state()
    again = build_encoder("cpu")
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(a, b) for a, b in zip(encoder.parameters(), again.parameters(), strict=True))
    assert encoder.encode(frames(2)).tobytes() == again.encode(frames(2)).tobytes()


def test_the_embedding_has_length_one(encoder: FrameEncoder) -> None:
    embeddings = encoder.encode(frames(3))
    assert (embeddings.shape, embeddings.dtype) == ((3, EMBEDDING_DIM), np.float16)
    assert np.linalg.norm(embeddings.astype(np.float32), axis=1) == pytest.approx(np.ones(3), abs=1e-3)
    assert encoder.encode([]).shape == (0, EMBEDDING_DIM)


def test_a_frame_of_another_size_is_refused(encoder: FrameEncoder) -> None:
    with pytest.raises(ValueError, match="found a frame of shape"):
        encoder.encode([np.zeros((8, 8, 3), np.uint8)])


def test_the_trunk_bears_the_names_of_squeezenet_1_1() -> None:
    parameters = dict(SqueezeNetTrunk().named_parameters())
    assert len(parameters) == 50
    assert sum(parameter.numel() for parameter in parameters.values()) == SQUEEZENET_PARAMETERS
    assert parameters["features.0.weight"].shape == (64, 3, 3, 3)
    assert parameters["features.12.expand3x3.weight"].shape == (256, 64, 3, 3)
    fires = {name.split(".")[1] for name in parameters if "squeeze" in name}
    assert fires == {"3", "4", "6", "7", "9", "10", "11", "12"}


def test_cuda_asked_for_and_not_there_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with caplog.at_level(logging.WARNING):
        assert choose_device("cuda") == torch.device("cpu")
    assert "found no CUDA device, expected cuda" in caplog.text
    caplog.clear()
    assert build_encoder("auto").device.type == "cpu"
    assert not caplog.records
    assert "seed17" in VERSION
