"""What goes on around a printer without anything being wrong: light, people, a knocked camera. Pure.

A watch must stay calm at all of it. Left out: sounds, shadows of people, several lamps that differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import TypeAlias

import msgspec
import numpy as np

from ingest.simulate.moment import Light, Passing, View, Visitor

DARKEST_ROOM = 0.04  # share of the usual light that is left in a room with its light off
BRIGHTEST_ROOM = 1.8  # what another lamp in the room makes of the usual light
SUN_SPAN = 0.7  # by how much the sun's way changes the room's light, of the usual
SUN_WAVE_S = 240.0  # how long clouds take to pass
FLICKERS_S = 8.0  # a bad lamp's changes per second
NIGHT_ROOM = 0.03
KNOCK_DEG = (
    6.0,
    4.0,
    3.0,
)  # how far the hardest knock turns a camera: pan, tilt, roll
PUT_BACK = 0.06  # how much of the knock is left when the camera was put back by hand
KNOCKING_S = 1.0  # how long somebody has the camera in hand
HUNTS_S = 0.5  # searches of an autofocus per second


class HappeningKind(StrEnum):
    """What may happen."""

    LIGHTS_OFF = "lights_off"
    LIGHTS_ON = "lights_on"  # another lamp in the room
    LAMP_FLICKER = "lamp_flicker"  # the printer's own lamp
    SUN = "sun"  # the light of a window drifts, and clouds pass
    NIGHT = "night"  # the camera's infrared mode
    HAND = "hand"
    PERSON = "person"
    DOOR = "door"
    NUDGE = "nudge"  # the camera is knocked, and put back
    FOCUS_HUNT = "focus_hunt"  # the camera loses its focus for some seconds


class Happening(msgspec.Struct, frozen=True, kw_only=True):
    """One of them, from ``at_s`` until ``until_s`` after the simulation's start; ``strength`` 0..1."""

    kind: HappeningKind
    at_s: float
    until_s: float
    strength: float = 1.0
    seed: int = 0

    def phase(self, at_s: float) -> float:
        """How far it is, 0..1 while it lasts."""
        return (at_s - self.at_s) / max(self.until_s - self.at_s, 1e-9)


Surroundings: TypeAlias = tuple[Light, View, tuple[Visitor, ...]]


def scenery(happenings: Iterable[Happening], at_s: float) -> Surroundings:
    """The light, the camera's place and who is in the picture at a time: all that happens, put together."""
    light, view, visitors = Light(), View(), []
    for one in happenings:
        if one.at_s <= at_s < one.until_s:
            if change := _LIGHTS.get(one.kind):
                light = change(light, one, at_s)
            elif passing := _PASSINGS.get(one.kind):
                visitors.append(Visitor(passing, one.phase(at_s), one.seed))
        if one.at_s <= at_s and (move := _VIEWS.get(one.kind)):
            view = move(view, one, at_s)
    return light, view, tuple(visitors)


# Light


def _lights_off(light: Light, one: Happening, _at_s: float) -> Light:
    return light._replace(room=light.room * (1.0 - one.strength * (1.0 - DARKEST_ROOM)))


def _lights_on(light: Light, one: Happening, _at_s: float) -> Light:
    brighter = 1.0 + one.strength * (BRIGHTEST_ROOM - 1.0)
    return light._replace(room=light.room * brighter, warmth=_warmer(light, 0.3 * one.strength))


def _flicker(light: Light, one: Happening, at_s: float) -> Light:
    """Another brightness every eighth of a second, the same at the same time."""
    lot = np.random.default_rng([one.seed, int(at_s * FLICKERS_S)]).random()
    return light._replace(lamp=light.lamp * (1.0 - one.strength * float(lot)))


def _sun(light: Light, one: Happening, at_s: float) -> Light:
    """Comes and goes with the day, with clouds before it."""
    turn = 2.0 * math.pi * np.random.default_rng(one.seed).random()
    clouds = 0.3 * math.sin(turn + 2.0 * math.pi * (at_s - one.at_s) / SUN_WAVE_S)
    height = math.sin(math.pi * one.phase(at_s)) * (1.0 + clouds)
    change = one.strength * SUN_SPAN * height * (1.0 if one.seed % 2 else -1.0)
    warmth = _warmer(light, 0.6 * one.strength * height)
    return light._replace(room=light.room * (1.0 + change), warmth=warmth)


def _night(light: Light, _one: Happening, _at_s: float) -> Light:
    return light._replace(room=light.room * NIGHT_ROOM, infrared=True)


def _warmer(light: Light, by: float) -> float:
    return min(max(light.warmth + by, -1.0), 1.0)


# The camera


def _nudge(view: View, one: Happening, at_s: float) -> View:
    """Turned away and back within a second each; a little of it stays."""
    into_s, back_s = at_s - one.at_s, at_s - one.until_s
    share = min(into_s / KNOCKING_S, 1.0)
    if back_s > 0.0:
        share = 1.0 - (1.0 - PUT_BACK) * min(back_s / KNOCKING_S, 1.0)
    ways = np.random.default_rng(one.seed).uniform(-1.0, 1.0, 3) * KNOCK_DEG * one.strength * share
    pan, tilt, roll = (float(way) for way in ways)
    return view._replace(
        pan_deg=view.pan_deg + pan, tilt_deg=view.tilt_deg + tilt, roll_deg=view.roll_deg + roll
    )


def _focus_hunt(view: View, one: Happening, at_s: float) -> View:
    if at_s >= one.until_s:
        return view
    swing = math.sin(math.pi * HUNTS_S * (at_s - one.at_s)) ** 2
    fading = math.sin(math.pi * one.phase(at_s))
    return view._replace(blur=max(view.blur, one.strength * fading * (0.4 + 0.6 * swing)))


_LIGHTS: Mapping[HappeningKind, Callable[[Light, Happening, float], Light]] = {
    HappeningKind.LIGHTS_OFF: _lights_off,
    HappeningKind.LIGHTS_ON: _lights_on,
    HappeningKind.LAMP_FLICKER: _flicker,
    HappeningKind.SUN: _sun,
    HappeningKind.NIGHT: _night,
}
_VIEWS: Mapping[HappeningKind, Callable[[View, Happening, float], View]] = {
    HappeningKind.NUDGE: _nudge,
    HappeningKind.FOCUS_HUNT: _focus_hunt,
}
_PASSINGS: Mapping[HappeningKind, Passing] = {
    HappeningKind.HAND: Passing.HAND,
    HappeningKind.PERSON: Passing.PERSON,
    HappeningKind.DOOR: Passing.DOOR,
}
