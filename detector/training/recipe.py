"""What shapes a training's result, and how it is run."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec
import torch
from torch import nn
from torch.optim import Optimizer

from ingest.errors import UsageError

OptimizerName = Literal["adamw", "adam", "adadelta", "sgd"]


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """What shapes the result: two trainings of one recipe, one data set and one network end alike.

    ``rate`` is the learning rate after a linear warm-up over ``warmup_steps``; from there it stays
    (``constant``) or falls epoch by epoch along half a cosine (``cosine``, arXiv:1608.03983, no restarts).
    ``patience``: epochs without a better goal after which it ends, None for never. ``clip_norm``: the longest
    gradient, None for any. ``decay``: weight decay of AdamW (arXiv:1711.05101), of matrices and kernels; with
    the other optimizers it is added to the gradient. ``momentum`` is SGD's, and of no other one.
    ``averaging``: what a running mean of the weights keeps of itself in a step; that mean is then validated
    and kept (``averaging.Averaged``). 0 for none.
    """

    epochs: int
    patience: int | None = None
    rate: float = 1e-3
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup_steps: int = 0
    decay: float = 0.01
    clip_norm: float | None = 1.0
    mixed_precision: bool = True
    seed: int = 0
    optimizer: OptimizerName = "adamw"
    momentum: float = 0.5
    averaging: float = 0.0

    def __post_init__(self) -> None:
        """Raises UsageError with all mistakes at once."""
        lowest = {"epochs": 1, "patience": 1, "warmup_steps": 0, "decay": 0, "seed": 0}
        found = msgspec.structs.asdict(self)
        mistakes = [
            f"{name}: found {found[name]}, expected {low} or more"
            for name, low in lowest.items()
            if found[name] is not None and not found[name] >= low
        ]
        mistakes += [
            f"{name}: found {found[name]}, expected a finite number above 0"
            for name in ("rate", "clip_norm")
            if found[name] is not None and not 0 < found[name] < math.inf
        ]
        mistakes += [
            f"{name}: found {found[name]}, expected a number from 0 to below 1"
            for name in ("momentum", "averaging")
            if not 0 <= found[name] < 1
        ]
        if mistakes:
            raise UsageError("\n".join(mistakes))


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """How a training is run; nothing here changes what comes out.

    ``checkpoint`` is written after every epoch. Where there is one already, ``resume`` goes on with it, and
    without ``resume`` it is an error. ``log_file`` gets a line of JSON an epoch. ``quiet``: no progress bar.
    """

    recipe: Recipe
    checkpoint: Path | None = None
    resume: bool = False
    log_file: Path | None = None
    quiet: bool = False


def rate_at(recipe: Recipe, step: int, epoch: int) -> float:
    """The learning rate of a step; steps are counted from 0 over the whole training, epochs from 1."""
    warm = min(1.0, (step + 1) / recipe.warmup_steps) if recipe.warmup_steps else 1.0
    if recipe.schedule == "constant":
        return recipe.rate * warm
    return recipe.rate * warm * 0.5 * (1 + math.cos(math.pi * (epoch - 1) / recipe.epochs))


def optimizer_of(
    recipe: Recipe, network: nn.Module, factor: Callable[[str], float] = lambda name: 1.0
) -> Optimizer:
    """The recipe's optimizer, ready to step.

    Biases and the scales of norms do not decay: they do not overfit, and 0 is no place for them.

    ``factor`` of a parameter's name is what its rate is multiplied by; groups bear it as ``factor``.
    """
    groups: dict[tuple[bool, float], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((parameter.ndim > 1, factor(name)), []).append(parameter)
    return _optimizer(
        recipe,
        [
            {"params": those, "weight_decay": recipe.decay if matrices else 0.0, "factor": times}
            for (matrices, times), those in groups.items()
        ],
    )


def _optimizer(recipe: Recipe, groups: list[dict[str, Any]]) -> Optimizer:
    match recipe.optimizer:
        case "adamw":
            return torch.optim.AdamW(groups, lr=recipe.rate)
        case "adam":
            return torch.optim.Adam(groups, lr=recipe.rate)
        case "adadelta":
            return torch.optim.Adadelta(groups, lr=recipe.rate)
        case "sgd":
            return torch.optim.SGD(groups, lr=recipe.rate, momentum=recipe.momentum)
