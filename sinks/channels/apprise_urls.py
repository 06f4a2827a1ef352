"""Apprise: some hundred services for people, each an address of its own (https://appriseit.com)."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import apprise
import requests
from apprise.attachment.memory import AttachMemory

from ingest.errors import UsageError
from ingest.table import shown
from sinks.channels.addresses import filled, redact
from sinks.channels.apprise_heard import Heard, keep_to_ourselves, listening
from sinks.channels.apprise_http import Connections, lend_connections, sending
from sinks.channels.apprise_text import texts
from sinks.channels.channel import Channel
from sinks.channels.reasons import reason, status_text
from sinks.errors import ChannelError, MessageRefused
from sinks.message import Message, Phase

log = logging.getLogger("nozzlewatch.sinks")

REFUSED = frozenset({400, 413, 414, 415, 422})
"""HTTP statuses after which the same message will never be taken."""
NOT_THE_PICTURE = frozenset({401, 429})
"""HTTP statuses that say nothing of the picture: without it they would be the same."""
CHECK_S = (3.0, 5.0)
"""For how long the service's host is waited for: for a connection, for an answer."""
_WHOLE_HOST = frozenset(
    {"form", "forms", "gotify", "gotifys", "json", "jsons", "ntfy", "ntfys", "xml", "xmls"}
)  # fmt: skip
"""Schemes whose host is reached by HTTP at the address itself."""
_ONLY_A_TEST = "only `nozzlewatch alert test` shows whether it takes a message"
_TYPES = {
    Phase.OPENED: apprise.NotifyType.WARNING,
    Phase.UPDATED: apprise.NotifyType.WARNING,
    Phase.CLOSED: apprise.NotifyType.SUCCESS,
    Phase.NOTE: apprise.NotifyType.INFO,
}
# No time limit of Apprise's own: it would need threads of its own, and each request has one.
_ASSET = apprise.AppriseAsset(
    app_id="Nozzlewatch", app_desc="Nozzlewatch", async_mode=False, service_timeout=0
)


class AppriseChannel:
    """One Apprise address."""

    replaces = False
    pictured = True

    def __init__(self, url: str, name: str | None = None, *, escalation: bool = False) -> None:
        """Raises ChannelError for an address that Apprise cannot use, without its credentials."""
        keep_to_ourselves()
        self.name = name or redact(url)
        self.escalation = escalation
        self._apprise, self._service = _made(url)
        lend_connections(self._service)
        self._connections = Connections()
        # Not the address's own: "https://discord.com/api/webhooks/…" is one of Discord's, too.
        self._scheme = urlsplit(self._service.url(privacy=True)).scheme

    def send(self, message: Message, picture: bytes | None) -> None:
        heard = self._notify(message, picture)
        if heard is not None and picture is not None:
            if self._text_is_out(heard):
                log.warning("%s took the text, but not the picture", self.name)
                return
            if not heard.why and heard.status not in NOT_THE_PICTURE:
                heard = self._notify(message, None)  # better without the picture than not at all
        if heard is not None:
            raise self._error(heard)

    def check(self) -> str:
        origin = _origin(self._service, self._scheme)
        if origin is None:
            return f"address accepted; {_ONLY_A_TEST}"
        verify = bool(self._service.verify_certificate)
        try:
            requests.head(origin, timeout=CHECK_S, verify=verify, allow_redirects=False, stream=True).close()
        except (requests.RequestException, OSError) as error:
            raise ChannelError(f"{self.name} cannot be reached: {reason(error)}") from None
        return f"its host answers; {_ONLY_A_TEST}"

    def close(self) -> None:
        self._connections.close()

    def _notify(self, message: Message, picture: bytes | None) -> Heard | None:
        """One try: None where it was taken, else what is known of why it was not."""
        target = self._service.resolve_format(apprise.NotifyFormat.TEXT)
        told = texts(message, self._scheme, target, self._service.title_maxlen)
        with listening() as heard, sending(self._connections):
            taken = self._apprise.notify(
                title=told.title,
                body=told.body,
                notify_type=_TYPES[message.phase],
                body_format=told.format,
                attach=_attached(message, picture),
            )
        return None if taken else heard

    def _text_is_out(self, heard: Heard) -> bool:
        """Whether the text arrived where it should: of several receivers it is not known which."""
        return heard.sent and len(self._service) == 1

    def _error(self, heard: Heard) -> ChannelError:
        if heard.status is None:
            why = heard.why or "check address, credentials and network"
            return ChannelError(f"{self.name} did not take it: {why}")
        found = f"{self.name} did not take it: found {status_text(heard.status)}"
        if heard.status in REFUSED:
            return MessageRefused(f"{found}: check the address")
        return ChannelError(f"{found}: {_advice(heard.status)}")


def read(found: object, where: str, mistakes: list[str]) -> list[Channel]:
    """``apprise = ["URL", …]``: one channel per URL, so that a dead service delays no other."""
    return read_urls(found, where, mistakes, escalation=False)


def read_escalation(found: object, where: str, mistakes: list[str]) -> list[Channel]:
    """``escalation = ["URL", …]``: the same, told only what nobody has answered."""
    return read_urls(found, where, mistakes, escalation=True)


def read_urls(found: object, where: str, mistakes: list[str], *, escalation: bool) -> list[Channel]:
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        mistakes.append(f"{where}: found {_told(found)}, expected a list of Apprise URLs")
        return []
    channels: list[Channel] = []
    for url, name in zip(found, _names(found, "escalation " if escalation else ""), strict=True):
        try:
            channels.append(AppriseChannel(filled(url), name, escalation=escalation))
        except (ChannelError, UsageError) as error:
            mistakes.append(f"{where}: {error}")
    return channels


def _told(found: object) -> str:
    """A wrong value, without what may be a token in it."""
    if isinstance(found, list):
        return "a list with something else in it"
    return redact(found) if isinstance(found, str) else shown(found)


def _names(urls: Sequence[str], prefix: str) -> list[str]:
    names = [prefix + redact(url) for url in urls]
    return [f"{name} #{number}" if names.count(name) > 1 else name for number, name in enumerate(names, 1)]


def _made(url: str) -> tuple[apprise.Apprise, Any]:
    """An Apprise with this one URL, and its service. Raises ChannelError."""
    made = apprise.Apprise(asset=_ASSET)
    with warnings.catch_warnings():
        # The first URL makes Apprise import all of its services, some of which import what Python retires.
        warnings.simplefilter("ignore", DeprecationWarning)
        made.add(url)
    services = list(made.find())
    if len(services) != 1:
        raise ChannelError(f"found {redact(url)}, expected an Apprise URL: see https://appriseit.com")
    # Apprise waits 5.5 s between two requests to most services. Ours are few, and 429 is answered by waiting.
    services[0].request_rate_per_sec = 0
    if "overflow=" not in url:
        services[0].overflow_mode = apprise.OverflowMode.SPLIT  # a service that cuts or refuses loses text
    return made, services[0]


def _attached(message: Message, picture: bytes | None) -> AttachMemory | None:
    if picture is None:
        return None
    name = f"{message.id}-{message.revision}.jpg"
    return AttachMemory(picture, name=name, mimetype="image/jpeg")  # type: ignore[no-untyped-call]


def _origin(service: Any, scheme: str) -> str | None:
    """Where the service's host is asked whether it is there; None where its address does not tell."""
    cloud = getattr(service, "cloud_notify_url", None) if getattr(service, "mode", None) == "cloud" else None
    fixed = urlsplit(str(cloud or getattr(service, "notify_url", "")))
    if fixed.scheme in ("http", "https") and "{" not in fixed.netloc:
        return f"{fixed.scheme}://{fixed.netloc}/"
    if scheme not in _WHOLE_HOST or not service.host:
        return None
    port = f":{service.port}" if service.port else ""
    return f"{'https' if service.secure else 'http'}://{service.host}{port}/"


def _advice(status: int) -> str:
    if status in (401, 403):
        return "check the token or password in its address"
    return "check its address" if status in (404, 405, 410) else "it is tried again"
