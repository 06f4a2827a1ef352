"""What ThroughHoles says of its strongest hole, made a probability of the part: Platt scaling (1999)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from detector.printability.through_holes import ThroughHoles

STEPS = 200


def calibrate(network: ThroughHoles, said: Tensor, against: Tensor) -> None:
    """Set the network's ``scale`` and ``shift`` by its evidence ``said`` [n] and the truth ``against`` [n].

    The truth is 1 for unprintable parts. Theirs is the highest likelihood.
    """
    scale, shift = fitted(said.double().cpu(), against.double())
    with torch.no_grad():
        network.scale.fill_(scale)
        network.shift.fill_(shift)


@torch.inference_mode(False)
@torch.enable_grad()
def fitted(said: Tensor, against: Tensor) -> tuple[float, float]:
    """The scale and shift with which ``said`` [n] are the best logits of ``against`` [n], 0 or 1."""
    said, against = said.clone(), against.clone()
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
