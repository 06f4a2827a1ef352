"""Which lines of a print are new, and whether some are missing, by OctoPrint's numbers of them. Pure.

OctoPrint numbers the lines of a print from 1 on (M110), and all lines where it is told to; sent again, they
keep their numbers.
"""

from __future__ import annotations

import re
from enum import StrEnum

MOST_RESENT = 50
"""Lines that OctoPrint can send again (comm.py: ``lastLineBufferSize``); a number further back is of another
count."""

_number = re.compile(r"N(\d{1,9})", re.ASCII).match


class Place(StrEnum):
    """Where a line stands."""

    NEXT = "next"
    AGAIN = "again"
    AFTER_A_GAP = "after a gap"


class Numbering:
    """Follows the numbers. A line without one comes next."""

    def __init__(self) -> None:
        self._last: int | None = None

    def place(self, line: str) -> Place:
        """Take the next line that was sent."""
        found = _number(line)
        if found is None:
            return Place.NEXT
        last, number = self._last, int(found[1])
        if "M110" in line:  # the count begins anew
            self._last = None
            return Place.NEXT
        if last is not None and last - MOST_RESENT <= number <= last:
            return Place.AGAIN
        self._last = number
        return Place.NEXT if last is None or number == last + 1 else Place.AFTER_A_GAP
