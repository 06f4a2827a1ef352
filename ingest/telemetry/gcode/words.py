"""G-code lines taken apart: line number, command, words, comment, checksum. No state, no I/O.

    N12 G1 X10 Y5.5 E.2 F1800 ; a comment*33
    G1X10Y5                     without spaces, as some hosts send it
    m104 s210 (a comment too)

What cannot be read is left out. Numbers are at most ``LARGEST``, so that sums of them stay finite.
"""

from __future__ import annotations

import re
from typing import NamedTuple, TypeAlias

Words: TypeAlias = dict[str, float | None]
"""The letters after a command with their numbers; None for a letter alone, such as the X of ``G28 X``."""

LARGEST = 1e7
"""mm, s, mm/min or whatever the word means: ten kilometres are no print."""
LONGEST_LINE = 4096
"""Characters of a line that are read; firmware takes 96 (Marlin MAX_CMD_SIZE)."""

_NUMBER = r"(-?[0-9]{1,7}(?:\.[0-9]*)?)"
usual_move = re.compile(
    rf"(?:N[0-9]+ ?)?G[01](?: ?F{_NUMBER})?"
    rf"(?: ?X{_NUMBER})?(?: ?Y{_NUMBER})?(?: ?Z{_NUMBER})?(?: ?E{_NUMBER})?(?: ?F{_NUMBER})?"
    r"\s*(?:\*[0-9]+\s*|;.*)?$"
).match
"""Groups F, X, Y, Z, E, F of a straight move as slicers write it: nearly every line, read in one go.

A move in any other form (another order, lower case, blanks elsewhere) is left to ``read_command``.
"""

_COMMAND = re.compile(r"\s*(?:N\s*[0-9]+\s*)?([GMT])\s*([0-9]{1,5})(?![0-9.])(.*)", re.IGNORECASE | re.DOTALL)
_WORD = re.compile(r"([A-Z])\s*([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))?")
_PARENTHESES = re.compile(r"\([^)]*\)?")


class Command(NamedTuple):
    """One command: ``M104``, the words after it, and all that follows it as it was written."""

    code: str
    words: Words
    text: str


def read_command(line: str) -> Command | None:
    """The command of a line, None where there is none: blank, a comment, a macro's name."""
    bare = line[:LONGEST_LINE].partition(";")[0].partition("*")[0]
    found = _COMMAND.match(_PARENTHESES.sub("", bare))
    if found is None:
        return None
    letter, number, text = found.groups()
    return Command(f"{letter.upper()}{int(number)}", _words(text.upper()), text.strip())


def read_comment(line: str) -> str:
    """The text of a line that is a comment and nothing else, "" for any other."""
    bare = line[:LONGEST_LINE].strip()
    return bare[1:].strip() if bare.startswith(";") else ""


def _words(text: str) -> Words:
    numbers = ((letter, float(number) if number else None) for letter, number in _WORD.findall(text))
    return {letter: value for letter, value in numbers if value is None or abs(value) < LARGEST}
