"""A recipe names its optimizer, and recipes from before there was a choice are what they were."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
import torch
from torch import nn

from detector.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from detector.training.recipe import Recipe, optimizer_of
from ingest.errors import UsageError

OPTIMIZERS = {
    "adamw": torch.optim.AdamW,
    "adam": torch.optim.Adam,
    "adadelta": torch.optim.Adadelta,
    "sgd": torch.optim.SGD,
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_optimizer_is_the_one_that_is_named(name: str) -> None:
    recipe = Recipe(epochs=1, rate=0.02, decay=0.3, optimizer=name)  # type: ignore[arg-type]
    found = optimizer_of(recipe, nn.Linear(3, 2), lambda parameter: 0.5 if parameter == "weight" else 1.0)
    assert type(found) is OPTIMIZERS[name]
    told = [(group["lr"], group["weight_decay"], group["factor"]) for group in found.param_groups]
    assert told == [(0.02, 0.3, 0.5), (0.02, 0.0, 1.0)]
    if name == "sgd":
        assert {group["momentum"] for group in found.param_groups} == {0.5}


def test_without_a_choice_it_is_adamw() -> None:
    assert type(optimizer_of(Recipe(epochs=1), nn.Linear(3, 2))) is torch.optim.AdamW


def test_a_checkpoint_from_before_there_was_a_choice_is_read(tmp_path: Path) -> None:
    network, recipe = nn.Linear(3, 2), Recipe(epochs=4, seed=2)
    checkpoint = Checkpoint(
        recipe=recipe, steps=3, network=network.state_dict(), history=[], best=None,
        optimizer=optimizer_of(recipe, network).state_dict(),
    )  # fmt: skip
    save_checkpoint(tmp_path / "c", checkpoint)
    content = torch.load(tmp_path / "c", weights_only=True)
    for name in ("optimizer", "momentum"):
        del content["recipe"][name]
    torch.save(content, tmp_path / "c")
    assert load_checkpoint(tmp_path / "c").recipe == recipe


def test_an_optimizer_or_momentum_that_makes_no_sense_is_told() -> None:
    with pytest.raises(UsageError, match=r"momentum: found 1\.0, expected a number from 0 to below 1"):
        Recipe(epochs=1, optimizer="sgd", momentum=1.0)
    with pytest.raises(msgspec.ValidationError, match="Invalid enum value 'adagrad'"):
        msgspec.convert({"epochs": 1, "optimizer": "adagrad"}, Recipe)
