"""Reads a recording in the order in which its messages arrived, a chunk at a time."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from itertools import zip_longest
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import msgspec
from mcap.records import Channel, Message

from ingest.errors import RecordError, SourceNotFound
from ingest.recordings.chunks import McapFile
from ingest.recordings.format import (
    CAMERA,
    EVENTS,
    IMAGE_SCHEMA,
    LABELS,
    METADATA,
    SERIAL,
    TELEMETRY,
    About,
    Content,
    Decoder,
    Truth,
    decoder_for,
)

MAX_HELD_BYTES = 256 << 20
"""Messages of chunks that overlap in time wait for each other; beyond this they go out as they are."""
TOPICS_TOLD = 10

_log_time = attrgetter("log_time")


class Arrival(NamedTuple):
    """What a message told, and when it arrived, ns."""

    arrival_ns: int
    content: Content


class Recording:
    """One recording, ours or a foreign one with pictures, whole or cut off. Read by one thread at a time.

    ``cameras`` and ``telemetry`` are the topics that tell something, ``about`` says whose it is (None: nobody
    says). ``counts``: those of ``McapFile``, and ``corrupt`` messages, which are not what their topic holds.
    """

    def __init__(self, path: Path) -> None:
        """Look through the file. Raises SourceNotFound, and SourceError for what is no MCAP file."""
        self.counts: Counter[str] = Counter()
        self._path = path
        self._file = McapFile(path, self.counts)
        self._decoders = dict(self._known())
        known = [self._file.channels[number] for number in self._decoders]
        self.cameras = sorted({c.topic for c in known if self._schema(c) == IMAGE_SCHEMA})
        self.telemetry = sorted({c.topic for c in known} - {*self.cameras, LABELS})
        self.about = self._about()
        if not known or not self._file.places:
            raise SourceNotFound(f"{path}: {self._found()}")

    def read(self, topics: Collection[str], printer: str) -> Iterator[list[Arrival]]:
        """All messages of these topics in the order of their arrival, in lists that fit into memory.

        Raises SourceNotFound where the file has gone, SourceError where the disk fails.
        """
        wanted = {n: d for n, d in self._decoders.items() if self._file.channels[n].topic in topics}
        for messages in self._in_order(wanted):
            yield list(self._told(messages, wanted, printer))

    def labels(self) -> list[Truth]:
        """What is known to be wrong with this print, in the order in which it begins."""
        told = (arrival.content for batch in self.read({LABELS}, "") for arrival in batch)
        return [truth for truth in told if isinstance(truth, Truth)]

    def _in_order(self, wanted: Collection[int]) -> Iterator[list[Message]]:
        """Messages of these channels by ``log_time``; those of one moment in the order of the file."""
        held: list[Message] = []
        begins = [place.begin_ns for place in self._file.places[1:]]
        with self._file.opened() as file:
            for place, next_ns in zip_longest(self._file.places, begins):
                held += (m for m in self._file.read(file, place) if m.channel_id in wanted)
                held.sort(key=_log_time)
                sure = len(held) if next_ns is None else bisect_left(held, next_ns, key=_log_time)
                if sum(len(message.data) for message in held) > MAX_HELD_BYTES:
                    sure = len(held)
                yield held[:sure]
                del held[:sure]

    def _told(
        self, messages: list[Message], decoders: Mapping[int, Decoder], printer: str
    ) -> Iterator[Arrival]:
        for message in messages:
            event_ns = message.publish_time or message.log_time  # foreign recorders may leave it at 0
            try:
                content = decoders[message.channel_id](message.data, event_ns, printer)
            except RecordError:
                self.counts["corrupt"] += 1
                continue
            yield Arrival(message.log_time, content)

    def _known(self) -> Iterator[tuple[int, Decoder]]:
        """The channels that tell us something, each with what reads its messages."""
        for number, channel in self._file.channels.items():
            decoder = decoder_for(channel.topic, self._schema(channel), channel.message_encoding)
            if decoder is not None:
                yield number, decoder

    def _schema(self, channel: Channel) -> str:
        schema = self._file.schemas.get(channel.schema_id)
        return schema.name if schema is not None else ""

    def _about(self) -> About | None:
        for metadata in self._file.metadata:
            if metadata.name == METADATA and "printer" in metadata.metadata:
                return msgspec.convert(metadata.metadata, About)
        return None

    def _found(self) -> str:
        """What is there instead of a recording, and what was expected."""
        expected = (
            f"expected {TELEMETRY}<channel>, {EVENTS}, {SERIAL} or {CAMERA} "
            f"(or any topic with the schema {IMAGE_SCHEMA})"
        )
        if self._file.unchunked:
            return f"found messages outside of chunks, {expected} in chunks: run mcap compress over it"
        topics = sorted(channel.topic for channel in self._file.channels.values())
        if not topics or not self._file.places:
            return f"found no message, {expected}: it may have been cut off before its first chunk"
        more = f" and {len(topics) - TOPICS_TOLD} more" if len(topics) > TOPICS_TOLD else ""
        return f"found the topics {', '.join(topics[:TOPICS_TOLD])}{more}, {expected}"
