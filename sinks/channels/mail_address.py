"""Where mail goes through and to: the server's address and mailboxes, as the farm file tells them."""

from __future__ import annotations

import contextlib
import ipaddress
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.utils import parseaddr
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from ingest.table import shown
from sinks.channels.addresses import filled, redact
from sinks.errors import ChannelError

EXPECTED = 'an address as "smtps://user:$PASSWORD@host:465" or "smtp://user:$PASSWORD@host:587"'
_PORTS = {"smtp": 587, "smtps": 465}  # submission, RFC 6409 and RFC 8314
_SWITCH = {"yes": True, "no": False}


class Server(NamedTuple):
    """A mail server and how it is talked to."""

    host: str
    port: int
    user: str
    password: str
    tls: bool  # from the first byte on
    starttls: bool  # required after it has greeted


def server(url: str) -> Server:
    """Read "smtps://user:password@host:465" or "smtp://…", which takes ``?plain=yes`` for no TLS at all.

    ``$NAME`` stands for a variable of the environment, as it is: a password from there needs no escaping.
    Plain is the default for this machine alone. Raises ChannelError, and UsageError for a missing variable.
    """
    split = urlsplit(filled(url) if "://" not in url else url)
    user_info, _, place = split.netloc.rpartition("@")
    user, _, password = user_info.partition(":")
    try:
        where = urlsplit(f"//{filled(place)}")
        host, port = where.hostname or "", where.port
    except ValueError:
        host, port = "", None
    if split.scheme not in _PORTS or not host or port == 0 or split.path.strip("/"):
        raise ChannelError(f"url: found {redact(url)}, expected {EXPECTED}")
    plain = _plain(split.query, url, _is_here(host))
    tls = split.scheme == "smtps"
    return Server(
        host=host,
        port=port or _PORTS[split.scheme],
        user=filled(unquote(user)),
        password=filled(unquote(password)),
        tls=tls,
        starttls=not tls and not plain,
    )


def mailbox(text: str, key: str) -> Address:
    """Read "name@host" or "Some Name <name@host>". Raises ChannelError."""
    name, spec = parseaddr(text)
    if "@" in spec and spec.isascii() and text.isprintable():
        with contextlib.suppress(ValueError, HeaderParseError):
            return Address(display_name=name, addr_spec=spec)
    raise ChannelError(f'{key}: found {shown(text)}, expected an e-mail address as "farm@example.org"')


def _plain(query: str, url: str, by_default: bool) -> bool:
    told = dict(parse_qsl(query, keep_blank_values=True))
    found = told.pop("plain", None)
    if told or (found is not None and found not in _SWITCH):
        raise ChannelError(
            f"url: found {redact(url)} with something else behind the ?, expected plain=yes or no"
        )
    return by_default if found is None else _SWITCH[found]


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
