"""Platt scaling: probabilities of whole parts are what they say."""

from __future__ import annotations

import pytest
import torch

from detector.printability.whole_parts import fitted


def test_the_logits_that_made_the_labels_are_found_again() -> None:
    random = torch.Generator().manual_seed(1)
    said = torch.randn(4000, generator=random, dtype=torch.float64) * 3
    against = (torch.rand(4000, generator=random) < torch.sigmoid(2.0 * said - 3.0)).double()
    assert fitted(said, against) == pytest.approx((2.0, -3.0), rel=0.1)


def test_as_many_are_called_unprintable_as_are() -> None:
    said = torch.arange(100, dtype=torch.float64)
    against = (said >= 70).double()
    against[[60, 80]] = 1 - against[[60, 80]]
    scale, shift = fitted(said, against)
    assert torch.sigmoid(said * scale + shift).mean().item() == pytest.approx(0.3, abs=0.01)


def test_sides_that_are_apart_give_no_endless_certainty() -> None:
    scale, shift = fitted(torch.tensor([-1.0, 1.0]).double(), torch.tensor([0.0, 1.0]).double())
    assert 0 < scale < 100
    assert abs(shift) < 1e-3
