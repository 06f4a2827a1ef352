"""What the printability networks share: a convolution with its norm, and the classifier around a trunk."""

from __future__ import annotations

from torch import Tensor, nn

from ingest.errors import UsageError


class Classifier(nn.Module):
    """A trunk that makes each grid a vector, and a head that makes the vector a logit.

    grids float32 [n, 1, size, size, size] of 0 and 1 -> logits float32 [n], no sigmoid; above 0: printable

    ``trunk`` gives [n, width], ``head`` [n, 1]. Begins with He-normal weights out of torch's own randomness.
    """

    def __init__(self, trunk: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk
        self.head = head
        he_normal(self)

    def forward(self, grids: Tensor) -> Tensor:
        logits: Tensor = self.head(self.trunk(grids))
        return logits.squeeze(1)


class ConvNorm(nn.Sequential):
    """Convolution, batch norm and, if wanted, ReLU; a side becomes side / stride, rounded up.

    [n, channels, d, h, w] -> [n, width, d / stride, h / stride, w / stride]
    """

    def __init__(
        self, channels: int, width: int, kernel: int, *, stride: int = 1, activated: bool = True
    ) -> None:
        # No bias: the norm takes the mean away again.
        convolution = nn.Conv3d(channels, width, kernel, stride, padding=kernel // 2, bias=False)
        super().__init__(convolution, nn.BatchNorm3d(width))
        if activated:
            self.append(nn.ReLU(inplace=True))


def he_normal(network: nn.Module) -> None:
    """He-normal weights (arXiv:1502.01852), by fan-out for convolutions as the authors have it; biases 0."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv3d | nn.Linear):
            mode = "fan_out" if isinstance(layer, nn.Conv3d) else "fan_in"
            nn.init.kaiming_normal_(layer.weight, mode=mode, nonlinearity="relu")  # type: ignore[arg-type]
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def check_size(size: int, smallest: int) -> None:
    """Raises UsageError for grids that have no room for the network's kernels and pools."""
    if size < smallest:
        raise UsageError(
            f"found grids of {size} voxels a side, expected {smallest} or more for this network: "
            "voxelize finer, or take another network"
        )
