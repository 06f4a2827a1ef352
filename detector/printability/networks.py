"""The networks that tell from a part's voxels whether it can be printed: one builder, by published names.

A further network is one line of NETWORKS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import nn

from detector.printability.grids import HoleSet
from detector.printability.inception import inception_v1, inception_v3
from detector.printability.resnet import resnet18, resnet_small
from detector.printability.through_holes import ThroughHoles, through_holes
from detector.printability.vanilla import vanilla, vanilla_large
from ingest.errors import UsageError

NETWORKS: Mapping[str, Callable[[int], nn.Module]] = {
    "Vanilla3DCNN": vanilla,
    "Vanilla3DCNN_large": vanilla_large,
    "ResNet_small": resnet_small,
    "ResNet18": resnet18,
    "InceptionNet_v1": inception_v1,
    "InceptionNet_v3": inception_v3,
    "ThroughHoles": through_holes,
}
"""What makes the network of this name for grids of so many voxels a side, out of torch's own randomness."""


def build(name: str, size: int, seed: int = 0, holes: HoleSet = HoleSet.TOP) -> nn.Module:
    """The network of this name for grids of ``size`` voxels a side; torch's own randomness is left alone.

    float32 [n, 1, size, size, size] of 0 and 1 -> logits float32 [n], without sigmoid; above 0: printable.
    ``holes`` tells a network that looks along directions along which. Other sizes go through it as well, and
    need the same parameters. In training, batches of 2 or more: at sizes whose last map is one voxel, batch
    norm has nothing to take a variance of otherwise. Raises UsageError for an unknown name and for a size
    that is too small for the network.
    """
    if name not in NETWORKS:
        raise UsageError(f"found the network {name!r}, expected one of: {', '.join(NETWORKS)}")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # the CPU's alone: a GPU's is not kept by fork_rng here
        network = NETWORKS[name](size)
    if isinstance(network, ThroughHoles):
        network.set_of_holes = holes
    return network


def placed(network: nn.Module, device: torch.device) -> nn.Module:
    """The network itself, on a device, its weights in the order in which convolutions are quickest.

    In bfloat16 on a CPU they take half the time so.
    """
    layout = torch.channels_last if isinstance(network, ThroughHoles) else torch.channels_last_3d
    return network.to(device, memory_format=layout)  # type: ignore[no-any-return, call-overload]


def parameters(network: nn.Module) -> int:
    """How many numbers the network learns."""
    return sum(parameter.numel() for parameter in network.parameters())
