"""A picture that nobody takes for a camera's: what a test alert carries."""

from __future__ import annotations

import cv2
import numpy as np

from features.marked import marked

WIDTH, HEIGHT = 640, 480
GROUND, INK = (60, 60, 60), (230, 230, 230)  # BGR


def drawn_test() -> bytes:
    """A JPEG of WIDTH x HEIGHT that says that it is a test, with a box drawn as an alert's are."""
    picture = np.full((HEIGHT, WIDTH, 3), GROUND, np.uint8)
    cv2.putText(picture, "test alert", (150, 250), cv2.FONT_HERSHEY_SIMPLEX, 2.0, INK, 3, cv2.LINE_AA)
    jpeg = cv2.imencode(".jpg", picture)[1].tobytes()
    return marked(jpeg, [(0.2, 0.35, 0.62, 0.25)], ["a box"]) or jpeg
