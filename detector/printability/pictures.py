"""A drilled part as a picture: seen from three sides, and cut through its hole. Pure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.picture import Picture
from features.silhouettes import Occupied

VIEWS = ("from above", "from the front", "from the side")
"""What the three columns show; below each is a cut at right angles to the same axis."""
PANEL_PX, GAP_PX = 192, 6
GROUND, MATERIAL, HOLE = (250, 248, 246), (150, 110, 70), (56, 40, 200)  # BGR
FARTHEST = 0.75
"""How much of its colour the farthest voxel of a view has lost to the ground."""

Colors = npt.NDArray[np.float64]


def views(occupied: Occupied, removed: Occupied) -> Picture:
    """BGR uint8 [2 * PANEL_PX + GAP_PX, 3 * PANEL_PX + 2 * GAP_PX, 3] of a cube of voxels, bool [x, y, z].

    ``removed`` bool [x, y, z] are the voxels that were drilled away; they are painted as if they were there.
    The cuts go through their middle, through the part's where there are none.
    """
    shown = removed if removed.any() else occupied
    middle = np.argwhere(shown).mean(0).astype(int) if shown.any() else np.array(occupied.shape) // 2
    tops, cuts = [], []
    for axis in (2, 1, 0):  # from above, from the front, from the side
        # From above the nearest voxel is that with the greatest z, from the others that with the least index.
        step = -1 if axis == 2 else 1  # noqa: PLR2004 - z
        part, gone = (np.moveaxis(grid, axis, 0)[::step] for grid in (occupied, removed))
        tops.append(_panel(_seen(part, gone)))
        at = len(part) - 1 - middle[axis] if step < 0 else middle[axis]
        cuts.append(_panel(_painted(part[at], gone[at])))
    return np.concatenate([_row(tops), _gap(GAP_PX, 3 * PANEL_PX + 2 * GAP_PX), _row(cuts)])


def _seen(part: Occupied, gone: Occupied) -> Colors:
    """The nearest voxel along axis 0, paler the farther it is: float64 [n, n, 3]."""
    either = part | gone
    shown, depth = either.any(0), either.argmax(0)
    nearest = depth[shown].min() if shown.any() else 0
    gone_first = np.take_along_axis(gone, depth[None], 0)[0]
    colors = _painted(shown & ~gone_first, gone_first)
    pale = (FARTHEST * (depth - nearest).clip(0) / len(part))[..., None]
    return np.asarray(colors * (1 - pale) + np.array(GROUND) * pale)


def _painted(part: Occupied, gone: Occupied) -> Colors:
    """A layer [n, n] as colours: float64 [n, n, 3]."""
    colors = np.full((*part.shape, 3), GROUND, np.float64)
    colors[part] = MATERIAL
    colors[gone] = HOLE
    return colors


def _panel(colors: Colors) -> Picture:
    """As x to the right and the other axis upwards, at its size on the picture."""
    nearest = np.arange(PANEL_PX) * len(colors) // PANEL_PX
    upright = colors.transpose(1, 0, 2)[::-1]
    return upright[nearest][:, nearest].round().astype(np.uint8)


def _row(panels: list[Picture]) -> Picture:
    gap = _gap(PANEL_PX, GAP_PX)
    return np.concatenate([panels[0], gap, panels[1], gap, panels[2]], 1)


def _gap(height: int, width: int) -> Picture:
    return np.full((height, width, 3), 255, np.uint8)
