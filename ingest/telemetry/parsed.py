"""What is known of one line of serial traffic once it is understood."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from ingest.records import EventKind

Readings = tuple[tuple[str, float], ...]


class Line(StrEnum):
    """What kind of line it is."""

    OK = "ok"
    BUSY = "busy"  # echo:busy: …, every 2 s while a command runs
    WAIT = "wait"  # idle, the buffer is empty
    TEMPERATURE = "temperature"
    HEATING = "heating"  # a temperature report of M109/M190 (W:), every 1 s while waiting
    POSITION = "position"
    ECHO = "echo"
    ERROR = "error"
    RESEND = "resend"
    ACTION = "action"
    BOOT = "boot"
    CAPABILITY = "capability"
    COMMENT = "comment"  # Klipper's "// …"
    CHATTER = "chatter"  # clean text of no interest
    BLANK = "blank"
    HOST = "host"  # not said by the printer: a command or a word of the host program
    GARBLED = "garbled"  # no firmware sends this, or it says that it was sent noise


class Parsed(NamedTuple):
    """One line understood. ``readings`` are (channel, value) in the units of ``CHANNELS``.

    ``event`` holds the firmware's own words. ``acknowledges`` is True for every line that begins with "ok".
    """

    line: Line
    readings: Readings = ()
    event: tuple[EventKind, str] | None = None
    acknowledges: bool = False

    @property
    def known(self) -> bool:
        """False for a line that no firmware sends on a sound wire."""
        return self.line is not Line.GARBLED


GARBLED = Parsed(Line.GARBLED)
