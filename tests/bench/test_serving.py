"""The detector that serving is measured beside is the published one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from bench.darknet import SIDE, Darknet

VOC = 20
"""Classes of the released network."""


@pytest.fixture
def darknet() -> Iterator[Darknet]:
    """Shapes without numbers: neither memory nor time is taken."""
    with torch.device("meta"):
        yield Darknet(VOC)


def test_it_has_the_published_size_and_map(darknet: Darknet) -> None:
    assert darknet.judge(torch.zeros(2, 3, SIDE, SIDE)).cells.shape == (2, 5 * (5 + VOC), 13, 13)
    assert (
        sum(isinstance(each, nn.Conv2d) for each in (*darknet.early.modules(), *darknet.late.modules())) == 18
    )
    assert sum(parameter.numel() for parameter in darknet.parameters()) == pytest.approx(50.6e6, rel=0.01)
    assert Darknet().judge(torch.zeros(1, 3, SIDE, SIDE)).cells.shape == (1, 30, 13, 13)


def test_it_takes_the_published_operations(darknet: Darknet) -> None:
    """29.4 billion at 416 px, as its authors' program prints."""
    operations = []

    def counted(layer: nn.Module, _: object, given: Tensor) -> None:
        operations.append(2 * given.numel() * layer.get_parameter("weight")[0].numel())

    for each in darknet.modules():
        if isinstance(each, nn.Conv2d):
            each.register_forward_hook(counted)
    darknet.judge(torch.zeros(1, 3, SIDE, SIDE))
    assert sum(operations) == pytest.approx(29.4e9, rel=0.01)
