"""What OctoPrint sends, as far as it is of interest: pure wire format. The rest is left unread.

https://docs.octoprint.org/en/master/api/push.html, .../api/connection.html and .../events/index.html.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

LONGEST_PUSH = 16 * 1024 * 1024
"""Bytes. The first message holds half an hour of temperatures for each heater: some hundred KiB."""

Seconds = Annotated[float, Meta(ge=0, le=1e11)]
Millimetres = Annotated[float, Meta(ge=-1e6, le=1e6)]

SUBSCRIPTION = {
    "state": {"logs": True, "messages": False},
    "plugins": [],
    "events": [
        "PrintStarted",
        "PrintDone",
        "PrintFailed",
        "PrintCancelled",
        "PrinterStateChanged",
        "PrinterReset",
        "FirmwareData",
        "FilamentChange",
        "Error",
    ],
}
"""What is to be pushed (OctoPrint 1.8 and newer; an older one pushes everything). ``messages`` would repeat
the printer's lines of ``logs``."""


T = TypeVar("T", bound="_Wire")


class _Wire(msgspec.Struct, rename="camel"):
    """A part of a message or an answer; fields that are missing keep their defaults."""


# Messages


class Flags(_Wire):
    """What OctoPrint says of the printer's state."""

    operational: bool = False
    printing: bool = False
    pausing: bool = False
    paused: bool = False
    resuming: bool = False
    cancelling: bool = False
    finishing: bool = False


class State(_Wire):
    """The printer's state in a word for people (``text``) and as flags."""

    text: str = ""
    flags: Flags = msgspec.field(default_factory=Flags)

    @property
    def id(self) -> str:
        """The same state as the event PrinterStateChanged names it; "OFFLINE" for all that print nothing.

        A transition comes before the state that it leads to: OctoPrint sets both flags.
        """
        for name in ("cancelling", "finishing", "pausing", "resuming", "paused", "printing", "operational"):
            if getattr(self.flags, name):
                return name.upper()
        return "OFFLINE"


class File(_Wire):
    """The file of the selected job."""

    name: str | None = None


class Job(_Wire):
    """The selected job, whether it is printing or not."""

    file: File = msgspec.field(default_factory=File)


class Progress(_Wire):
    """How far the job is, in percent of the file's bytes."""

    completion: float | None = None


class Current(_Wire):
    """The state and what was added since the last such message (``history``: the last minutes).

    ``server_time`` is OctoPrint's own clock, s since 1970. ``temps`` are {"tool0": {"actual": 200.0,
    "target": 210.0}, "bed": …}. ``logs`` are lines of the terminal; None where the key may not see them.
    """

    state: State = msgspec.field(default_factory=State)
    job: Job | None = None
    progress: Progress | None = None
    current_z: Millimetres | None = None
    server_time: Seconds | None = None
    temps: list[dict[str, Any]] = []
    logs: list[str] | None = None


class PushedEvent(_Wire):
    """Something that happened, with what OctoPrint says of it."""

    type: str
    payload: Any = None

    def word(self, name: str) -> str:
        """A word of the payload, "" where there is none."""
        value = self.payload.get(name) if isinstance(self.payload, dict) else None
        return value if isinstance(value, str) else ""


class Connected(_Wire):
    """The greeting."""

    version: str = ""


class Push(_Wire):
    """One message. It holds one of these, or none where it is of no interest."""

    connected: Connected | None = None
    history: Current | None = None
    current: Current | None = None
    event: PushedEvent | None = None
    reauth_required: Any = None


# Answers


class Session(_Wire):
    """The answer to a login: for whom, and the session that the socket knows; None for nobody."""

    name: str | None = None
    session: str | None = None


class Profile(_Wire):
    """A printer profile: what a user has entered about a printer."""

    id: str = ""
    name: str = ""


class Port(_Wire):
    """What OctoPrint is connected to, and the id of the profile."""

    port: str | None = None
    printer_profile: str | None = None


class PortOptions(_Wire):
    """What it could be connected to."""

    printer_profiles: list[Profile] = []


class Connection(_Wire):
    """The answer to ``GET connection``."""

    current: Port = msgspec.field(default_factory=Port)
    options: PortOptions = msgspec.field(default_factory=PortOptions)

    @property
    def profile(self) -> str:
        """The name of the printer profile, "" where none is known."""
        names = {profile.id: profile.name for profile in self.options.printer_profiles}
        return names.get(self.current.printer_profile or "", "")


class SystemInfo(_Wire):
    """The answer to ``GET system/info``; its keys are written with dots."""

    systeminfo: dict[str, Any] = {}


class Refusal(_Wire):
    """An answer that says why not."""

    error: str = ""


def read(text: str | bytes, kind: type[T]) -> T | None:
    """A message or an answer; None for one that is not as the documentation says."""
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
