"""Lines of a log as host programs write them: who said it, what, and when its stamp says that it was."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from ingest.clock import SteadyStamps
from ingest.records import EventKind
from ingest.telemetry.marlin import Line, Parsed, is_command, parse, parse_sent

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NS_PER_US = 1000
HALF_A_DAY = timedelta(hours=12)


class Heard(NamedTuple):
    """A line at its time, ns UTC. ``Line.HOST`` marks what the printer did not say.

    ``text`` is the line as the log has it, its stamp taken off; "" where the log says nothing.
    """

    at_ns: int
    parsed: Parsed
    text: str = ""

    @property
    def on_the_wire(self) -> tuple[str, bool] | None:
        """The line as it went over the wire and whether the host sent it; None for what did not."""
        if self.parsed.line is not Line.HOST:
            return self.text.removeprefix(RECEIVED), False
        for sent in _SENT:
            if self.text.startswith(sent):
                return self.text[len(sent) :], True
        return (self.text, True) if is_command(self.text) else None


def to_ns(moment: datetime) -> int:
    """ns UTC of a moment; one without a time zone is read as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(microseconds=1) * NS_PER_US


# Who said it

RECEIVED = "Recv: "
_SENT = ("Send: ", "SENDING:", ">>> ")
_OFFLINE = re.compile(
    r"Disconnected\.$|\[ERROR\] Can't read from printer|"  # Pronterface
    r'Changing monitoring state from ".*?" to "(?:Offline|Closed)'  # OctoPrint
)
_HOST = re.compile(
    r"\[ERROR\]|Connecting|Printer is now online|Setting (?:bed|hotend) temperature|Load(?:ing|ed) |"
    r"Print (?:started|ended) at|The print goes|- from |Estimated duration|[\d.]+mm of filament used|"
    r'Traceback |\s+File "|[A-Z]\w+Error: '
)
"""What Pronterface writes between the printer's lines (printrun/pronterface.py), Python tracebacks included.
``[ERROR] Error:…`` repeats the line before it."""
_SAID_BY_HOST = Parsed(Line.HOST)


def understand(text: str, *, labelled: bool = False) -> Parsed:
    """What a line of a log says, its stamp taken off. Where ``labelled``, the printer's begin "Recv: "."""
    if text.startswith(RECEIVED.rstrip()):
        return parse(text[len(RECEIVED) :])
    for sent in _SENT:
        if text.startswith(sent):
            return parse_sent(text[len(sent) :])
    if _OFFLINE.match(text):
        return Parsed(Line.HOST, event=(EventKind.DISCONNECTED, text))
    if labelled or _HOST.match(text):
        return _SAID_BY_HOST
    return parse_sent(text) if is_command(text) else parse(text)


_TELLING = frozenset(Line) - {Line.HOST, Line.BLANK, Line.CHATTER, Line.COMMENT, Line.GARBLED}


def is_printers(parsed: Parsed) -> bool:
    """True for a line that only a printer's firmware writes; chatter and comments could be anybody's."""
    return parsed.line in _TELLING


# When it was said

_MARK = r"^\s*(?:[<>]\s+)?\[?"
_END = r"\]?(?:\s*(?:->|[-:|>])\s|\s|:|$)"
_DATED = re.compile(
    _MARK + r"(\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)" + _END, re.ASCII
)
_CLOCK = re.compile(_MARK + r"(\d\d:\d\d:\d\d(?:[.,]\d{1,9})?)" + _END, re.ASCII)


class Stamps:
    """Reads the stamps at the heads of lines: ISO 8601 and its relatives, or a bare time of day.

    Stamps without a time zone are read as UTC. A bare time of day counts from ``day`` and goes on to the next
    day when it starts over. Times never run backwards: ``jumps`` counts where the log's clock was set back.
    """

    def __init__(self, day: date) -> None:
        self._day = day
        self._clock: time | None = None
        self._steady = SteadyStamps()

    @property
    def jumps(self) -> int:
        return self._steady.jumps

    def take(self, text: str) -> tuple[int | None, str]:
        """The line's time, ns UTC, and what follows the stamp; (None, the line) where it has none."""
        match = _DATED.match(text) or _CLOCK.match(text)
        if match is None:
            return None, text
        try:
            moment = self._moment(match[1].replace("/", "-"))
        except ValueError:  # 25:61:00
            return None, text
        return self._steady.steady(to_ns(moment)), text[match.end() :]

    def _moment(self, stamp: str) -> datetime:
        if "-" in stamp[:5]:
            return datetime.fromisoformat(stamp)
        clock = time.fromisoformat(stamp)
        if self._clock is not None and _on(self._day, self._clock) - _on(self._day, clock) > HALF_A_DAY:
            self._day += timedelta(days=1)
        self._clock = clock
        return _on(self._day, clock)


def _on(day: date, clock: time) -> datetime:
    return datetime.combine(day, clock, tzinfo=UTC)
