"""What printer firmware says on the wire, and what hosts tell it: pure text in, values out.

Marlin's replies, Klipper's G-code replies and their common relatives (Prusa, RepRapFirmware). No I/O, no
clock, no state. Formats: Marlin ``temperature.cpp``, ``M114.cpp``, ``queue.cpp``; Klipper ``gcode.py``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ingest.records import EventKind
from ingest.telemetry.parsed import GARBLED, Line, Parsed
from ingest.telemetry.reports import position, temperatures

__all__ = ["Line", "Parsed", "decode", "is_command", "parse", "parse_sent"]

LONGEST_LINE = 4096
"""Characters. The longest real reply (M115) has some 400; a line as long as this one has lost its end."""

FULL_FAN = 255
"""``M106 S`` at full duty."""
MOST_FOREIGN = 0.25
"""Share of non-ASCII characters above which a line is noise; names of files on a card may hold a few."""


def decode(raw: bytes) -> str:
    """Text of raw bytes: UTF-8 where they are, else latin-1, which never fails."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def parse(line: str) -> Parsed:
    """Understand one received line. Never raises: what cannot be understood is chatter or garbled."""
    text = line.strip(" \t\r\n\0")
    if len(text) >= LONGEST_LINE or _is_noise(text):
        return GARBLED
    if text == "ok":
        return Parsed(Line.OK, acknowledges=True)
    if text.startswith("ok "):
        return _acknowledgement(text[3:].strip())._replace(acknowledges=True)
    return _read(text)


def parse_sent(command: str) -> Parsed:
    """Understand one line that the host sent, with or without line number, checksum and comment.

    Targets and factors are what the host asked for. A heater or fan other than the first one is left out:
    there is no channel for it.
    """
    match = _COMMAND.match(command.strip().upper())
    if match is None:
        return Parsed(Line.HOST)
    code, words = match[1], {name: float(value or 0) for name, value in _WORD.findall(match[2])}
    event = (EventKind.FILAMENT_CHANGE, command.strip()) if code == "M600" else None
    return Parsed(Line.HOST, tuple(_commanded(code, words)), event)


def is_command(text: str) -> bool:
    """True for text that only a host writes: a G-code at the very start, perhaps with a line number."""
    return _COMMAND_START.match(text) is not None


# Noise

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffd]")
_DAMAGED = re.compile(
    r"[A-Z@]::|(?:^|\s)[TB]\d?:\s*[-\d]|@\d?:|\d /\d|busy: |Last Line: \d|Resend:|kill\(\) called|^ok\S",
    re.ASCII,
)
"""Pieces of machine lines. In a line that is none of them they mean that it lost or doubled characters."""


def _is_noise(text: str) -> bool:
    if text.isascii():
        return _CONTROL.search(text) is not None
    foreign = sum(not char.isascii() for char in text)
    return foreign > MOST_FOREIGN * len(text) or _CONTROL.search(text) is not None


# Lines by what they begin with

_UNKNOWN_COMMAND = re.compile(r'echo:\s*Unknown command: ?"(.*)', re.ASCII)
_COMMAND_HEAD = re.compile(r"(?![XYZEFS]-?[\d.])[A-Za-z_][ -~]*$", re.ASCII)
"""What a whole command begins with: any letter, except that of a parameter with its number."""
_LINE_ERROR = re.compile(r"checksum|Line Number is not", re.IGNORECASE)
_HALT = re.compile(r"halted|printer stopped|kill\(\) called", re.IGNORECASE)
_KLIPPER_HALT = re.compile(
    r"shutdown|lost communication|internal error on|not heating at expected rate|emergency stop|halted",
    re.IGNORECASE,
)
"""After these Klipper is in its shutdown state until FIRMWARE_RESTART. "Printer is not ready" and
"Unable to connect" are errors of a start that goes on, "Move out of range" of one command."""
_RUNOUT = re.compile(r"filament[ _]?runout|out_of_filament", re.IGNORECASE)
_ACTION = re.compile(r"//\s*action:\s*(\w*)")
_ACTIONS = {
    "pause": EventKind.PAUSED,
    "paused": EventKind.PAUSED,
    "resume": EventKind.RESUMED,
    "resumed": EventKind.RESUMED,
    "cancel": EventKind.CANCELLED,
    "disconnect": EventKind.DISCONNECTED,
}
_KLIPPER_STATES = {
    "// Klipper state: Ready": EventKind.START,
    "// Klipper state: Shutdown": EventKind.HALTED,
    "// Klipper state: Disconnect": EventKind.DISCONNECTED,
}
_WORDS = {
    "": Parsed(Line.BLANK),
    "wait": Parsed(Line.WAIT),
    "start": Parsed(Line.BOOT, event=(EventKind.START, "start")),
} | {
    reset: Parsed(Line.BOOT)
    for reset in ("PowerUp", "External Reset", "Brown out Reset", "Watchdog Reset", "Software Reset")
}


def _busy(text: str) -> Parsed:
    return Parsed(Line.BUSY, event=(EventKind.PAUSED, text) if "paused for" in text else None)


def _resend(text: str) -> Parsed:
    return Parsed(Line.RESEND, event=(EventKind.RESEND, text))


def _error(text: str) -> Parsed:
    if _LINE_ERROR.search(text):
        return _resend(text)
    return Parsed(Line.ERROR, event=(EventKind.HALTED if _HALT.search(text) else EventKind.ERROR, text))


def _klipper_error(text: str) -> Parsed:
    return Parsed(
        Line.ERROR, event=(EventKind.HALTED if _KLIPPER_HALT.search(text) else EventKind.ERROR, text)
    )


def _comment(text: str) -> Parsed:
    action = _ACTION.match(text)
    if action is None:
        state = _KLIPPER_STATES.get(text)
        return Parsed(Line.COMMENT, event=(state, text) if state else None)
    kind = EventKind.RUNOUT if _RUNOUT.search(text) else _ACTIONS.get(action[1])
    return Parsed(Line.ACTION, event=(kind, text) if kind else None)


def _echo(text: str) -> Parsed:
    unknown = _UNKNOWN_COMMAND.match(text)
    if unknown and not _COMMAND_HEAD.match(unknown[1]):
        return GARBLED  # what the host sent reached the printer as noise or without its head
    return Parsed(Line.BOOT if text[5:].strip() in _WORDS else Line.ECHO)


def _capability(_text: str) -> Parsed:
    return Parsed(Line.CAPABILITY)


_BY_START: tuple[tuple[str, Callable[[str], Parsed]], ...] = (
    ("echo:busy:", _busy),
    ("echo:", _echo),
    ("Resend:", _resend),
    ("rs N", _resend),
    ("Error:", _error),
    ("!!", _klipper_error),
    ("//", _comment),
    ("Cap:", _capability),
    ("FIRMWARE_", _capability),
)


def _read(text: str) -> Parsed:
    if text in _WORDS:
        return _WORDS[text]
    for start, read in _BY_START:
        if text.startswith(start):
            return read(text)
    numbers = position(text) or temperatures(text)
    return numbers or (GARBLED if _DAMAGED.search(text) else Parsed(Line.CHATTER))


_ADVANCED_OK = re.compile(r"(?:N\d+ ?)?(?:P(\d{1,4}) ?)?(?:B\d+)?$", re.ASCII)


def _acknowledgement(text: str) -> Parsed:
    advanced = _ADVANCED_OK.match(text)
    if advanced is None:
        return _read(text)
    return Parsed(Line.OK, (("planner_free", float(advanced[1])),) if advanced[1] else ())


# Commands

_COMMAND_START = re.compile(r"(?:N\d+ ?)?[GM]\d{1,4}(?:\.\d+)?(?!\w*:)|N\d+ ?T\d", re.ASCII)
_COMMAND = re.compile(r"(?:N\d+\s*)?([GMT]\d{1,4})([^;*]*)", re.ASCII)
_WORD = re.compile(r"([A-Z])([-+]?(?:\d{1,7}\.?\d*|\.\d+))?", re.ASCII)
_TARGETS = {
    "M104": "hotend_target_c",
    "M109": "hotend_target_c",
    "M140": "bed_target_c",
    "M190": "bed_target_c",
}
_FACTORS = {"M220": "feed_factor", "M221": "flow_factor"}


def _commanded(code: str, words: dict[str, float]) -> Iterator[tuple[str, float]]:
    value = words.get("S", words.get("R"))
    if code in ("M106", "M107"):
        if not words.get("P"):
            wanted = 0.0 if code == "M107" else words.get("S", FULL_FAN)
            yield "fan", min(max(wanted / FULL_FAN, 0.0), 1.0)
    elif value is None or words.get("T"):
        return
    elif code in _TARGETS:
        yield _TARGETS[code], value
    elif code in _FACTORS:
        yield _FACTORS[code], value / 100  # percent
