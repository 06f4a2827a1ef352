"""Residual networks with three-dimensional kernels: ResNet18 (arXiv:1512.03385), and one stage less.

Source: as in ``vanilla.py``; ``ResNet.py`` and ``Resnet_small.py`` at 0d507a1 and 0424af0. Published on the
slides, for ResNet_small: 8.3 M parameters, kernels 7x7x7 and 3x3x3, basic blocks. Published in the
repository: widths, two blocks a stage, 1x1x1 convolutions on the shortcuts, and four linear layers, the first
two without an activation between them. Where both differ, the slides count: ResNet_small's first kernel is
5x5x5 in the repository, which makes it 8,344,257, and its last version has a convolution to 1024 channels and
9.1 M parameters. ResNet18's count is told nowhere; its layers give the one below.
Ours: ResNet18 leaves no channels out, where theirs leaves out half of them twice in each block (and, on the
slides, "does not learn anything"); and there is no sigmoid.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from detector.printability.blocks import Classifier, ConvNorm, check_size

SMALLEST = 32
"""Side of the smallest grid, voxels: ResNet18 divides it by 32."""
STEM = 64
BLOCKS = 2
"""In each stage."""


def resnet_small(size: int) -> Classifier:
    """8,358,209 parameters; ``size`` from SMALLEST. Raises UsageError for less."""
    check_size(size, SMALLEST)
    return Classifier(_trunk((64, 128, 256)), _head(256, 256))


def resnet18(size: int) -> Classifier:
    """33,496,641 parameters; ``size`` from SMALLEST. Raises UsageError for less."""
    check_size(size, SMALLEST)
    return Classifier(_trunk((64, 128, 256, 512)), _head(512, 512))


class BasicBlock(nn.Module):
    """Two 3x3x3 convolutions, and what came in added to them.

    [n, channels, s, s, s] -> [n, width, s / stride, s / stride, s / stride], rounded up
    """

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.convolutions = nn.Sequential(
            ConvNorm(channels, width, 3, stride=stride), ConvNorm(width, width, 3, activated=False)
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or channels != width:
            self.shortcut = ConvNorm(channels, width, 1, stride=stride, activated=False)

    def forward(self, maps: Tensor) -> Tensor:
        added: Tensor = self.convolutions(maps) + self.shortcut(maps)
        return added.relu_()


def _trunk(widths: Sequence[int]) -> nn.Sequential:
    """[n, 1, s, s, s] -> [n, widths[-1]]; the first stage works at s / 4, each further one at half of it."""
    stem = [ConvNorm(1, STEM, 7, stride=2), nn.MaxPool3d(3, stride=2, padding=1)]
    stages, channels = [], STEM
    for number, width in enumerate(widths):
        stages.append(_stage(channels, width, stride=2 if number else 1))
        channels = width
    return nn.Sequential(*stem, *stages, nn.AdaptiveAvgPool3d(1), nn.Flatten())


def _stage(channels: int, width: int, stride: int) -> nn.Sequential:
    """[n, channels, s, s, s] -> [n, width, s / stride, s / stride, s / stride]"""
    further = [BasicBlock(width, width, 1) for _ in range(BLOCKS - 1)]
    return nn.Sequential(BasicBlock(channels, width, stride), *further)


def _head(width: int, hidden: int) -> nn.Sequential:
    """[n, width] -> [n, 1]"""
    return nn.Sequential(
        nn.Linear(width, hidden),
        nn.Linear(hidden, 128),
        nn.ReLU(inplace=True),
        nn.Linear(128, 64),
        nn.ReLU(inplace=True),
        nn.Linear(64, 1),
    )
