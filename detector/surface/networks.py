"""The networks that inspect a surface: one builder for all, by their published names.

``MSA_Addition_Pool35`` and ``MSA_Addition_Pool53`` differ in the order in which two scales are added to the
attention. Addition commutes: with the same weights they give the same answer but for float rounding, and from
the same seed they begin with other weights, since these are drawn in the order of the scales.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from detector.model import multiscale, shufflenet
from detector.model.encoder import SqueezeNetTrunk, initialise
from detector.model.multiscale import POOL3, POOL5, Joined, MultiScaleBackbone, Scale
from ingest.errors import UsageError

DEFAULT_TYPE = "MSA_Addition_Pool35"
MIN_SIDE = 32
"""Shortest side of a picture, pixels: below, a trunk has no place left."""
DROPOUT = 0.5
"""Share of the last map's values that the SqueezeNet head leaves out in training (arXiv:1602.07360)."""
HEAD_SPREAD = 0.01
"""Standard deviation of that head's first weights: ``conv10`` in SqueezeNet_v1.1/train_val.prototxt."""
PIXEL_SPREAD = 58.0
"""Standard deviation of pixels about their mean, of 255 (ImageNet): what an untrained trunk divides by."""
IMAGENET_HEAD_PARAMETERS = 513_000
"""SqueezeNet's classifier for 1000 classes: the published module keeps it, unused, and its count holds it."""

_PREFIX = "features."


class Judgement(NamedTuple):
    """What a network says of n pictures.

    ``logits`` is [n, classes]; ``cells`` [n, classes, rows, columns] says where: a logit per class and cell,
    whose mean over the cells is ``logits``; ``embedding`` [n, width] is the last map averaged.
    """

    logits: Tensor
    cells: Tensor
    embedding: Tensor


class SurfaceNetwork(nn.Module):
    """A backbone that gives a map, and a head that makes each of its cells logits.

    pictures float32 [n, 3, h, w], BGR minus BGR_MEAN, sides from MIN_SIDE -> logits [n, classes]

    ``cells`` are 13 x 13 with attention whatever the picture's size; SqueezeNet's (13 x 13 at 224 px) and
    ShuffleNetV2's (7 x 7) follow it. ``width`` is 512, ShuffleNetV2's 1024.
    """

    def __init__(self, backbone: nn.Module, head: nn.Module, width: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.width = width

    def forward(self, pictures: Tensor) -> Tensor:
        return self.judge(pictures).logits

    def judge(self, pictures: Tensor) -> Judgement:
        """Class, place and embedding in one pass. Raises ValueError for pictures below MIN_SIDE."""
        if min(pictures.shape[2:]) < MIN_SIDE:
            raise ValueError(f"found pictures of {tuple(pictures.shape[2:])} px, expected {MIN_SIDE} or more")
        maps: Tensor = self.backbone(pictures)
        cells: Tensor = self.head(maps)
        return Judgement(cells.mean((2, 3)), cells, maps.mean((2, 3)))


def build(
    model_type: str, classes: int, trunk: Mapping[str, Tensor] | None = None, seed: int = 0
) -> SurfaceNetwork:
    """The network of this type for so many classes; torch's own randomness is left alone.

    ``trunk`` holds the weights of SqueezeNet 1.1 as torchvision names them (``features.*``; a classifier is
    passed over); None: the trunk begins He-normal. Raises UsageError for an unknown type, less than two
    classes, weights that do not fit, and weights for ShuffleNetV2, which has another trunk.
    """
    if model_type not in _BUILDERS:
        raise UsageError(f"found the model type {model_type!r}, expected one of: {', '.join(MODEL_TYPES)}")
    if classes < 2:  # noqa: PLR2004 - with one there is nothing to tell apart
        raise UsageError(
            f"found {classes} classes, expected 2 or more: name a dataset with a folder for each"
        )
    if trunk is not None and not takes_trunk(model_type):
        raise UsageError(
            f"found SqueezeNet's weights for {model_type}, expected none: it has another trunk and begins "
            "from random weights; leave them out"
        )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # the CPU's alone: a GPU's is not kept by fork_rng here
        network = _BUILDERS[model_type](classes)
    if takes_trunk(model_type):
        _fill(network.get_submodule("backbone"), trunk, seed)
    return network


def takes_trunk(model_type: str) -> bool:
    """Whether this type begins from SqueezeNet's trunk, and so from its weights where they are given."""
    return model_type != "ShuffleNetV2"


def in_trunk(network: SurfaceNetwork, name: str) -> bool:
    """Whether a parameter, by its name in the network, is one of SqueezeNet's trunk."""
    attending = isinstance(network.backbone, MultiScaleBackbone)
    return name.startswith("backbone.trunk." if attending else f"backbone.{_PREFIX}")


def trunk_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The trunk's weights as ``build`` takes them, of a file of SqueezeNet's or of a surface network's."""
    return {
        f"{_PREFIX}{name.rpartition(_PREFIX)[2]}": tensor
        for name, tensor in tensors.items()
        if _PREFIX in name
    }


def parameters(network: nn.Module) -> int:
    """How many numbers the network learns."""
    return sum(parameter.numel() for parameter in network.parameters())


def parameters_as_published(network: SurfaceNetwork) -> int:
    """As the authors of the attention count: with SqueezeNet's ImageNet classifier, which no answer uses.

    1,456,513 for the default type and six classes, of which the network has 943,513. Types without attention
    keep no such classifier and are counted as they are.
    """
    unused = IMAGENET_HEAD_PARAMETERS if isinstance(network.backbone, MultiScaleBackbone) else 0
    return parameters(network) + unused


def _attending(*scales: Scale, joined: Joined = "added") -> Callable[[int], SurfaceNetwork]:
    def built(classes: int) -> SurfaceNetwork:
        backbone = MultiScaleBackbone(SqueezeNetTrunk(), scales, joined)
        # The linear layer behind the average, given to each cell before it: the mean of both is the same.
        return SurfaceNetwork(backbone, nn.Conv2d(multiscale.WIDTH, classes, 1), multiscale.WIDTH)

    return built


def _squeezenet(classes: int) -> SurfaceNetwork:
    last = nn.Conv2d(multiscale.WIDTH, classes, 1)
    nn.init.normal_(last.weight, std=HEAD_SPREAD)
    nn.init.zeros_(last.get_parameter("bias"))
    head = nn.Sequential(nn.Dropout(DROPOUT), last, nn.ReLU())
    return SurfaceNetwork(SqueezeNetTrunk(), head, multiscale.WIDTH)


def _shufflenet(classes: int) -> SurfaceNetwork:
    head = nn.Conv2d(shufflenet.WIDTH, classes, 1)
    return SurfaceNetwork(shufflenet.ShuffleNetTrunk(), head, shufflenet.WIDTH)


_BUILDERS: Mapping[str, Callable[[int], SurfaceNetwork]] = {
    "MSA_Addition_Pool35": _attending(POOL3, POOL5),
    "MSA_Addition_Pool53": _attending(POOL5, POOL3),
    "MSA_Concatenation": _attending(POOL5, POOL3, joined="side by side"),
    "MSA_Pool3": _attending(POOL3),
    "MSA_Pool5": _attending(POOL5),
    "MSA_None": _attending(),
    "SqueezeNet": _squeezenet,
    "ShuffleNetV2": _shufflenet,
}
MODEL_TYPES = tuple(_BUILDERS)


def _fill(backbone: nn.Module, given: Mapping[str, Tensor] | None, seed: int) -> None:
    """Give the trunk its weights, or its first random ones."""
    trunk = backbone.trunk if isinstance(backbone, MultiScaleBackbone) else backbone
    if given is None:
        _begin(trunk, seed)
        return
    wanted = {name: tensor.shape for name, tensor in trunk.state_dict().items()}
    found = {name: tensor for name, tensor in given.items() if name.startswith(_PREFIX)}
    wrong = [name for name in wanted if name not in found or found[name].shape != wanted[name]]
    if wrong or len(found) != len(wanted):
        odd = [*wrong, *(name for name in found if name not in wanted)]
        raise UsageError(
            f"found trunk weights that do not fit at {', '.join(odd[:3])} ({len(odd)} in all), expected the "
            f"{len(wanted)} tensors features.* of SqueezeNet 1.1: name a file with its weights"
        )
    trunk.load_state_dict(found)


@torch.no_grad()
def _begin(trunk: nn.Module, seed: int) -> None:
    """He-normal for inputs of spread 1: pixels come in 0..255."""
    initialise(trunk, seed)
    trunk.get_parameter("features.0.weight").div_(PIXEL_SPREAD)
