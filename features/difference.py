"""Where two pictures of the same moment differ."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from features.picture import Picture

LEVELS = 14.0
"""Of 255, after a blur: noise of two simulated cameras stays below, a thin thread does not."""
BLUR_PX = 5


def differing(one: Picture, other: Picture) -> npt.NDArray[np.bool_]:
    """Pixels in which two pictures of one size differ noticeably, bool [h, w]."""
    apart = cv2.GaussianBlur(cv2.absdiff(one, other), (BLUR_PX, BLUR_PX), 0)
    return np.asarray(apart.max(2) > LEVELS, np.bool_)
