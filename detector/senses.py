"""The senses that an alarm may rest on, the channels of each, and what people call these. Pure.

Channels of one sense tell much the same: a heater that dies shows in its temperature, in how far that is from
its target, and in its power. So it is asked first which sense an alarm rests on, then which of its channels.
"""

from __future__ import annotations

from collections.abc import Mapping

from features.channels import BALANCE, BED_OFF, EVENT_CHANNEL, HOTEND_OFF, MARK_CHANNEL

CAMERA = "camera"
"""What stands beside the channels for all pictures; a sense of its own."""

SENSES: Mapping[str, tuple[str, ...]] = {
    "hotend": ("hotend_c", HOTEND_OFF, "hotend_target_c", "hotend_power", BALANCE),
    "bed": ("bed_c", BED_OFF, "bed_target_c", "bed_power"),
    "extrusion": ("melt_w", "extrusion_mm_s", "e_mm"),
    "motion": ("feed_mm_s", "x_mm", "y_mm", "z_mm"),
    "line": ("planner_free", "resends", "garbled", "lines", EVENT_CHANNEL),
    "course": ("fan", "feed_factor", "flow_factor", "progress", "layer", MARK_CHANNEL),
}
"""The channels of telemetry by sense."""
_SENSE = {channel: sense for sense, channels in SENSES.items() for channel in channels}

WORDS: Mapping[str, str] = {
    "hotend_c": "hotend temperature",
    HOTEND_OFF: "hotend temperature against its target",
    "hotend_target_c": "hotend target",
    "bed_c": "bed temperature",
    BED_OFF: "bed temperature against its target",
    "bed_target_c": "bed target",
    BALANCE: "hotend power against what the filament takes",
    "melt_w": "heat that the filament takes",
    "extrusion_mm_s": "extrusion",
    "feed_mm_s": "speed",
    "x_mm": "motion in x",
    "y_mm": "motion in y",
    "z_mm": "motion in z",
    "e_mm": "motion of the extruder",
    "planner_free": "free places of the planner",
    "resends": "resent lines",
    "garbled": "garbled lines",
    "lines": "lines that the printer says",
    MARK_CHANNEL: "state of the print",
    EVENT_CHANNEL: "what the printer reports",
}
"""Channels in words; the others' names are words."""


def sense_of(channel: str) -> str:
    """The sense that a channel belongs to; one that is in no sense is its own."""
    return _SENSE.get(channel, channel)


def by_sense(weights: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Weights of channels gathered by sense, the weightiest sense and its weightiest channel first."""
    senses: dict[str, dict[str, float]] = {}
    for channel in sorted(weights, key=lambda name: (-weights[name], name)):
        senses.setdefault(sense_of(channel), {})[channel] = weights[channel]
    return dict(sorted(senses.items(), key=lambda sense: (-sum(sense[1].values()), sense[0])))


def leading(weights: Mapping[str, float]) -> str:
    """The channel that is told first: the weightiest one of the weightiest sense. "" where there is none."""
    return next((next(iter(channels)) for channels in by_sense(weights).values()), "")


def words_of(channel: str) -> str:
    """What people call a channel of telemetry."""
    return WORDS.get(channel, channel.replace("_", " "))
