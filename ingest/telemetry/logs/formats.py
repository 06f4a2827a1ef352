"""The formats of printer logs: how each tells who spoke and when."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time
from typing import ClassVar, Protocol, TypeAlias

from ingest.records import NS_PER_S, EventKind
from ingest.telemetry.logs.cadence import Cadence, interval_s
from ingest.telemetry.logs.words import RECEIVED, Heard, Stamps, is_printers, to_ns, understand
from ingest.telemetry.parsed import Line, Parsed

OpenLines: TypeAlias = Callable[[], Iterator[str]]
"""Opens the log anew and yields its lines."""

NO_DATE = date(2000, 1, 1)
"""The day of a log that names none and whose address has no ``start``: the same on every machine."""


class LogFormat(Protocol):
    """Reads a log from its beginning. ``time_estimated``: its lines have no stamps of their own."""

    time_estimated: ClassVar[bool]

    def __init__(self, start: date | None) -> None:
        """``start`` is the address's option: a day, or (as datetime) the moment of the first line."""
        ...

    def heard(self, open_lines: OpenLines) -> Iterator[Heard]:
        """Every line of serial traffic in order, with times that never run backwards."""
        ...

    @property
    def jumps(self) -> int:
        """How often the log's own clock was set back so far."""
        ...


def recognise(lines: Iterable[str]) -> type[LogFormat] | None:
    """The format of these lines, from the first one that tells; None where none does."""
    stamps = Stamps(NO_DATE)
    for line in lines:
        if _BLOCK_HEAD.match(line) or _OCTOPRINT_LOG.match(line):
            return BlockLog
        at_ns, text = stamps.take(line)
        if at_ns is not None and text.startswith((RECEIVED, "Send: ")):
            return LabelledLog
        if is_printers(understand(text)):
            return PlainLog if at_ns is None else StampedLog
    return None


# Lines with stamps: terminal programs, OctoPrint's serial.log


class StampedLog:
    """Every line with its time, as terminal programs write it. Lines without a stamp are nobody's."""

    time_estimated: ClassVar[bool] = False
    labelled: ClassVar[bool] = False

    def __init__(self, start: date | None) -> None:
        self._stamps = Stamps(_day(start))

    @property
    def jumps(self) -> int:
        return self._stamps.jumps

    def heard(self, open_lines: OpenLines) -> Iterator[Heard]:
        for line in open_lines():
            at_ns, text = self._stamps.take(line)
            if at_ns is not None:
                yield Heard(at_ns, understand(text, labelled=self.labelled), text)


class LabelledLog(StampedLog):
    """OctoPrint's serial.log: stamped lines that begin "Send: " or "Recv: ", the host's own words between."""

    labelled: ClassVar[bool] = True


# Lines without a clock: Pronterface

_PRINT_STARTED = re.compile(r"Print started at: (\d\d:\d\d:\d\d)\s*$", re.ASCII)
_ASKS = re.compile(r"(?:SENDING:|>>> ?)\s*(?:N\d+\s*)?M105\b", re.IGNORECASE)
SHORTEST_POLL_S = 1.0
"""Nobody asks a printer for its temperatures more often."""
LONGEST_STEP_NS = 10 * NS_PER_S
"""Where the estimate moves on by more than this, the log says nothing of the time between."""
DAY_NS = 24 * 3600 * NS_PER_S


class PlainLog:
    """The bare words of a printer, as Pronterface saves them: times are estimated.

    Time moves by the firmware's own beat (``cadence.py``). ``Print started at: 19:35:14`` sets the time of
    day: the first such line places the whole log, a later one moves time on where the estimate lags behind.
    ``start`` with a time of day places the first line instead. A job that says neither busy nor a temperature
    takes no time at all in here.
    """

    time_estimated: ClassVar[bool] = True
    jumps = 0

    def __init__(self, start: date | None) -> None:
        self._start = start
        self._begin()

    def heard(self, open_lines: OpenLines) -> Iterator[Heard]:
        base_ns = self._base_ns(open_lines)
        self._begin()
        for line in open_lines():
            before_ns = self._cadence.now_ns
            parsed = self._follow(line)
            if self._cadence.now_ns - before_ns > LONGEST_STEP_NS:
                yield Heard(base_ns + before_ns, _unrecorded("the log has no times here"))
            yield Heard(base_ns + self._cadence.now_ns, parsed, line)

    def _begin(self) -> None:
        self._cadence = Cadence()
        self._asked = 0
        self._anchor: tuple[int, int] | None = None  # time of day and time in the log, ns

    def _base_ns(self, open_lines: OpenLines) -> int:
        """The time of the first line, ns UTC."""
        if isinstance(self._start, datetime):
            return to_ns(self._start)
        midnight_ns = to_ns(datetime.combine(_day(self._start), time(), tzinfo=UTC))
        for line in open_lines():
            self._follow(line)
            if self._anchor is not None:
                return midnight_ns + self._anchor[0] - self._anchor[1]
        return midnight_ns

    def _follow(self, line: str) -> Parsed:
        """Understand a line and move time on to it."""
        started = _PRINT_STARTED.match(line)
        if started:
            self._set_clock(started[1])
        self._asked += bool(_ASKS.match(line))
        parsed = understand(line)
        every_s = interval_s(parsed, SHORTEST_POLL_S, asked=self._asked > 0)
        if parsed.line in (Line.TEMPERATURE, Line.HEATING):
            self._asked = max(0, self._asked - 1)
        self._cadence.beat(parsed.line, every_s)
        return Parsed(Line.HOST) if parsed.line is Line.BLANK else parsed

    def _set_clock(self, clock: str) -> None:
        try:
            moment = time.fromisoformat(clock)
        except ValueError:
            return
        now_ns = self._cadence.now_ns
        day_ns = (moment.hour * 3600 + moment.minute * 60 + moment.second) * NS_PER_S
        if self._anchor is None:
            self._anchor = (day_ns, now_ns)
        lag_ns = (day_ns - self._anchor[0] - (now_ns - self._anchor[1])) % DAY_NS
        if lag_ns < DAY_NS // 2:  # else the estimate is ahead, and time does not run backwards
            self._cadence.skip(lag_ns)


# Blocks of lines: octoprint.log

_OCTOPRINT_LOG = re.compile(
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - [\w.]+ - (?:DEBUG|INFO|WARNING|ERROR|CRITICAL) - ", re.ASCII
)
_BLOCK_HEAD = re.compile(r"\| Last lines in terminal:")
POLLED_S, POLLED_HOT_S = 5.0, 2.0
"""OctoPrint's default intervals of M105 where the firmware does not report by itself: with heaters off and
with a target set (timeout.temperature and timeout.temperatureTargetSet in its config.yaml)."""
REMEMBERED = 40
"""Lines kept to recognise what a block repeats; OctoPrint writes 20 in a block."""
LONGEST_BLOCK = 1000
"""Lines. OctoPrint writes 20; beyond this the file is something else and its lines are left out."""


class BlockLog:
    """octoprint.log: serial traffic stands only in "| Last lines in terminal:" blocks, times are estimated.

    A block's last line has the stamp of the log line before the block; the others lie back from it by the
    firmware's beat, never before the block before. What a block repeats of earlier ones is left out. After
    each block stands an event UNRECORDED.
    """

    time_estimated: ClassVar[bool] = True

    def __init__(self, start: date | None) -> None:
        self._stamps = Stamps(_day(start))
        self._at_ns = to_ns(datetime.combine(_day(start), time(), tzinfo=UTC))
        self._earliest_ns: int | None = None
        self._recent: deque[str] = deque(maxlen=REMEMBERED)

    @property
    def jumps(self) -> int:
        return self._stamps.jumps

    def heard(self, open_lines: OpenLines) -> Iterator[Heard]:
        for block in self._blocks(open_lines()):
            new = block[repeated(self._recent, block) :]
            self._recent.extend(new)
            if new:
                times_ns = self._spread([understand(line, labelled=True) for line in new])
                for (at_ns, parsed), line in zip(times_ns, new, strict=True):
                    yield Heard(at_ns, parsed, line)
                yield Heard(self._at_ns, _unrecorded("octoprint.log holds no serial traffic from here on"))

    def _blocks(self, lines: Iterator[str]) -> Iterator[list[str]]:
        """Every block's lines, with ``_at_ns`` at the stamp before it."""
        block: list[str] | None = None
        for line in lines:
            if _BLOCK_HEAD.match(line):
                if block:
                    yield block
                block = []
            elif block is not None and line.startswith("|"):
                block.extend([line[2:]] if len(block) < LONGEST_BLOCK else [])
            else:
                if block:
                    yield block
                block = None
                self._note_stamp(line)
        if block:
            yield block

    def _note_stamp(self, line: str) -> None:
        at_ns, _ = self._stamps.take(line)
        self._at_ns = self._at_ns if at_ns is None else at_ns

    def _spread(self, block: list[Parsed]) -> Iterator[tuple[int, Parsed]]:
        """The lines at times back from the block's stamp, drawn together where the block before is close."""
        cadence = Cadence()
        back_ns = [cadence.beat(line.line, interval_s(line, _polled_s(line))) for line in reversed(block)]
        room_ns = back_ns[-1] if self._earliest_ns is None else self._at_ns - self._earliest_ns
        shrink = min(1.0, room_ns / back_ns[-1]) if back_ns[-1] else 1.0
        for parsed, back in zip(block, reversed(back_ns), strict=True):
            yield self._at_ns - int(back * shrink), parsed
        self._earliest_ns = self._at_ns


def repeated(recent: Iterable[str], block: list[str]) -> int:
    """How many lines at the head of ``block`` are the last ones of ``recent``, at most."""
    known = list(recent)
    for length in range(min(len(known), len(block)), 0, -1):
        if known[-length:] == block[:length]:
            return length
    return 0


def _polled_s(parsed: Parsed) -> float:
    hot = any(channel.endswith("target_c") and value > 0 for channel, value in parsed.readings)
    return POLLED_HOT_S if hot else POLLED_S


def _unrecorded(text: str) -> Parsed:
    return Parsed(Line.HOST, event=(EventKind.UNRECORDED, text))


def _day(start: date | None) -> date:
    if isinstance(start, datetime):
        return start.astimezone(UTC).date() if start.tzinfo else start.date()
    return start or NO_DATE
