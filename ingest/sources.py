"""What a camera and a telemetry source are, and how a farm file names one.

A source is named by an address ``kind:where?option=value&…``, for instance ``images:prints/benchy?fps=0.2``
or ``serial:/dev/ttyUSB0?baud=115200``; where a URL stands, its options come after ``#``, since what follows
its ``?`` belongs to the URL: ``mjpeg:http://10.0.0.7/?action=stream#fps=1``. A new kind is one file and one
line in its registry (``ingest/cameras/registry.py``, ``ingest/telemetry/__init__.py``).
"""

from __future__ import annotations

import difflib
import os
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path, PurePath
from typing import ClassVar, NamedTuple, Protocol, TypeAlias, runtime_checkable
from urllib.parse import parse_qsl, unquote

import msgspec

from ingest.errors import SourceError
from ingest.records import Action, Event, Frame, Reading, SerialLine

TelemetryItem: TypeAlias = Reading | Event | SerialLine
Item: TypeAlias = Frame | TelemetryItem

LOGIN_OPTIONS: Mapping[str, str] = {"user": "user name of the login", "password": "its password"}
"""Options of every source that may ask for a login; a URL's ``user:password@`` means the same."""


class Address(msgspec.Struct, frozen=True):
    """A parsed source address. ``where`` is a path, a port, a host or a URL, as its kind says.

    ``str`` of an address holds no secret, so it can go into logs, records and reports: the user and the
    password of a URL are among the options, and its query (``?pwd=…``) is left out.
    """

    kind: str
    where: str
    options: dict[str, str]
    base: Path = Path()  # where relative paths among the options start

    def __str__(self) -> str:
        where = self.where.partition("?")[0] if "//" in self.where else self.where
        return f"{self.kind}:{where}"

    @property
    def stem(self) -> str:
        """The last part of ``where`` without its suffix: names the job of a recorded source."""
        return PurePath(self.where).stem or self.kind


class Witness(NamedTuple):
    """A recording that was made beside the print: a hole in it is silence, and its prints are told apart."""

    tells_jobs: bool  # as ``Telemetry.tells_jobs`` of what was recorded
    job: str = ""  # the print that ran already when recording began


class Source(Protocol):
    """What a camera and a telemetry source have in common.

    Made from an address, read by one task, closed by leaving the loop; a live one may be read anew after it
    was lost. ``recorded`` is True where the items carry times of the past and end (a folder, a file), False
    for a live source, which never ends. ``options`` names the options that the address may carry, each with
    a word on what it is; an unknown one is a mistake in the farm file. ``remote`` says that ``where`` is a
    host, not a path. ``time_estimated`` becomes True, at the first item at the latest, where a recorded
    source has no times of its own and lays its items at a usual rate; likewise ``witness`` is set where a
    recorded source was made live. ``facts`` is what a source learns
    about what it reads, for people: codec, firmware, version.
    """

    recorded: ClassVar[bool]
    options: ClassVar[Mapping[str, str]]
    remote: ClassVar[bool]
    time_estimated: bool
    witness: Witness | None
    facts: dict[str, str]

    def __init__(self, address: Address, printer: str) -> None:
        """Read the address, touch nothing. Raises SourceError where an option's value makes no sense."""
        ...

    @property
    def counts(self) -> Mapping[str, int]:
        """What was left out so far, by reason: ``corrupt``, ``too_large``, ``garbled``, …"""
        ...


class Camera(Source, Protocol):
    """Something that yields frames."""

    def frames(self) -> AsyncIterator[Frame]:
        """Yield frames in order of ``captured_ns``, as they come, never the same twice.

        A picture that cannot be used (corrupt, too many pixels) is left out and counted. Raises
        SourceNotFound when there is nothing to read, CameraUnreachable when a live one has given up for now:
        the caller decides when to try again.
        """
        ...


class Telemetry(Source, Protocol):
    """Something that yields what a printer says: readings and events.

    ``tells_jobs`` says that JOB_STARTED and JOB_ENDED come, for every print and also for one that runs
    already when reading begins. ``with_lines`` is set from outside, at any time: from then on every raw line
    of a source that has lines goes out too, as SerialLine, ahead of what it tells. ``laid`` says that its
    estimated times were laid beside the camera's when the recording was made: they are left as they are.
    """

    tells_jobs: ClassVar[bool]
    laid: ClassVar[bool]
    with_lines: bool

    def items(self) -> AsyncIterator[TelemetryItem]:
        """Yield readings and events in the order of their times, as they come.

        Raises SourceNotFound when there is nothing to read, PrinterUnreachable when a live port has given
        up for now. Lines that cannot be understood are counted, never raised.
        """
        ...


@runtime_checkable
class Commandable(Protocol):
    """A telemetry source through which a printer can be told something, while ``items`` is being read."""

    async def command(self, action: Action) -> str:
        """Carry it out and return the printer's own confirmation, in its words, once it has come.

        The caller sets the time limit (by cancelling). Raises CommandFailed where the printer refuses or the
        action makes no sense now (pausing what does not print), PrinterUnreachable where it is not connected.
        """
        ...


class BaseSource:
    """What sources share: an address, a printer's name, counts and facts. See ``Source``."""

    recorded: ClassVar[bool] = False
    options: ClassVar[Mapping[str, str]] = {}
    remote: ClassVar[bool] = False
    tells_jobs: ClassVar[bool] = False
    laid: ClassVar[bool] = False

    def __init__(self, address: Address, printer: str) -> None:
        self.time_estimated = False
        self.witness: Witness | None = None
        self.facts: dict[str, str] = {}
        self.with_lines = False
        self._address = address
        self._printer = printer
        self._counts: Counter[str] = Counter()

    @property
    def counts(self) -> Mapping[str, int]:
        """What was left out so far, by reason."""
        return self._counts


def parse_address(text: str, kinds: Mapping[str, type[Source]], base: Path = Path()) -> Address:
    """Read ``kind:where?options`` or ``kind:URL#options``; a relative path starts at ``base``.

    An option whose value is ``$NAME`` is read from the environment. Raises SourceError naming found and
    expected; no message holds a password.
    """
    kind, colon, rest = text.partition(":")
    if not colon or kind not in kinds or not rest:
        found = without_login(text)
        raise SourceError(f"found {found!r}, expected {_one_of(kinds)}{_hint(found, kind, kinds)}")
    is_url = "://" in rest or rest.startswith("//")
    where, _, query = rest.partition("#" if is_url else "?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    if is_url:
        where, login = _split_login(where)
        options = {**login, **options}
    known, remote = kinds[kind].options, kinds[kind].remote
    for name in options:
        if name not in known:
            expected = ", ".join(sorted(known)) or "none"
            raise SourceError(f"{kind}:{where}: found option {name!r}, expected one of: {expected}")
    values = {name: _from_environment(name, value) for name, value in options.items()}
    return Address(kind, where if is_url or remote else str(base / where), values, base)


def option_number(address: Address, name: str, default: float, *, low: float, high: float) -> float:
    """A numeric option of an address within [low, high]. Raises SourceError otherwise."""
    text = address.options.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise SourceError(f"{address}: found {name}={text!r}, expected a number from {low:g} to {high:g}")
    return value


def option_choice(address: Address, name: str, choices: tuple[str, ...]) -> str:
    """An option that is one of a few words; the first is the default. Raises SourceError otherwise."""
    value = address.options.get(name, choices[0])
    if value not in choices:
        raise SourceError(f"{address}: found {name}={value!r}, expected one of: {', '.join(choices)}")
    return value


def without_login(text: str) -> str:
    """An address as it may be shown: without user, password and options."""
    kind, colon, rest = text.partition(":")
    is_url = "://" in rest or rest.startswith("//")
    return f"{kind}{colon}{_split_login(rest.partition('#')[0])[0]}" if is_url else text.partition("?")[0]


def _split_login(url: str) -> tuple[str, dict[str, str]]:
    """A URL without its ``user:password@``, and these as options."""
    scheme, slashes, rest = url.partition("//")
    host, slash, path = rest.partition("/")
    login, at, bare = host.rpartition("@")
    user, _, password = login.partition(":")
    options = {"user": unquote(user), "password": unquote(password)} if at else {}
    return f"{scheme}{slashes}{bare}{slash}{path}", options


def _from_environment(name: str, value: str) -> str:
    if not value.startswith("$"):
        return value
    found = os.environ.get(value[1:])
    if found is None:
        raise SourceError(
            f"found {name}={value}, expected an environment variable of that name: set {value[1:]}"
        )
    return found


def _one_of(kinds: Mapping[str, object]) -> str:
    return "one of " + ", ".join(f"{kind}:" for kind in kinds)


def _hint(text: str, kind: str, kinds: Mapping[str, object]) -> str:
    rest = text.partition(":")[2]
    if not rest and kind in kinds:
        return f" followed by what to read (for instance {kind}:PATH)"
    close = difflib.get_close_matches(kind, kinds, n=1)
    return f" (did you mean {close[0]}:{rest}?)" if close and close[0] != kind else ""
