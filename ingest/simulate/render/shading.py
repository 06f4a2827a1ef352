"""How bright surfaces are: the room's light and the lamp's, kept apart so that either may change later."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ingest.simulate.look import Look, Shading
from ingest.simulate.moment import Light
from ingest.simulate.render.vectors import unit

Floats: TypeAlias = npt.NDArray[np.float32]

POINT_LAMP_MM = 420.0  # from the bed's middle to the lamp of HARSH
GRAZING = -0.1  # cosine to the lamp down to which gloss shows
WARM = np.array([-0.35, -0.02, 0.28], np.float32)  # what warmth 1 does to blue, green and red
INFRARED_AMBIENT = 0.05
INFRARED_STRENGTH = 0.9


class Lit(NamedTuple):
    """Light that leaves so many points, by where it came from: ``room`` and ``lamp`` [n, 3], linear."""

    room: Floats
    lamp: Floats

    def under(self, gains: Gains) -> Floats:
        """The sum under some light, [n, 3]."""
        return scaled(self.room, gains.room) + scaled(self.lamp, gains.lamp)


class Gains(NamedTuple):
    """Factors [3] on the light of the room and of the lamp."""

    room: Floats
    lamp: Floats


def scaled(light: Floats, factors: Floats) -> Floats:
    """Light [..., 3] times factors [3]; not numpy's way, which is ten times as slow for three channels."""
    if (factors == 1.0).all() or not light.size:
        return light
    flat = np.ascontiguousarray(light, np.float32).reshape(-1, 1, 3)
    return np.asarray(cv2.transform(flat, np.diag(factors)), np.float32).reshape(light.shape)


def gains_of(light: Light) -> Gains:
    """How a moment's light differs from the usual."""
    if light.infrared:
        return Gains(np.ones(3, np.float32), np.ones(3, np.float32))
    warm = 1.0 + light.warmth * WARM
    return Gains((light.room * warm).astype(np.float32), np.full(3, light.lamp, np.float32))


class Shader:
    """Shades points of surfaces in a look's light, or in the infrared lamp beside the camera.

    ``eye`` and ``middle`` (of the bed) [3] mm; points are world coordinates as good as they are known: things
    that move are shaded where they usually are.
    """

    def __init__(self, look: Look, eye: npt.NDArray[np.float64], infrared: bool) -> None:
        self.infrared = infrared
        self._lamp, self._eye = look.lamp, eye.astype(np.float32)
        self.middle = np.array([look.printer.bed_mm[0] / 2, look.printer.bed_mm[1] / 2, 0.0], np.float32)
        towards = np.array(look.lamp.towards, np.float32)
        self.towards: Floats = towards / max(float(np.linalg.norm(towards)), 1e-6)
        self._ambient = np.array(look.lamp.ambient, np.float32)
        self._colour = np.array(look.lamp.colour, np.float32) * look.lamp.strength

    def shade(self, points: Floats, normals: Floats, albedo: Floats, gloss: Floats | float) -> Lit:
        """Light off so many points: each argument [n, 3] (albedo broadcasts), gloss [n] or one for all."""
        to_eye = self._eye - points
        distance = np.linalg.norm(to_eye, axis=1, keepdims=True)
        to_eye /= np.maximum(distance, 1.0)
        if self.infrared:
            return self._infrared(normals, albedo, to_eye, distance)
        to_lamp, strength = self._to_lamp(points)
        facing = np.einsum("ij,ij->i", normals, to_lamp)[:, None]
        shine = self._shine(normals, to_lamp, to_eye, np.asarray(gloss, np.float32).reshape(-1, 1))
        room = albedo * self._ambient * (0.72 + 0.28 * normals[:, 2:])
        lamp = (albedo * self._diffuse(facing) + shine * (facing > GRAZING)) * self._colour * strength
        return Lit(room.astype(np.float32), lamp.astype(np.float32))

    def strands(self, points: Floats, tangents: Floats, albedo: Floats) -> Lit:
        """Light off threads: what matters is how they lie to the light. Arguments [n, 3]."""
        if self.infrared:
            return self.shade(points, unit(self._eye - points), albedo, 0.0)
        to_lamp, strength = self._to_lamp(points)
        along = np.einsum("ij,ij->i", tangents, to_lamp)[:, None]
        across = np.sqrt(np.maximum(1.0 - along**2, 0.0))
        room = albedo * self._ambient * 0.9
        lamp = (albedo * (0.25 + 0.55 * across) + 0.12 * across**12) * self._colour * strength
        return Lit(room.astype(np.float32), lamp.astype(np.float32))

    def _to_lamp(self, points: Floats) -> tuple[Floats, Floats | float]:
        if self._lamp.shading is not Shading.HARSH:
            return np.broadcast_to(self.towards, points.shape), 1.0
        to_lamp = self.middle + self.towards * POINT_LAMP_MM - points
        distance = np.linalg.norm(to_lamp, axis=1, keepdims=True)
        return to_lamp / np.maximum(distance, 1.0), np.clip((POINT_LAMP_MM / distance) ** 2, 0.2, 2.5)

    def _diffuse(self, facing: Floats) -> Floats:
        if self._lamp.shading is Shading.SOFT:
            wrapped: Floats = (0.5 + 0.5 * facing) ** 1.5
            return wrapped
        return np.maximum(facing, 0.0)

    def _shine(self, normals: Floats, to_lamp: Floats, to_eye: Floats, gloss: Floats) -> Floats:
        half = unit(to_lamp + to_eye)
        along = np.maximum(np.einsum("ij,ij->i", normals, half), 0.0)[:, None]
        strong = 1.6 if self._lamp.shading is Shading.HARSH else 0.7
        shine: Floats = strong * gloss * along ** (6.0 + 50.0 * gloss)
        return shine

    def _infrared(self, normals: Floats, albedo: Floats, to_eye: Floats, distance: Floats) -> Lit:
        """Grey, lit from the eye, soon dark with distance; dyes differ little in infrared."""
        grey = 0.18 + 0.6 * np.asarray(albedo, np.float32).mean(axis=-1, keepdims=True)
        usual = float(np.linalg.norm(self._eye - self.middle))
        facing = np.abs(np.einsum("ij,ij->i", normals, to_eye))[:, None]
        lamp = grey * (0.25 + 0.75 * facing) * np.clip((usual / distance) ** 2, 0.0, 6.0) * INFRARED_STRENGTH
        ones = np.ones((len(normals), 3), np.float32)
        return Lit((grey * INFRARED_AMBIENT * ones).astype(np.float32), (lamp * ones).astype(np.float32))
