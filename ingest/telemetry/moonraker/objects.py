"""What Klipper's printer objects measure, as readings. Pure.

Objects and fields: "Status reference" of Klipper's documentation, "Printer Objects" of Moonraker's. Updates
hold only the fields that have changed, so everything is kept here until the next subscription.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ingest.telemetry.gcode.motion import HEAT_J_MM_K, ROOM_C
from ingest.telemetry.values import number

Status = Mapping[str, Mapping[str, object]]
"""Fields by object, as ``printer.objects.subscribe`` and ``notify_status_update`` give them."""

SENSORS = ("heater_generic", "temperature_sensor", "temperature_fan")
"""Kinds of objects that may measure a chamber, best first."""
FILAMENT_SENSORS = ("filament_switch_sensor", "filament_motion_sensor")
FIRST_EXTRUDER = "extruder"
AXES = ("x_mm", "y_mm", "z_mm", "e_mm")
E_AXIS = AXES.index("e_mm")

_CHANNELS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "extruder": {"temperature": ("hotend_c",), "target": ("hotend_target_c",), "power": ("hotend_power",)},
    "heater_bed": {"temperature": ("bed_c",), "target": ("bed_target_c",), "power": ("bed_power",)},
    "fan": {"speed": ("fan",)},
    "motion_report": {
        "live_position": AXES,
        "live_velocity": ("feed_mm_s",),
        "live_extruder_velocity": ("extrusion_mm_s",),
    },
    "gcode_move": {
        "speed_factor": ("feed_factor",),
        "extrude_factor": ("flow_factor",),
        "gcode_position": AXES,
    },
    "display_status": {"progress": ("progress",)},
    "virtual_sdcard": {"progress": ("progress",)},
    **{sensor: {"temperature": ("chamber_c",)} for sensor in SENSORS},
}
"""Channels by kind of object (the first word of its name, without its number) and field."""

_TOLD: Mapping[str, tuple[str, ...]] = {
    "toolhead": ("extruder",),
    "print_stats": ("state", "filename", "message", "total_duration", "info"),
    "pause_resume": ("is_paused",),
    "webhooks": ("state", "state_message"),
    "mcu": ("last_stats",),
    **dict.fromkeys(FILAMENT_SENSORS, ("filament_detected", "enabled")),
}
"""Fields that are no plain measurements."""

_OUTDONE = {
    ("virtual_sdcard", "progress"): "display_status",
    ("gcode_move", "gcode_position"): "motion_report",
}
"""Fields that are of no interest where another object is there: M73 knows the time that moves take, the
place in the file does not; ``live_position`` is where the tool is, ``gcode_position`` where it will be."""

_SHARES = frozenset({"hotend_power", "bed_power", "fan", "progress"})
_NOT_READ_YET = frozenset({"hotend_c", "bed_c", "chamber_c"})
"""Klipper says exactly 0.0 for a sensor that it has not read yet."""


class Objects:
    """The objects of one printer that are subscribed to, with what they said last.

    ``listed`` are the names that ``printer.objects.list`` gave. ``wanted`` are the objects to subscribe to,
    each with its fields, as ``printer.objects.subscribe`` takes them.
    """

    def __init__(self, listed: Iterable[str]) -> None:
        names = set(listed)
        chambers = [name for name in sorted(names) if _kind(name) in SENSORS and "chamber" in name.lower()]
        chamber = min(chambers, key=lambda name: SENSORS.index(_kind(name)), default=None)
        fields = {
            name: _fields(name, names) for name in names if _kind(name) not in SENSORS or name == chamber
        }
        self.wanted = {name: list(wanted) for name, wanted in fields.items() if wanted}
        self._known: dict[str, dict[str, object]] = {name: {} for name in self.wanted}
        self._sent_again: dict[str, float] = {}  # bytes, by microcontroller
        self._furthest_mm: dict[str, float] = {}  # the most filament that was off the spool, by extruder

    def asked_for(self, status: object) -> Status:
        """The part of an update that was subscribed to; empty for what is no update."""
        objects = status.items() if isinstance(status, dict) else ()
        return {
            name: {field: value for field, value in fields.items() if field in self.wanted[name]}
            for name, fields in objects
            if name in self.wanted and isinstance(fields, dict)
        }

    def take(self, status: Status) -> list[tuple[str, float]]:
        """Fold an update, as ``asked_for`` gives it, in; (channel, value) of what has changed."""
        for name, fields in status.items():
            self._known[name].update(fields)
        return [*self._read(status), *self._resends(status)]

    def all(self) -> list[tuple[str, float]]:
        """(channel, value) of everything known: what an update leaves out has not changed."""
        return list(self._read(self._known))

    def _read(self, status: Status) -> Iterator[tuple[str, float]]:
        active = self._active
        for name, fields in status.items():
            kind = _kind(name)
            if kind != FIRST_EXTRUDER or name == active:
                yield from _measured(_CHANNELS.get(kind, {}), fields)
        yield from self._melt(status.get("motion_report", {}))
        yield from _layer(status.get("print_stats", {}).get("info"))

    def _melt(self, motion: Mapping[str, object]) -> Iterator[tuple[str, float]]:
        """Heat that new filament takes, W: it is to leave the nozzle at the target.

        Filament that is retracted, or pushed back after that, takes none.
        """
        extrusion_mm_s = number(motion.get("live_extruder_velocity"))
        target_c = number(self._known.get(self._active, {}).get("target"))
        if extrusion_mm_s is not None and target_c is not None:
            new_mm_s = max(extrusion_mm_s, 0.0) if self._is_new() else 0.0
            yield "melt_w", new_mm_s * HEAT_J_MM_K * max(target_c - ROOM_C, 0.0)

    def _is_new(self) -> bool:
        """Whether the extruder is as far as it ever was: no G92 sets ``live_position`` back."""
        position = self._known.get("motion_report", {}).get("live_position")
        e_mm = number(position[E_AXIS]) if isinstance(position, list) and len(position) > E_AXIS else None
        if e_mm is None:
            return True
        furthest_mm = self._furthest_mm[self._active] = max(self._furthest_mm.get(self._active, e_mm), e_mm)
        return e_mm >= furthest_mm

    def _resends(self, status: Status) -> Iterator[tuple[str, float]]:
        """1 for every microcontroller whose count of bytes sent again has grown since its last report.

        One lost block makes Klipper send everything under way anew ("Protocol", message flow): the bytes
        say how much that was, the reports, one a second, how often it happens.
        """
        for name, fields in status.items():
            stats = fields.get("last_stats")
            total = number(stats.get("bytes_retransmit")) if isinstance(stats, dict) else None
            if total is None:
                continue
            if total > self._sent_again.get(name, total):
                yield "resends", 1.0
            self._sent_again[name] = total

    @property
    def _active(self) -> str:
        """The extruder in use."""
        name = self._known.get("toolhead", {}).get("extruder")
        return name if isinstance(name, str) and name in self._known else FIRST_EXTRUDER


def _kind(name: str) -> str:
    return name.partition(" ")[0].rstrip("0123456789")


def _fields(name: str, names: set[str]) -> Iterable[str]:
    """The fields of an object that are of use, given which other objects there are."""
    kind = _kind(name)
    useful = (*_CHANNELS.get(kind, ()), *_TOLD.get(kind, ()))
    return [field for field in useful if _OUTDONE.get((kind, field)) not in names]


def _measured(
    channels: Mapping[str, tuple[str, ...]], fields: Mapping[str, object]
) -> Iterator[tuple[str, float]]:
    for field, raw in fields.items():
        values = raw if isinstance(raw, list) else (raw,)
        for channel, each in zip(channels.get(field, ()), values, strict=False):
            value = number(each)
            if value is None or (value == 0 and channel in _NOT_READ_YET):
                continue
            yield channel, min(max(value, 0.0), 1.0) if channel in _SHARES else value


def _layer(info: object) -> Iterator[tuple[str, float]]:
    """The layer from 0: slicers count from 1, and Klipper says 0 before the first."""
    layer = number(info.get("current_layer")) if isinstance(info, dict) else None
    if layer is not None:
        yield "layer", max(layer - 1, 0.0)
