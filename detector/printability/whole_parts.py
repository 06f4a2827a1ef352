"""What LocalEvidence learned from clippings, made to hold for whole parts: Platt scaling (1999) of its logit.

A whole part has many times the cells of a clipping, and so a stronger strongest one, whatever it is.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from detector.printability.dataset import Indices, Parts
from detector.printability.local_evidence import LocalEvidence

STEPS = 200


def calibrate(network: LocalEvidence, parts: Parts, chosen: Indices, size: int) -> None:
    """Set the network's ``scale`` and ``shift`` by these samples, whole parts of ``size`` voxels a side.

    Theirs is the highest likelihood; the rest of the network stays. Leaves it in evaluation mode.
    """
    network.eval()
    with torch.inference_mode():
        said = torch.cat([_strongest(network, parts, index, size) for index in chosen.tolist()])
    scale, shift = fitted(said.double().clone(), torch.from_numpy(~parts.labels[chosen]).double())
    with torch.no_grad():
        network.scale.fill_(scale)
        network.shift.fill_(shift)


def fitted(said: Tensor, against: Tensor) -> tuple[float, float]:
    """The scale and shift with which ``said`` [n] are the best logits of ``against`` [n], 0 or 1."""
    numbers = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([numbers], max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        # A hundredth of a sample of doubt: where both sides are apart, the scale would have no end.
        value = binary_cross_entropy_with_logits(said * numbers[0] + numbers[1], against)
        value = value + 0.01 * numbers[0] ** 2 / len(said)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    scale, shift = numbers.tolist()
    return scale, shift


def _strongest(network: LocalEvidence, parts: Parts, index: int, size: int) -> Tensor:
    grid = torch.from_numpy(parts.occupied(index, size).copy())[None, None].float()
    return network.evidence(grid.to(network.scale.device)).cpu()
