"""What ingest emits: frames, readings, events, windows and status.

Times are integer nanoseconds UTC (``*_ns``): the event's own time, which never runs backwards within a
source. Names carry units. The wire is MessagePack; a record's ``version`` is its major version, and a
newer one than this code knows is refused.
"""

from __future__ import annotations

from enum import IntFlag, StrEnum
from typing import NamedTuple, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from ingest.errors import RecordError

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

NS_PER_S = 1_000_000_000
STEPS_PER_WINDOW = 4
"""Steps of the sensor grid in one window: 250 ms at the default span; printers report at 0.5 to 10 Hz."""

CHANNELS: tuple[str, ...] = (
    "hotend_c",
    "hotend_target_c",
    "hotend_power",  # duty 0..1
    "bed_c",
    "bed_target_c",
    "bed_power",  # duty 0..1
    "chamber_c",
    "x_mm",
    "y_mm",
    "z_mm",
    "e_mm",
    "fan",  # duty 0..1
    "feed_factor",  # M220, 1.0 = 100 %
    "flow_factor",  # M221, 1.0 = 100 %
    "planner_free",  # free planner slots, from ADVANCED_OK
    "resends",  # resend requests and line errors: counted per step
    "garbled",  # lines that no firmware sends: counted per step
    "lines",  # all lines received: counted per step
    "feed_mm_s",  # speed that the G-code asks for, with M220
    "extrusion_mm_s",  # filament that the G-code pushes per second, with M221; negative while it retracts
    "layer",  # number of the layer, from 0
    "progress",  # share of the job that is done, 0..1
    "melt_w",  # heat that the extruded filament takes, W
)
"""Columns of ``Window.sensors``. New ones are appended at the end, so that old windows stay readable."""

CHANNEL = {name: column for column, name in enumerate(CHANNELS)}
COUNTED = frozenset({"resends", "garbled", "lines"})
"""Channels that add up within a step; the others keep the step's last value."""

SURFACE_CAMERA = "surface"
"""The name of the camera that looks at a finished part: all others are named after their address."""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of everything that goes over a stream. ``version`` is the record's major version."""

    version: int = 1


class Frame(Record, frozen=True, kw_only=True):
    """One camera picture, its bytes untouched as the camera gave them (JPEG), with its own time."""

    printer: str
    camera: str
    captured_ns: int
    jpeg: bytes
    width: int
    height: int


class FrameRef(Record, frozen=True, kw_only=True):
    """Where a window's frame is: the frame store's key is made of printer and ``captured_ns``."""

    camera: str
    captured_ns: int
    width: int
    height: int

    @property
    def of_surface(self) -> bool:
        """Whether it shows a finished part and not the print: nothing else is to be read from it."""
        return self.camera == SURFACE_CAMERA


class Reading(Record, frozen=True, kw_only=True):
    """One measured value; ``channel`` is one of ``CHANNELS``, in its unit."""

    printer: str
    at_ns: int
    channel: str
    value: float


class EventKind(StrEnum):
    """What a printer can tell besides numbers."""

    START = "start"  # the firmware booted ("start")
    ERROR = "error"  # "Error:…" or Klipper's "!! …": the text is the firmware's own
    HALTED = "halted"  # "Error:Printer halted. kill() called!" or a Klipper shutdown
    RESEND = "resend"  # a resend request or a line-number or checksum error
    PAUSED = "paused"  # "busy: paused for user", "//action:paused"
    RESUMED = "resumed"
    CANCELLED = "cancelled"
    RUNOUT = "runout"  # the filament sensor saw the end of the filament
    FILAMENT_CHANGE = "filament_change"  # M600
    DISCONNECTED = "disconnected"
    UNRECORDED = "unrecorded"  # what follows was not recorded: silence from here on means nothing
    JOB_STARTED = "job_started"  # a print begins; the text is its name, "" where nobody tells it
    JOB_ENDED = "job_ended"  # the print is over, well or not; the text says how
    FIRMWARE = "firmware"  # what M115 or a service says of itself


class Event(Record, frozen=True, kw_only=True):
    """Something that a printer said at a moment, in its own words (``text``)."""

    printer: str
    at_ns: int
    kind: EventKind
    text: str = ""


class SerialLine(Record, frozen=True, kw_only=True):
    """One raw line of serial traffic, without its line end; for recordings, no window holds it."""

    printer: str
    at_ns: int
    text: str
    sent: bool = False  # True: a host said it to the printer


class WindowEvent(NamedTuple):
    """An event inside its window (the printer is the window's)."""

    at_ns: int
    kind: EventKind
    text: str


class Mark(IntFlag):
    """What is to be known about a window before it is judged."""

    NONE = 0
    CAMERA_SILENT = 1  # a camera is configured and has said nothing for the silence limit
    TELEMETRY_SILENT = 2  # likewise the printer
    PAUSED = 4
    FILAMENT_CHANGE = 8
    OVERRIDE = 16  # a target, speed or flow was changed a moment ago
    FIRST_LAYER = 32
    GAP = 64  # windows before this one were not emitted: nothing was known of them
    CLOCK_JUMP = 128  # a source's clock jumped and was anchored anew
    TIME_ESTIMATED = 256  # the source has no clock of its own: times are estimated from its lines
    CAMERA_FROZEN = 512  # the camera sends the very same bytes again and again
    IDLE = 1024  # no print is running; the job is that of the last one


class Window(Record, frozen=True, kw_only=True):
    """One span of a print, everything that was sensed in it, on one time axis.

    ``sensors`` is float32 [STEPS_PER_WINDOW, channels], ``measured`` bool of the same shape: which values
    are real and which only fill the grid (the last known value; NaN where none was ever known; 0 for counted
    channels). ``frame`` is the span's last frame, None when the camera said nothing in it.
    """

    printer: str
    job: str
    index: int  # start_ns // span_ns: the same span has the same index everywhere
    span_ns: int
    frame: FrameRef | None
    sensors: bytes
    measured: bytes
    marks: Mark = Mark.NONE
    events: tuple[WindowEvent, ...] = ()

    @property
    def start_ns(self) -> int:
        return self.index * self.span_ns

    @property
    def end_ns(self) -> int:
        return (self.index + 1) * self.span_ns

    def values(self) -> Floats:
        """Sensors as float32 [STEPS_PER_WINDOW, len(CHANNELS)]; channels newer than the record are NaN."""
        known = np.frombuffer(self.sensors, np.float32).reshape(STEPS_PER_WINDOW, -1)
        return _widen(known, np.float32(np.nan))

    def mask(self) -> Bools:
        """Which of ``values()`` were really measured, bool of the same shape."""
        known = np.frombuffer(self.measured, np.bool_).reshape(STEPS_PER_WINDOW, -1)
        return _widen(known, np.bool_(False))


class Health(StrEnum):
    """How a part is, in a word."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"
    ENDED = "ended"


class Status(Record, frozen=True, kw_only=True):
    """Who is alive and how it goes: one part (``source``), for a printer or (None) for the whole part."""

    source: str
    at_ns: int
    health: Health
    printer: str | None = None
    detail: str = ""
    counts: dict[str, int] = msgspec.field(default_factory=dict)  # windows, drops by reason, …

    @property
    def part(self) -> str:
        """The part's name: "ingest/voron-2" for a printer, "detector/0" for a whole part."""
        return f"{self.source}/{self.printer}" if self.printer else self.source


class Action(StrEnum):
    """What can be asked of a printer."""

    PAUSE = "pause"
    RESUME = "resume"
    CANCEL = "cancel"


class Command(Record, frozen=True, kw_only=True):
    """Something asked of a printer, on ``nw:commands:{shard}``; carried out at most once."""

    id: str  # chosen by who asks; an id seen before is not carried out again
    printer: str
    action: Action
    asked_ns: int
    expires_ns: int  # not begun later than this
    by: str = ""  # who asks: a user, a rule
    reason: str = ""


class Outcome(StrEnum):
    """How a command ended."""

    DONE = "done"  # confirmed by the printer's own answer
    FAILED = "failed"  # the printer refused, or did not confirm in time
    EXPIRED = "expired"  # too old when its turn came: nothing was sent
    REFUSED = "refused"  # cannot be done at all: no such printer, no way to tell it
    UNKNOWN = "unknown"  # begun by a process that died: it may have reached the printer, or not


class CommandResult(Record, frozen=True, kw_only=True):
    """What became of a command, on ``nw:command-results:{shard}``."""

    id: str
    printer: str
    action: Action
    at_ns: int
    outcome: Outcome
    detail: str = ""


T = TypeVar("T", bound=Record)
AnyScalar = TypeVar("AnyScalar", bound=np.generic)

_encoder = msgspec.msgpack.Encoder()
_decoders: dict[type[Record], msgspec.msgpack.Decoder[Record]] = {}


class _Header(msgspec.Struct):
    version: int


def encode(record: Record) -> bytes:
    """The record as it goes over the wire."""
    return _encoder.encode(record)


def decode(data: bytes, kind: type[T]) -> T:
    """Read a record of the given kind. Raises RecordError for other bytes and for newer major versions."""
    known = kind.__struct_defaults__[kind.__struct_fields__.index("version")]
    decoder = _decoders.setdefault(kind, msgspec.msgpack.Decoder(kind))
    try:
        version = msgspec.msgpack.decode(data, type=_Header).version
        if version > known:
            raise RecordError(
                f"{kind.__name__}: found version {version}, expected at most {known}: "
                "a newer Nozzlewatch wrote this; update this one"
            )
        return decoder.decode(data)  # type: ignore[return-value]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        found = f"found {len(data)} bytes that are no such record ({error})"
        raise RecordError(f"{kind.__name__}: {found}") from error


def frame_ref(frame: Frame) -> FrameRef:
    """The reference under which a window names this frame."""
    return FrameRef(
        camera=frame.camera, captured_ns=frame.captured_ns, width=frame.width, height=frame.height
    )


def _widen(known: npt.NDArray[AnyScalar], filler: AnyScalar) -> npt.NDArray[AnyScalar]:
    missing = len(CHANNELS) - known.shape[1]
    if missing <= 0:
        return known[:, : len(CHANNELS)]
    return np.concatenate([known, np.full((len(known), missing), filler)], axis=1)
