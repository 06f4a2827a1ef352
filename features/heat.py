"""Where something shows, laid over the picture as colours. Pure."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from features.picture import Picture

STRENGTH = 0.65
"""How much of the picture the colour takes the place of where it is hottest: what lies beneath stays seen."""


def overlaid(picture: Picture, heat: npt.NDArray[np.float32], *, calm: bool = False) -> Picture:
    """The picture BGR uint8 [height, width, 3] with ``heat`` [rows, columns] in 0..1 over the whole of it.

    From yellow to red as it grows, ``calm`` from green to blue; where it is 0 the picture stays as it is.
    """
    height, width = picture.shape[:2]
    grown = cv2.resize(heat, (width, height), interpolation=cv2.INTER_LINEAR)
    falling = np.asarray(np.rint(255 * (1 - grown)), np.uint8)  # both maps have their strongest colour at 0
    colours = cv2.applyColorMap(falling, cv2.COLORMAP_WINTER if calm else cv2.COLORMAP_AUTUMN)
    weight = STRENGTH * grown[..., None]
    return np.asarray(np.rint(picture * (1 - weight) + colours * weight), np.uint8)
