"""Where alerts go: the terminal, and through Apprise some hundred services.

A new channel is a class with ``name`` and ``send`` and a line in ``CHANNELS``.
"""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import Protocol, TextIO
from urllib.parse import urlsplit

import apprise
from rich.console import Console
from rich.text import Text

from detector.anomaly import Anomaly, State
from sinks.anomaly_text import headline, one_line, several_lines
from sinks.errors import ChannelError

_HOST_IS_PUBLIC = frozenset(
    {"form", "forms", "http", "https", "json", "jsons", "mailto", "mailtos", "mqtt", "mqtts", "xml", "xmls"}
)
"""Schemes whose host is a host; elsewhere Apprise often has a token in that place."""
_TYPES = {
    State.OPENED: apprise.NotifyType.WARNING,
    State.UPDATED: apprise.NotifyType.INFO,
    State.CLOSED: apprise.NotifyType.SUCCESS,
}


class Channel(Protocol):
    """Something that takes an alert to people. Used from one thread at a time, not always the same."""

    @property
    def name(self) -> str:
        """Which channel this is, unique among those in use; it is logged, so it holds no credentials."""

    def send(self, anomaly: Anomaly) -> None:
        """Send one alert (opened) or all-clear (closed); it was taken when this returns.

        May block; the caller bounds how long it waits. Called again for the same anomaly after it failed.
        Raises ChannelError.
        """


class ConsoleChannel:
    """One plain line per alert. Markup and control codes in names stay text."""

    name = "console"

    def __init__(self, out: TextIO, zone: tzinfo | None = None) -> None:
        self._console = Console(file=out, highlight=False, emoji=False)
        self._zone = zone

    def send(self, anomaly: Anomaly) -> None:
        style = "green" if anomaly.state is State.CLOSED else "bold red"
        try:
            self._console.print(Text(one_line(anomaly, self._zone), style=style), soft_wrap=True)
        except (OSError, ValueError) as error:
            raise ChannelError(f"console: cannot write ({error}): was the terminal closed?") from error


class AppriseChannel:
    """One or several Apprise URLs under one name, tried one after another.

    A service that took an alert is left out when the alert is sent again for the sake of another one.
    """

    def __init__(self, urls: Sequence[str], name: str | None = None) -> None:
        """Raises ChannelError that lists all URLs that Apprise cannot use, without their credentials."""
        # Apprise's log lines hold whole URLs at some levels; what failed is told by our own errors.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        self.name = name or ", ".join(map(redact, urls))
        self._services = [(redact(url), _service(url)) for url in urls]
        if wrong := [shown for shown, service in self._services if not len(service)]:
            raise ChannelError(f"found {', '.join(wrong)}, expected Apprise URLs: see https://appriseit.com")
        self._current = ("", 0)
        self._reached: set[int] = set()

    def send(self, anomaly: Anomaly) -> None:
        if self._current != (current := (anomaly.id, anomaly.revision)):
            self._current, self._reached = current, set()
        failed = [
            shown for number, (shown, _) in enumerate(self._services) if not self._sent(number, anomaly)
        ]
        if failed:
            raise ChannelError(f"{', '.join(failed)} did not take it: check address, credentials and network")

    def _sent(self, number: int, anomaly: Anomaly) -> bool:
        if number not in self._reached and _notify(self._services[number][1], anomaly):
            self._reached.add(number)
        return number in self._reached


def redact(url: str) -> str:
    """A URL as it may be logged: its scheme, its host where that is no secret, and nothing else."""
    try:
        parts = urlsplit(url)
        host = parts.hostname if parts.scheme in _HOST_IS_PUBLIC else None
        port = f":{parts.port}" if host and parts.port else ""
    except ValueError:
        return "***"
    if not parts.scheme or "://" not in url:
        return "***"
    return f"{parts.scheme}://{host}{port}" if host else f"{parts.scheme}://***"


def _service(url: str) -> apprise.Apprise:
    """An Apprise with this one URL, or with none when it cannot be used."""
    service = apprise.Apprise()
    with warnings.catch_warnings():
        # The first URL makes Apprise import all of its services, some of which import what Python retires.
        warnings.simplefilter("ignore", DeprecationWarning)
        service.add(url)
    return service


def _notify(service: apprise.Apprise, anomaly: Anomaly) -> bool:
    told = service.notify(
        title=headline(anomaly),
        body=several_lines(anomaly),
        notify_type=_TYPES[anomaly.state],
        body_format=apprise.NotifyFormat.TEXT,
    )
    return bool(told)


def _console(_: Sequence[str]) -> list[Channel]:
    return [ConsoleChannel(sys.stdout)]


def _apprise(urls: Sequence[str]) -> list[Channel]:
    """One channel per URL, so that a dead service delays no other."""
    names = [redact(url) for url in urls]
    numbered = [
        f"{name} #{number}" if names.count(name) > 1 else name for number, name in enumerate(names, 1)
    ]
    return [AppriseChannel([url], name) for url, name in zip(urls, numbered, strict=True)]


CHANNELS: dict[str, Callable[[Sequence[str]], list[Channel]]] = {
    "console": _console,
    "apprise": _apprise,
}
"""By name: the channels for the addresses that were configured under it."""
