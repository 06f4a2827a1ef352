"""Our own network: it judges a part by what is around each of its through-holes.

What makes a part of these sets unprintable is one hole: too narrow, or too near the border. Neither says
anything but what is seen along it. So the holes are found first (``openings``), and the network sees of each
how far it is to the nearest material, around it in rings: the same hole looks the same wherever it lies and
however it is turned, and a hundred thousand weights suffice. The hole that speaks most against it decides.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from detector.printability.blocks import check_size, he_normal
from detector.printability.defects import Hole
from detector.printability.grids import HoleSet
from detector.printability.openings import Opening
from detector.printability.profiles import RINGS, SECTORS, openings, profiles_of
from detector.printability.without_torch import NOTHING, STRIDES
from features.silhouettes import Occupied

WIDTHS = (16, 32, 32)
HIDDEN = 64
SMALLEST = 16
RARE = -2.0
"""An opening's logit at first: most do not speak against a part."""


class ThroughHoles(nn.Module):
    """grids float32 [n, 1, size, size, size] of 0 and 1 -> logits [n]; above 0: prints

    ``set_of_holes`` says from where it looks: from above, or along all directions. ``scale`` and ``shift``
    make probabilities of what it says (see ``whole_parts``).
    """

    def __init__(self, set_of_holes: HoleSet = HoleSet.TOP) -> None:
        super().__init__()
        self.set_of_holes = set_of_holes
        channels = (1, *WIDTHS)
        self.trunk = nn.Sequential(*(_Ring(*sizes) for sizes in zip(channels, WIDTHS, STRIDES, strict=False)))
        self.head = nn.Sequential(
            nn.Linear(2 * WIDTHS[-1] * RINGS // 4, HIDDEN), nn.ReLU(), nn.Dropout(0.1), nn.Linear(HIDDEN, 1)
        )
        self.scale = nn.Parameter(torch.ones(()))
        self.shift = nn.Parameter(torch.zeros(()))
        he_normal(self)
        nn.init.constant_(self.head[-1].bias, RARE)  # type: ignore[arg-type]

    def forward(self, grids: Tensor) -> Tensor:
        if grids.is_meta:  # for whoever counts what one hole costs
            return self.against(grids.new_zeros(len(grids), RINGS, SECTORS))
        found = [openings(grid, self.set_of_holes) for grid in _occupied(grids)]
        return self.logits(torch.stack([self.evidence(self.seen(one)) for one in found]))

    def seen(self, found: Sequence[Opening]) -> Tensor:
        """The profiles of openings, float32 [k, RINGS, SECTORS], beside the network's weights."""
        return torch.from_numpy(profiles_of(found)).float().to(self.scale.device)

    def against(self, seen: Tensor) -> Tensor:
        """Profiles float32 [k, RINGS, SECTORS] -> logits [k]; above 0: this hole speaks against printing."""
        maps = self.trunk(seen[:, None])
        told: Tensor = self.head(torch.cat([maps.amax(3), maps.mean(3)], 1).flatten(1))
        return told.squeeze(1)

    def evidence(self, seen: Tensor) -> Tensor:
        """What the profiles [k, RINGS, SECTORS] of one part say against it, a scalar; NOTHING without any."""
        return self.against(seen).max() if len(seen) else seen.new_tensor(NOTHING)

    def logits(self, evidence: Tensor) -> Tensor:
        """Of the evidence against parts [n], their logits [n]; above 0: it prints."""
        return -(evidence * self.scale + self.shift)

    @torch.no_grad()
    def judge(self, grid: Tensor) -> tuple[float, Hole | None]:
        """The logit of one grid [1, size, size, size], and its hole that speaks most against it."""
        found = openings(_occupied(grid[None])[0], self.set_of_holes)
        if not found:
            return float(self.logits(grid.new_tensor(NOTHING))), None
        said = self.against(self.seen(found))
        return float(self.logits(said.max())), found[int(said.argmax())].hole


class _Ring(nn.Sequential):
    """A convolution over rings and sectors, round and round: [k, c, rings, sectors] -> [k, width, …]."""

    def __init__(self, channels: int, width: int, stride: tuple[int, int]) -> None:
        convolution = nn.Conv2d(channels, width, (5, 3), stride, padding=(2, 0), bias=False)
        super().__init__(_RoundAndRound(), convolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True))


class _RoundAndRound(nn.Module):
    """The last sector lies beside the first."""

    def forward(self, maps: Tensor) -> Tensor:
        return pad(maps, (1, 1, 0, 0), mode="circular")


def through_holes(size: int) -> ThroughHoles:
    """The network for grids of ``size`` voxels a side, from SMALLEST. Raises UsageError for less."""
    check_size(size, SMALLEST)
    return ThroughHoles()


def _occupied(grids: Tensor) -> list[Occupied]:
    return list(grids[:, 0].detach().cpu().numpy() > 0.5)  # noqa: PLR2004 - 0 or 1
