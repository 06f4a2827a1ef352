"""What a camera's pictures say of the camera itself: that it shows nothing that could be judged."""

from __future__ import annotations

from typing import NamedTuple

from detector.anomaly import Kind, Reason
from detector.rules.heaters import HEATERS
from features.quality import HELD_NS, MOVED_S, Quality, QualityState
from features.sequence import History
from features.shift import ANOTHER, CELLS, Elsewhere
from ingest.marks import FROZEN_S
from ingest.records import NS_PER_S, Mark


class Fault(NamedTuple):
    """What is told of a mark that a camera's pictures have borne for ``told_s``."""

    mark: Quality
    told_s: float
    text: str  # {seconds} and {where} are filled in


FAULTS: tuple[Fault, ...] = (
    Fault(
        Quality.DARK,
        10.0,  # a lamp that is switched off and on again takes less
        "the camera's picture has been dark for {seconds:.0f} s: the light is off or the lens is covered",
    ),
    Fault(
        Quality.OVEREXPOSED,
        10.0,  # automatic exposure settles within a few seconds
        "the camera's picture has been burnt out for {seconds:.0f} s: too much light falls into the lens",
    ),
    Fault(
        Quality.COVERED,
        20.0,  # a hand at work before the lens goes away sooner
        "the camera has shown nothing but a surface for {seconds:.0f} s: something is right before the lens",
    ),
    Fault(
        Quality.BLURRED,
        30.0,  # autofocus hunts for seconds
        "the camera's picture has been blurred for {seconds:.0f} s, it was sharper before: "
        "it is out of focus or its lens is dirty",
    ),
    Fault(
        Quality.MOVED,
        MOVED_S,
        "the camera has moved: {where} for {seconds:.0f} s; from here on this is its usual picture",
    ),
    Fault(
        Quality.FROZEN,
        30.0,  # a still printer before a camera that hides its noise looks the same for a while
        "the camera has shown the same picture for {seconds:.0f} s: it is frozen",
    ),
)
"""The faults that pictures show; where several are borne, the one that stands first is told."""


def picture_fault(quality: QualityState | None, history: History) -> Reason | None:
    """What keeps the camera's pictures from being judged, once it has lasted; nothing while no print runs."""
    window = history.newest
    if quality is None or window.marks & (Mark.IDLE | Mark.CAMERA_SILENT):
        return None
    if window.end_ns - quality.last_ns > HELD_NS:
        return None
    for fault in FAULTS:
        held_s = quality.held_s(fault.mark)
        if fault.mark in quality.marks and held_s >= fault.told_s and not _excused(fault.mark, history):
            text = fault.text.format(seconds=held_s, where=_where(quality.elsewhere))
            return Reason(Kind.CAMERA_FAULT, 1.0, quality.since_ns[int(fault.mark)], text)
    return None


def camera_frozen(history: History) -> Reason | None:
    """The camera sends the very same bytes: whatever the printer does, it is dead."""
    window = history.newest
    if not window.marks & Mark.CAMERA_FROZEN or window.marks & (Mark.IDLE | Mark.CAMERA_SILENT):
        return None
    since_ns = _marked_since_ns(history) - round(FROZEN_S * NS_PER_S)
    seconds = (window.end_ns - since_ns) / NS_PER_S
    text = f"the camera has sent the same picture for {seconds:.0f} s: it is frozen"
    return Reason(Kind.CAMERA_FAULT, 1.0, since_ns, text)


def _marked_since_ns(history: History) -> int:
    """Start of the first of the newest windows that all say CAMERA_FROZEN."""
    since_ns = history.newest.start_ns
    for window in reversed(history.windows):
        if not window.marks & Mark.CAMERA_FROZEN:
            break
        since_ns = window.start_ns
    return since_ns


def _excused(mark: Quality, history: History) -> bool:
    """Whether the picture may well stand still: a paused printer and one that heats up do not move."""
    if mark is not Quality.FROZEN:
        return False
    if history.newest.marks & (Mark.PAUSED | Mark.FILAMENT_CHANGE):
        return True
    return any(
        history.latest(heater.celsius) < history.latest(heater.target) - heater.below_k for heater in HEATERS
    )


def _where(elsewhere: Elsewhere | None) -> str:
    """Where the scene lies now, in words."""
    right, down = (round(100 * cells / CELLS) for cells in (elsewhere.shift if elsewhere else ANOTHER))
    across = f"{abs(right)} % further {'right' if right > 0 else 'left'}" if right else ""
    along = f"{abs(down)} % further {'down' if down > 0 else 'up'}" if down else ""
    lies = " and ".join(filter(None, (across, along)))
    return f"all that it shows has been {lies}" if lies else "it has shown another scene"
