"""The terminal: one plain line per message. Markup and control codes in names stay text."""

from __future__ import annotations

import sys
from datetime import tzinfo
from typing import TextIO

from rich.console import Console
from rich.text import Text

from ingest.table import shown
from sinks.anomaly_text import plain, time_text
from sinks.channels.addresses import redacted
from sinks.channels.channel import Channel
from sinks.errors import ChannelError
from sinks.message import About, Message, Phase

_STYLES = {Phase.OPENED: "bold red", Phase.UPDATED: "red", Phase.CLOSED: "green"}


class ConsoleChannel:
    """Writes to ``out``; times are in ``zone``, None being this machine's own."""

    name = "console"
    replaces = False
    pictured = False
    escalation = False

    def __init__(self, out: TextIO, zone: tzinfo | None = None) -> None:
        self._console = Console(file=out, highlight=False, emoji=False)
        self._zone = zone

    def send(self, message: Message, picture: bytes | None) -> None:
        style = "yellow" if message.about is About.BLIND else _STYLES.get(message.phase, "")
        parts = (time_text(message.made_ns, self._zone), message.title, *message.lines)
        line = "  ".join(filter(None, map(plain, parts)))
        try:
            self._console.print(Text(line, style=style), soft_wrap=True)
        except (OSError, ValueError) as error:
            raise ChannelError(f"console: cannot write ({error}): was the terminal closed?") from error

    def check(self) -> str:
        return "writes to standard output"

    def close(self) -> None:
        """The terminal is not ours to close."""


def read(found: object, where: str, mistakes: list[str]) -> list[Channel]:
    """``console = true``: one channel; false: none."""
    if not isinstance(found, bool):
        mistakes.append(f"{where}: found {shown(redacted(found))}, expected true or false")
    return [ConsoleChannel(sys.stdout)] if found is True else []
