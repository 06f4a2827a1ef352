"""Failures laid onto other scenes, so that a network learns the failure and not the print that it befell.

As arXiv:2012.07177, but with pairs: what the same moment looks like without the failure is laid onto the
scene the same way, and stands for sound. So edges, and light that does not fit, tell nothing.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

SHARE, ONTO_REAL = 0.5, 0.5
"""Of the pairs, those that are laid onto another scene; and of these, those that get a real one if any is
given."""
COVERS = (0.002, 0.35)
"""Share of the picture that differs: less is not worth it, of more little other scene would be left."""
EDGE_PX = 9
"""Width of the seam, in which one scene turns into the other."""
WIDENED = 3.0
"""The seam lies outside of what differs: the mask's mean around a pixel, so many times, at most 1."""


def transplanted(pairs: Tensor, fixed: Tensor, grounds: Tensor | None, rng: np.random.Generator) -> Tensor:
    """Some pairs [n, 7, h, w] (failing, sound, where they differ as 0 or 255) in another scene.

    It is another pair's sound picture, or one of ``grounds`` [m, 3, h, w]; those that are ``fixed``, bool
    [n], stay.
    """
    covers = pairs[:, 6].mean((1, 2)) / 255
    chosen = torch.from_numpy(rng.uniform(0, 1, len(pairs)) < SHARE)
    chosen &= ~fixed & (covers >= COVERS[0]) & (covers <= COVERS[1])
    scenes = pairs[torch.from_numpy(rng.permutation(len(pairs))), 3:6]
    if grounds is not None and len(grounds):
        real = torch.from_numpy(rng.uniform(0, 1, len(pairs)) < ONTO_REAL)
        scenes[real] = grounds[torch.from_numpy(rng.integers(0, len(grounds), int(real.sum())))]
    around = functional.avg_pool2d(pairs[:, 6:] / 255, EDGE_PX, 1, EDGE_PX // 2)
    laid = (WIDENED * around).clamp(max=1)
    moved = torch.cat(
        [scenes + laid * (pairs[:, side : side + 3] - scenes) for side in (0, 3)] + [pairs[:, 6:]], 1
    )
    return torch.where(chosen.view(-1, 1, 1, 1), moved, pairs)
