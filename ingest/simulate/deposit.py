"""What lies on the bed: every line of filament as it really came out, in the order in which it was laid."""

from __future__ import annotations

from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

Points: TypeAlias = npt.NDArray[np.float32]  # [n, 3], mm

Kind = TypeVar("Kind", bound=np.generic)

LEAST_ROOM = 4_096


class Deposit:
    """Lines on the bed, in bed coordinates (the bed's top is z = 0); ``count`` of them.

    Views of the lines laid so far: ``begin`` and ``end`` [count, 3] mm, ``area_mm2`` [count] what really came
    out, as a cross section, ``layer``, ``feature`` (``toolpath.Feature``) and ``part`` [count]. Lines never
    change once they are laid: who draws may keep what it made of the first ones. Filament that did not stick
    is no part of this (``Strands``).
    """

    def __init__(self) -> None:
        self.count = 0
        self._places: npt.NDArray[np.float32] = np.empty((LEAST_ROOM, 6), np.float32)
        self._areas: npt.NDArray[np.float32] = np.empty(LEAST_ROOM, np.float32)
        self._kinds: npt.NDArray[np.int32] = np.empty((LEAST_ROOM, 3), np.int32)

    def lay(
        self,
        begin: Points,
        end: Points,
        area_mm2: npt.NDArray[np.float32],
        layer: npt.NDArray[np.int32],
        feature: npt.NDArray[np.uint8],
        part: npt.NDArray[np.uint8],
    ) -> None:
        """Lay so many lines, each argument [n] or [n, 3]."""
        first, self.count = self.count, self.count + len(begin)
        self._make_room()
        here = slice(first, self.count)
        self._places[here, :3], self._places[here, 3:] = begin, end
        self._areas[here] = area_mm2
        self._kinds[here, 0], self._kinds[here, 1], self._kinds[here, 2] = layer, feature, part

    @property
    def begin(self) -> Points:
        """Where each line begins."""
        return self._places[: self.count, :3]

    @property
    def end(self) -> Points:
        """Where each line ends."""
        return self._places[: self.count, 3:]

    @property
    def area_mm2(self) -> npt.NDArray[np.float32]:
        """How thick each line is."""
        return self._areas[: self.count]

    @property
    def layer(self) -> npt.NDArray[np.int32]:
        """The layer that each line belongs to."""
        return self._kinds[: self.count, 0]

    @property
    def feature(self) -> npt.NDArray[np.int32]:
        """What each line is for."""
        return self._kinds[: self.count, 1]

    @property
    def part(self) -> npt.NDArray[np.int32]:
        """The object that each line belongs to."""
        return self._kinds[: self.count, 2]

    def _make_room(self) -> None:
        room = len(self._areas)
        if self.count <= room:
            return
        room = max(2 * room, self.count)
        self._places = _grown(self._places, room)
        self._areas = _grown(self._areas, room)
        self._kinds = _grown(self._kinds, room)


def _grown(array: npt.NDArray[Kind], room: int) -> npt.NDArray[Kind]:
    larger = np.empty((room, *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
