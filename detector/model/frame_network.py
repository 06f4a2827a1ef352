"""The frame network: what a printer's picture shows, as an embedding and a coarse map of where it fails.

The trunk and its attention are those of the surface network (``multiscale``). It judges a frame once, ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from detector.model import multiscale, shufflenet
from detector.model.encoder import SqueezeNetTrunk, initialise
from detector.model.kinds import VISUAL
from detector.model.multiscale import POOL3, POOL5, MultiScaleBackbone
from detector.model.shufflenet import ShuffleNetTrunk
from ingest.errors import UsageError

Backbone: TypeAlias = Literal["attention", "squeezenet", "shufflenet"]
BACKBONES: Mapping[Backbone, int] = {
    "attention": multiscale.WIDTH,
    "squeezenet": multiscale.WIDTH,
    "shufflenet": shufflenet.WIDTH,
}
"""Channels of each backbone's map. ``attention``: SqueezeNet 1.1 with the multi-scale block."""
WIDTH = 96
"""Channels of the map that is pooled into the embedding."""
GRID = 13
"""The failure map has GRID x GRID cells at 224 px (ShuffleNet's 7 x 7 is enlarged to it)."""
EMBEDDING_DIM = 2 * WIDTH + len(VISUAL) + 1
SHARPNESS = 4.0
"""How much the picture's score is that of its worst cell, and not of all: of the smooth maximum."""
PRIOR = -3.0
"""First bias of the failure map: most cells show nothing wrong (arXiv:1708.02002, 4.1)."""


class Seen(NamedTuple):
    """What n pictures show.

    ``embedding`` [n, EMBEDDING_DIM]: the map's mean, its mean weighed by where something fails, ``kinds``,
    ``failing``;
    ``where`` [n, GRID, GRID]: a failure's logit in each cell (without attention, a picture of another size
    has as many cells as its map); ``failing`` [n]: the picture's, the smooth maximum of its cells;
    ``kinds`` [n, len(VISUAL)]: a logit for each kind that can be seen.
    """

    embedding: Tensor
    where: Tensor
    failing: Tensor
    kinds: Tensor


class FrameNetwork(nn.Module):
    """pictures float32 [n, 3, 224, 224], BGR minus BGR_MEAN -> ``Seen``."""

    def __init__(self, backbone: Backbone = "attention") -> None:
        super().__init__()
        self.kind = backbone
        channels = BACKBONES[backbone]
        self.backbone = _backbone(backbone)
        self.project = nn.Conv2d(channels, WIDTH, 1)
        self.where = nn.Sequential(nn.Conv2d(channels, WIDTH, 1), nn.ReLU(), nn.Conv2d(WIDTH, 1, 1))
        self.kinds = nn.Linear(2 * WIDTH, len(VISUAL))
        nn.init.constant_(self.where[2].get_parameter("bias"), PRIOR)

    def forward(self, pictures: Tensor) -> Seen:
        return self.judge(pictures)

    def judge(self, pictures: Tensor) -> Seen:
        """As ``forward``, for engines."""
        maps = self.backbone(pictures)
        where = self.where(maps)
        projected = self.project(maps).relu().flatten(2)  # [n, WIDTH, cells]
        cells = where.flatten(1)
        focus = (projected * cells.softmax(1)[:, None]).sum(2)
        pooled = torch.cat([projected.mean(2), focus], 1)
        kinds = self.kinds(pooled)
        failing = smooth_maximum(cells)
        embedding = torch.cat([pooled, kinds, failing[:, None]], 1)
        return Seen(
            embedding, (_on_grid(where) if self.kind == "shufflenet" else where)[:, 0], failing, kinds
        )

    def rate_factor(self, name: str, trunk_rate: float) -> float:
        """The learning rate of a parameter as a share of the heads': trained trunks learn slowly."""
        trunk = "backbone.trunk." if self.kind == "attention" else "backbone."
        return trunk_rate if name.startswith(trunk) else 1.0


def smooth_maximum(cells: Tensor) -> Tensor:
    """Between mean and maximum of the last axis: log of the mean of exp(SHARPNESS x), over SHARPNESS."""
    count = torch.tensor(float(cells.shape[-1]))
    return (torch.logsumexp(SHARPNESS * cells, -1) - count.log()) / SHARPNESS


def build_frame_network(
    backbone: Backbone = "attention", trunk: Mapping[str, Tensor] | None = None, seed: int = 0
) -> FrameNetwork:
    """The network with first weights; torch's own randomness is left alone.

    ``trunk``: weights of SqueezeNet 1.1 (``features.*``), None to begin at random. Raises UsageError where
    they do not fit.
    """
    if backbone not in BACKBONES:
        raise UsageError(f"found the backbone {backbone!r}, expected one of {', '.join(BACKBONES)}")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network = FrameNetwork(backbone)
    if backbone == "shufflenet":
        if trunk is not None:
            raise UsageError("found SqueezeNet's weights for shufflenet, expected none: it begins at random")
        return network
    own = trunk_within(network)
    if trunk is None:
        initialise(own, seed)
        return network
    try:
        own.load_state_dict({name: tensor for name, tensor in trunk.items() if name.startswith("features.")})
    except RuntimeError as error:
        raise UsageError(
            f"found trunk weights that do not fit ({error}), expected SqueezeNet 1.1's"
        ) from error
    return network


def trunk_within(network: FrameNetwork) -> nn.Module:
    """The network's layers before the attention."""
    return network.backbone.trunk if isinstance(network.backbone, MultiScaleBackbone) else network.backbone


def without_attention(network: FrameNetwork) -> FrameNetwork:
    """A network of its own with the same trunk and heads. Before training, attention adds nothing: both say
    the same of a picture."""
    plain = FrameNetwork("squeezenet")
    _copy(network, plain)
    return plain


def take_over(network: FrameNetwork, plain: FrameNetwork) -> None:
    """Give a network the trunk and the heads of one that was made by ``without_attention``."""
    _copy(plain, network)


def _copy(giving: FrameNetwork, taking: FrameNetwork) -> None:
    trunk_within(taking).load_state_dict(trunk_within(giving).state_dict())
    for name in ("project", "where", "kinds"):
        taking.get_submodule(name).load_state_dict(giving.get_submodule(name).state_dict())


def _backbone(kind: Backbone) -> nn.Module:
    if kind == "shufflenet":
        return ShuffleNetTrunk()
    return MultiScaleBackbone(SqueezeNetTrunk(), _SCALES) if kind == "attention" else SqueezeNetTrunk()


_SCALES: Sequence[multiscale.Scale] = (POOL3, POOL5)


def _on_grid(maps: Tensor) -> Tensor:
    return nn.functional.interpolate(maps, size=(GRID, GRID), mode="bilinear", align_corners=False)
