"""A camera's JPEG as model input: decoded at reduced size, bounded before it is decoded."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch

from features.picture import WHOLE, Picture, View, pixels
from ingest.cameras.jpeg import jpeg_flaw, jpeg_size

SIDE = 224
"""Side of a model input in pixels, unless the model says otherwise."""
BGR_MEAN = (104.0, 117.0, 123.0)
"""Subtracted from 0..255 BGR: ``mean_value`` in SqueezeNet_v1.1/train_val.prototxt (DeepScale)."""

_REDUCED = (
    (8, cv2.IMREAD_REDUCED_COLOR_8),
    (4, cv2.IMREAD_REDUCED_COLOR_4),
    (2, cv2.IMREAD_REDUCED_COLOR_2),
)


def decode_frame(jpeg: bytes, size: int = SIDE, view: View = WHOLE) -> Picture | None:
    """A JPEG as BGR uint8 [size, size, 3]: what ``view`` shows of it, stretched to the square, not masked.

    An EXIF orientation is followed before anything else. libjpeg decodes at 1/2, 1/4 or 1/8 where the crop's
    shorter side stays at least ``size``. None for what cannot be decoded or is beyond the bounds of
    ingest.cameras.jpeg: the stream is not trusted to have kept them.
    """
    if jpeg_flaw(jpeg) is not None:
        return None
    try:
        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), _how(jpeg, size, view))
    except cv2.error:
        return None
    if picture is None:
        return None
    cut = np.ascontiguousarray(view.cut(np.asarray(picture, np.uint8)))
    if cut.shape[:2] != (size, size):
        cut = np.asarray(cv2.resize(cut, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
    return cut


def masked(picture: Picture, view: View) -> Picture:
    """The picture with BGR_MEAN under the view's masks, which is nothing to a model."""
    if not view.masks:
        return picture
    filled = picture.copy()
    for mask in view.masks:
        filled[pixels(mask, *picture.shape[:2])] = BGR_MEAN
    return filled


def to_batch(frames: Sequence[Picture]) -> torch.Tensor:
    """Frames BGR uint8, each [size, size, 3], as float32 [n, 3, size, size] minus BGR_MEAN."""
    stacked = torch.from_numpy(np.stack(frames))
    return stacked.permute(0, 3, 1, 2).float() - torch.tensor(BGR_MEAN).view(3, 1, 1)


def _how(jpeg: bytes, size: int, view: View) -> int:
    shorter_px = view.shorter_px(*jpeg_size(jpeg))
    return next((flag for factor, flag in _REDUCED if shorter_px >= size * factor), cv2.IMREAD_COLOR)


__all__ = ["BGR_MEAN", "SIDE", "Picture", "decode_frame", "masked", "to_batch"]
