"""What is still to go out through each channel, in the event store, and the thread that takes it there.

The policy's worker appends a message to the outbox of each channel that is to have it; from then on it cannot
get lost. A channel's thread sends the oldest first and removes what was taken, a few at a time: who is killed
in between sends those few again, with the ids that they had. A channel that does not take
it is tried again, ever more seldom, for a day; it holds up no other, and when it is back only the newest
revision of each message goes out. What is refused, or waited too long, becomes a dead letter.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import redis

from ingest.errors import RecordError, StoreUnreachable
from ingest.records import NS_PER_S, Health, Status, decode, encode
from ingest.stage import STATUS_EVERY_S, StoreSource, publish_status, serve_through_outages
from ingest.store import BLOCK_MS, Stores
from ingest.stream import DATA, Entry, bury, store_errors
from sinks.anomaly_text import duration_text
from sinks.answers import say
from sinks.channels import Answering, Channel
from sinks.errors import ChannelError, MessageRefused
from sinks.message import Answer, Message
from sinks.pictures import Pictures, shown

log = logging.getLogger("nozzlewatch.sinks")

KEPT = 10_000
"""Messages that wait for one channel at the most; beyond it the oldest go."""
READ = 100
REMOVED_TOGETHER, REMOVED_WITHIN_S = 10, 0.05
"""What was taken is removed when so many were, or with the first one taken after so long: a removal is a turn
to the store, and to wait for its answer beside the threads that send and draw takes longer than a webhook."""


class Patience(NamedTuple):
    """How long is waited for a channel, s."""

    first_s: float = 1.0  # before the second try, doubled before each further one …
    most_s: float = 300.0  # … up to this
    age_s: float = 24 * 3600.0  # a message that could not go out for so long never does


PATIENCE = Patience()


def outbox_key(channel: str) -> str:
    """The stream of what waits for a channel; its name goes in as a hash: it may hold anything."""
    return f"nw:outbox-{hashlib.blake2b(channel.encode(), digest_size=8).hexdigest()}:{{0}}"


def wants(channel: Channel, message: Message) -> bool:
    """Whether a channel is to have this message."""
    if channel.escalation and not message.escalated:
        return False
    return message.loud or channel.replaces


def post(pipe: redis.Redis, channel: Channel, message: Message) -> None:
    """Append a message to a channel's outbox, as part of the caller's transaction."""
    pipe.xadd(outbox_key(channel.name), {DATA: encode(message)}, maxlen=KEPT, approximate=True)


class Courier:
    """Takes the messages of one channel out, from a thread of its own."""

    def __init__(
        self,
        source: StoreSource,
        channel: Channel,
        pictures: Pictures | None = None,
        *,
        patience: Patience = PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.trouble = ""  # why the last try failed
        self.channel = channel
        self._source, self._patience, self._clock = source, patience, clock
        self._pictures = pictures or Pictures()
        self._tries, self._due_s, self._told_s = 0, 0.0, float("-inf")
        self._events: redis.Redis | None = None
        self._taken: list[str] = []  # ids of entries that are to be removed, over a store's outage too
        self._taken_s = 0.0  # when the first of them was taken
        self._listening = False

    def run(self, stop: threading.Event, *, until: Callable[[], bool] = lambda: False) -> None:
        """Send until ``stop`` is set, or ``until`` holds and nothing is left that this channel takes."""
        try:
            serve_through_outages(self._source, stop, lambda stores: self._serve(stores, stop, until))
        finally:
            self.channel.close()

    def _serve(self, stores: Stores, stop: threading.Event, until: Callable[[], bool]) -> None:
        stream = outbox_key(self.channel.name)
        self._events = stores.events
        if isinstance(self.channel, Answering) and not self._listening:
            self._listening = True
            self.channel.listen(self._answered)
        while not stop.is_set():
            draining = until()
            self._remove_taken(stores, stream)
            waiting = _waiting(stores.events, stream)
            self._tell(stores, len(waiting))
            if not waiting:
                if draining:
                    return
                _await_news(stores.events, stream)
            elif self._clock() < self._due_s:
                if draining:
                    return  # it stays in the outbox: the next process goes on
                stop.wait(min(self._due_s - self._clock(), BLOCK_MS / 1000))
            else:
                self._send_all(stores, stream, waiting, stop)
        self._remove_taken(stores, stream)

    def _send_all(
        self, stores: Stores, stream: str, waiting: Sequence[Waiting], stop: threading.Event
    ) -> None:
        messages = [one.message for one in waiting if one.message is not None and not one.outdated]
        if not self.trouble:  # nothing is drawn ahead for who takes nothing: others wait for theirs
            self._pictures.begin(stores.events, [one for one in messages if self._shows(one)])
        for one in waiting:
            if stop.is_set():
                return
            if one.message is None:
                self._bury(stores, stream, one.entry, "found no message, or one of a newer Nozzlewatch")
            elif one.outdated:
                self._done(stores, stream, one.entry)
            elif not self._send(stores, stream, one.entry, one.message):
                return

    def _send(self, stores: Stores, stream: str, entry: Entry, message: Message) -> bool:
        """Send one message; False where the channel is to be left alone for a while."""
        try:
            self.channel.send(message, self._picture(stores, message))
        except MessageRefused as error:
            self._bury(stores, stream, entry, f"{self.channel.name}: {error}")
        except ChannelError as error:
            return self._failed(stores, stream, entry, message, str(error))
        except StoreUnreachable:
            raise
        except Exception as error:  # a channel's mistake must not end the watch; its text may hold a URL
            mistake = f"{type(error).__name__} inside of it: a mistake in the channel"
            return self._failed(stores, stream, entry, message, mistake)
        else:
            self.counts["sent"] += 1
            self._works()
            self._done(stores, stream, entry)
        return True

    def _done(self, stores: Stores, stream: str, entry: Entry) -> None:
        """Nothing is to be done with this entry any more."""
        self._taken_s = self._taken_s if self._taken else time.monotonic()
        self._taken.append(entry.id)
        if len(self._taken) >= REMOVED_TOGETHER or time.monotonic() - self._taken_s >= REMOVED_WITHIN_S:
            self._remove_taken(stores, stream)

    def _remove_taken(self, stores: Stores, stream: str) -> None:
        if not self._taken:
            return
        with store_errors():
            stores.events.xdel(stream, *self._taken)
        self._taken = []

    def _picture(self, stores: Stores, message: Message) -> bytes | None:
        return self._pictures.of(stores.events, message) if self._shows(message) else None

    def _shows(self, message: Message) -> bool:
        return self.channel.pictured and message.loud and shown(message) is not None

    def _answered(self, answer: Answer) -> None:
        """What came over the channel, from a thread of its own."""
        if self._events is None:
            raise StoreUnreachable(f"{self.channel.name}: found no store for an answer, expected one")
        say(self._events, answer)

    def _works(self) -> None:
        if self.trouble:
            log.warning("alert channel %s works again", self.channel.name)
        self.trouble, self._tries, self._due_s = "", 0, 0.0

    def _failed(self, stores: Stores, stream: str, entry: Entry, message: Message, error: str) -> bool:
        self.counts["failed"] += 1
        if not self.trouble:
            log.error("alert channel %s fails: %s", self.channel.name, error)
        self.trouble = error
        wait_s = min(self._patience.first_s * 2**self._tries, self._patience.most_s)
        self._tries, self._due_s = min(self._tries + 1, 30), self._clock() + wait_s
        age_ns = time.time_ns() - message.made_ns
        if age_ns > self._patience.age_s * NS_PER_S:
            self._bury(stores, stream, entry, f"not taken for {duration_text(age_ns)}: {error}")
        return False

    def _bury(self, stores: Stores, stream: str, entry: Entry, error: str) -> None:
        log.error("alert channel %s: a message goes to the dead letters: %s", self.channel.name, error)
        self.counts["dead_letters"] += 1
        with store_errors(), stores.events.pipeline(transaction=True) as pipe:
            bury(pipe, entry, error)
            pipe.xdel(stream, entry.id)
            pipe.execute()

    def _tell(self, stores: Stores, waiting: int) -> None:
        if self._clock() - self._told_s < STATUS_EVERY_S:
            return
        self._told_s = self._clock()
        detail = f"{self.trouble}; {waiting} messages wait" if self.trouble else ""
        status = Status(
            source=f"channel/{self.channel.name}",
            at_ns=time.time_ns(),
            health=Health.DEGRADED if self.trouble else Health.OK,
            detail=detail,
            counts={**self.counts, "waiting": waiting},
        )
        publish_status(stores, status)


def forget_others(events: redis.Redis, channels: Sequence[Channel]) -> int:
    """Remove the outboxes of channels that the farm file no longer has; returns how many messages went."""
    kept = {outbox_key(channel.name).encode() for channel in channels}
    lost = 0
    with store_errors():
        for found in cast(list[bytes], list(events.scan_iter(match="nw:outbox-*"))):
            if found not in kept:
                lost += int(events.xlen(found))
                events.delete(found)
    return lost


class Waiting(NamedTuple):
    """An entry of an outbox."""

    entry: Entry
    message: Message | None  # None where it cannot be read
    outdated: bool = False  # a newer revision of it waits too


def _newest(waiting: Sequence[Waiting]) -> list[Waiting]:
    """Which of them are out of date: of each message the newest revision is told, and no other.

    An all-clear of what was never told says both: what it was, and that it is over.
    """
    newest = {one.message.id: one.message.revision for one in waiting if one.message is not None}
    return [
        one._replace(outdated=one.message is not None and one.message.revision < newest[one.message.id])
        for one in waiting
    ]


def _waiting(events: redis.Redis, stream: str) -> list[Waiting]:
    with store_errors():
        rows = cast(list[Any], events.xrange(stream, count=READ))
    entries = [Entry(stream, own.decode(), fields.get(DATA)) for own, fields in rows]
    return _newest([Waiting(entry, _read(entry)) for entry in entries])


def _read(entry: Entry) -> Message | None:
    try:
        return decode(entry.data or b"", Message)
    except RecordError:
        return None


def _await_news(events: redis.Redis, stream: str) -> None:
    """Wait until something lies in an empty outbox."""
    with store_errors():
        events.xread({stream: "0"}, count=1, block=BLOCK_MS)
