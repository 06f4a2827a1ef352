"""Everything that a printer's sources yield, for whoever listens: one connection, however many readers.

While ingest runs it holds the cameras and the ports. Who wants the items themselves (a recorder) listens on
the channel ``nw:items:{shard}:<printer>`` of the event store; where nobody listens, nothing is sent. Redis
publishes to those who listen now: a listener that falls behind is cut off by the server, and told.
"""

from __future__ import annotations

import queue
import time
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import TypeAlias, cast

import msgspec
import redis

from ingest.errors import RecordError
from ingest.feed import Feed
from ingest.records import Event, Frame, Reading, SerialLine, decode, encode
from ingest.sources import Item
from ingest.stream import key, shard_of, store_errors

LOOK_EVERY_S = 1.0
"""How often it is looked up who listens."""
WAITING = 10_000
"""Items that may wait for the store; further ones are dropped and counted."""

Arrived: TypeAlias = tuple[Item, int]
"""An item and when it arrived, ns."""

_KINDS: tuple[type[Frame] | type[Reading] | type[Event] | type[SerialLine], ...] = (
    Frame,
    Reading,
    Event,
    SerialLine,
)
_Message: TypeAlias = tuple[int, int, bytes]  # place in _KINDS, arrival in ns, the record
_messages = msgspec.msgpack.Decoder(_Message)


def channel(printer: str, shards: int) -> str:
    """The channel of a printer's items."""
    return f"{key('items', shard_of(printer, shards))}:{printer}"


class Broadcast:
    """The sending end, in the ingest process: ``send`` is to be called often, from a thread."""

    def __init__(self, feeds: Sequence[Feed], shards: int) -> None:
        self.dropped: Counter[str] = Counter()  # by printer
        self._feeds = {channel(feed.name, shards): feed for feed in feeds if not feed.recorded}
        self._waiting: queue.Queue[tuple[str, bytes]] = queue.Queue(WAITING)
        self._looked_s = 0.0

    def send(self, events: redis.Redis) -> None:
        """Send what has come since the last call, and look who listens. Raises StoreUnreachable."""
        with store_errors(), events.pipeline(transaction=False) as pipe:
            for name, message in self._taken():
                pipe.publish(name, message)
            pipe.execute()
            if self._feeds and time.monotonic() - self._looked_s >= LOOK_EVERY_S:
                self._looked_s = time.monotonic()
                self._look(events)

    def _taken(self) -> Iterator[tuple[str, bytes]]:
        while not self._waiting.empty():
            yield self._waiting.get_nowait()

    def _look(self, events: redis.Redis) -> None:
        for name, listeners in cast(list[tuple[bytes, int]], events.pubsub_numsub(*self._feeds)):
            feed = self._feeds[name.decode()]
            feed.listener = partial(self._put, name.decode()) if listeners else None
            if feed.telemetry is not None:
                feed.telemetry.with_lines = listeners > 0

    def _put(self, name: str, item: Item, arrival_ns: int) -> None:
        try:
            self._waiting.put_nowait((name, pack(item, arrival_ns)))
        except queue.Full:
            self.dropped[self._feeds[name].name] += 1


def listen(
    events: redis.Redis, printer: str, shards: int, wait_s: float = 0.5
) -> Generator[Arrived | None, None, None]:
    """The receiving end: items as they come, None whenever nothing came for ``wait_s``. Never ends by itself.

    Raises StoreUnreachable where the connection is lost, RecordError where a newer Nozzlewatch sends.
    """
    listener = cast(redis.client.PubSub, events.pubsub(ignore_subscribe_messages=True))  # type: ignore[no-untyped-call]
    with closing(listener), store_errors():
        listener.subscribe(channel(printer, shards))
        while True:
            message = listener.get_message(timeout=wait_s)
            yield unpack(message["data"]) if message is not None else None


def pack(item: Item, arrival_ns: int) -> bytes:
    """An item as it goes over the channel."""
    return msgspec.msgpack.encode((_KINDS.index(type(item)), arrival_ns, encode(item)))


def unpack(message: bytes) -> Arrived:
    """What ``pack`` was given. Raises RecordError for other bytes."""
    try:
        kind, arrival_ns, record = _messages.decode(message)
        return decode(record, _KINDS[kind]), arrival_ns
    except (msgspec.DecodeError, IndexError) as error:
        raise RecordError(f"found {len(message)} bytes that are no item ({error}), expected one") from error
