"""Signed webhooks: a message as JSON for programs, signed as https://www.standardwebhooks.com says.

The same message bears the same ``webhook-id`` however often it is sent, so a receiver knows it again.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, NamedTuple
from urllib.parse import unquote, urlsplit

import msgspec
import requests
from msgspec import Meta, Struct
from standardwebhooks import Webhook

from ingest.errors import UsageError
from sinks.anomaly_text import iso_text, to_dict
from sinks.channels.addresses import filled, redact
from sinks.channels.channel import Channel
from sinks.channels.reasons import log_no_addresses, reason, status_text
from sinks.channels.tables import numbered, read_tables, tls_context
from sinks.errors import ChannelError, MessageRefused
from sinks.message import Message

SCHEMA = 1
"""Version of what is sent; it grows when a field goes or changes its meaning, not when one is added."""
REFUSED = frozenset({400, 404, 405, 410, 413, 414, 415, 422})
"""HTTP statuses after which the same request will never be taken."""
TOO_LARGE = 413
_PREFIX = "whsec_"
_ANSWER_BYTES = 65_536
"""Longest answer that is read, so that its connection can be used again."""


class Patience(NamedTuple):
    """How long is waited for the receiver."""

    connect_s: float = 3.0
    read_s: float = 10.0


class WebhookTable(Struct, frozen=True):
    """One of ``[[alerts.webhooks]]``."""

    url: Annotated[str, Meta(description='an address as "https://host/path"')]
    secret: Annotated[str, Meta(description='what the receiver checks signatures with, as "$HOOK_SECRET"')]
    ca: Annotated[str, Meta(description="a file with certificates (PEM)")] = ""
    picture: Annotated[bool, Meta(description="true or false")] = False
    escalation: Annotated[bool, Meta(description="true or false")] = False


class WebhookChannel:
    """One receiver. ``clock`` gives the seconds since 1970 that a signature bears."""

    replaces = True

    def __init__(
        self,
        table: WebhookTable,
        name: str | None = None,
        *,
        patience: Patience = Patience(),  # noqa: B008 - frozen
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Raises ChannelError for an address, a secret or a file that cannot be used."""
        log_no_addresses()
        self.name = name or _name(table.url)
        self.escalation = table.escalation
        self.pictured = table.picture
        self._signer = _signer(table.secret)
        self._patience, self._clock = patience, clock
        if table.ca:
            tls_context(table.ca)
        self._session = _session(_checked(table.url), table.ca)
        self._unsigned = _unsigned(self._session, table.url)

    def send(self, message: Message, picture: bytes | None) -> None:
        shown = picture if self.pictured else None
        status = self._post(message, shown)
        if status == TOO_LARGE and shown is not None:  # better without the picture than not at all
            status = self._post(message, None)
        self._judge(status)

    def check(self) -> str:
        status = self._request("OPTIONS", f"check-{time.time_ns()}", b"")
        if status in (401, 403) or (status >= 500 and status != 501) or 300 <= status < 400:  # noqa: PLR2004
            self._judge(status)
        return f"answers with {status_text(status)}; only `nozzlewatch alert test` shows whether it takes one"

    def close(self) -> None:
        self._session.close()

    def _post(self, message: Message, picture: bytes | None) -> int:
        return self._request("POST", f"{message.id}-{message.revision}", body(message, picture))

    def _request(self, method: str, event: str, content: bytes) -> int:
        """Send a signed request; the answer's status. Raises ChannelError where there is none."""
        request = self._unsigned.copy()
        request.method = method
        request.headers.update(self._headers(event, content))
        request.prepare_body(content, None)
        try:
            with self._session.send(
                request, timeout=self._patience, allow_redirects=False, stream=True
            ) as answer:
                _read_off(answer)
                return answer.status_code
        except (requests.RequestException, OSError) as error:
            raise ChannelError(f"{self.name} cannot be reached: {reason(error)}") from None

    def _headers(self, event: str, content: bytes) -> dict[str, str]:
        at_s = int(self._clock())
        return {
            "content-type": "application/json",
            "webhook-id": event,
            "webhook-timestamp": str(at_s),
            "webhook-signature": self._signer.sign(
                event, datetime.fromtimestamp(at_s, UTC), content.decode()
            ),
        }

    def _judge(self, status: int) -> None:
        """Raise what a status means, where it means that the message was not taken."""
        if 200 <= status < 300:  # noqa: PLR2004 - success
            return
        found = f"{self.name} did not take it: found {status_text(status)}, expected 2xx"
        if status in REFUSED:
            raise MessageRefused(f"{found}: check its address and what it expects")
        raise ChannelError(f"{found}: {_advice(status)}")


def body(message: Message, picture: bytes | None) -> bytes:
    """What is sent, JSON in UTF-8. Each time stands there twice: ``made_ns`` (ns UTC) and ``made`` (ISO)."""
    told = msgspec.to_builtins(message) | {
        "version": SCHEMA,
        "type": f"{message.about.value}.{message.phase.value}",
        "made": iso_text(message.made_ns),
        "anomalies": [to_dict(anomaly) for anomaly in message.anomalies],
        "picture": picture or None,  # as base64
    }
    return msgspec.json.encode(told)


def read(found: object, where: str, mistakes: list[str]) -> list[Channel]:
    """``[[alerts.webhooks]]``: a channel each."""
    channels: list[Channel] = []
    harmless = ("ca", "picture", "escalation")
    for place, table in read_tables(found, WebhookTable, where, mistakes, harmless):
        try:
            known = msgspec.structs.replace(table, url=filled(table.url), secret=filled(table.secret))
            name = numbered(_name(known.url), [channel.name for channel in channels])
            channels.append(WebhookChannel(known, name))
        except (ChannelError, UsageError) as error:
            mistakes.append(f"{place}: {error}")
    return channels


def _name(url: str) -> str:
    return f"webhook {redact(url)}"


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ChannelError(_no_address(url))
    return url


def _no_address(url: str) -> str:
    return f'url: found {redact(url)}, expected an address as "https://host/path"'


def _signer(secret: str) -> Webhook:
    """A secret as Standard Webhooks writes it ("whsec_" and base64), or any other text as it is."""
    if not secret:
        raise ChannelError("secret: found an empty text, expected what the receiver checks signatures with")
    if not secret.startswith(_PREFIX):
        return Webhook(secret.encode())
    try:
        text = secret.removeprefix(_PREFIX).rstrip("=")
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise ChannelError(f"secret: found {_PREFIX} and something else, expected base64 after it")
    return Webhook(key)


def _session(url: str, ca: str) -> requests.Session:
    """Connections that are kept; what logs in is what the address holds, never a .netrc."""
    session = requests.Session()
    session.headers["user-agent"] = "Nozzlewatch"
    parts = urlsplit(url)
    if parts.username is not None:
        session.auth = (unquote(parts.username), unquote(parts.password or ""))
    # The environment's proxies and authorities, looked up once: each time it is a third of a request.
    found = session.merge_environment_settings(url, {}, None, ca or True, None)
    session.proxies, session.verify = found["proxies"], found["verify"]
    session.trust_env = False
    return session


def _unsigned(session: requests.Session, url: str) -> requests.PreparedRequest:
    """What all requests to this address have in common, worked out once: it takes as long as sending one.

    Raises ChannelError for an address that names no host.
    """
    try:
        return session.prepare_request(requests.Request("POST", url))
    except requests.RequestException:
        raise ChannelError(_no_address(url)) from None


def _read_off(answer: requests.Response) -> None:
    """Read an answer's body away, if it is short; what it says does not matter, nor whether it ends."""
    with contextlib.suppress(Exception):
        answer.raw.read(_ANSWER_BYTES)


def _advice(status: int) -> str:
    if status in (401, 403):
        return "check the secret and the credentials in the address"
    if 300 <= status < 400:  # noqa: PLR2004 - redirects
        return "it sends elsewhere, where nothing is sent on: put that address into the farm file"
    return "it is tried again"
