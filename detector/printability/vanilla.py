"""The two plain networks of the source: convolutions, pools and two linear layers, without norm.

Source: Bouziane, Ebid, Srinivas, Bok, Kiechle, "Geometrical Deep Learning on 3D Models: Classification for
Additive Manufacturing", TU Munich 2021; github.com/hannesk95/ClassificationForAdditiveManufacturing at
a8365a9, ``Vanilla3DCNN.py`` and ``Vanilla3DCNN_large.py``. Published: the kernels (not padded) and widths,
where pools and dropout stand, and so the parameters to the digit. Ours: the last maximum is taken over
whatever is left of the grid, where theirs has a window that fits 128 voxels alone (there both are the same),
and there is no sigmoid.
"""

from __future__ import annotations

from torch import nn

from detector.printability.blocks import Classifier, check_size

DROPOUT = 0.2
"""Share of the values that is left out before each linear layer, in training."""
SMALLEST, SMALLEST_LARGE = 28, 46
"""Sides of the smallest grid, voxels, of which kernels without padding and pools leave something."""


def vanilla(size: int) -> Classifier:
    """Vanilla3DCNN, 103,937 parameters; ``size`` from SMALLEST. Raises UsageError for less."""
    check_size(size, SMALLEST)
    trunk = nn.Sequential(
        *_convolution(1, 16, 9),
        *_convolution(16, 32, 5),
        nn.MaxPool3d(2),
        *_convolution(32, 32, 3),
        nn.MaxPool3d(2),
        nn.AvgPool3d(3, stride=2),
        nn.AdaptiveMaxPool3d(1),
        nn.Flatten(),
    )
    return Classifier(trunk, _head(32, 16))


def vanilla_large(size: int) -> Classifier:
    """Vanilla3DCNN_large, 1,830,049 parameters; ``size`` from SMALLEST_LARGE. Raises UsageError for less."""
    check_size(size, SMALLEST_LARGE)
    trunk = nn.Sequential(
        *_convolution(1, 32, 9),
        *_convolution(32, 64, 7),
        nn.MaxPool3d(2),
        *_convolution(64, 96, 5),
        nn.MaxPool3d(2),
        *_convolution(96, 128, 3),
        nn.MaxPool3d(2),
        nn.AvgPool3d(2, stride=1),
        nn.AdaptiveMaxPool3d(1),
        nn.Flatten(),
    )
    return Classifier(trunk, _head(128, 32))


def _convolution(channels: int, width: int, kernel: int) -> tuple[nn.Module, nn.Module]:
    """[n, channels, s, s, s] -> [n, width, s - kernel + 1, …]"""
    return nn.Conv3d(channels, width, kernel), nn.ReLU(inplace=True)


def _head(width: int, hidden: int) -> nn.Sequential:
    """[n, width] -> [n, 1]"""
    return nn.Sequential(
        nn.Dropout(DROPOUT),
        nn.Linear(width, hidden),
        nn.ReLU(inplace=True),
        nn.Dropout(DROPOUT),
        nn.Linear(hidden, 1),
    )
