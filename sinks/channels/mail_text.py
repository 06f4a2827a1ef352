"""A message as e-mail: text and HTML beside each other, the picture in the HTML and a file of its own."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime
from functools import lru_cache
from html import escape
from typing import Any
from urllib.parse import urlsplit

from ingest.records import NS_PER_S
from sinks.anomaly_text import plain
from sinks.message import Message

_PLACE = "[picture]"
"""Stands for the picture while the mail is folded, line by line: 18 ms for half a megabyte of it."""
_NO_HOST = re.compile(r"[^A-Za-z0-9.-]+")
_LINE = 76
"""Characters of a line of base64 (RFC 2045, 6.8)."""
_TOLD = frozenset({"From", "To", "Subject"})
"""Headers that hold what people wrote."""


class _Headers(EmailPolicy):
    """Encodes and folds what people wrote; what is made here stands as it is.

    The email package parses every header anew, "7bit" as well: two thirds of what a mail takes.
    """

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        made_here = name not in _TOLD and value.isascii() and value.isprintable()
        return (name, value) if made_here else super().header_store_parse(name, value)

    def header_fetch_parse(self, name: str, value: Any) -> Any:
        return value

    def header_max_count(self, name: str) -> int | None:
        return None


_SMTP = _Headers(linesep="\r\n", refold_source="none")


def mail(message: Message, picture: bytes | None, sender: Address, to: Sequence[Address]) -> bytes:
    """The whole mail, its lines ending with CR LF.

    Its Message-ID is the same however often it is made, so a mailbox that has it already can tell. Later
    revisions refer to the first: mail programs show them below it.
    """
    made = EmailMessage(policy=_SMTP)
    made["From"], made["To"] = _addressed("From", (sender,)), _addressed("To", to)
    made["Subject"] = plain(message.title)
    made["Date"] = format_datetime(datetime.fromtimestamp(message.made_ns // NS_PER_S, UTC))
    made["Message-ID"] = _id(message.id, message.revision, sender)
    if message.revision > 1:
        made["In-Reply-To"] = made["References"] = _id(message.id, 1, sender)
    made["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's holiday notice answers it
    if picture is None:
        _fill(made, message, "")
        return made.as_bytes()
    _fill_with_picture(made, message, _id(f"picture.{message.id}", message.revision, sender))
    before, _, after = made.as_bytes().rpartition(_PLACE.encode())
    return before + _base64_lines(picture) + after


def host_of(text: str) -> str:
    """The text as the name of a host in a greeting or an id: "[printer box]" → "printer-box"."""
    return _NO_HOST.sub("-", text).strip("-.") or "localhost"


def _addressed(name: str, addresses: Sequence[Address]) -> Any:
    """The header with these addresses, the same in every mail of a channel."""
    return _address_header(name, tuple((one.display_name, one.username, one.domain) for one in addresses))


@lru_cache(maxsize=64)
def _address_header(name: str, addresses: tuple[tuple[str, str, str], ...]) -> Any:
    return _SMTP.header_factory(name, tuple(Address(*one) for one in addresses))


def _base64_lines(data: bytes) -> bytes:
    """As ``base64.encodebytes``, which takes six times as long, with the line ends of a mail."""
    coded = base64.b64encode(data)
    return b"".join(coded[at : at + _LINE] + b"\r\n" for at in range(0, len(coded), _LINE))


def _id(name: str, revision: int, sender: Address) -> str:
    # Not this host's name: a container has another one each time, and the thread would break.
    return f"<{name}-{revision}@{host_of(sender.domain)}>"


def _fill(part: EmailMessage, message: Message, picture_id: str) -> None:
    part.set_content(_text(message))
    part.make_alternative(_boundary())
    part.add_alternative(_html(message, picture_id), subtype="html")


def _fill_with_picture(made: EmailMessage, message: Message, picture_id: str) -> None:
    """related [ alternative [text, html], picture ]: where no HTML is shown, the picture is an attachment."""
    texts, image = EmailMessage(policy=_SMTP), EmailMessage(policy=_SMTP)
    _fill(texts, message, picture_id)
    name = f"{message.id}-{message.revision}.jpg"
    image.set_content(b"", "image", "jpeg", disposition="inline", filename=name, cid=picture_id)
    image.set_payload(_PLACE)
    for part in (texts, image):
        del part["MIME-Version"]  # the whole has one
    made.make_related(_boundary())
    made.set_param("type", "multipart/alternative")  # RFC 2387: what the root is
    made.attach(texts)
    made.attach(image)
    made["MIME-Version"] = "1.0"


def _boundary() -> str:
    """What no text holds, for nobody can guess it: to look for it in each, as email does, takes longer."""
    return f"=_{secrets.token_hex(16)}"


def _text(message: Message) -> str:
    links = (f"{plain(name)}: {plain(url)}" for name, url in message.links.items())
    return "\n".join((*map(plain, message.lines), "", *links)) + "\n"


def _html(message: Message, picture_id: str) -> str:
    lines = "<br>\n".join(escape(plain(line)) for line in message.lines)
    links = "\n".join(f"<p>{_link(plain(name), plain(url))}</p>" for name, url in message.links.items())
    image = f'<p><img src="cid:{picture_id[1:-1]}" alt="" style="max-width:100%"></p>' if picture_id else ""
    return (
        '<!DOCTYPE html>\n<html><body style="font-family:sans-serif">\n'
        f"<h3>{escape(plain(message.title))}</h3>\n<p>{lines}</p>\n{image}\n{links}\n</body></html>\n"
    )


def _link(name: str, url: str) -> str:
    if urlsplit(url).scheme not in ("http", "https"):
        return escape(f"{name}: {url}")
    return f'<a href="{escape(url)}">{escape(name)}</a>'
