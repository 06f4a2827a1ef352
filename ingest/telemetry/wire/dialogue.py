"""What a printer and those who talk to it say on a serial line, understood as it goes by. No I/O."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple, TypeAlias

from ingest.records import EventKind
from ingest.telemetry.marlin import decode, parse, parse_sent
from ingest.telemetry.parsed import Line, Parsed
from ingest.telemetry.wire.capabilities import Capabilities
from ingest.telemetry.wire.job_watch import JobWatch, Told
from ingest.telemetry.wire.pairing import Pairing


class Understood(NamedTuple):
    """One line with all that it tells. ``taken``: lines that the printer has taken by now.

    ``left_out``: the first line since the port was opened, if reading began in its middle.
    """

    text: str
    parsed: Parsed
    sent: bool
    told: list[Told]
    taken: list[str]
    left_out: bool = False

    @property
    def restarts(self) -> bool:
        """Whether the firmware says that it has just booted."""
        return self.parsed.event is not None and self.parsed.event[0] is EventKind.START


Overheard: TypeAlias = "asyncio.Queue[Understood | None]"
"""Lines in order; None when the line is gone."""


class Dialogue:
    """Follows both sides of one line from when it is opened. ``facts`` gets what the firmware says of itself.

    ``sees_hosts``: whatever is said to the printer goes by here.
    """

    def __init__(self, facts: dict[str, str], counts: Counter[str], *, sees_hosts: bool) -> None:
        self.capabilities = Capabilities(facts)
        self.jobs = JobWatch(sees_hosts=sees_hosts)
        self.pairing = Pairing()
        self._counts = counts
        self._is_first = True
        self._listeners: list[Overheard] = []

    def sent(self, raw: bytes, at_ns: int) -> Understood:
        """A line to the printer."""
        text = decode(raw).rstrip("\r")
        parsed = Parsed(Line.HOST)
        if may_matter(text):
            self.jobs.sent(text)
            parsed = parse_sent(text)
        taken = self.pairing.sent(text, at_ns)
        return self._shared(Understood(text, parsed, True, self._told(taken), taken))

    def replied(self, raw: bytes, at_ns: int) -> Understood:
        """A line from the printer."""
        text = decode(raw).rstrip("\r")
        parsed = parse(text)
        first, self._is_first = self._is_first, False
        if first and not parsed.known:
            return Understood(text, parsed, False, [], [], left_out=True)
        self._counts["garbled"] += not parsed.known
        taken = self.pairing.replied(text, parsed, at_ns)
        progress = self.jobs.progress
        told = [*self._told(taken), *self.jobs.replied(text, parsed), *self._introduced(text, parsed)]
        if self.jobs.progress is not None and self.jobs.progress != progress:
            parsed = parsed._replace(readings=(("progress", self.jobs.progress),))
        return self._shared(Understood(text, parsed, False, told, taken))

    def missed(self) -> None:
        """A piece of what was said is missing: the next line may begin in its middle."""
        self._is_first = True
        self.pairing = Pairing()

    @contextmanager
    def overheard(self) -> Iterator[Overheard]:
        """Every line from now on."""
        queue: Overheard = asyncio.Queue()
        self._listeners.append(queue)
        try:
            yield queue
        finally:
            self._listeners.remove(queue)

    def close(self) -> None:
        """Nothing more is said on this line."""
        for listener in self._listeners:
            listener.put_nowait(None)

    def _told(self, taken: list[str]) -> list[Told]:
        return [told for line in taken if may_matter(line) for told in self.jobs.taken(line)]

    def _introduced(self, text: str, parsed: Parsed) -> list[Told]:
        if parsed.line is not Line.CAPABILITY:
            return []
        firmware = self.capabilities.take(text)
        return [(EventKind.FIRMWARE, firmware)] if firmware else []

    def _shared(self, understood: Understood) -> Understood:
        for listener in self._listeners:
            listener.put_nowait(understood)
        return understood


def may_matter(line: str) -> bool:
    """Whether a command can do more than move, as nearly all lines of a print do."""
    return "M" in line or "G28" in line
