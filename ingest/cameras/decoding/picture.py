"""A decoded picture as a frame: encoded to JPEG once, with its time and its size."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ingest.cameras.jpeg import jpeg_size
from ingest.records import Frame
from ingest.sources import Address

QUALITY_VIDEO = 90
"""JPEG quality of pictures out of a video: video has lost more than this already."""


def frame_of(picture: npt.NDArray[np.uint8], at_ns: int, address: Address, printer: str) -> Frame:
    """A picture, uint8 [height, width, 3] in BGR, as a frame taken at ``at_ns``."""
    jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY_VIDEO])[1].tobytes()
    height, width = picture.shape[:2]
    return _frame(jpeg, (width, height), at_ns, address, printer)


def frame_of_jpeg(jpeg: bytes, at_ns: int, address: Address, printer: str) -> Frame:
    """A JPEG as a frame, its bytes untouched. Raises SourceError for what is no whole JPEG."""
    return _frame(jpeg, jpeg_size(jpeg), at_ns, address, printer)


def _frame(jpeg: bytes, size: tuple[int, int], at_ns: int, address: Address, printer: str) -> Frame:
    return Frame(
        printer=printer, camera=str(address), captured_ns=at_ns, jpeg=jpeg, width=size[0], height=size[1]
    )
