"""What the detector emits: scores, anomalies, inspections and labels, and the table of failure kinds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from ingest.records import FrameRef, Record


class Kind(StrEnum):
    """What can go wrong. The last two say that the watch itself is blind."""

    SPAGHETTI = "spaghetti"
    DETACHMENT = "detachment"
    WARPING = "warping"
    LAYER_SHIFT = "layer_shift"
    UNDER_EXTRUSION = "under_extrusion"
    NO_EXTRUSION = "no_extrusion"
    STRINGING = "stringing"
    BLOB = "blob"
    HEATER_FAULT = "heater_fault"
    SENSOR_FAULT = "sensor_fault"
    STALL = "stall"
    UNUSUAL = "unusual"  # the picture left this print's own past, and nothing says yet which failure it is
    CAMERA_FAULT = "camera_fault"
    TELEMETRY_FAULT = "telemetry_fault"


BLIND = frozenset({Kind.CAMERA_FAULT, Kind.TELEMETRY_FAULT})


class Reason(NamedTuple):
    """Why one kind got its probability in one window."""

    kind: Kind
    probability: float  # 0..1
    since_ns: int  # when it began, as far as the evidence reaches back
    text: str  # in words that a person reads
    channels: Mapping[str, float] = MappingProxyType({})  # those behind it; the weights add up to 1
    frame: FrameRef | None = None  # the frame behind it
    earlier: tuple[FrameRef, ...] = ()  # frames behind it that were taken before that one, oldest first
    boxes: tuple[Box, ...] = ()  # where it shows in the frame
    weighed: bool = False  # several beats stand behind it already: what may open, opens at once


class Scores(Record, frozen=True, kw_only=True):
    """How a window was judged: a probability per kind (absent kinds are 0) and what it rests on."""

    printer: str
    job: str
    index: int
    span_ns: int
    probabilities: dict[Kind, float]
    novelty: float | None  # distance of the picture from the print's own past, in standard deviations
    frame: FrameRef | None
    frame_lost: bool  # there was a frame, but the frame store had let it go before it was judged
    marks: int  # ingest.records.Mark
    model: str  # version of what judged
    quality: int = 0  # features.quality.Quality: what kept the picture from being judged

    @property
    def start_ns(self) -> int:
        return self.index * self.span_ns


class State(StrEnum):
    OPENED = "opened"
    UPDATED = "updated"
    CLOSED = "closed"


class Box(NamedTuple):
    """Where in the picture, all normalised to 0..1."""

    x: float
    y: float
    width: float
    height: float


class Evidence(Record, frozen=True, kw_only=True):
    """What an anomaly rests on: frames, and channels with their weight (adding up to 1)."""

    frames: tuple[FrameRef, ...] = ()
    channels: dict[str, float] = msgspec.field(default_factory=dict)


class Anomaly(Record, frozen=True, kw_only=True):
    """One failure of one print, from its onset on; each revision repeats the whole of it.

    ``onset_ns``, ``detected_ns`` and ``at_ns`` (of this revision) are event times, so a replay gives the
    very same records as the live run did.
    """

    id: str
    printer: str
    job: str
    kind: Kind
    state: State
    revision: int  # 1 when opened
    severity: float  # highest probability so far
    score: float  # probability at this revision
    onset_ns: int
    detected_ns: int
    at_ns: int
    text: str
    evidence: Evidence
    boxes: tuple[Box, ...] = ()
    model: str = ""


class InspectedPicture(msgspec.Struct, frozen=True, kw_only=True):
    """What the surface network said of one picture of a finished part.

    ``label`` is its class, None for none of the classes; ``nearest`` is the class that it would be then, too,
    and ``probability`` that class's. ``unlikeness`` is 1 where a picture begins to be none of the classes;
    None where the network has nothing to compare with.
    """

    frame: FrameRef
    label: str | None
    nearest: str
    probability: float
    unlikeness: float | None


class Inspection(Record, frozen=True, kw_only=True):
    """What is said of a part when its print has ended, once per print.

    Where there was no picture to judge, ``pictures`` is empty and ``text`` tells why.
    """

    printer: str
    job: str
    at_ns: int  # end of the print's last window, event time
    verdict: str  # a class, "none of these", or "" where there was no picture to judge
    sound: bool  # the verdict is no defect
    probability: float | None  # of the class that is the verdict
    pictures: tuple[InspectedPicture, ...]
    text: str  # in words
    model: str  # what judged


class Label(Record, frozen=True, kw_only=True):
    """What a user said of an anomaly or of a stretch of a print."""

    printer: str
    job: str
    kind: Kind | None  # None: nothing was wrong
    from_ns: int
    to_ns: int
    anomaly: str | None = None
    text: str = ""


def anomaly_id(printer: str, job: str, kind: Kind, onset_index: int) -> str:
    """The anomaly's name: the same failure found again (replay, restart) bears the same one."""
    told = msgspec.msgpack.encode((printer, job, kind, onset_index))
    return hashlib.blake2b(told, digest_size=8).hexdigest()
