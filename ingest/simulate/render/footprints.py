"""Where parts stand on the bed and what shadow they throw on it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ingest.simulate.moment import Pose
from ingest.simulate.render.segments import Segments

Floats: TypeAlias = npt.NDArray[np.float32]
Mask: TypeAlias = npt.NDArray[np.uint8]

CELLS = 256  # of the bed's shadow map, to a side
CONTACT_MM = 4.0  # what is lower than this darkens the bed around it
ON_EDGE = 0.05  # area of a footprint, of the one that stands, below which a part stands on its side
LEAST_LAMP_HEIGHT = 0.35  # of the lamp's direction: a lower one would throw shadows without end
_BITS = 3  # of a cell's fraction, that shapes are drawn with


class Footprints:
    """By part: its extent, its shadow, and where it touches the bed, as [CELLS, CELLS], row 0 in front."""

    def __init__(self, bed_mm: tuple[float, float], towards_lamp: Floats) -> None:
        self.bed_mm = bed_mm
        self._cells_mm = np.array([CELLS / bed_mm[0], CELLS / bed_mm[1]], np.float32)
        height = max(float(towards_lamp[2]), LEAST_LAMP_HEIGHT)
        self.slant: Floats = (-towards_lamp[:2] / height).astype(np.float32)  # mm of shadow to a mm of height
        self._shadows: dict[int, Mask] = {}
        self._contacts: dict[int, Mask] = {}
        self._extents: dict[int, Floats] = {}  # least and most of x, y, z: [2, 3]
        self.changes = 0  # how often something was added

    def add(self, segments: Segments) -> None:
        """Note segments that were laid."""
        self.changes += 1
        for part in np.unique(segments.part).tolist():
            own = segments.only(segments.part == part)
            self._stretch(part, own)
            shadow = self._shadows.setdefault(part, _empty())
            self._trace(shadow, own, self.slant)
            low = own.only(own.end[:, 2] < CONTACT_MM)
            if len(low.begin):
                self._trace(self._contacts.setdefault(part, _empty()), low, np.zeros(2, np.float32))

    def shadow(self, poses: Mapping[int, Pose]) -> Mask:
        """All parts' shadows."""
        return self._together(self._shadows, poses)

    def contact(self, poses: Mapping[int, Pose]) -> Mask:
        """Where all parts touch the bed."""
        return self._together(self._contacts, poses)

    def lift_mm(self, part: int, points: Floats, warp_mm: float) -> Floats:
        """By how much a warped part's points [n, 3] have come up: corners most, layers above ever less."""
        if part not in self._extents:
            return np.zeros(len(points), np.float32)
        low, high = self._extents[part]
        from_middle = np.linalg.norm(points[:, :2] - (low + high)[:2] / 2, axis=1)
        share = np.minimum(from_middle / max(float(np.linalg.norm((high - low)[:2])) / 2, 1.0), 1.0)
        fading = 1.0 - 0.9 * np.clip(points[:, 2] / max(float(high[2]), 3.0), 0.0, 1.0)
        lift: Floats = (warp_mm * share**2 * fading).astype(np.float32)
        return lift

    def cells(self, points_mm: Floats) -> npt.NDArray[np.int32]:
        """Bed coordinates [..., 2] as drawing functions take them: cells with ``_BITS`` fractional bits."""
        cells: npt.NDArray[np.int32] = np.rint((points_mm * self._cells_mm - 0.5) * 2**_BITS).astype(np.int32)
        return cells

    def _stretch(self, part: int, segments: Segments) -> None:
        both = np.concatenate([segments.begin, segments.end])
        low, high = both.min(axis=0), both.max(axis=0)
        if part in self._extents:
            low, high = np.minimum(low, self._extents[part][0]), np.maximum(high, self._extents[part][1])
        self._extents[part] = np.stack([low, high])

    def _trace(self, mask: Mask, segments: Segments, slant: Floats) -> None:
        begin = segments.begin[:, :2] + segments.begin[:, 2:] * slant
        end = segments.end[:, :2] + segments.end[:, 2:] * slant
        lines = self.cells(np.stack([begin, end], axis=1))
        cv2.polylines(mask, list(lines), False, 255, 1, cv2.LINE_8, _BITS)

    def _together(self, masks: Mapping[int, Mask], poses: Mapping[int, Pose]) -> Mask:
        together = _empty()
        for part, mask in masks.items():
            placed = self._posed(mask, poses[part]) if part in poses else mask
            cv2.max(together, placed, together)
        return together

    def _posed(self, mask: Mask, pose: Pose) -> Mask:
        """A mask where its part has gone: as good as it gets without drawing it anew."""
        scale = np.diag([*self._cells_mm, 1.0])
        flat = np.eye(3)
        flat[:2, :2], flat[:2, 2] = pose[:2, :2], pose[:2, 3]
        if abs(np.linalg.det(flat[:2, :2])) < ON_EDGE:
            return _empty()  # it stands on its side
        matrix = (scale @ flat @ np.linalg.inv(scale))[:2]
        return np.asarray(cv2.warpAffine(mask, matrix, (CELLS, CELLS)), np.uint8)


def fill(mask: Mask, corners: npt.NDArray[np.int32]) -> None:
    """Fill a convex shape given in ``Footprints.cells``."""
    cv2.fillConvexPoly(mask, corners, 255, cv2.LINE_8, _BITS)


def _empty() -> Mask:
    return np.zeros((CELLS, CELLS), np.uint8)
