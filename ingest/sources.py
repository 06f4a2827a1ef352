"""What a camera and a telemetry source are, and how a farm file names one.

A source is named by an address ``kind:where?option=value&…``, for instance ``images:prints/benchy?fps=0.2``
or ``serial:/dev/ttyUSB0?baud=115200``. A new kind is one file and one line in its registry
(``ingest/cameras/__init__.py``, ``ingest/telemetry/__init__.py``).
"""

from __future__ import annotations

import difflib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path, PurePath
from typing import ClassVar, Protocol, TypeAlias
from urllib.parse import parse_qsl

import msgspec

from ingest.errors import SourceError
from ingest.records import Event, Frame, Reading

TelemetryItem: TypeAlias = Reading | Event


class Address(msgspec.Struct, frozen=True):
    """A parsed source address. ``where`` is a path, a port or a host, as its kind says."""

    kind: str
    where: str
    options: dict[str, str]

    def __str__(self) -> str:
        return f"{self.kind}:{self.where}"

    @property
    def stem(self) -> str:
        """The last part of ``where`` without its suffix: names the job of a recorded source."""
        return PurePath(self.where).stem or self.kind


class Source(Protocol):
    """What a camera and a telemetry source have in common.

    Made from an address, read once by one task, closed by leaving the loop. ``recorded`` is True where the
    items carry times of the past and end (a folder, a file), False for a live source, which never ends.
    ``options`` names the options that the address may carry, each with a word on what it is; an unknown one
    is a mistake in the farm file. ``time_estimated`` becomes True, at the first item at the latest, where a
    recorded source has no times of its own and lays its items at a usual rate.
    """

    recorded: ClassVar[bool]
    options: ClassVar[Mapping[str, str]]
    time_estimated: bool

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
        SourceNotFound when there is nothing to read, CameraUnreachable when a live one has given up for now.
        """
        ...


class Telemetry(Source, Protocol):
    """Something that yields what a printer says: readings and events."""

    def items(self) -> AsyncIterator[TelemetryItem]:
        """Yield readings and events in the order of their times, as they come.

        Raises SourceNotFound when there is nothing to read, PrinterUnreachable when a live port has given
        up for now. Lines that cannot be understood are counted, never raised.
        """
        ...


def parse_address(text: str, kinds: Mapping[str, type[Source]], base: Path = Path()) -> Address:
    """Read ``kind:where?options`` against a registry; a relative path starts at ``base``.

    Raises SourceError naming found and expected.
    """
    kind, colon, rest = text.partition(":")
    if not colon or kind not in kinds or not rest:
        raise SourceError(f"found {text!r}, expected {_one_of(kinds)}{_hint(text, kind, rest, kinds)}")
    where, _, query = rest.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    known = kinds[kind].options
    for name in options:
        if name not in known:
            expected = ", ".join(sorted(known)) or "none"
            raise SourceError(f"found option {name!r} in {text!r}, expected one of: {expected}")
    return Address(kind, where if where.startswith("//") else str(base / where), options)


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


def _one_of(kinds: Mapping[str, object]) -> str:
    return "one of " + ", ".join(f"{kind}:" for kind in kinds)


def _hint(text: str, kind: str, rest: str, kinds: Mapping[str, object]) -> str:
    if not rest and kind in kinds:
        return f" followed by what to read (for instance {kind}:PATH)"
    close = difflib.get_close_matches(kind, kinds, n=1)
    return f" (did you mean {close[0]}:{rest}?)" if close and close[0] != kind else ""
