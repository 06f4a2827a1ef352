"""How a printer's picture is to be read: ``[printers.picture]``, checked beside its owner. Pure.

A picture is first turned upright as its EXIF orientation says, as every viewer shows it; then it is turned by
``rotate``, mirrored and cut, in this order. What lies under a mask is never judged.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from ingest.table import check_table, shown

Picture: TypeAlias = npt.NDArray[np.uint8]  # [height, width, 3], BGR

Share = Annotated[float, Meta(ge=0, le=1)]
Area: TypeAlias = tuple[Share, Share, Share, Share]  # x, y, width, height; the picture is 1 x 1

AREA = "four numbers x, y, width, height from 0 to 1 that lie within the picture"
WHOLE_AREA: Area = (0.0, 0.0, 1.0, 1.0)
ROUNDING = 1e-6
"""By how much an area may leave the picture: 0.7 + 0.3 is a little more than 1."""


class View(Struct, frozen=True):
    """``[printers.picture]``: how one printer's picture is to be read."""

    rotate: Annotated[Literal[0, 90, 180, 270], Meta(description="0, 90, 180 or 270 (clockwise)")] = 0
    # Left and right are exchanged, after the turn.
    mirror: Annotated[bool, Meta(description="true or false")] = False
    crop: Annotated[Area, Meta(description=AREA)] = WHOLE_AREA  # of the turned picture
    masks: Annotated[tuple[Area, ...], Meta(description=f"a list of areas, each {AREA}")] = ()  # of the crop

    @property
    def name(self) -> str:
        """Tells views apart: pictures of two of them cannot be compared. Empty for the whole picture."""
        return "" if self == WHOLE else f"{self.rotate} {self.mirror:d} {self.crop} {self.masks}"

    def shorter_px(self, width: int, height: int) -> float:
        """The shorter side of the crop, in pixels of a picture that may yet be turned by a right angle."""
        _, _, across, down = self.crop
        return min(width, height) * min(across, down)

    def cut(self, picture: Picture) -> Picture:
        """The picture turned, mirrored and cut, [height, width, 3]: a view of the same pixels."""
        turned = np.rot90(picture, -(self.rotate // 90))
        rows, columns = pixels(self.crop, *turned.shape[:2])
        return (turned[:, ::-1] if self.mirror else turned)[rows, columns]


WHOLE = View()


def check_view(found: dict[str, Any], where: str, mistakes: list[str]) -> View | None:
    """Read ``[printers.picture]``; every mistake goes to ``mistakes``, and then the result is None."""
    view = check_table(found, View, where, mistakes)
    if view is None:
        return None
    areas = {"crop": view.crop} | {f"masks[{number}]": mask for number, mask in enumerate(view.masks)}
    wrong = [key for key, area in areas.items() if not _within(area)]
    mistakes += [f"{where}.{key}: found {shown(list(areas[key]))}, expected {AREA}" for key in wrong]
    return None if wrong else view


def pixels(area: Area, height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns that an area covers in a picture of this size: at least one of each."""
    x, y, across, down = area
    return _span(y, down, height), _span(x, across, width)


def _span(start: float, length: float, size: int) -> slice:
    first = min(round(start * size), size - 1)
    return slice(first, max(round((start + length) * size), first + 1))


def _within(area: Area) -> bool:
    """Whether an area has a size and lies in the picture."""
    x, y, across, down = area
    return across > 0 and down > 0 and x + across <= 1 + ROUNDING and y + down <= 1 + ROUNDING
