"""A message's texts for Apprise, so that no name in them becomes a link, a mention or markup. Pure.

Apprise escapes plain text for services that want HTML or Markdown. It does not for those that take "text" and
read Markdown in it all the same, and it never touches a title, a mention or a bare address.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from apprise import NotifyFormat
from apprise.conversion import text_to_markdown

from sinks.anomaly_text import plain
from sinks.message import Message

READS_MARKDOWN = frozenset(
    {
        "discord", "fluxer", "fluxers", "guilded", "misskey", "misskeys", "mmost", "mmosts", "nctalk",
        "nctalks", "revolt", "ryver", "zulip",
    }
)  # fmt: skip
"""Schemes of services that read Markdown in what Apprise takes for plain text."""
TITLE_IN_BODY = frozenset({"discord", "fluxer", "fluxers", "guilded"})
"""Those of them that put a title of its own into the body themselves."""
FOR_PROGRAMS = frozenset({"form", "forms", "json", "jsons", "xml", "xmls"})
"""What reads these wants names as they are."""

_GAP = "\u200b"  # takes no room, and ends a mention, a tag, a link
_WAKING = re.compile(r"@|<(?=[^\s\d=<])|\](?=\()|:(?=//)")
"""Where a mention, a tag or Slack's <…>, a Markdown link, and an address begin to be one."""


class Texts(NamedTuple):
    """What Apprise is given."""

    title: str
    body: str
    format: NotifyFormat


def texts(message: Message, scheme: str, target: NotifyFormat, title_maxlen: int) -> Texts:
    """The texts for a service; ``target`` is the format that Apprise would send plain text in.

    Links stay links: they are the farm's own. With ``title_maxlen`` 0 Apprise puts the title into the body.
    """
    escapes = target is NotifyFormat.MARKDOWN or scheme in READS_MARKDOWN
    lines = [_calm(line, scheme) for line in message.lines]
    title = _calm(message.title, scheme)
    links = [(_calm(name, scheme), plain(url)) for name, url in message.links.items()]
    if not escapes:
        told = [*lines, *(f"{name}: {url}" for name, url in links)]
        return Texts(title, "\n".join(told), NotifyFormat.TEXT)
    told = [*map(_escaped, lines), *(f"[{_escaped(name)}]({_in_link(url)})" for name, url in links)]
    if title_maxlen <= 0 or scheme in TITLE_IN_BODY:
        title = _escaped(title)
    return Texts(title, "\n".join(told), target)


def _calm(text: str, scheme: str) -> str:
    """The text on one line, in which nothing is a mention, a tag or a link any more; it looks the same."""
    return plain(text) if scheme in FOR_PROGRAMS else _WAKING.sub(lambda found: found[0] + _GAP, plain(text))


def _escaped(text: str) -> str:
    return str(text_to_markdown(text))  # type: ignore[no-untyped-call]


def _in_link(url: str) -> str:
    return url.replace("(", "%28").replace(")", "%29").replace(" ", "%20")
