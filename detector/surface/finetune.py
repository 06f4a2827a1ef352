"""Teaches a trained network further classes from a few pictures of each, in seconds on a CPU.

The network's last map stays as it is: only its linear head is fitted anew, to the embeddings that the model
remembers of its first classes and to those of the new pictures, each seen in several views. So nothing of
the first classes' pictures is needed, and little of them can be forgotten.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import torch
from msgspec.structs import replace
from torch import Tensor, nn
from torch.nn import functional

from detector.model.engine import Floats
from detector.surface.dataset import Indices, Surfaces, load
from detector.surface.judging import Judge
from detector.surface.learner import Changes, changed
from detector.surface.memory import Memory, joined, remembered
from detector.surface.model_file import SurfaceModel, load_model, save_model
from detector.surface.networks import build
from ingest.errors import UsageError

VIEWS = 24
"""Views of each new picture that the head is fitted to, the picture as it is among them."""
STEPS = 200
"""Most steps of L-BFGS: it ends by itself before."""
DECAY = 1e-3
"""Weight decay of the fit; from 1e-4 to 1e-2 it made little difference on validation pictures of NEU."""


class Finetuned(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: the classes that the model knew, those that it learned, and their pictures."""

    model_path: str
    knew: tuple[str, ...]
    learned: dict[str, int]
    classes: tuple[str, ...]


def finetune(model_path: Path, folder: Path, output: Path, *, seed: int = 0) -> Finetuned:
    """Teach a model the classes of a folder, and write it to ``output``; the first file stays as it is.

    A class that the model knows already gets further pictures. Raises UsageError, SourceError.
    """
    model, pictures = load_model(model_path), load(folder, fewest_classes=1)
    taught = with_classes(model, pictures, np.arange(len(pictures)), seed)
    save_model(output, taught)
    counts = np.bincount(pictures.labels)
    return Finetuned(
        model_path=str(output),
        knew=model.about.classes,
        learned={name: int(count) for name, count in zip(pictures.classes, counts, strict=True)},
        classes=taught.about.classes,
    )


def with_classes(model: SurfaceModel, pictures: Surfaces, those: Indices, seed: int = 0) -> SurfaceModel:
    """The model with the classes of some pictures, behind those that it knows, in alphabetical order.

    Raises UsageError for a model that remembers nothing, and for one whose head is not linear.
    """
    memory = _memory_of(model)
    _check_head(model)
    new = sorted(set(pictures.classes) - set(model.about.classes))
    classes = (*model.about.classes, *new)
    label_of = np.array([classes.index(name) for name in pictures.classes])
    judge = Judge(model)
    seen = _views(judge, pictures, those, seed)
    labels = np.tile(label_of[pictures.labels[those]], VIEWS)
    known = Embedded(
        torch.cat([memory.embeddings.float(), torch.from_numpy(seen)]),
        torch.cat([memory.labels, torch.from_numpy(labels)]),
    )
    network = build(model.about.model_type, len(classes))
    weights, biases = head_fitted(known, len(classes), DECAY)
    network.load_state_dict(
        model.network.state_dict() | {"head.weight": weights[:, :, None, None], "head.bias": biases}
    )
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    plain = seen[: len(those)]
    views = seen[len(those) :]
    grown = joined(memory, remembered(plain, labels[: len(those)], views), views)
    about = replace(model.about, classes=classes, figures={})
    return SurfaceModel(network.eval(), about, grown)


class Embedded(NamedTuple):
    """Embeddings float32 [n, width] and their classes int64 [n]."""

    embeddings: Tensor
    labels: Tensor


def head_fitted(known: Embedded, classes: int, decay: float) -> tuple[Tensor, Tensor]:
    """Weights [classes, width] and biases [classes] of the linear layer that tells the classes apart.

    Each class counts the same, however many embeddings it has. Embeddings are centred and scaled for the
    fit, and the layer is given for them as they are.
    """
    mean, spread = known.embeddings.mean(0), known.embeddings.std(0).clamp_min(1e-3)
    inputs = (known.embeddings - mean) / spread
    counts = torch.bincount(known.labels, minlength=classes).float()
    share = (1 / counts)[known.labels] / classes
    layer = nn.Linear(inputs.shape[1], classes)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        error = functional.cross_entropy(layer(inputs), known.labels, reduction="none")
        loss = (error * share).sum() + decay * layer.weight.square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        weights = layer.weight / spread
        return weights, layer.bias - weights @ mean


def _views(judge: Judge, pictures: Surfaces, those: Indices, seed: int) -> Floats:
    """Embeddings of the pictures as they are, then of VIEWS - 1 views of each: [VIEWS * n, width]."""
    random = np.random.default_rng(seed)
    seen = [judge.judge(pictures, those).embeddings]
    for _ in range(VIEWS - 1):
        seen.append(judge.embeddings(changed(pictures.pixels(those), Changes(), random)))
    return np.concatenate(seen)


def _memory_of(model: SurfaceModel) -> Memory:
    if model.memory is None:
        raise UsageError(
            "found a model that remembers no pictures, expected one of `nozzlewatch surface train`: "
            "train it anew"
        )
    return model.memory


def _check_head(model: SurfaceModel) -> None:
    if not isinstance(model.network.head, nn.Conv2d):
        raise UsageError(
            f"found a {model.about.model_type}, whose head is not linear, expected a type with multi-scale "
            "attention (MSA_...) or ShuffleNetV2: train one of these, or train with all classes"
        )
