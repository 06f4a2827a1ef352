"""Whether anything moves before a camera, for printers that have nothing but a picture to go by."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ingest.cameras.jpeg import jpeg_flaw

STEP = 12
"""Grey levels by which a pixel must change: sensor noise at 1/8 size stays below 5, JPEG's own below 8."""
SHARE = 0.004
"""Share of the picture that must change: a nozzle with its fan covers 1 to 5 %."""
FLASH_SHARE = 0.6
"""More than this is the light, or the camera itself."""


class Motion:
    """Compares each picture with the one before it, at 1/8 of its size."""

    def __init__(self) -> None:
        self._before: npt.NDArray[np.uint8] | None = None

    def moves(self, jpeg: bytes) -> bool | None:
        """Whether this picture differs from the last one; None where that cannot be told."""
        picture = _small(jpeg)
        before, self._before = self._before, picture
        if picture is None or before is None or picture.shape != before.shape:
            return None
        share = float((cv2.absdiff(picture, before) > STEP).mean())
        return None if share > FLASH_SHARE else share >= SHARE


def _small(jpeg: bytes) -> npt.NDArray[np.uint8] | None:
    if jpeg_flaw(jpeg) is not None:
        return None
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_REDUCED_GRAYSCALE_8)
    return None if picture is None else np.asarray(picture, np.uint8)
