"""What the lines of a klippy.log say: text in, values out. No I/O, no clock, never raises.

Klipper's host program writes "Stats" once a second while anything is hot or moves (``statistics.py``,
``heaters.py``), and beside it what happens: starts, shutdowns, errors, prints from its virtual SD card
(``klippy.py``, ``mcu.py``, ``virtual_sdcard.py``). Message blocks: docs/Protocol.md of Klipper.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from ingest.records import EventKind
from ingest.telemetry.marlin import LONGEST_LINE
from ingest.telemetry.parsed import GARBLED, Line, Parsed

BLOCK_BYTES = 64
"""The longest message block between host and board (Protocol.md): more bytes sent again are more blocks."""
ACTIVE_C = 50.0
"""deg C. Where all targets are 0 and no heater is hotter, Klipper may write no Stats (``heaters.py``)."""


class Stamp(NamedTuple):
    """The time that a line bears: the host's monotonic clock in s and, where it is told, UTC in s."""

    clock_s: float
    utc_s: float | None = None


_STATS = re.compile(r"Stats (\d{1,10}\.\d): ", re.ASCII)
_START = re.compile(r"Start printer at .*\((\d{1,10}\.\d) (\d{1,10}\.\d)\)$", re.ASCII)


def stamp(text: str) -> Stamp | None:
    """The time of a Stats line or of a start; every other line shares that of the line before."""
    if match := _STATS.match(text):
        return Stamp(float(match[1]))
    if match := _START.match(text):
        return Stamp(float(match[2]), float(match[1]))
    return None


def clean(line: str) -> str:
    """A line without the NUL bytes that a host leaves in its log when its power is cut."""
    return line.strip(" \t\r\n\0").replace("\0", "")


class KlippyWords:
    """Follows a klippy.log line by line: some lines tell something only after others."""

    def __init__(self) -> None:
        self._in_config = False
        self._halted = False  # one shutdown is told in several lines
        self._finished = False
        self._sent_again: list[int] = []  # bytes, of each board

    def parse(self, line: str) -> Parsed:
        """Understand one line. Host is what Klipper notes for people; what nobody writes is garbled."""
        text = clean(line)
        if len(text) >= LONGEST_LINE or _CONTROL.search(text):
            return GARBLED
        if self._of_config(text):
            return _NOTED
        if text.startswith("Stats "):
            return self._stats(text)
        return self._start(text) or self._halt(text) or self._print(text) or _other(text)

    def _of_config(self, text: str) -> bool:
        """Whether a line belongs to the dump of the configuration, which may quote anything."""
        if text == "===== Config file =====":
            self._in_config = True
        elif self._in_config and _AFTER_CONFIG.match(text):
            self._in_config = False
            return text.startswith("=")
        return self._in_config

    def _stats(self, text: str) -> Parsed:
        heaters = {name: _numbers(*values) for name, *values in _HEATER.findall(text)}
        if _STATS.match(text) is None:
            return GARBLED
        event = (EventKind.UNRECORDED, "Klipper writes nothing while it is cold and still")
        return Parsed(
            Line.TEMPERATURE,
            (*_readings(heaters), *_chamber(text), *self._resends(text)),
            event if heaters and _cold(heaters) else None,
        )

    def _resends(self, text: str) -> Iterator[tuple[str, float]]:
        """How many blocks at least were sent again since the last Stats line, over all boards."""
        before = self._sent_again
        self._sent_again = [int(count) for count in _SENT_AGAIN.findall(text)]
        if len(before) == len(self._sent_again):
            grown = sum(max(now - then, 0) for then, now in zip(before, self._sent_again, strict=True))
            if grown:
                yield "resends", float(-(-grown // BLOCK_BYTES))

    def _start(self, text: str) -> Parsed | None:
        if _START.match(text) is None:
            return None
        self._halted = self._finished = False
        self._sent_again = []
        return Parsed(Line.BOOT, event=(EventKind.START, text))

    def _halt(self, text: str) -> Parsed | None:
        """The first line of a shutdown tells it; those that follow repeat it for each board."""
        if _HALT.match(text) is None:
            return None
        told, self._halted = self._halted, True
        return Parsed(Line.ERROR, event=None if told else (EventKind.HALTED, text))

    def _print(self, text: str) -> Parsed | None:
        """Prints from the virtual SD card. One that leaves off in its middle was paused or cancelled."""
        if match := _PRINT_BEGINS.match(text):
            self._finished = False
            anew = int(match[1]) == 0
            return _action((EventKind.JOB_STARTED, "") if anew else (EventKind.RESUMED, text))
        if text == "Finished SD card print":
            self._finished = True
            return _action((EventKind.JOB_ENDED, text))
        if text.startswith("Exiting SD card print"):
            over = EventKind.JOB_ENDED if self._halted else EventKind.PAUSED
            return _action(None if self._finished else (over, text))
        return None


_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffd]")
_AFTER_CONFIG = re.compile(
    r"=======================$|Stats \d|Start printer at |Starting Klippy|=+ Log rollover"
)
_HALT = re.compile(
    r"Transition to shutdown state: |MCU '[^']*' (?:is_)?shutdown: |Lost communication with MCU '|"
    r"Heater \S+ not heating at expected rate"
)
_PRINT_BEGINS = re.compile(r"Starting SD card print \(position (\d+)\)", re.ASCII)
_RUNOUT = re.compile(r".*\b[Ss]ensor \S+: runout event detected")
_FIRMWARE = re.compile(r"Git version: '([^']+)'")
_ERROR = re.compile(
    r"Timeout with MCU '|Got EOF when reading from device|Unable to (?:open|obtain|read|write|connect)\b|"
    r"Config error|Protocol error|MCU error during connect|Unhandled exception during|Internal error|"
    r"[Mm]cu '[^']*': Unable to|Error (?:on virtual sdcard|evaluating|in) |Must home axis first|"
    r"Move out of range|Move exceeds maximum extrusion|Extrude (?:below|when|only)|ADC out of range|"
    r"No trigger on |Probe triggered prior to movement|Endstop \S+ still triggered|TMC '[^']*' reports error"
)
"""Errors of a start or of one command (Klipper's ``gcode.py``, ``mcu.py``, ``toolhead.py``, ``tmc.py``).
"Unable to issue reset command" is no error: every restart says it."""
_NOTED = Parsed(Line.HOST)


def _action(event: tuple[EventKind, str] | None) -> Parsed:
    return Parsed(Line.ACTION, event=event)


def _other(text: str) -> Parsed:
    if not text:
        return Parsed(Line.BLANK)
    if _ERROR.match(text):
        return Parsed(Line.ERROR, event=(EventKind.ERROR, text))
    if _RUNOUT.match(text):
        return _action((EventKind.RUNOUT, text))
    if match := _FIRMWARE.match(text):
        return Parsed(Line.CAPABILITY, event=(EventKind.FIRMWARE, f"Klipper {match[1]}"))
    return _NOTED


# Numbers of a Stats line

_HEATER = re.compile(
    r"(?<=\s)(\w+): target=(-?\d{1,4}) temp=(-?\d{1,4}\.\d) pwm=([01]\.\d{3})(?=\s|$)", re.ASCII
)
_CHAMBER = re.compile(r"\s[Cc]hamber\w*: (?:target=\d{1,4} )?temp=(-?\d{1,4}\.\d)(?=\s|$)", re.ASCII)
"""A sensor or a heater of that name: users choose it, and nearly all choose this one."""
_SENT_AGAIN = re.compile(r" bytes_retransmit=(\d{1,18})(?=\s|$)", re.ASCII)
_HEATERS = {"extruder": "hotend", "heater_bed": "bed"}
"""Of several extruders the first one counts."""


class _Heater(NamedTuple):
    target_c: float
    now_c: float
    power: float  # duty 0..1


def _numbers(target: str, now: str, power: str) -> _Heater:
    return _Heater(float(target), float(now), min(float(power), 1.0))


def _readings(heaters: dict[str, _Heater]) -> Iterator[tuple[str, float]]:
    for name, channel in _HEATERS.items():
        heater = heaters.get(name)
        if heater is None or (heater.now_c == 0.0 and heater.target_c == 0.0):
            continue  # 0.0 with target 0: the sensor has not been read yet
        yield f"{channel}_c", heater.now_c
        yield f"{channel}_target_c", heater.target_c
        yield f"{channel}_power", heater.power


def _chamber(text: str) -> Iterator[tuple[str, float]]:
    match = _CHAMBER.search(text)
    if match and float(match[1]) != 0.0:
        yield "chamber_c", float(match[1])


def _cold(heaters: dict[str, _Heater]) -> bool:
    return all(heater.target_c == 0.0 and heater.now_c < ACTIVE_C for heater in heaters.values())
