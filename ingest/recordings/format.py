"""What stands in a recording: its topics and their schemas, our records as messages and back. No I/O.

A recording is an MCAP file (https://mcap.dev/spec) that Foxglove opens as it is. A message's ``log_time`` is
when it arrived, its ``publish_time`` the event's own time, both ns UTC.

    /camera               foxglove.CompressedImage  the JPEG's bytes untouched; frame_id names the camera
    /telemetry/<channel>  JSON {value}              one topic for each of ingest.records.CHANNELS
    /events               JSON {kind, text}         ingest.records.Event
    /serial               foxglove.Log              raw lines; name is "sent" or "received"
    /labels               JSON                      what is known to be wrong, where that is known
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias, TypeVar

import msgspec
from foxglove_schemas_protobuf.CompressedImage_pb2 import CompressedImage
from foxglove_schemas_protobuf.Log_pb2 import Log
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp
from mcap.well_known import MessageEncoding, SchemaEncoding
from mcap_protobuf.schema import build_file_descriptor_set

from ingest.errors import RecordError
from ingest.records import CHANNEL, NS_PER_S, Event, EventKind, Frame, Reading, SerialLine
from ingest.sources import Item, TelemetryItem, Witness

CAMERA, TELEMETRY, EVENTS, SERIAL, LABELS = "/camera", "/telemetry/", "/events", "/serial", "/labels"
IMAGE_SCHEMA = CompressedImage.DESCRIPTOR.full_name
METADATA = "nozzlewatch"
"""Name of the metadata record that says whose recording it is (``About``)."""

CLOCKS = (
    "log_time: arrival; publish_time: the event's own time; ns UTC of a monotonic clock that was anchored "
    "when its source opened"
)
MEANINGS: Mapping[str, str] = {
    "hotend_c": "hot end, °C",
    "hotend_target_c": "what the hot end is to reach, °C",
    "hotend_power": "power of the hot end's heater, 0..1",
    "bed_c": "bed, °C",
    "bed_target_c": "what the bed is to reach, °C",
    "bed_power": "power of the bed's heater, 0..1",
    "chamber_c": "chamber, °C",
    "x_mm": "position, mm",
    "y_mm": "position, mm",
    "z_mm": "position, mm",
    "e_mm": "filament pushed, mm",
    "fan": "part cooling fan, 0..1",
    "feed_factor": "speed override (M220), 1.0 = 100 %",
    "flow_factor": "flow override (M221), 1.0 = 100 %",
    "planner_free": "free slots of the planner",
    "resends": "a resend request or a line error",
    "garbled": "a line that no firmware sends",
    "lines": "a line received",
    "feed_mm_s": "speed that the G-code asks for, mm/s",
    "extrusion_mm_s": "filament pushed per second, mm/s",
    "layer": "number of the layer, from 0",
    "progress": "share of the job that is done, 0..1",
    "melt_w": "heat that the extruded filament takes, W",
}
"""Each channel with its unit, as Foxglove shows it."""

T = TypeVar("T", bound=msgspec.Struct)

_SPECIAL = {math.inf: "Infinity", -math.inf: "-Infinity"}  # JSON has no numbers for these


class About(msgspec.Struct, frozen=True, kw_only=True):
    """Whose recording it is. Addresses have no logins; ``estimated``: camera, telemetry, both or nothing."""

    printer: str
    farm: str = ""
    camera: str = ""
    telemetry: str = ""
    version: str = ""
    estimated: str = ""
    live: str = ""  # "yes": a recorder ran beside the print, so a hole in it is silence
    tells_jobs: str = ""  # "yes": the telemetry said where each print begins and ends
    job: str = ""  # the print that ran already when recording began
    clocks: str = CLOCKS
    simulator: str = ""  # of a simulated print: the version of what made it
    scenario: str = ""  # of a simulated print: what was drawn for it, as JSON

    @property
    def witness(self) -> Witness | None:
        """What a live recording promises to those who replay it."""
        return Witness(self.tells_jobs == "yes", self.job) if self.live == "yes" else None


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a stretch of a print: a failure's kind, or None where nothing was wrong."""

    kind: str | None
    from_ns: int
    to_ns: int
    text: str = ""


class Picture(NamedTuple):
    """A camera's picture as it stands in a recording; nobody has looked into its bytes."""

    camera: str
    at_ns: int
    data: bytes


Content: TypeAlias = Picture | TelemetryItem | Truth
Decoder: TypeAlias = Callable[[bytes, int, str], Content]
"""Takes a message's data, its event time in ns, and the printer. Raises RecordError."""


class Definition(NamedTuple):
    """What an MCAP file has to say of a topic before its first message."""

    name: str
    schema_encoding: str
    schema: bytes
    encoding: str


class _Value(msgspec.Struct):
    value: float | str


class _Told(msgspec.Struct):
    kind: str
    text: str = ""


class _JsonImage(msgspec.Struct):
    data: bytes  # base64, as Foxglove has it
    frame_id: str = ""


def definition(topic: str) -> Definition:
    """The schema of one of our topics."""
    if topic == CAMERA:
        return _protobuf(CompressedImage)
    if topic == SERIAL:
        return _protobuf(Log)
    if topic == EVENTS:
        return _json("nozzlewatch.Event", {"kind": _TEXT, "text": _TEXT})
    if topic == LABELS:
        moment = {"type": "integer", "description": "ns UTC"}
        kind = {"type": ["string", "null"], "description": "a failure kind; null: nothing was wrong"}
        fields = {"kind": kind, "from_ns": moment, "to_ns": moment, "text": _TEXT}
        return _json("nozzlewatch.Label", fields)
    channel = topic.removeprefix(TELEMETRY)
    value = {"type": "number", "description": MEANINGS.get(channel, channel)}
    return _json(f"nozzlewatch.telemetry.{channel}", {"value": value})


def to_message(item: Item) -> tuple[str, bytes, int]:
    """Topic, data and event time in ns of an item."""
    match item:
        case Frame():
            stamp, name = _stamp(item.captured_ns), text_of(item.camera)
            image = CompressedImage(timestamp=stamp, frame_id=name, data=item.jpeg, format="jpeg")
            return CAMERA, image.SerializeToString(), item.captured_ns
        case Reading():
            return f"{TELEMETRY}{item.channel}", _encode({"value": _number(item.value)}), item.at_ns
        case Event():
            return EVENTS, _encode({"kind": item.kind, "text": text_of(item.text)}), item.at_ns
        case SerialLine():
            way = "sent" if item.sent else "received"
            line = Log(timestamp=_stamp(item.at_ns), level=Log.INFO, message=text_of(item.text), name=way)
            return SERIAL, line.SerializeToString(), item.at_ns


def to_label(truth: Truth) -> bytes:
    """The data of a message in ``/labels``."""
    return _encode(truth)


def decoder_for(topic: str, schema: str, encoding: str) -> Decoder | None:
    """What reads the messages of a topic, ours or a foreign camera's; None for what tells us nothing."""
    if schema == IMAGE_SCHEMA:
        images = {MessageEncoding.Protobuf: _picture, MessageEncoding.JSON: _json_picture}
        reader = images.get(encoding)
        return (lambda data, at_ns, _: reader(data, at_ns, topic)) if reader is not None else None
    if (topic, schema, encoding) == (SERIAL, Log.DESCRIPTOR.full_name, MessageEncoding.Protobuf):
        return _line
    return _json_decoder(topic) if encoding == MessageEncoding.JSON else None


def text_of(text: str) -> str:
    """Text that UTF-8 can hold: of a file name that is no text, the strange bytes become question marks."""
    return text.encode(errors="replace").decode()


def _json_decoder(topic: str) -> Decoder | None:
    if topic == EVENTS:
        return _event
    if topic == LABELS:
        return _truth
    channel = topic.removeprefix(TELEMETRY)
    if topic.startswith(TELEMETRY) and channel in CHANNEL:
        return lambda data, at_ns, printer: _reading(data, at_ns, printer, channel)
    return None


def _picture(data: bytes, at_ns: int, topic: str) -> Picture:
    image = CompressedImage()
    _parse(image, data)
    return Picture(image.frame_id or topic, at_ns, image.data)


def _json_picture(data: bytes, at_ns: int, topic: str) -> Picture:
    image = _decode(data, _JsonImage)
    return Picture(image.frame_id or topic, at_ns, image.data)


def _reading(data: bytes, at_ns: int, printer: str, channel: str) -> Reading:
    try:
        value = float(_decode(data, _Value).value)
    except ValueError as error:
        raise RecordError(f"{channel}: found {data[:40]!r}, expected a number") from error
    return Reading(printer=printer, at_ns=at_ns, channel=channel, value=value)


def _event(data: bytes, at_ns: int, printer: str) -> Event:
    told = _decode(data, _Told)
    try:
        kind = EventKind(told.kind)
    except ValueError as error:
        raise RecordError(f"{EVENTS}: found the kind {told.kind[:40]!r}, which is unknown") from error
    return Event(printer=printer, at_ns=at_ns, kind=kind, text=told.text)


def _line(data: bytes, at_ns: int, printer: str) -> SerialLine:
    line = Log()
    _parse(line, data)
    return SerialLine(printer=printer, at_ns=at_ns, text=line.message, sent=line.name == "sent")


def _truth(data: bytes, _at_ns: int, _printer: str) -> Truth:
    return _decode(data, Truth)


_TEXT = {"type": "string"}
_encode = msgspec.json.encode


def _json(name: str, fields: Mapping[str, object]) -> Definition:
    schema = {"title": name, "type": "object", "properties": fields}
    return Definition(name, SchemaEncoding.JSONSchema, json.dumps(schema).encode(), MessageEncoding.JSON)


def _protobuf(kind: type[Message]) -> Definition:
    schema = build_file_descriptor_set(kind).SerializeToString()
    return Definition(kind.DESCRIPTOR.full_name, SchemaEncoding.Protobuf, schema, MessageEncoding.Protobuf)


def _stamp(at_ns: int) -> Timestamp:
    seconds, nanos = divmod(at_ns, NS_PER_S)
    return Timestamp(seconds=seconds, nanos=nanos)


def _parse(message: Message, data: bytes) -> None:
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        found = f"found {len(data)} bytes that are no such message"
        raise RecordError(f"{message.DESCRIPTOR.full_name}: {found}") from error


def _decode(data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordError(f"found {data[:40]!r}, expected JSON of a recording ({error})") from error


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else _SPECIAL.get(value, "NaN")
