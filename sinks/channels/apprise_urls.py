"""Apprise: some hundred services for people, each an address of its own (https://appriseit.com)."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence

import apprise

from ingest.errors import UsageError
from ingest.table import shown
from sinks.channels.addresses import filled, redact
from sinks.channels.channel import Channel
from sinks.errors import ChannelError
from sinks.message import Message, Phase

_TYPES = {
    Phase.OPENED: apprise.NotifyType.WARNING,
    Phase.UPDATED: apprise.NotifyType.WARNING,
    Phase.CLOSED: apprise.NotifyType.SUCCESS,
    Phase.NOTE: apprise.NotifyType.INFO,
}


class AppriseChannel:
    """One Apprise address."""

    replaces = False

    def __init__(self, url: str, name: str | None = None, *, escalation: bool = False) -> None:
        """Raises ChannelError for an address that Apprise cannot use, without its credentials."""
        # Apprise's log lines hold whole URLs at some levels; what failed is told by our own errors.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        self.name = name or redact(url)
        self.escalation = escalation
        self._service = _service(url)
        if not len(self._service):
            raise ChannelError(f"found {redact(url)}, expected an Apprise URL: see https://appriseit.com")

    def send(self, message: Message, picture: bytes | None) -> None:
        told = self._service.notify(
            title=message.title,
            body=message.body,
            notify_type=_TYPES[message.phase],
            body_format=apprise.NotifyFormat.TEXT,
        )
        if not told:
            raise ChannelError(f"{self.name} did not take it: check address, credentials and network")

    def check(self) -> str:
        return "address accepted; only `nozzlewatch alert test` shows whether it takes a message"

    def close(self) -> None:
        """Apprise holds no connection."""


def read(found: object, where: str, mistakes: list[str]) -> list[Channel]:
    """``apprise = ["URL", …]``: one channel per URL, so that a dead service delays no other."""
    return read_urls(found, where, mistakes, escalation=False)


def read_escalation(found: object, where: str, mistakes: list[str]) -> list[Channel]:
    """``escalation = ["URL", …]``: the same, told only what nobody has answered."""
    return read_urls(found, where, mistakes, escalation=True)


def read_urls(found: object, where: str, mistakes: list[str], *, escalation: bool) -> list[Channel]:
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        mistakes.append(f"{where}: found {shown(found)}, expected a list of Apprise URLs")
        return []
    channels: list[Channel] = []
    for url, name in zip(found, _names(found, "escalation " if escalation else ""), strict=True):
        try:
            channels.append(AppriseChannel(filled(url), name, escalation=escalation))
        except (ChannelError, UsageError) as error:
            mistakes.append(f"{where}: {error}")
    return channels


def _names(urls: Sequence[str], prefix: str) -> list[str]:
    names = [prefix + redact(url) for url in urls]
    return [f"{name} #{number}" if names.count(name) > 1 else name for number, name in enumerate(names, 1)]


def _service(url: str) -> apprise.Apprise:
    """An Apprise with this one URL, or with none when it cannot be used."""
    service = apprise.Apprise()
    with warnings.catch_warnings():
        # The first URL makes Apprise import all of its services, some of which import what Python retires.
        warnings.simplefilter("ignore", DeprecationWarning)
        service.add(url)
    return service
