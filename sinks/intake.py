"""From a broker that itself remembers how far a reader has come into the sinks.

What is not committed there comes again, so there is nothing to recover; a sink that is offered a record twice
takes it once. Knows no broker: whoever reads one hands its messages over, and commits when ``flush`` returns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from ingest.errors import RecordError
from sinks.errors import SinkError
from sinks.event_headers import Headers, entry_of
from sinks.event_json import decode_event
from sinks.sink import Delivered, Entry, Sink, Told


class Incoming(NamedTuple):
    """A message as it was read; ``stream`` says what its topic holds, by the name in TOPICS."""

    stream: str
    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    @property
    def entry(self) -> Entry:
        return entry_of(self.headers, self.topic, self.partition, self.offset)


class Letter(NamedTuple):
    """A message that is none of ours, or that a sink will never take, and why."""

    incoming: Incoming
    error: str


Pair = tuple[Incoming, Delivered[Told]]


class Intake:
    """Several sinks as one: a message is durable when all of them have it. Driven from one thread."""

    def __init__(self, makers: Sequence[Callable[[], Sink]]) -> None:
        """Make the sinks. Raises SinkError; those that were made are closed then."""
        self._sinks: list[Sink] = []
        with ExitStack() as undo:
            for make in makers:
                self._sinks.append(make())
                undo.callback(self._sinks[-1].close)
            self._closing = undo.pop_all()

    def take(self, batch: Sequence[Incoming]) -> list[Letter]:
        """Hand messages to all sinks, in order; returns what is for the dead letters."""
        pairs: list[Pair] = []
        letters: list[Letter] = []
        for incoming in batch:
            try:
                pairs.append((incoming, _read(incoming)))
            except RecordError as error:
                letters.append(Letter(incoming, str(error)))
        return letters + [letter for sink in self._sinks for letter in _take(sink, pairs)]

    def flush(self) -> None:
        """Make durable what was taken. Raises SinkError where that cannot be; the next call tries again."""
        for sink in self._sinks:
            sink.flush()

    def close(self) -> None:
        """Flush and close every sink. Raises SinkError, after all were closed."""
        self._closing.close()


def _read(incoming: Incoming) -> Delivered[Told]:
    record = decode_event(incoming.value or b"", incoming.stream)
    return Delivered(*incoming.entry, record)


def _take(sink: Sink, pairs: Sequence[Pair]) -> list[Letter]:
    """Offer all at once and, where a sink refuses that, one by one; returns those refused alone too."""
    if not pairs:
        return []
    try:
        sink.take([delivered for _, delivered in pairs])
    except SinkError as error:
        if len(pairs) == 1:
            return [Letter(pairs[0][0], str(error))]
        return [letter for pair in pairs for letter in _take(sink, [pair])]
    return []
