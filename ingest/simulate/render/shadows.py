"""How much light reaches each place of the bed: what stands on it and what moves over it is in the way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ingest.simulate.look import Look
from ingest.simulate.mesh import Carrier
from ingest.simulate.moment import Pose
from ingest.simulate.render.footprints import CELLS, Footprints, fill
from ingest.simulate.render.solids import Thing
from ingest.simulate.toolpath import Position

Floats: TypeAlias = npt.NDArray[np.float32]
Mask: TypeAlias = npt.NDArray[np.uint8]

OUTSIDE = 0  # value of a light map where there is no bed
LEAST = 40  # and where there is least light; 255 is all of it
HIGHEST_MM = 70.0  # of what hangs over the bed: higher things throw too soft a shadow
SOFT_CELLS = 19  # blur of what hangs over the bed
SHARP_CELLS = 5  # and of what stands on it
CONTACT_CELLS = 11
CONTACT = 0.45  # loss of light beside a part's foot


class Shadows:
    """The bed's light map for one look."""

    def __init__(self, look: Look, things: Mapping[Carrier, Thing], towards_lamp: Floats) -> None:
        self.bed = Footprints(look.printer.bed_mm, towards_lamp)
        self._strength = look.lamp.shadow
        carriers = [carrier for carrier in (Carrier.HEAD, Carrier.GANTRY) if carrier in things]
        self._hulls = {carrier: self._hull(things[carrier].vertices) for carrier in carriers}
        self._shape = _bed_shape(look.printer.round_bed)
        nothing = np.zeros((CELLS, CELLS), np.uint8)
        self._known: tuple[tuple[Footprints, int] | None, tuple[Mask, Mask]] = (None, (nothing, nothing))

    def light(self, prints: Footprints, nozzle: Position, poses: Mapping[int, Pose], infrared: bool) -> Mask:
        """[CELLS, CELLS], row 0 in front: 255 in full light, ``OUTSIDE`` beside the bed."""
        contact, standing = self._of_prints(prints, poses)
        loss: cv2.typing.MatLike = contact
        if not infrared:
            hanging = cv2.blur(self._hanging(nozzle), (SOFT_CELLS, SOFT_CELLS))
            cast = cv2.convertScaleAbs(cv2.max(standing, hanging), alpha=self._strength)
            loss = cv2.addWeighted(cv2.max(contact, cast), 1.0, cv2.min(contact, cast), 0.3, 0.0)
        _, loss = cv2.threshold(loss, 255 - LEAST, 0, cv2.THRESH_TRUNC)
        return np.asarray(cv2.bitwise_and(cv2.bitwise_not(loss), self._shape), np.uint8)

    def _of_prints(self, prints: Footprints, poses: Mapping[int, Pose]) -> tuple[Mask, Mask]:
        """Loss of light beside parts' feet, and their shadows; remembered while no part moves or grows."""
        key = (prints, prints.changes)
        if poses or self._known[0] != key:
            contact = cv2.blur(prints.contact(poses), (CONTACT_CELLS, CONTACT_CELLS))
            loss = np.asarray(cv2.convertScaleAbs(contact, alpha=CONTACT), np.uint8)
            standing = np.asarray(cv2.blur(prints.shadow(poses), (SHARP_CELLS, SHARP_CELLS)), np.uint8)
            self._known = (None if poses else key), (loss, standing)
        return self._known[1]

    def _hull(self, vertices: Floats) -> Floats:
        low = vertices[vertices[:, 2] < max(HIGHEST_MM, float(vertices[:, 2].min()) + 10.0)]
        shade = np.ascontiguousarray(low[:, :2] + low[:, 2:] * self.bed.slant, np.float32)
        return np.asarray(cv2.convexHull(shade), np.float32).reshape(-1, 2)

    def _hanging(self, nozzle: Position) -> Mask:
        mask: Mask = np.zeros((CELLS, CELLS), np.uint8)
        fall = self.bed.slant * nozzle.z_mm
        for carrier, hull in self._hulls.items():
            x_mm = nozzle.x_mm if carrier is Carrier.HEAD else 0.0
            fill(mask, self.bed.cells(hull + np.array([x_mm, nozzle.y_mm], np.float32) + fall))
        return mask


def _bed_shape(is_round: bool) -> Mask:
    shape: Mask = np.zeros((CELLS, CELLS), np.uint8)
    if not is_round:
        return np.full_like(shape, 255)
    cv2.circle(shape, (CELLS // 2, CELLS // 2), CELLS // 2 - 1, 255, -1)
    return shape
