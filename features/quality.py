"""Whether a camera's picture can be judged at all: a look at each frame, and marks that follow from them.

``advance`` folds one look into what is known of the camera. No clock and no I/O: the same looks at the same
times give the same marks, however often the state was saved and read again in between.
"""

from __future__ import annotations

from enum import IntFlag
from typing import NamedTuple

import cv2
import numpy as np
from msgspec import Struct, field
from msgspec.structs import replace

from features.picture import Picture
from features.shift import (
    AROUND,
    CELLS,
    Cells,
    Elsewhere,
    Thumbnail,
    follow,
    packed,
    shift_of,
    steadiness,
    structure,
    unpacked,
)
from ingest.records import NS_PER_S


class Quality(IntFlag):
    """What keeps a picture from being judged."""

    NONE = 0
    DARK = 1
    OVEREXPOSED = 2
    BLURRED = 4  # against this camera's own past
    COVERED = 8  # something right before the lens
    FROZEN = 16  # the same pixels as in the picture before, though the bytes may differ
    MOVED = 32  # the whole scene lies elsewhere than it did, or is another one


DARK_LEVEL, LIGHT_LEVEL = 32, 40
"""A picture is dark when 95 % of it lie below the first, and light again from the second on, of 255.

The darkest of 1,508 training pictures that show anything has 52; a lit scene at a tenth of its light 20.
"""
BRIGHT_SHARE = 0.95
BURNT_LEVEL = 250  # of 255: nothing can be told apart up there
BURNT_SHARE, UNBURNT_SHARE = 0.6, 0.5
"""A picture is overexposed when so much of it is burnt out, and well again below the second.

Parts before white backgrounds reach 0.3, rarely 0.6; a printer's scene under a lamp that blinds 0.7 to 1.
"""
PLAIN_LEVELS = 1.5
"""Mean of what stands out from its neighbourhood, of 255, below which a picture shows nothing.

What is right before the lens is out of focus: shading and noise leave up to 1.0, training pictures have 2.2.
"""
BLURRED_SHARE, SHARP_SHARE = 0.6, 0.68
"""Blurred is what has less than this share of its camera's usual sharpness; sharp again from the second on.

Pictures of 20 prints under one camera keep 0.75 of their median, lamps 0.87, hands 0.74; blur of 1.2 % of the
width (sigma) leaves up to 0.47, of 0.6 % 0.74.
"""
FINE_SIDE = 64
"""Side of the picture at which sharpness is measured, pixels: finer, sensor noise looks like detail."""
CHANGED_SHARE = 0.02
"""A picture with fewer changed pixels than this is the one before: a clock drawn into it changes less, sensor
noise more."""

MATURE = 30
"""Looks from which a camera's own past is known: as many as novelty teaches itself at first."""
MEMORY_S = 300.0
"""How fast that past follows the light and the growing part, s."""
MOST_AT_ONCE = 0.1
"""Share that a single look may have in it, where looks come seldom."""
MOVED_S = 30.0
"""After so long where it is now, a scene that has moved is told, and is the camera's past from then on."""

BLURRED_S = 3600.0
"""After so long a blurred picture is the camera's past, too: it was told, and nobody has changed it."""
HELD_NS = 20 * NS_PER_S
"""How long a look holds where no other follows: after that a camera counts as silent."""


class Look(NamedTuple):
    """What a glance at a picture tells, before masks are filled. Levels are of 255."""

    bright: int  # level that BRIGHT_SHARE of the pixels do not exceed
    burnt: float  # share of pixels from BURNT_LEVEL on
    detail: float  # mean of what stands out from its neighbourhood, a fifth of the picture wide, in levels
    sharpness: float  # how much of it is fine: mean second difference at FINE_SIDE, in details
    thumbnail: Thumbnail
    grain: Thumbnail  # single pixels, evenly spread: averages would hide that noise has changed


class QualityState(Struct, frozen=True, kw_only=True):
    """A camera's own past, as it is saved between frames (MessagePack, up to 4.2 KB).

    ``usual`` and ``deviation``, as features.shift saves them, are the mean structure and how far looks are
    from it in the mean; ``grain`` is that of the last look.
    """

    last_ns: int
    count: int = 0  # looks that taught something
    since_ns: dict[int, int] = field(default_factory=dict)  # each mark that is borne, and since when
    sharpness: float = 0.0
    grain: bytes = b""
    usual: bytes = b""
    deviation: bytes = b""
    elsewhere: Elsewhere | None = None

    @property
    def marks(self) -> Quality:
        """What the last look bore."""
        return Quality(sum(self.since_ns))

    def held_s(self, mark: Quality) -> float:
        """For how long a mark was borne at the last look, s."""
        return (self.last_ns - self.since_ns.get(int(mark), self.last_ns)) / NS_PER_S

    @property
    def moved_for_good(self) -> bool:
        """Whether the last look told that the scene has moved: the next one begins a new past."""
        return self.held_s(Quality.MOVED) >= MOVED_S


def look(picture: Picture) -> Look:
    """Glance at a picture, BGR uint8 [side, side, 3]."""
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
    below = np.cumsum(np.bincount(grey.ravel(), minlength=256)) / grey.size  # share up to each level
    fine = cv2.resize(grey, (FINE_SIDE, FINE_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    edges = float(np.abs(cv2.Laplacian(fine, cv2.CV_32F)).mean())
    thumbnail = cv2.resize(grey, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    cells = thumbnail.astype(np.float32)
    detail = float(np.abs(cells - cv2.blur(cells, AROUND)).mean())
    return Look(
        bright=int(np.searchsorted(below, BRIGHT_SHARE)),
        burnt=1.0 - float(below[BURNT_LEVEL - 1]),
        detail=detail,
        sharpness=edges / max(detail, PLAIN_LEVELS),
        thumbnail=np.asarray(thumbnail, np.uint8),
        grain=np.asarray(cv2.resize(grey, (CELLS, CELLS), interpolation=cv2.INTER_NEAREST), np.uint8),
    )


def advance(state: QualityState | None, seen: Look, at_ns: int) -> tuple[QualityState, Quality]:
    """Fold one look into what is known of its camera; ``at_ns`` is the picture's time.

    None and a clock that was set back begin anew; so does what comes after a scene that has moved for good.
    """
    state = _begun(state, at_ns)
    before, after = state.marks, state
    if marks := _blind(seen, before):
        after = replace(state, elsewhere=None)
    elif _same(state, seen):
        marks = Quality.FROZEN | before & (Quality.BLURRED | Quality.MOVED)
    else:
        now = structure(seen.thumbnail)
        placed = _placed(state, now, at_ns)
        marks = _moved_or_blurred(placed, seen, before)
        after = _learned(placed, seen, now, marks, at_ns)
    since_ns = {int(mark): _since_ns(after, mark, at_ns) for mark in marks}
    return replace(after, last_ns=at_ns, since_ns=since_ns, grain=seen.grain.tobytes()), marks


def _begun(state: QualityState | None, at_ns: int) -> QualityState:
    """The state to go on from: without what is none of this picture's past."""
    if state is None or at_ns < state.last_ns:
        return QualityState(last_ns=at_ns)
    if state.moved_for_good or state.held_s(Quality.BLURRED) >= BLURRED_S:
        return QualityState(last_ns=state.last_ns, grain=state.grain)
    if at_ns - state.last_ns > HELD_NS:
        return replace(state, last_ns=at_ns, since_ns={}, elsewhere=None)
    return state


def _blind(seen: Look, before: Quality) -> Quality:
    """What a single look tells: that there is nothing to be seen. At most one mark."""
    if seen.bright < (LIGHT_LEVEL if before & Quality.DARK else DARK_LEVEL):
        return Quality.DARK
    if seen.burnt >= (UNBURNT_SHARE if before & Quality.OVEREXPOSED else BURNT_SHARE):
        return Quality.OVEREXPOSED
    return Quality.COVERED if seen.detail < PLAIN_LEVELS else Quality.NONE


def _same(state: QualityState, seen: Look) -> bool:
    """Whether this is the picture of the look before."""
    if not state.grain:
        return False
    changed = np.frombuffer(state.grain, np.uint8) != seen.grain.ravel()
    return float(changed.mean()) < CHANGED_SHARE


def _placed(state: QualityState, now: Cells, at_ns: int) -> QualityState:
    """The state with where the scene lies now."""
    if state.count < MATURE:
        return state
    shift = shift_of(unpacked(state.usual), now, steadiness(unpacked(state.deviation)))
    return replace(state, elsewhere=follow(state.elsewhere, shift, now, at_ns))


def _moved_or_blurred(state: QualityState, seen: Look, before: Quality) -> Quality:
    """MOVED from the second look on that finds the scene elsewhere; there, blur tells nothing."""
    if state.elsewhere is not None:
        return Quality.MOVED if state.elsewhere.looks > 1 else Quality.NONE
    least = (SHARP_SHARE if before & Quality.BLURRED else BLURRED_SHARE) * state.sharpness
    return Quality.BLURRED if state.count >= MATURE and seen.sharpness < least else Quality.NONE


def _learned(state: QualityState, seen: Look, now: Cells, marks: Quality, at_ns: int) -> QualityState:
    """The state with this look in its past. A moved scene is learned, too: slowly, if it never settles."""
    if marks & Quality.BLURRED:
        return state
    if not state.count:
        still = np.zeros_like(now)
        return replace(state, count=1, sharpness=seen.sharpness, usual=packed(now), deviation=packed(still))
    share = min((at_ns - state.last_ns) / NS_PER_S / MEMORY_S, MOST_AT_ONCE)
    if state.elsewhere is None:
        share = max(share, 1 / (state.count + 1))
    usual, deviation = unpacked(state.usual), unpacked(state.deviation)
    return replace(
        state,
        count=state.count + 1,
        sharpness=state.sharpness + share * (seen.sharpness - state.sharpness),
        usual=packed(usual + share * (now - usual)),
        deviation=packed(deviation + share * (np.abs(now - usual) - deviation)),
    )


def _since_ns(state: QualityState, mark: Quality, at_ns: int) -> int:
    """Since when a mark is borne, where ``state`` still stands at the look before."""
    if mark is Quality.MOVED and state.elsewhere is not None:
        return state.elsewhere.since_ns
    first_ns = state.last_ns if mark is Quality.FROZEN else at_ns  # the same as the look before
    return state.since_ns.get(int(mark), first_ns)
