"""A channel's outbox: nothing in it is lost, a dead channel holds up no other, no old revision is told."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import pytest
import redis

from ingest.records import Health, Status, decode
from ingest.stage import STATUS_KEY
from ingest.store import EmbeddedStores, Stores
from sinks.errors import ChannelError, MessageRefused
from sinks.message import Answer, Message, Phase, Word
from sinks.outbox import KEPT, REMOVED_TOGETHER, Courier, forget_others, outbox_key, post, wants
from sinks.pictures import Pictures
from tests.sinks.conftest import make_anomaly
from tests.sinks.couriers import JPEG, QUICK, FakeChannel, Talker, carrying, drain, ids, put, waiting
from tests.sinks.messages import make_message
from tests.sinks.sources import Source
from tests.waiting import wait_until


def test_messages_go_out_in_order_with_their_pictures(stores: Stores, embedded: EmbeddedStores) -> None:
    channel = FakeChannel()
    put(stores, channel, make_message(id="a", anomalies=(make_anomaly(boxes=()),)), picture=JPEG)
    put(stores, channel, make_message(id="b"))
    drain(embedded, channel)
    assert ids(channel.taken) == [("a", 1), ("b", 1)]
    assert channel.pictures == [JPEG, None]
    assert waiting(stores, channel) == 0
    assert channel.closed


def test_a_channel_that_fails_is_tried_until_it_works(stores: Stores, embedded: EmbeddedStores) -> None:
    channel = FakeChannel()
    channel.error = lambda _: ChannelError("503") if channel.tries < 4 else None
    put(stores, channel, make_message(id="a"), make_message(id="b"))
    with carrying(embedded, channel) as [courier]:
        wait_until(lambda: waiting(stores, channel) == 0)
    assert ids(channel.taken) == [("a", 1), ("b", 1)]
    assert courier.counts["failed"] == 3
    assert courier.trouble == ""


def test_a_dead_channel_holds_up_no_other(stores: Stores, embedded: EmbeddedStores) -> None:
    dead, hangs, fine = FakeChannel("dead"), FakeChannel("hangs"), FakeChannel("fine")
    dead.error = lambda _: ChannelError("nobody there")
    hangs.hangs.clear()
    with carrying(embedded, dead, hangs, fine):
        for number in range(20):
            for channel in (dead, hangs, fine):
                put(stores, channel, make_message(id=f"m{number}"))
        wait_until(lambda: len(fine.taken) == 20)
        assert waiting(stores, dead) == 20
        hangs.hangs.set()
        wait_until(lambda: len(hangs.taken) == 20)


def test_after_an_outage_only_the_newest_revision_is_told(stores: Stores, embedded: EmbeddedStores) -> None:
    channel = FakeChannel()
    put(stores, channel, make_message(id="a"), make_message(id="b"), make_message(id="a", revision=2))
    put(stores, channel, make_message(id="a", revision=3, phase=Phase.CLOSED))
    drain(embedded, channel)
    assert ids(channel.taken) == [("b", 1), ("a", 3)]


def test_what_is_refused_becomes_a_dead_letter_and_the_rest_flows(
    stores: Stores, embedded: EmbeddedStores
) -> None:
    channel = FakeChannel()
    channel.error = lambda message: MessageRefused("413 too large") if message.id == "b" else None
    put(stores, channel, make_message(id="a"), make_message(id="b"), make_message(id="c"))
    courier = drain(embedded, channel)
    assert ids(channel.taken) == [("a", 1), ("c", 1)]
    assert courier.counts["dead_letters"] == 1
    [(_, letter)] = stores.events.xrange("nw:dead:{0}")
    assert letter[b"error"] == b"fake: 413 too large"
    assert decode(letter[b"d"], Message).id == "b"


def test_what_waited_for_too_long_becomes_a_dead_letter(stores: Stores, embedded: EmbeddedStores) -> None:
    channel = FakeChannel()
    channel.error = lambda _: ChannelError("nobody there")
    put(stores, channel, make_message(id="a"))
    drain(embedded, channel, QUICK._replace(age_s=3600.0))
    assert waiting(stores, channel) == 0
    [(_, letter)] = stores.events.xrange("nw:dead:{0}")
    assert b"nobody there" in letter[b"error"]


def test_a_mistake_in_a_channel_is_told_without_its_text(stores: Stores, embedded: EmbeddedStores) -> None:
    channel = FakeChannel()
    channel.error = lambda _: ValueError("https://user:secret@host")
    put(stores, channel, make_message())
    courier = drain(embedded, channel)
    assert courier.trouble == "ValueError inside of it: a mistake in the channel"
    assert waiting(stores, channel) == 1


def test_a_message_is_kept_over_a_death(stores: Stores, embedded: EmbeddedStores) -> None:
    channel = FakeChannel()
    channel.error = lambda _: ChannelError("nobody there")
    put(stores, channel, make_message(id="a"))
    drain(embedded, channel)
    successor = FakeChannel()
    drain(embedded, successor)
    assert ids(successor.taken) == [("a", 1)]


class Forgetful(redis.Redis):
    """A store that goes away at the first removal."""

    lost = 0

    def xdel(self, name: Any, *ids: Any) -> Any:
        if not self.lost:
            self.lost = len(ids)
            raise redis.ConnectionError("it went away")
        return super().xdel(name, *ids)


class OneStore:
    """Gives the same connections again and again."""

    def __init__(self, stores: Stores) -> None:
        self._stores = stores

    def open(self, _: float = 0.0) -> Stores:
        return self._stores


def test_what_was_taken_is_not_sent_again_when_the_store_goes_away(
    stores: Stores, embedded: EmbeddedStores
) -> None:
    channel = FakeChannel()
    put(stores, channel, make_message(id="a"), make_message(id="b"))
    events = Forgetful.from_url(embedded.urls().events)
    courier = Courier(OneStore(Stores(stores.frames, events)), channel, patience=QUICK)
    courier.run(threading.Event(), until=lambda: True)
    assert events.lost > 0
    assert ids(channel.taken) == [("a", 1), ("b", 1)]
    assert waiting(stores, channel) == 0
    events.close()


def test_no_more_than_a_few_are_sent_again_after_a_death(stores: Stores, embedded: EmbeddedStores) -> None:
    channel = FakeChannel()
    put(stores, channel, *(make_message(id=f"m{number}") for number in range(3 * REMOVED_TOGETHER)))

    def dies(message: Message) -> None:
        if message.id == f"m{2 * REMOVED_TOGETHER + 1}":
            raise KeyboardInterrupt

    channel.error = dies
    with pytest.raises(KeyboardInterrupt):
        drain(embedded, channel)
    assert waiting(stores, channel) <= 2 * REMOVED_TOGETHER


class Remembering(Pictures):
    """Notes what it was to draw ahead."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[int] = []

    def begin(self, events: redis.Redis, messages: Sequence[Message]) -> None:
        self.begun.append(len(messages))


def test_nothing_is_drawn_ahead_for_a_channel_that_takes_nothing(
    stores: Stores, embedded: EmbeddedStores
) -> None:
    channel, pictures = FakeChannel(), Remembering()
    put(stores, channel, *(make_message(id=f"m{number}") for number in range(3)), picture=JPEG)
    channel.error = lambda _: ChannelError("nobody there") if channel.tries < 4 else None
    seconds = iter(range(0, 1_000_000, 1000))
    courier = Courier(Source(embedded), channel, pictures, patience=QUICK, clock=lambda: float(next(seconds)))
    courier.run(threading.Event(), until=lambda: waiting(stores, channel) == 0)
    assert pictures.begun == [3]
    assert len(channel.taken) == 3


def test_how_a_channel_is_stands_in_its_status(stores: Stores, embedded: EmbeddedStores) -> None:
    channel = FakeChannel("ntfy://***")
    channel.error = lambda _: ChannelError("401: the token is wrong")
    put(stores, channel, make_message(id="a"), make_message(id="b"))
    drain(embedded, channel)
    courier = Courier(Source(embedded), channel, patience=QUICK)
    courier.trouble = "401: the token is wrong"
    courier.run(threading.Event(), until=lambda: True)
    status = decode(stores.events.hget(STATUS_KEY, "channel/ntfy://***"), Status)
    assert status.health is Health.DEGRADED
    assert status.detail == "401: the token is wrong; 2 messages wait"
    assert status.counts["waiting"] == 2


def test_what_cannot_be_read_is_a_dead_letter(stores: Stores, embedded: EmbeddedStores) -> None:
    channel = FakeChannel()
    stores.events.xadd(outbox_key(channel.name), {b"d": b"\xc1"})
    put(stores, channel, make_message(id="a"))
    drain(embedded, channel)
    assert ids(channel.taken) == [("a", 1)]
    assert stores.events.xlen("nw:dead:{0}") == 1


def test_an_outbox_does_not_grow_for_ever(stores: Stores, embedded: EmbeddedStores) -> None:
    channel = FakeChannel()
    message = make_message()
    for _ in range(12):
        with stores.events.pipeline() as pipe:
            for _ in range(1000):
                post(pipe, channel, message)
            pipe.execute()
    assert waiting(stores, channel) <= KEPT + 1000


def test_answers_come_into_the_stream(stores: Stores, embedded: EmbeddedStores) -> None:
    channel = Talker()
    with carrying(embedded, channel):
        put(stores, channel, make_message())
        wait_until(lambda: len(channel.taken) == 1)
        channel.answer(Answer(word=Word.FINE, at_ns=1, message="m1", by="mqtt"))
    [(_, fields)] = stores.events.xrange("nw:answers:{0}")
    assert decode(fields[b"d"], Answer).message == "m1"


def test_the_outbox_of_a_channel_that_is_gone_goes_too(stores: Stores) -> None:
    kept, gone = FakeChannel("kept"), FakeChannel("gone")
    put(stores, kept, make_message())
    put(stores, gone, make_message(), make_message(id="b"))
    assert forget_others(stores.events, [kept]) == 2
    assert (waiting(stores, kept), waiting(stores, gone)) == (1, 0)


@pytest.mark.parametrize(
    ("message", "people", "programs", "last_resort"),
    [
        (make_message(), True, True, False),
        (make_message(loud=False), False, True, False),
        (make_message(escalated=True), True, True, True),
    ],
)
def test_who_wants_what(message: Message, people: bool, programs: bool, last_resort: bool) -> None:
    replacing = FakeChannel()
    replacing.replaces = True
    assert wants(FakeChannel(), message) is people
    assert wants(replacing, message) is programs
    assert wants(FakeChannel(escalation=True), message) is last_resort
