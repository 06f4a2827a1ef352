"""Who comes between the camera and the printer: a hand, a person, the door of an enclosure."""

from __future__ import annotations

import math
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from ingest.simulate.look import Colour, Look
from ingest.simulate.looks.colours import Picture, one_of, scaled
from ingest.simulate.looks.noise import Field, chance, clouds, soft
from ingest.simulate.moment import Passing, Visitor

SKINS = ("#e8b898", "#d8a078", "#b07850", "#7c4c30", "#4c2c1c", "#f0c8b0")
CLOTHES = ("#343840", "#445474", "#8c8c90", "#74302c", "#d0d0cc", "#4c6450", "#2c2c2f", "#b0a080")
HAIR = ("#30261f", "#4c3018", "#8c6c3c", "#787470")
EDGES = ((-0.1, 0.55), (1.1, 0.55), (0.5, 1.15), (0.1, 1.15), (0.9, 1.15), (1.1, 0.2), (-0.1, 0.2))
SMEARS_PX = (0.3, 3.0)  # by moving, standard deviation at half size
DARKEST = 0.18  # of a limb's light
SMALL = 0.5  # visitors are near and out of focus: they are painted at half size

Mask: TypeAlias = npt.NDArray[np.uint8]
Points: TypeAlias = npt.NDArray[np.float64]


def draw_visitor(picture: Picture, visitor: Visitor, look: Look) -> None:
    """Paint a visitor over a linear picture [h, w, 3], in place; outside of phase 0..1 there is none."""
    if not 0.0 < visitor.phase < 1.0:
        return
    rng = np.random.default_rng([look.seed, 30, visitor.seed])
    PAINTERS[visitor.kind](picture, visitor.phase, look, rng)


def _reach(phase: float) -> float:
    """How far something that comes in, stays and goes has come in, 0..1."""
    return float(min(1.0, 3.2 * math.sin(math.pi * phase) ** 1.5))


def _hand(picture: Picture, phase: float, look: Look, rng: np.random.Generator) -> None:
    """An arm from an edge with a hand at its end that works about the part."""
    height, width = picture.shape[:2]
    begin = np.array(EDGES[int(rng.integers(len(EDGES)))])
    aim = rng.uniform((0.35, 0.35), (0.65, 0.65)) + 0.06 * np.sin((phase * 17.0, phase * 11.0))
    wrist = begin + (aim - begin) * _reach(phase)
    scale = np.array([width, height]) * SMALL
    size = float(rng.uniform(0.09, 0.16)) * width * SMALL
    skin, sleeve = one_of(rng, SKINS, 0.1), one_of(rng, CLOTHES, 0.2)
    spread = rng.uniform(0.7, 1.2) * (1.0 + 0.15 * math.sin(phase * 23.0))
    arm, hand = _arm_masks(
        (round(height * SMALL), round(width * SMALL)), begin * scale, wrist * scale, size, spread
    )
    smears = np.abs(aim - begin) * float(rng.uniform(*SMEARS_PX)) + 0.3
    for height_px, own in ((arm, sleeve), (hand, skin)):
        mask, light = _formed(height_px, look)
        _lay(picture, _smeared(mask, smears), _lit(own, look), _smeared(light, smears))


def _arm_masks(
    shape: tuple[int, int], begin: Points, wrist: Points, size: float, spread: float
) -> tuple[Field, Field]:
    """A sleeve and a hand with five fingers, each as its height over the picture, [h, w] px."""
    along = (wrist - begin) / max(float(np.linalg.norm(wrist - begin)), 1e-6)
    arm, hand = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    cuff = wrist - along * size * 1.9
    _limb(arm, begin - along * size, cuff, 1.15 * size)
    _limb(hand, cuff - along * 0.4 * size, wrist - along * 0.2 * size, 0.62 * size)
    aside = np.array([-along[1], along[0]])
    for off in (-0.33, 0.0, 0.33):
        _limb(hand, wrist - along * 0.1 * size, wrist + (0.5 * along + off * aside) * size, 0.7 * size)
    turn = math.atan2(along[1], along[0])
    for finger, (bend, long) in enumerate(
        ((-1.1, 0.9), (-0.4, 1.35), (-0.12, 1.5), (0.14, 1.4), (0.42, 1.1))
    ):
        away = turn + spread * bend
        root = wrist + along * 0.45 * size + 0.3 * size * (finger - 2) * aside
        knuckle = root + 0.55 * long * size * np.array([math.cos(away), math.sin(away)])
        bent = turn + 0.6 * (away - turn)
        tip = knuckle + 0.45 * long * size * np.array([math.cos(bent), math.sin(bent)])
        _limb(hand, root, knuckle, 0.36 * size)
        _limb(hand, knuckle, tip, 0.3 * size)
    return arm, hand


def _limb(heights: Field, begin: Points, end: Points, width: float) -> None:
    """Raise heights to a round limb's between two points."""
    mask = np.zeros(heights.shape, np.uint8)
    points = (round(float(begin[0])), round(float(begin[1]))), (round(float(end[0])), round(float(end[1])))
    cv2.line(mask, points[0], points[1], 255, max(round(width), 1))
    in_px, radius = cv2.distanceTransform(mask, cv2.DIST_L2, 3), np.float32(max(width, 1.0) / 2.0)
    inner = np.minimum(in_px / radius, np.float32(1.0))
    np.maximum(heights, radius * np.sqrt(inner * (np.float32(2.0) - inner)), out=heights)


def _formed(heights: Field, look: Look) -> tuple[Field, Field]:
    """A mask of what is raised, and how bright it is in the lamp's light, each [h, w]."""
    smooth = soft(heights, 0.9)
    right, down = (cv2.Sobel(smooth, cv2.CV_32F, x, 1 - x, scale=0.125) for x in (1, 0))
    way = np.array([look.lamp.towards[0], -max(look.lamp.towards[2], 0.3)], np.float32)
    way /= np.float32(np.linalg.norm(way))
    steep = np.sqrt(np.float32(1.0) + right * right + down * down)
    lambert = (np.float32(0.75) - np.float32(0.6) * (right * way[0] + down * way[1])) / steep
    mask = soft((heights > 0.0).astype(np.float32), 0.8)
    return mask, np.clip(lambert, np.float32(DARKEST), np.float32(1.3)).astype(np.float32)


def _smeared(field: Field, sigmas_px: Points) -> Field:
    """A field smeared along the picture's axes by what moves in it."""
    across, down = sigmas_px.tolist()
    return np.asarray(cv2.GaussianBlur(field, (0, 0), across, sigmaY=down), np.float32)


def _person(picture: Picture, phase: float, look: Look, rng: np.random.Generator) -> None:
    """Somebody who walks past before the printer, near and out of focus: mostly a body, perhaps the head."""
    height, width = picture.shape[:2]
    shape = (round(height * SMALL), round(width * SMALL))
    tall = shape[0] * float(rng.uniform(0.8, 1.7))
    way = phase if chance(rng, 0.5) else 1.0 - phase
    x = shape[1] * 0.5 + (1.0 * shape[1] + 0.9 * tall) * (way - 0.5)
    top = shape[0] * float(rng.uniform(-0.5, 0.12)) + 0.02 * shape[0] * math.sin(phase * 40)
    colours = one_of(rng, CLOTHES, 0.2), one_of(rng, SKINS, 0.1), one_of(rng, HAIR, 0.2)
    out_of_focus = float(rng.uniform(1.5, 4.0)) * width * SMALL / 160.0
    folds = np.float32(1.0) + np.float32(0.1) * clouds(rng, *shape, (3, 9))
    for mask, skin in zip(_person_masks(shape, x, top, tall), colours, strict=True):
        edge = soft(mask.astype(np.float32) / np.float32(255.0), out_of_focus)
        bulk = soft(mask.astype(np.float32) / np.float32(255.0), 0.09 * tall)
        light = (np.float32(0.35) + np.float32(0.75) * bulk) * folds * _sided(shape, x, tall, look)
        _lay(picture, edge, _lit(scaled(skin, 0.8), look), light.astype(np.float32))


def _sided(shape: tuple[int, int], x: float, tall: float, look: Look) -> Field:
    """Light from the lamp's side on a body whose middle is at ``x`` px, [h, w]."""
    off = (np.arange(shape[1], dtype=np.float32) - np.float32(x)) / np.float32(0.3 * tall)
    towards = np.float32(0.3 if look.lamp.towards[0] > 0.0 else -0.3)
    return np.broadcast_to(np.clip(1.0 + towards * off, 0.5, 1.5).astype(np.float32), shape)


def _person_masks(shape: tuple[int, int], x: float, top: float, tall: float) -> tuple[Mask, Mask, Mask]:
    """Clothes, skin and hair of somebody whose head's top is at (x, top), px."""
    body, head, hair = (np.zeros(shape, np.uint8) for _ in range(3))

    def spot(mask: Mask, right: float, down: float, wide: float, high: float) -> None:
        middle = (round(x + right * tall), round(top + down * tall))
        cv2.ellipse(
            mask, middle, (round(wide * tall), round(high * tall)), 0.0, 0.0, 360.0, 255, -1, cv2.LINE_AA
        )

    spot(head, 0.0, 0.17, 0.1, 0.15)
    spot(head, 0.0, 0.32, 0.055, 0.12)
    spot(hair, 0.01, 0.09, 0.11, 0.1)
    corners = [
        (-0.07, 0.37),
        (0.07, 0.37),
        (0.27, 0.46),
        (0.31, 0.9),
        (0.3, 1.6),
        (-0.3, 1.6),
        (-0.31, 0.9),
        (-0.27, 0.46),
    ]
    outline = np.array([(x + right * tall, top + down * tall) for right, down in corners])
    cv2.fillPoly(body, [outline.round().astype(np.int32)], 255, cv2.LINE_AA)
    return body, head, hair


def _door(picture: Picture, phase: float, look: Look, rng: np.random.Generator) -> None:
    """A pane that swings through the picture: a dark frame, and the room mirrored in what is between."""
    height, width = picture.shape[:2]
    hinge_left = chance(rng, 0.5)
    reach = _reach(phase)
    near, far = (0.0, reach * width * 0.95) if hinge_left else (float(width), width * (1.0 - reach * 0.95))
    lean = 0.16 * height * (1.0 - reach)
    corners = np.array([(near, -lean), (far, lean * 0.5), (far, height - lean * 0.5), (near, height + lean)])
    pane = _filled(picture, corners)
    mirrored = _mirrored(picture) + np.float32(0.05 + 0.1 * rng.random())
    share = pane * np.float32(0.3)
    picture[:] = cv2.blendLinear(picture, mirrored, np.float32(1.0) - share, share)
    edge = np.zeros(picture.shape[:2], np.uint8)
    outline = corners.round().astype(np.int32)
    cv2.polylines(edge, [outline], True, 255, max(2, round(0.035 * width)), cv2.LINE_AA)
    _lay(
        picture,
        soft(edge.astype(np.float32) / np.float32(255.0), 1.2),
        _lit(scaled(look.printer.frame_colour, 1.2), look),
    )


def _mirrored(picture: Picture) -> Picture:
    """The picture left to right and out of focus."""
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (width // 8, height // 8), interpolation=cv2.INTER_AREA)
    blurred = cv2.resize(cv2.flip(small, 1), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(blurred, np.float32)


def _filled(picture: Picture, corners: Points) -> Field:
    mask = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, corners.round().astype(np.int32), 255, cv2.LINE_AA)
    return mask.astype(np.float32) / np.float32(255.0)


def _lit(skin: Colour, look: Look) -> Colour:
    """A surface in the room's light."""
    light = np.array(look.lamp.ambient) + 0.6 * look.lamp.strength * np.array(look.lamp.colour)
    blue, green, red = (np.array(skin) * light).tolist()
    return (blue, green, red)


def _lay(picture: Picture, mask: Field, skin: Colour, light: Field | None = None) -> None:
    """Lay a colour over a picture where a mask of half its size is; darker towards the mask's edges."""
    height, width = picture.shape[:2]
    big, lit = (
        _enlarged(field, (width, height)) for field in (mask, np.ones_like(mask) if light is None else light)
    )
    rows, columns = np.flatnonzero(big.max(axis=1)), np.flatnonzero(big.max(axis=0))
    if not len(rows):
        return
    here = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    share = np.ascontiguousarray(big[here])
    bright = (0.55 + 0.45 * share) * lit[here]
    over = cv2.merge([bright * np.float32(channel) for channel in skin])
    part = np.ascontiguousarray(picture[here])
    picture[here] = cv2.blendLinear(part, over, np.float32(1.0) - share, share)


def _enlarged(field: Field, size: tuple[int, int]) -> Field:
    """A field at the picture's (width, height)."""
    return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_LINEAR), np.float32)


PAINTERS = {Passing.HAND: _hand, Passing.PERSON: _person, Passing.DOOR: _door}
