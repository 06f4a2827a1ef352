"""The network's file: what comes back, and what is said of one that is none, damaged or of other inputs."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from detector.model import watch_model
from detector.model.past import SIGHT_DIM
from detector.model.watch_model import (
    KEY,
    WatchModel,
    default_watch_model,
    load_watch_model,
    save_watch_model,
    tensors_sha256,
)
from detector.model.weights import load_weights, save_weights
from ingest.errors import UsageError
from tests.detector.small_watch import SHAPE, about, small_model, token


@pytest.fixture(name="path", scope="module")
def _path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "watch.safetensors"
    save_watch_model(path, small_model())
    return path


def rewritten(path: Path, where: Path, **changed: Any) -> Path:
    """The same tensors under another description."""
    weights = load_weights(path)
    told = msgspec.json.decode(weights.metadata[KEY])
    save_file(weights.tensors, where, {KEY: msgspec.json.encode(told | changed).decode()})
    return where


def test_a_model_comes_back_as_it_was_written_to_half_precision(path: Path) -> None:
    model, found = small_model(), load_watch_model(path)
    assert msgspec.structs.replace(found.about, sha256="") == msgspec.structs.replace(model.about, sha256="")
    for network, read in ((model.frame, found.frame), (model.temporal, found.temporal)):
        assert not read.training
        for name, tensor in read.state_dict().items():
            assert tensor.dtype == torch.float32
            assert torch.equal(tensor, network.state_dict()[name].half().float())


def test_tensors_of_both_networks_are_stored_in_half_precision_beside_a_hash_of_them(path: Path) -> None:
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    assert {name.partition(".")[0] for name in tensors} == {"frame", "temporal"}
    learned = {name: each for name, each in tensors.items() if ".standard." not in name}
    assert {tensor.dtype for tensor in learned.values()} == {torch.float16}
    assert load_watch_model(path).about.sha256 == tensors_sha256(tensors)


def test_the_model_that_is_saved_is_left_as_it_was(tmp_path: Path) -> None:
    model = small_model(seed=1)
    before = {name: tensor.clone() for name, tensor in model.temporal.state_dict().items()}
    save_watch_model(tmp_path / "one.safetensors", model)
    after = model.temporal.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    assert after["classify.weight"].dtype == torch.float32


def test_what_is_averaged_is_not_rounded(tmp_path: Path) -> None:
    """ShuffleNet's running variances may be too small for half precision."""
    model = small_model()
    frame = watch_model.FrameNetwork("shufflenet").eval()
    variance = next(name for name, _ in frame.named_buffers() if name.endswith("running_var"))
    frame.get_buffer(variance).fill_(1e-9)
    path = tmp_path / "one.safetensors"
    save_watch_model(path, WatchModel(frame, model.temporal, about(backbone="shufflenet")))
    assert load_watch_model(path).frame.get_buffer(variance).max() == pytest.approx(1e-9)


def test_a_hash_tells_names_shapes_types_and_bytes_apart() -> None:
    one = {"a": torch.zeros(2, 3)}
    others = [
        {"b": torch.zeros(2, 3)},
        {"a": torch.zeros(3, 2)},
        {"a": torch.zeros(2, 3, dtype=torch.int32)},
        {"a": torch.full((2, 3), 1e-30)},
        {},
    ]
    hashes = {tensors_sha256(each) for each in (one, *others)}
    assert len(hashes) == 6
    assert tensors_sha256({}) == hashlib.sha256().hexdigest()
    mixed = {"b": torch.ones(1), "a": torch.zeros(2, 3)}
    assert tensors_sha256(mixed) == tensors_sha256(dict(sorted(mixed.items())))


def test_a_file_whose_tensors_were_changed_is_refused(path: Path, tmp_path: Path) -> None:
    weights = load_weights(path)
    weights.tensors["temporal.date.bias"] += 1
    save_file(weights.tensors, tmp_path / "changed.safetensors", weights.metadata)
    with pytest.raises(
        UsageError, match=r"changed\.safetensors: found tensors with the hash \w{12}, expected"
    ):
        load_watch_model(tmp_path / "changed.safetensors")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"kinds": ["blob"], "temperatures": [1, 1]}, "kinds: found 1, expected 11"),
        ({"sensors": ["x", *about().sensors[1:]]}, "found 'x' as number 0, expected 'hotend_off_c"),
        ({"side": 192}, "pictures of: found 192 px, expected 224 px"),
        ({"beat_windows": 4}, "windows a beat: found 4, expected 5"),
        ({"grid": 7}, "cells a side: found 7, expected 13"),
        ({"backbone": "resnet"}, "backbone: found resnet, expected one of attention, squeezenet, shufflenet"),
        (
            {"temporal": msgspec.to_builtins(msgspec.structs.replace(SHAPE, embedding=8))},
            f"numbers of an embedding: found 8, expected {SIGHT_DIM}",
        ),
        ({"temporal": msgspec.to_builtins(msgspec.structs.replace(SHAPE, mixer="gru"))}, "mixer: found gru"),
    ],
)
def test_a_network_for_other_inputs_is_refused_with_what_differs(
    path: Path, tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError) as told:
        load_watch_model(rewritten(path, tmp_path / "other.safetensors", **changed))
    assert "trained on other inputs" in str(told.value)
    assert said in str(told.value)


@pytest.mark.parametrize(
    "changed",
    [
        {"temperatures": [1.0] * 3},
        {"temperatures": [0.0] * 12},
        {"biases": [1.0]},
        {"threshold": 1.5},
        {"thresholds": {"unusual": 0.5}},
        {"min_beats": 4},
        {"trained": "yes"},
        {"temporal": {"embedding": 200, "sensors": 0}},
    ],
)
def test_a_description_that_contradicts_is_refused(
    path: Path, tmp_path: Path, changed: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match="do not say what they watch"):
        load_watch_model(rewritten(path, tmp_path / "odd.safetensors", **changed))


def test_tensors_of_another_shape_are_refused(path: Path, tmp_path: Path) -> None:
    wider = msgspec.to_builtins(msgspec.structs.replace(SHAPE, width=32))
    with pytest.raises(UsageError, match="do not fit squeezenet"):
        load_watch_model(rewritten(path, tmp_path / "wider.safetensors", temporal=wider))


def test_other_weights_and_no_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="found no file"):
        load_watch_model(tmp_path / "gone.safetensors")
    save_weights(tmp_path / "other.safetensors", small_model().temporal, {})
    with pytest.raises(UsageError, match="do not say what they watch"):
        load_watch_model(tmp_path / "other.safetensors")
    (tmp_path / "torn.safetensors").write_bytes(b"torn")
    with pytest.raises(UsageError, match="truncated or holds something else"):
        load_watch_model(tmp_path / "torn.safetensors")


def test_without_the_file_that_comes_along_there_is_none(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_model, "DEFAULT", tmp_path / "none.safetensors")
    assert default_watch_model() is None
    monkeypatch.setattr(watch_model, "DEFAULT", path)
    found = default_watch_model()
    assert found is not None
    assert found.about.version == "tiny-1"


def test_tokens_of_tests_are_what_the_network_takes() -> None:
    assert len(np.frombuffer(token(0).embedding, np.float16)) == SHAPE.embedding
