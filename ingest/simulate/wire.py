"""Lines from a host to Marlin: line number, checksum, command. No state, no I/O."""

from __future__ import annotations

import re
from functools import reduce
from typing import NamedTuple

MAX_CMD_SIZE = 96  # characters of a line that Marlin takes in

_NUMBER = re.compile(r"^N(-?\d+)\s*")
_CODE = re.compile(r"^([GMT])\s*(\d+)(.*)$")
_WORD = re.compile(r"([A-Z])\s*([-+]?\d*\.?\d+)?")


class HostLine(NamedTuple):
    """One line as it came. ``number`` and ``checksum`` are None where the line has none."""

    number: int | None
    checksum: int | None
    command: str
    expected_checksum: int


class Command(NamedTuple):
    """A parsed command: ``M104``, its words ``{"S": 210.0}`` (None without a number), and what follows it."""

    code: str
    words: dict[str, float | None]
    text: str

    def number(self, word: str, default: float) -> float:
        """The number after a letter, ``default`` where there is none."""
        value = self.words.get(word)
        return default if value is None else value


def checksum(text: str) -> int:
    """XOR of the bytes before the ``*``."""
    return reduce(lambda left, right: left ^ right, text.encode("latin-1", "replace"), 0)


def numbered(number: int, command: str) -> str:
    """A command as a host sends it: ``N1 M115*39``."""
    body = f"N{number} {command}"
    return f"{body}*{checksum(body)}"


def read_line(text: str) -> HostLine:
    """Take a line apart. Never fails: what cannot be read becomes a checksum that no text has."""
    bare = text[:MAX_CMD_SIZE].split(";", 1)[0].strip()
    body, star, tail = bare.rpartition("*")
    if not star:
        body = bare
    given = (int(tail) if tail.strip().isdecimal() else -1) if star else None
    found = _NUMBER.match(body)
    command = body[found.end() :].strip() if found else body.strip()
    return HostLine(int(found[1]) if found else None, given, command, checksum(body))


def read_command(text: str) -> Command | None:
    """Parse a command, None for what Marlin would not know as one."""
    found = _CODE.match(text)
    if not found:
        return None
    words = {letter: float(value) if value else None for letter, value in _WORD.findall(found[3])}
    return Command(f"{found[1]}{int(found[2])}", words, found[3].strip())
