"""What a message bears beside its JSON: where it came from, so that one sent twice is known again."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sinks.sink import Entry

FARM, STREAM, ENTRY = "nw-farm", "nw-stream", "nw-entry"
"""The farm's name, the Redis stream and the id there; the same in two messages: one event, sent twice."""
ERROR, ORIGIN = "nw-error", "nw-origin"
"""Of a dead letter: why it is one, and where it stood, "topic/partition/offset"."""

Headers = Mapping[str, bytes]

_STREAM_NAME = re.compile(r"nw:[a-z-]+:\{\d{1,4}\}")
_ENTRY_ID = re.compile(r"\d{1,20}-\d{1,20}")


def told_by(farm: str, entry: Entry) -> dict[str, bytes]:
    """The headers of the message that passes an entry on."""
    stream, entry_id = entry
    return {FARM: farm.encode(), STREAM: stream.encode(), ENTRY: entry_id.encode()}


def entry_of(headers: Headers, topic: str, partition: int, offset: int) -> Entry:
    """The entry that a message passes on; without such headers, its place in Kafka in the same form.

    A log that is fed from Kafka so has the same rows as one that Redis feeds.
    """
    stream, entry_id = _text(headers, STREAM), _text(headers, ENTRY)
    if _STREAM_NAME.fullmatch(stream) and _ENTRY_ID.fullmatch(entry_id):
        return stream, entry_id
    return f"kafka:{topic}:{{{partition}}}", f"{offset}-0"


def farm_of(headers: Headers) -> str:
    """The farm that a message comes from, "" where it does not tell."""
    return _text(headers, FARM)


def of_dead_letter(headers: Headers, topic: str, partition: int, offset: int, error: str) -> dict[str, bytes]:
    """The headers of a message that could not be read, with the reason."""
    return {**headers, ERROR: error.encode(), ORIGIN: f"{topic}/{partition}/{offset}".encode()}


class Recent:
    """Knows again what was sent twice: the relay sends anew at most what was unconfirmed when it died."""

    def __init__(self, limit: int = 50_000) -> None:
        self._limit = limit
        self._seen: dict[tuple[bytes, ...], None] = {}

    def is_new(self, headers: Any) -> bool:
        """Whether these headers, pairs or None as clients give them, are not among the last ``limit``.

        Those without an entry id always are new.
        """
        told = dict(headers or ())
        entry: tuple[bytes, ...] = tuple(told.get(name) or b"" for name in (FARM, STREAM, ENTRY))
        if not entry[-1]:
            return True
        if entry in self._seen:
            return False
        self._seen[entry] = None
        if len(self._seen) > self._limit:
            del self._seen[next(iter(self._seen))]
        return True


def _text(headers: Headers, name: str) -> str:
    return headers.get(name, b"").decode(errors="replace")
