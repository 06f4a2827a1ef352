"""Checkpoints and weights: what is written comes back, and what is damaged or foreign is told."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from detector.files import replacing
from detector.model.weights import load_weights, save_weights
from detector.training.checkpoint import Best, Checkpoint, Epoch, load_checkpoint, save_checkpoint
from detector.training.recipe import Recipe
from ingest.errors import UsageError


def a_checkpoint() -> Checkpoint:
    network = nn.Linear(2, 2)
    epoch = Epoch(number=1, loss=0.5, rate=0.1, metrics={"accuracy": 0.75}, seconds=2.0)
    return Checkpoint(
        recipe=Recipe(epochs=3),
        steps=7,
        network=network.state_dict(),
        optimizer=torch.optim.AdamW(network.parameters()).state_dict(),
        history=[epoch],
        best=Best(epoch=1, goal=0.75, weights=network.state_dict()),
    )


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    written, path = a_checkpoint(), tmp_path / "new folder" / "checkpoint"
    save_checkpoint(path, written)
    read = load_checkpoint(path)
    assert (read.recipe, read.steps, read.history) == (written.recipe, written.steps, written.history)
    assert read.optimizer == written.optimizer
    assert read.best is not None
    assert read.best.epoch == 1
    assert torch.equal(read.best.weights["weight"], written.network["weight"])
    assert [file.name for file in path.parent.iterdir()] == ["checkpoint"]


class Malicious:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("run by a file",)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", pickle.dumps({"format": Malicious()})])
def test_a_file_that_is_no_checkpoint_is_told(
    tmp_path: Path, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "checkpoint"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=f"{path}: found a file that is damaged or holds something else"):
        load_checkpoint(path)
    assert "run by a file" not in capsys.readouterr().out


def test_a_truncated_a_foreign_and_a_missing_checkpoint_are_told(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint"
    with pytest.raises(UsageError, match="found no file"):
        load_checkpoint(path)
    torch.save({"weight": torch.zeros(2)}, path)
    with pytest.raises(UsageError, match=r"found \(None, None\), expected a checkpoint"):
        load_checkpoint(path)
    save_checkpoint(path, a_checkpoint())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UsageError, match="damaged"):
        load_checkpoint(path)


def test_weights_come_back_with_what_was_written_beside_them(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(memory_format=torch.channels_last)
    network.append(network[0])  # shares its memory
    save_weights(tmp_path / "w", network, {"classes": "flat,rough"})
    tensors, metadata = load_weights(tmp_path / "w")
    assert metadata == {"classes": "flat,rough"}
    state = network.state_dict()
    assert tensors.keys() == state.keys()
    assert all(torch.equal(tensors[name], tensor) for name, tensor in state.items())


def test_truncated_foreign_and_missing_weights_are_told(tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(UsageError, match=f"{path}: found no file"):
        load_weights(path)
    save_weights(path, nn.Linear(20, 20), {})
    whole = path.read_bytes()
    for content in (whole[:-1], whole[:4], b"", b"\xff" * 64, b"\x80\x04]q\x00."):
        path.write_bytes(content)
        with pytest.raises(UsageError, match=f"{path}: found a file that is truncated or"):
            load_weights(path)


def test_who_fails_while_writing_leaves_the_former_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("former")
    with pytest.raises(KeyError), replacing(path) as unfinished:
        unfinished.write_text("half")
        raise KeyError
    assert path.read_text() == "former"
    assert list(tmp_path.iterdir()) == [path]
