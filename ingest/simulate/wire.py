"""Lines on the wire: a host's with line number, checksum, command; and what noise makes of them. No I/O."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import reduce
from typing import NamedTuple

import numpy as np

MAX_CMD_SIZE = 96  # characters of a line that Marlin takes in
FAN_MAX = 255.0  # M106's S at full speed

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

    def target_c(self, before_c: float) -> float:
        """The target that M104 and its like set, S or R; the one before where they have neither."""
        return self.number("S", self.number("R", before_c))

    def fan(self) -> float:
        """The duty that M106 sets, 0..1: all of it where it tells none."""
        return min(max(self.number("S", FAN_MAX) / FAN_MAX, 0.0), 1.0)


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


NOISY_SHARE = 0.6  # of the lines that the worst noise reaches
RUN_ON_SHARE = 0.2  # of those: the line's end is lost, too
FLIPPED_SHARE = 0.15  # of a line's characters
ANY_BYTE = (0x20, 0x100)  # range of what a flipped one is read as; control characters end no line
_TOKEN = re.compile(r"[\d.]+|\D")


class NoisyWire:
    """What a host hears over a wire with noise: characters are lost or misread, ends cut off, words doubled.

    ``  TT::199.80199.80  //200.00200.00`` is what a real log of a bad line shows. A line whose end is lost is
    heard with the next one.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._open = ""  # what came without an end

    def hear(self, lines: list[tuple[float, str]], severity: float) -> list[tuple[float, str]]:
        """What arrives of lines, each with its time, with noise of a severity (0..1)."""
        if not severity and not self._open:
            return lines
        heard = []
        for at_s, line in lines:
            is_hit = self._rng.random() < severity * NOISY_SHARE
            self._open += self._damaged(line) if is_hit else line
            if not is_hit or self._rng.random() >= RUN_ON_SHARE:
                heard.append((at_s, self._open))
                self._open = ""
        return heard

    def _damaged(self, line: str) -> str:
        return NOISES[int(self._rng.integers(len(NOISES)))](line, self._rng)


def _misread(line: str, rng: np.random.Generator) -> str:
    flips = rng.random(len(line)) < FLIPPED_SHARE
    noise = rng.integers(*ANY_BYTE, len(line))
    return "".join(chr(other) if flip else char for char, flip, other in zip(line, flips, noise, strict=True))


def _lose(line: str, rng: np.random.Generator) -> str:
    lost = rng.random(len(line)) < FLIPPED_SHARE
    return "".join(char for char, gone in zip(line, lost, strict=True) if not gone)


def _cut(line: str, rng: np.random.Generator) -> str:
    return line[: int(rng.integers(len(line) + 1))]


def _stutter(line: str, _rng: np.random.Generator) -> str:
    return _TOKEN.sub(lambda token: 2 * token[0], line)


NOISES: tuple[Callable[[str, np.random.Generator], str], ...] = (_misread, _lose, _cut, _stutter)
