"""Our own network: small, and it says where. Evidence is gathered cell by cell, the strongest cells decide.

What makes a part unprintable is a local thing, so each cell of 4 x 4 x 4 voxels gets a logit of its own from
what is around it, and the part's logit is made of the few cells that speak most against it. So it can learn
from clippings of parts, with every cell told what it should say, and judge whole parts of any size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from detector.printability.blocks import ConvNorm, check_size, he_normal

CELL = 4
"""Voxels along each side of a cell."""
FOLD = 2
"""Voxels along each side of what the first convolution takes for one: nothing of them is lost, they lie in
channels, and everything after costs an eighth."""
STEM, WIDTH = 16, 32
DILATIONS = (1, 1, 2)
"""Of the blocks: a cell sees some 32 voxels to each side, more than the widest hole with a wall beside it."""
STRONGEST = 8
"""Cells whose mean decides. A hole goes through many; a single one may err."""
SMALLEST = 16
RARE = -3.0
"""A cell's logit at first: few of them speak against a part."""
AROUND = 8
"""Voxels of empty space that stay around a part when the rest of its grid is left out."""
NOTHING = -30.0
"""The logit of a cell of empty space far from the part."""


class LocalEvidence(nn.Module):
    """grids float32 [n, 1, x, y, z] of 0 and 1, sides divisible by CELL -> logits [n]; above 0: prints

    In evaluation each grid is judged by itself, without the empty space around its part. That saves most of
    the work, and a grid's logit does not hang on its neighbours.
    """

    def __init__(self) -> None:
        super().__init__()
        # Voxels, and the part's silhouette from above: how far a hole is from the border is a matter of it.
        folded = FOLD**3 + FOLD**2
        self.stem = nn.Sequential(ConvNorm(folded, STEM, 3), ConvNorm(STEM, WIDTH, 3, stride=CELL // FOLD))
        self.blocks = nn.Sequential(*(Block(WIDTH, dilation) for dilation in DILATIONS))
        self.head = nn.Conv3d(WIDTH, 1, 1)
        self.scale = nn.Parameter(torch.ones(()))
        self.shift = nn.Parameter(torch.zeros(()))
        he_normal(self)
        nn.init.constant_(self.head.bias, RARE)  # type: ignore[arg-type]

    def forward(self, grids: Tensor) -> Tensor:
        if self.training or grids.is_meta:
            return self.logits(self.cells(grids))
        return -(self.evidence(grids) * self.scale + self.shift)

    def evidence(self, grids: Tensor) -> Tensor:
        """What the strongest cells of each whole grid say, [n]: the logit before scale and shift."""
        return torch.cat([strongest(self.cells(_without_space(grid[None])[0])) for grid in grids])

    def judge(self, grids: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [n], and how much each cell speaks against printing, float32 [n, x / 4, y / 4, z / 4]."""
        logits, maps = [], []
        for grid in grids:
            near, corner = _without_space(grid[None])
            cells = self.cells(near)
            logits.append(self.logits(cells)[0])
            maps.append(_laid_out(cells[0].float(), corner, grid.shape[1:]))
        return torch.stack(logits), torch.stack(maps)

    def cells(self, grids: Tensor, seen: Tensor | None = None) -> Tensor:
        """grids [n, 1, x, y, z] -> a logit a cell [n, x / 4, y / 4, z / 4]; above 0: it speaks against it.

        ``seen`` [n, x, y]: the silhouettes from above, where the grids are clippings of taller parts.
        """
        seen = grids.amax((1, 4)) if seen is None else seen
        maps: Tensor = self.head(self.blocks(self.stem(folded(grids, seen))))
        return maps.squeeze(1)

    def logits(self, cells: Tensor) -> Tensor:
        """What the cells [n, …] say together, [n]; above 0: it prints."""
        return -(strongest(cells) * self.scale + self.shift)


def strongest(cells: Tensor) -> Tensor:
    """What the cells [n, …] that speak most against a part say on average, float32 [n]."""
    flat = cells.float().flatten(1)
    return flat.topk(min(STRONGEST, flat.shape[1]), 1).values.mean(1)


class Block(nn.Module):
    """Two convolutions around which the input goes as well: [n, width, x, y, z] -> the same."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.wide = nn.Sequential(
            nn.Conv3d(width, width, 3, padding=dilation, dilation=dilation, bias=False),
            nn.BatchNorm3d(width),
            nn.ReLU(inplace=True),
        )
        self.near = ConvNorm(width, width, 3, activated=False)

    def forward(self, maps: Tensor) -> Tensor:
        return torch.relu(maps + self.near(self.wide(maps)))


def local_evidence(size: int) -> LocalEvidence:
    """The network for grids of ``size`` voxels a side, from SMALLEST. Raises UsageError for less."""
    check_size(size, SMALLEST)
    return LocalEvidence()


def folded(grids: Tensor, seen: Tensor) -> Tensor:
    """Eight voxels and four of the silhouette in channels.

    grids [n, 1, x, y, z] and silhouettes [n, x, y] -> [n, 12, x / 2, y / 2, z / 2]
    """
    n, _, x, y, z = grids.shape
    voxels = grids.reshape(n, x // 2, 2, y // 2, 2, z // 2, 2).permute(0, 2, 4, 6, 1, 3, 5)
    seen = seen.reshape(n, x // 2, 2, y // 2, 2).permute(0, 2, 4, 1, 3)
    return torch.cat(
        [
            voxels.reshape(n, FOLD**3, x // 2, y // 2, z // 2),
            seen.reshape(n, FOLD**2, x // 2, y // 2, 1).expand(-1, -1, -1, -1, z // 2),
        ],
        1,
    )


def _without_space(grid: Tensor) -> tuple[Tensor, tuple[int, int, int]]:
    """A grid [1, 1, x, y, z] cut to its part and AROUND it, and the first voxel that is left of it."""
    spans = [_span(grid.amax([axis for axis in range(5) if axis != own])) for own in (2, 3, 4)]
    (x, x_end), (y, y_end), (z, z_end) = spans
    return grid[:, :, x:x_end, y:y_end, z:z_end], (x, y, z)


def _span(filled: Tensor) -> tuple[int, int]:
    """Where material begins and ends, float [side] of 0 and 1, with room around; both divisible by CELL."""
    places = filled.nonzero()
    if not len(places):
        return 0, len(filled)
    begin = max(int(places[0]) - AROUND, 0) // CELL * CELL
    end = min(-(-(int(places[-1]) + 1 + AROUND) // CELL) * CELL, len(filled))
    return begin, end


def _laid_out(cells: Tensor, corner: tuple[int, int, int], sides: torch.Size) -> Tensor:
    """Cells of a cut grid at their places in the whole one of ``sides`` voxels."""
    whole = cells.new_full([side // CELL for side in sides], NOTHING)
    place = [slice(at // CELL, at // CELL + count) for at, count in zip(corner, cells.shape, strict=True)]
    whole[tuple(place)] = cells
    return whole
