"""A camera's picture as people are shown it: as the printer's view says, boxes drawn, not too large."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np

from features.picture import WHOLE, Picture, View
from ingest.cameras.jpeg import jpeg_flaw, jpeg_size

Box: TypeAlias = tuple[float, float, float, float]
"""x, y, width, height in the picture as ``view`` shows it, which is 1 x 1."""

MOST_PX = 1280
"""Longer side of what is shown: more than a phone's width."""
MOST_BYTES = 500_000
"""Longest JPEG that is shown: services take 1 MB and more, phones load this at once."""
QUALITIES = (85, 70, 50, 30)
"""JPEG qualities that are tried, in this order, until the picture is short enough."""
SHRINK = 0.7
"""By how much the sides shrink where the last of them was not enough."""

_REDUCED = ((8, cv2.IMREAD_REDUCED_COLOR_8), (4, cv2.IMREAD_REDUCED_COLOR_4), (2, cv2.IMREAD_REDUCED_COLOR_2))
_LINE, _EDGE, _INK = (0, 220, 255), (0, 0, 0), (0, 0, 0)  # BGR: yellow between black, seen on any ground
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_PX = 22  # height of the font at scale 1, pixels


def marked(jpeg: bytes, boxes: Sequence[Box], labels: Sequence[str] = (), view: View = WHOLE) -> bytes | None:
    """The JPEG as ``view`` shows it, turned upright, at most MOST_PX and MOST_BYTES, with the boxes drawn.

    ``labels`` stand at the boxes in the same order; what is not ASCII in them is left out. A box leaves the
    picture at its edges; one without a size or with numbers that are none is not drawn. The same bytes where
    there is nothing to do. None for what is no JPEG or is beyond the bounds of ingest.cameras.jpeg, which
    hold before anything is decoded.
    """
    if jpeg_flaw(jpeg) is not None:
        return None
    areas = [(_within(box), label) for box, label in zip(boxes, _padded(labels, len(boxes)), strict=True)]
    drawn = [(area, label) for area, label in areas if area is not None]
    if not drawn and _as_shown(jpeg, view):
        return jpeg
    picture = _decoded(jpeg, view)
    if picture is None:
        return None
    for area, _ in drawn:
        _outline(picture, area)
    for area, label in drawn:  # after all outlines: they must not cross it out
        _label(picture, area, label)
    return _encoded(picture)


def _padded(labels: Sequence[str], number: int) -> list[str]:
    return [*labels[:number], *[""] * (number - len(labels))]


def _within(box: Box) -> Box | None:
    """What of the box lies in the picture, as left, top, right, bottom; None where that is nothing."""
    x, y, across, down = box
    if not all(map(math.isfinite, box)):
        return None
    left, top, right, bottom = (min(max(side, 0.0), 1.0) for side in (x, y, x + across, y + down))
    return (left, top, right, bottom) if left < right and top < bottom else None


def _as_shown(jpeg: bytes, view: View) -> bool:
    """Whether the picture may be shown as it is; a viewer follows its EXIF orientation by itself."""
    return len(jpeg) <= MOST_BYTES and max(jpeg_size(jpeg)) <= MOST_PX and _is_whole(view)


def _is_whole(view: View) -> bool:
    return not view.rotate and not view.mirror and view.crop == WHOLE.crop


def _decoded(jpeg: bytes, view: View) -> Picture | None:
    """BGR uint8 [height, width, 3], upright, as the view shows it, at most MOST_PX long."""
    try:
        whole = cv2.imdecode(np.frombuffer(jpeg, np.uint8), _how(jpeg, view))
    except cv2.error:
        return None
    if whole is None:
        return None
    cut = np.ascontiguousarray(view.cut(np.asarray(whole, np.uint8)))
    longer = max(cut.shape[:2])
    return _scaled(cut, MOST_PX / longer) if longer > MOST_PX else cut


def _how(jpeg: bytes, view: View) -> int:
    """libjpeg decodes at 1/2, 1/4 or 1/8 where what is left of the crop is still long enough."""
    width, height = jpeg_size(jpeg)
    longer = min(width, height) * max(view.crop[2:])  # at least so long, however the picture lies
    return next((flag for factor, flag in _REDUCED if longer >= MOST_PX * factor), cv2.IMREAD_COLOR)


def _scaled(picture: Picture, factor: float) -> Picture:
    height, width = (max(round(side * factor), 1) for side in picture.shape[:2])
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _outline(picture: Picture, area: Box) -> None:
    (left, top), (right, bottom) = _corners(picture, area)
    thick = _thickness(picture)
    for colour, extra in ((_EDGE, 2), (_LINE, 0)):
        cv2.rectangle(picture, (left, top), (right, bottom), colour, thick + extra)


def _label(picture: Picture, area: Box, text: str) -> None:
    """The text on a ground of its own, above the box where there is room, else inside of it."""
    told = "".join(char for char in text if char.isascii() and char.isprintable()).strip()
    if not told:
        return
    height, width = picture.shape[:2]
    scale = max(height, width) / 40 / _FONT_PX
    (across, up), below = cv2.getTextSize(told, _FONT, scale, 1)
    (left, top), _ = _corners(picture, area)
    left = max(min(left, width - across - 4), 0)
    bottom = top if top >= up + below + 4 else top + up + below + 4
    cv2.rectangle(picture, (left, bottom - up - below - 4), (left + across + 4, bottom), _LINE, cv2.FILLED)
    cv2.putText(picture, told, (left + 2, bottom - below - 1), _FONT, scale, _INK, 1, cv2.LINE_AA)


def _corners(picture: Picture, area: Box) -> tuple[tuple[int, int], tuple[int, int]]:
    height, width = picture.shape[:2]
    left, top, right, bottom = area
    return (
        (round(left * (width - 1)), round(top * (height - 1))),
        (round(right * (width - 1)), round(bottom * (height - 1))),
    )


def _thickness(picture: Picture) -> int:
    return max(int(max(picture.shape[:2])) // 400, 2)


def _encoded(picture: Picture) -> bytes:
    while True:
        for quality in QUALITIES:
            jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
            if len(jpeg) <= MOST_BYTES:
                return jpeg
        picture = _scaled(picture, SHRINK)
